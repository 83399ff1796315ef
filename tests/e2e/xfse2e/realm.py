# SPDX-License-Identifier: Apache-2.0
"""A Kerberos realm of the test's own, and an Apache that lets nobody in without a ticket of it.

No file of the system is read or written: configuration, database, keytabs and ports are the
realm's. The KDC's database is in a slapd of its own, which is what lets it allow constrained
delegation (S4U2Proxy). All of it starts in a fifth of a second.
"""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import proc
from .proc import run
from .server import Server, free_port

NAME = "CONTOSO.TEST"
PASSWORDS = {"alice": "sesame-4711", "bob": "secret-0815"}
SUFFIX, ADMIN, ADMIN_PASSWORD = "dc=contoso,dc=test", "cn=admin,dc=contoso,dc=test", "ldapadmin"

KRB5_CONF = """[libdefaults]
 default_realm = {name}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 forwardable = true
 udp_preference_limit = 1
 default_ccache_name = FILE:{d}/krb5cc_%{{uid}}
 default_keytab_name = FILE:{d}/none.keytab
[realms]
 {name} = {{
  kdc = 127.0.0.1:{port}
 }}
[domain_realm]
 localhost = {name}
"""

KDC_CONF = """[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = 127.0.0.1:{port}
[realms]
 {name} = {{
  database_module = ldapdb
  key_stash_file = {d}/stash
  acl_file = {d}/kadm5.acl
  max_life = 10h
  max_renewable_life = 7d
  default_principal_flags = +forwardable
 }}
[dbmodules]
 ldapdb = {{
  db_library = kldap
  ldap_kdc_dn = {admin}
  ldap_kadmind_dn = {admin}
  ldap_kerberos_container_dn = cn=krb5,{suffix}
  ldap_service_password_file = {d}/ldap.stash
  ldap_servers = {ldap}
 }}
[logging]
 kdc = FILE:{d}/kdc.log
"""

SLAPD_CONF = """include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include {d}/kerberos.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix {suffix}
rootdn {admin}
rootpw {password}
directory {d}/ldap
dbnosync
"""


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Realm:
    """Users alice and bob, the services HTTP/localhost (the web server) and svc/localhost, which
    may take any user's part (S4U2Self) towards HTTP/localhost alone (S4U2Proxy)."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="xfs-realm-"))
        self.directory.chmod(0o711)  # the web server's user reads krb5.conf
        self.name = NAME
        self.kdc = self.slapd = None
        self.env = {"KRB5_CONFIG": os.fspath(self.directory / "krb5.conf"),
                    "KRB5_KDC_PROFILE": os.fspath(self.directory / "kdc.conf")}
        try:
            self.ldap = self.start_slapd()
            self.start_kdc()
        except BaseException:
            self.stop()
            raise

    # -- life ------------------------------------------------------------------------------------

    def serve(self, argv, port, log):
        """A server of the realm that stays in the foreground."""
        with open(self.directory / log, "ab") as out:
            child = proc.start(argv, stdout=out, stderr=out, env=self.env)
        proc.wait_until(lambda: listens(port) or child.poll() is not None, 10, argv[0])
        assert child.poll() is None, (self.directory / log).read_text()
        return child

    def start_slapd(self):
        d, port = self.directory, free_port()
        (d / "ldap").mkdir()
        run(["sh", "-c", 'zcat -f /usr/share/doc/krb5-kdc-ldap/kerberos.schema* > "$1"', "sh",
             d / "kerberos.schema"])
        (d / "slapd.conf").write_text(SLAPD_CONF.format(d=d, suffix=SUFFIX, admin=ADMIN,
                                                        password=ADMIN_PASSWORD))
        # Where AppArmor is on, its profile goes by the path and would allow no configuration here.
        shutil.copy("/usr/sbin/slapd", d / "slapd")
        url = f"ldap://127.0.0.1:{port}"
        self.slapd = self.serve([d / "slapd", "-d", "0", "-f", d / "slapd.conf", "-h", url + "/"],
                                port, "slapd.log")
        self.ldif("ldapadd", url, f"dn: {SUFFIX}\nobjectClass: dcObject\n"
                  "objectClass: organization\no: Contoso\ndc: contoso\n")
        stash = d / "ldap.stash"
        stash.write_text(f"{ADMIN}#{{HEX}}{ADMIN_PASSWORD.encode().hex()}\n")
        stash.chmod(0o600)
        return url

    @staticmethod
    def ldif(program, url, text):
        run([program, "-x", "-H", url, "-D", ADMIN, "-w", ADMIN_PASSWORD], data=text.encode())

    def start_kdc(self):
        d, port = self.directory, free_port()
        (d / "krb5.conf").write_text(KRB5_CONF.format(name=NAME, port=port, d=d))
        (d / "kdc.conf").write_text(KDC_CONF.format(name=NAME, port=port, d=d, admin=ADMIN,
                                                    suffix=SUFFIX, ldap=self.ldap))
        self.sbin(["kdb5_ldap_util", "-D", ADMIN, "-w", ADMIN_PASSWORD, "-H", self.ldap, "create",
                   "-r", NAME, "-subtrees", SUFFIX, "-s", "-P", "master"])
        self.kadmin(*(f"addprinc -pw {password} {user}" for user, password in PASSWORDS.items()),
                    "addprinc -randkey HTTP/localhost",
                    "addprinc -randkey +ok_to_auth_as_delegate svc/localhost",
                    *(f"ktadd -norandkey -k {self.keytab(who)} {who}"
                      for who in (*PASSWORDS, "HTTP/localhost", "svc/localhost")))
        self.allow_delegation("svc/localhost", "HTTP/localhost")
        self.kdc = self.serve(["/usr/sbin/krb5kdc", "-n", "-r", NAME], port, "kdc.out")

    def sbin(self, argv, data=None):
        return run(["/usr/sbin/" + argv[0], *argv[1:]], data=data, env=self.env, timeout=60)

    def kadmin(self, *queries):
        result = self.sbin(["kadmin.local", "-r", NAME], "\n".join(queries).encode() + b"\n")
        assert "while" not in result.err, result.err  # its way to say that one failed

    def allow_delegation(self, service, target):
        found = run(["ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-x", "-H", self.ldap, "-D", ADMIN,
                     "-w", ADMIN_PASSWORD, "-b", SUFFIX, f"(krbPrincipalName={service}@{NAME})", "dn"])
        self.ldif("ldapmodify", self.ldap, f"{found.text.splitlines()[0]}\nchangetype: modify\n"
                  f"add: krbAllowedToDelegateTo\nkrbAllowedToDelegateTo: {target}@{NAME}\n")

    def stop(self):
        for child in (self.kdc, self.slapd):
            if child and child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.terminate()
                try:
                    child.wait(10)
                except subprocess.TimeoutExpired:
                    proc.kill_session(child)
                    child.wait(5)
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- use -------------------------------------------------------------------------------------

    def pause(self):
        """The KDC's machine takes connections, nobody answers."""
        self.kdc.send_signal(signal.SIGSTOP)

    def resume(self):
        self.kdc.send_signal(signal.SIGCONT)

    def keytab(self, who):
        return self.directory / f"{who.split('/')[0].lower()}.keytab"

    def kinit(self, user, cache, *flags):
        """A ticket in the file CACHE; FLAGS: "-l", "5s" …"""
        run(["kinit", "-c", f"FILE:{cache}", *flags, user], env=self.env,
            data=PASSWORDS[user].encode() + b"\n")
        return cache

    def service_ticket(self, cache, service="HTTP/localhost"):
        """CACHE gets the ticket for SERVICE as well, so that no client need ask for it."""
        run(["kvno", "-q", "-c", f"FILE:{cache}", service], env=self.env)


def skew(cache, seconds):
    """CACHE's owner believes that the KDC's clock differs by SECONDS (file format 4, tag 1)."""
    data = cache.read_bytes()
    assert data[:2] == b"\x05\x04", "a credential cache of version 4"
    length = int.from_bytes(data[2:4], "big")
    tag = b"\x00\x01\x00\x08" + seconds.to_bytes(4, "big", signed=True) + bytes(4)
    cache.write_bytes(data[:2] + len(tag).to_bytes(2, "big") + tag + data[4 + length:])


APACHE = """
ServerRoot {d}
ServerName localhost
PidFile {d}/httpd.pid
Listen 127.0.0.1:{port}
Listen 127.0.0.1:{open_port}
{owner}
{modules}
ErrorLog {d}/error.log
LogLevel warn
LogFormat "%{{msec}}t %m %U %>s 0 %B" xfs
LogFormat "%u %m %{{Content-Length}}i %k %>s %U" who
CustomLog {d}/access.log xfs
DocumentRoot {d}/www
DavLockDB {d}/lock/db
Timeout 60
KeepAlive On
MaxKeepAliveRequests 0
AllowEncodedSlashes NoDecode
LimitXMLRequestBody 0
<Directory {d}/www>
  Dav On
  AllowOverride None
  Require all granted
</Directory>
<VirtualHost 127.0.0.1:{port}>
  CustomLog {d}/who.log who
  {proxy}
  <Location />
    AuthType GSSAPI
    AuthName {realm}
    GssapiCredStore keytab:{d}/http.keytab
    GssapiAllowedMech krb5
    GssapiLocalName Off
    GssapiBasicAuth {basic}
    GssapiBasicAuthMech krb5
    Require valid-user
  </Location>
  {rights}
</VirtualHost>
"""

MODULES = ("mpm_event authn_core authz_core authz_user auth_basic dav dav_fs proxy proxy_http "
           "headers auth_gssapi").split()


class Gssapi(Server):
    """Apache with mod_auth_gssapi before BEHIND (a Sim with auth="none"), or with mod_dav in it.

    RIGHTS: {path: user or "*"}, who alone may come there; DENIED: the status others get.
    `client` is the way around the door.
    """

    def __init__(self, directory, realm, behind=None, rights=None, denied=401, basic=False):
        super().__init__(directory, behind.kind if behind else "mod_dav")
        d = self.directory
        d.mkdir(exist_ok=True)
        self.realm, self.behind, self.user = realm, behind, None
        self.port, self.open_port = free_port(), free_port()
        for path in (d / "www" / "mailbox", d / "lock"):
            path.mkdir(parents=True)
        shutil.copy(realm.keytab("HTTP/localhost"), d / "http.keytab")
        owner = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        if owner:
            www = pwd.getpwnam("www-data")
            for path in (d / "lock", d / "www", d / "www" / "mailbox", d / "http.keytab"):
                os.chown(path, www.pw_uid, www.pw_gid)
            for path in (d, *d.parents):
                if str(path).startswith("/tmp/"):
                    path.chmod(path.stat().st_mode | 0o011)
        proxy = ""
        if behind:
            proxy = ("ProxyPreserveHost On\n  RequestHeader unset Authorization\n  ProxyPass / "
                     f"http://127.0.0.1:{behind.port}/ nocanon disablereuse=on timeout=120")
        self.settings = {
            "d": d, "port": self.port, "open_port": self.open_port, "owner": owner, "proxy": proxy,
            "realm": realm.name, "basic": "On" if basic else "Off",
            "modules": "\n".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so"
                                 for m in MODULES)}
        mailbox = behind.url.split("/", 3)[3] if behind else "mailbox/"
        self.url = f"http://localhost:{self.port}/{mailbox}"
        self.write(rights or {}, denied)
        self.start()

    def write(self, rights, denied):
        hidden = "On" if denied == 403 else "Off"
        text = "".join(f"<Location {path}>\n    AuthzSendForbiddenOnFailure {hidden}\n"
                       f"    Require user {user}@{self.realm.name}\n  </Location>\n  "
                       for path, user in rights.items())
        (self.directory / "httpd.conf").write_text(APACHE.format(rights=text, **self.settings))

    def start(self):
        with open(self.directory / "httpd.err", "ab") as err:
            # The replay cache would be one file for all servers of the machine.
            self.process = proc.start(
                ["/usr/sbin/apache2", "-f", self.directory / "httpd.conf", "-DFOREGROUND"],
                stdout=subprocess.DEVNULL, stderr=err,
                env=self.realm.env | {"KRB5RCACHENAME": "none:"})
        proc.wait_until(lambda: listens(self.port) or self.process.poll() is not None, 10, "apache2")
        assert self.process.poll() is None, (self.directory / "httpd.err").read_text()

    @property
    def client(self):
        if self.behind:
            return self.behind.client
        from .dav import Dav
        return Dav(f"http://127.0.0.1:{self.open_port}/mailbox/")

    def mutations(self):
        return self.behind.mutations() if self.behind else super().mutations()

    def faults(self, text):
        self.behind.faults(text)

    def came(self):
        """[(user or "-", method, length of the body, status, path)] through the door, in order."""
        log = self.directory / "who.log"
        lines = log.read_text("utf-8", "surrogateescape").splitlines() if log.exists() else []
        found = []
        for line in lines:
            user, method, length, _, status, path = line.split(" ", 5)
            found.append((user.split("@")[0], method, int(length) if length != "-" else 0,
                          int(status), path))
        return found
