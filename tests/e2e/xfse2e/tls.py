# SPDX-License-Identifier: Apache-2.0
"""An authority of the test's own, Apache's mod_ssl before a server, Apache as an HTTP proxy, and
servers of another age. Nothing of the system is read or written; all certificates are made by the
openssl command.
"""
import base64
import datetime
import hashlib
import os
import pathlib
import pwd
import socket
import threading

from . import proc
from .dav import Dav
from .proc import run
from .server import PASSWORD, USER, ModDav, Server, free_port

HERE = "DNS:localhost,IP:127.0.0.1"

CA_CONF = """[ca]
default_ca = own
[own]
dir = {d}
new_certs_dir = {d}
database = {d}/index
serial = {d}/serial
unique_subject = no
default_md = sha256
policy = any
certificate = {d}/ca.pem
private_key = {d}/ca.key
[any]
organizationName = optional
commonName = supplied
[req]
distinguished_name = dn
[dn]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""


def stamp(days):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return at.strftime("%Y%m%d%H%M%SZ")


class Cert:
    """A certificate and its key, as PEM files."""

    def __init__(self, pem, key):
        self.pem, self.key = pem, key

    def date(self, which):
        """startdate or enddate, as 2026-11-24T10:15:00Z."""
        said = run(["openssl", "x509", "-in", self.pem, "-noout", f"-{which}"]).text
        at = datetime.datetime.strptime(said.split("=", 1)[1].strip(), "%b %d %H:%M:%S %Y %Z")
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def pin(self):
        public = run(["openssl", "x509", "-in", self.pem, "-noout", "-pubkey"]).out
        der = run(["openssl", "pkey", "-pubin", "-outform", "der"], data=public).out
        return "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()


class Authority:
    def __init__(self, directory, name="Example Authority"):
        self.directory = d = pathlib.Path(directory)
        d.mkdir(mode=0o755, exist_ok=True)
        self.made = 0
        self.conf, self.pem = d / "ca.conf", d / "ca.pem"
        self.conf.write_text(CA_CONF.format(d=d))
        (d / "index").write_text("")
        (d / "serial").write_text("1000\n")
        run(["openssl", "req", "-x509", "-config", self.conf, "-extensions", "authority", *NEW_KEY,
             "-nodes", "-keyout", d / "ca.key", "-out", self.pem, "-days", "30",
             "-subj", f"/CN={name}"])

    def issue(self, name="localhost", hosts=HERE, start=-1, end=30, key_password=None):
        """START, END: in days from now. The key is encrypted with KEY_PASSWORD."""
        self.made += 1
        stem = self.directory / f"cert{self.made}"
        made = Cert(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        request, extensions = stem.with_suffix(".csr"), stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName = {hosts}\n" if hosts else "keyUsage = "
                              "digitalSignature\n")
        lock = ["-passout", f"pass:{key_password}"] if key_password else ["-nodes"]
        run(["openssl", "req", "-new", "-config", self.conf, *NEW_KEY, *lock, "-keyout", made.key,
             "-out", request, "-subj", f"/O=Example/CN={name}"])
        run(["openssl", "ca", "-batch", "-notext", "-config", self.conf, "-in", request, "-out",
             made.pem, "-startdate", stamp(start), "-enddate", stamp(end), "-extfile", extensions])
        return made

    def self_signed(self, name="localhost", hosts=HERE):
        self.made += 1
        stem = self.directory / f"self{self.made}"
        made = Cert(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        run(["openssl", "req", "-x509", "-config", self.conf, *NEW_KEY, "-nodes", "-keyout",
             made.key, "-out", made.pem, "-days", "30", "-subj", f"/O=Example/CN={name}",
             "-addext", f"subjectAltName = {hosts}"])
        return made


NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]

HEAD = """
ServerRoot {d}
ServerName localhost
PidFile {d}/httpd.pid
Listen 127.0.0.1:{port}
{owner}
{modules}
ErrorLog {d}/error.log
LogLevel warn
LogFormat "%{{msec}}t %m %U %>s 0 %B" xfs
LogFormat "%r|%>s|%{{Authorization}}i|%{{Proxy-Authorization}}i" heads
CustomLog {d}/access.log xfs
CustomLog {d}/heads.log heads
Timeout 60
KeepAlive On
MaxKeepAliveRequests 0
"""


class Apache(ModDav):
    """An Apache with a configuration of its own; life and log are those of ModDav."""

    def __init__(self, directory, kind, modules, body):
        Server.__init__(self, directory, kind)
        d = self.directory
        d.mkdir(exist_ok=True)
        self.port = free_port()
        if os.geteuid() == 0:
            for path in (d, *d.parents):  # Apache's user must reach it
                if str(path).startswith("/tmp/"):
                    path.chmod(path.stat().st_mode | 0o011)
        self.head = HEAD.format(
            d=d, port=self.port,
            owner="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
            modules="\n".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so"
                              for m in ("mpm_event", "authz_core", *modules)))
        self.configure(body)
        self.start()

    def configure(self, body):
        (self.directory / "httpd.conf").write_text(self.head + body)

    def restart(self, body=None):
        self.stop()
        if body is not None:
            self.configure(body)
        self.start()

    def heads(self):
        """[(request line, status, Authorization, Proxy-Authorization)] so far."""
        log = self.directory / "heads.log"
        return [tuple(line.rsplit("|", 3)) for line in
                log.read_text("utf-8", "surrogateescape").splitlines()] if log.exists() else []


class TlsFront(Apache):
    """mod_ssl before BEHIND (a Sim), or, when that is None, in the same Apache as mod_dav.

    SETTINGS: more lines of configuration. DEMAND: the authority of the certificates clients must
    show. `client` is the way around TLS.
    """

    def __init__(self, directory, cert, behind=None, demand=None, settings=""):
        self.behind, self.demand, self.settings = behind, demand, settings
        self.cert = cert
        self.plain_port = None if behind else free_port()
        modules = ("ssl", "socache_shmcb", *(("proxy", "proxy_http") if behind else
                                             ("dav", "dav_fs")))
        d = pathlib.Path(directory)
        d.mkdir()
        if not behind:
            for path in (d / "lock", d / "www" / "mailbox"):
                path.mkdir(parents=True)
            if os.geteuid() == 0:
                www = pwd.getpwnam("www-data")
                for path in (d / "lock", d / "www", d / "www" / "mailbox"):
                    os.chown(path, www.pw_uid, www.pw_gid)
        super().__init__(d, behind.kind if behind else "mod_dav", modules, self.body(d))
        self.user, self.password = (behind.user, behind.password) if behind else (None, None)
        path = behind.url.split("/", 3)[3] if behind else "mailbox/"
        self.url = f"https://localhost:{self.port}/{path}"

    def body(self, d):
        demand = (f"SSLVerifyClient require\nSSLCACertificateFile {self.demand.pem}\n"
                  if self.demand else "")
        tls = (f"SSLEngine on\nSSLCertificateFile {self.cert.pem}\n"
               f"SSLCertificateKeyFile {self.cert.key}\n{demand}{self.settings}\n")
        if self.behind:
            return (f"{tls}ProxyPreserveHost On\nAllowEncodedSlashes NoDecode\n"
                    f"ProxyPass / http://127.0.0.1:{self.behind.port}/ nocanon disablereuse=on\n")
        return (f"DocumentRoot {d}/www\nDavLockDB {d}/lock/db\n<Directory {d}/www>\nDav On\n"
                f"Require all granted\n</Directory>\nListen 127.0.0.1:{self.plain_port}\n"
                f"<VirtualHost 127.0.0.1:{{port}}>\n{tls}</VirtualHost>\n")

    def configure(self, body):
        super().configure(body.replace("{port}", str(self.port)))

    def show(self, cert):
        """Another certificate from now on."""
        self.cert = cert
        self.restart(self.body(self.directory))

    @property
    def client(self):
        if self.behind:
            return self.behind.client
        return Dav(f"http://127.0.0.1:{self.plain_port}/mailbox/")

    def mutations(self):
        return self.behind.mutations() if self.behind else super().mutations()


class HttpProxy(Apache):
    """A proxy for all addresses, http and https. USER, PASSWORD: who may use it, by Basic or, with
    DIGEST, by that. CERT: it is itself spoken to by TLS."""

    def __init__(self, directory, user=None, password=None, cert=None, digest=False):
        d = pathlib.Path(directory)
        d.mkdir()
        granted = "Require all granted"
        if user:
            if digest:
                hashed = hashlib.md5(f"{user}:proxy:{password}".encode()).hexdigest()
                (d / "users").write_text(f"{user}:proxy:{hashed}\n")
            else:
                hashed = run(["openssl", "passwd", "-apr1", password]).text.strip()
                (d / "users").write_text(f"{user}:{hashed}\n")
            granted = (f"AuthType {'Digest' if digest else 'Basic'}\nAuthName proxy\n"
                       f"AuthUserFile {d}/users\nRequire valid-user")
        self.rules = (f"ProxyRequests On\nProxyVia Off\nAllowCONNECT 1-65535\n"
                      f"AllowEncodedSlashes NoDecode\n<Proxy *>\n{granted}\n</Proxy>\n")
        super().__init__(d, "proxy", ("proxy", "proxy_http", "proxy_connect", "authn_core",
                                      "authn_file", "authz_user", "auth_basic", "auth_digest",
                                      "ssl", "socache_shmcb"), self.rules + self.tls(cert))
        self.url = f"{'https' if cert else 'http'}://localhost:{self.port}"

    @staticmethod
    def tls(cert):
        return (f"SSLEngine on\nSSLCertificateFile {cert.pem}\nSSLCertificateKeyFile {cert.key}\n"
                if cert else "")

    def use_cert(self, cert):
        self.restart(self.rules + self.tls(cert))

    def break_down(self):
        """At once, with all its tunnels."""
        proc.kill_session(self.process)
        self.process.wait(10)

    @property
    def connects(self):
        return [head for head in self.heads() if head[0].startswith("CONNECT ")]


class OnlyRc4:
    """A server as it was in 2003: no cipher but RC4 and 3DES, so that it ends each handshake that
    does not offer one; with or without an alert to say so. `hellos`: the ciphers it was offered."""

    OLD = {0x0004, 0x0005, 0x000a, 0xc011, 0xc012}

    def __init__(self, alert=True):
        self.alert, self.hellos = alert, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self.socket.getsockname()[1]}/exchange/alice/"
        self.user, self.password = USER, PASSWORD
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                self.answer(connection)

    def answer(self, connection):
        hello = connection.recv(4096)  # record 5, handshake 4, version 2, random 32, session id
        at = 43 + 1 + hello[43]
        length = int.from_bytes(hello[at:at + 2], "big")
        ciphers = {int.from_bytes(hello[i:i + 2], "big") for i in range(at + 2, at + 2 + length, 2)}
        self.hellos.append(ciphers)
        assert not ciphers & self.OLD, "this OpenSSL has them after all"
        if self.alert:
            connection.sendall(bytes((21, 3, 1, 0, 2, 2, 40)))

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
