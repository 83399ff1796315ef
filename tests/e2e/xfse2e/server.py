# SPDX-License-Identifier: Apache-2.0
"""The servers of the tests: exchange-sim in each profile, and Apache mod_dav, which is not ours."""
import collections
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import time

from . import proc
from .dav import Dav

USER, PASSWORD = "alice", "sesame-4711"
CHANGING = {"PUT", "POST", "DELETE", "MKCOL", "MOVE", "COPY", "PROPPATCH", "LOCK", "UNLOCK",
            "BDELETE", "BMOVE", "BCOPY", "BPROPPATCH"}
Line = collections.namedtuple("Line", "method path status bytes_in bytes_out")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A running server. `url` is the mailbox; `keeps_bytes`: a GET answers what a PUT brought."""

    def __init__(self, directory, kind):
        self.directory = pathlib.Path(directory)
        self.kind = kind
        self.exchange = kind.startswith("e20")
        self.keeps_bytes = not self.exchange
        self.process = None
        self.url = None
        self.user, self.password = USER, PASSWORD
        self.log = self.directory / "access.log"

    @property
    def client(self):
        return Dav(self.url, self.user, self.password)

    def requests(self):
        """Every request so far, oldest first, without those of the test's own control calls."""
        lines = []
        if self.log.exists():
            for text in self.log.read_text("utf-8", "surrogateescape").splitlines():
                fields = text.split(" ")
                if len(fields) < 6:
                    continue
                path = " ".join(fields[2:-3])
                if not path.startswith("/.sim/"):
                    lines.append(Line(fields[1], path, fields[-3], fields[-2], fields[-1]))
        return lines

    def counting(self):
        """Context: `with server.counting() as c:` then c.lines, c.methods."""
        return Counting(self)

    def mutations(self):
        """What changed the store; every server's log can tell by the method."""
        Counting(self).settle()
        return [line for line in self.requests() if line.method in CHANGING]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10 * proc.SLOWNESS)
            except subprocess.TimeoutExpired:
                proc.kill_session(self.process)
                self.process.wait(5)
                raise AssertionError(f"{self.kind} did not end on SIGTERM") from None


class Counting:
    def __init__(self, server):
        self.server = server

    def __enter__(self):
        self.settle()
        self.before = len(self.server.requests())
        return self

    def __exit__(self, *exc):
        self.settle()

    def settle(self):
        """Logs are written after the answer: until the number stands still."""
        last = -1
        while (now := len(self.server.requests())) != last:
            last = now
            time.sleep(0.06)

    @property
    def lines(self):
        return self.server.requests()[self.before:]

    @property
    def methods(self):
        return collections.Counter(line.method for line in self.lines)

    @property
    def changing(self):
        return {m: n for m, n in self.methods.items() if m in CHANGING}


class Sim(Server):
    def __init__(self, directory, kind, args=(), faults=None, auth="basic", port=0):
        super().__init__(directory, kind)
        self.fault_file = self.directory / "faults"
        self.fault_file.write_text(faults or "")
        self.args = [proc.EXCHANGE_SIM, "--profile", kind, "--auth", auth,
                     "--user", f"{USER}:{PASSWORD}", "--fault", self.fault_file,
                     "--access-log", self.log, *args]
        if auth == "none":
            self.user = None
        self.start(port)

    def start(self, port=0):
        self.errors = self.directory / "sim.err"
        with open(self.errors, "ab") as err:
            self.process = proc.start([*self.args, "--listen", f"127.0.0.1:{port}"],
                                      stdout=subprocess.PIPE, stderr=err,
                                      env={"G_SLICE": "always-malloc"})  # a sanitizer sees malloc alone
        line = self.process.stdout.readline().decode()
        assert "listening on " in line, f"exchange-sim: {line!r} {self.errors.read_text()}"
        self.url = line.split("listening on ", 1)[1].strip()
        self.port = int(self.url.split(":")[2].split("/")[0])

    def restart(self):
        """The same port again; the store is new (imported again), as its memory is gone."""
        self.stop()
        self.start(self.port)

    def faults(self, text):
        """New rules for what goes wrong from now on; '' for none."""
        self.fault_file.write_text(text)
        self.process.send_signal(signal.SIGHUP)
        time.sleep(0.15)

    def control(self, path, method="GET"):
        return self.client.request(method, "/.sim/" + path).body.decode()

    def mutations(self):
        return self.control("mutations").splitlines()

    def reset(self):
        self.control("reset", "POST")

    def pause(self):
        """The machine is there, nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.resume()
        super().stop()
        if self.process:
            text = self.errors.read_text("utf-8", "replace")
            assert not any(w in text for w in ("Sanitizer", "runtime error", "CRITICAL")), text
            assert self.process.returncode == 0, f"exchange-sim: {self.process.returncode} {text}"


APACHE = """
ServerRoot {d}
ServerName localhost
PidFile {d}/httpd.pid
Listen 127.0.0.1:{port}
{user}
LoadModule mpm_event_module {m}/mod_mpm_event.so
LoadModule authz_core_module {m}/mod_authz_core.so
LoadModule authn_core_module {m}/mod_authn_core.so
LoadModule authn_file_module {m}/mod_authn_file.so
LoadModule authz_user_module {m}/mod_authz_user.so
LoadModule auth_basic_module {m}/mod_auth_basic.so
LoadModule dav_module {m}/mod_dav.so
LoadModule dav_fs_module {m}/mod_dav_fs.so
ErrorLog {d}/error.log
LogLevel warn
LogFormat "%{{msec}}t %m %U %>s 0 %B" xfs
CustomLog {d}/access.log xfs
DocumentRoot {d}/www
DavLockDB {d}/lock/db
Timeout 60
KeepAlive On
MaxKeepAliveRequests 0
FileETag MTime Size INode
<Directory {d}/www>
  Dav On
  AllowOverride None
  {auth}
</Directory>
"""

AUTH = """AuthType Basic
  AuthName xfs
  AuthUserFile {d}/users
  Require valid-user"""


class ModDav(Server):
    def __init__(self, directory, auth="none"):
        super().__init__(directory, "mod_dav")
        d = self.directory
        self.port = free_port()
        self.www = d / "www"
        (self.www / "mailbox").mkdir(parents=True)
        (d / "lock").mkdir()
        owner = ""
        if os.geteuid() == 0:
            owner = "User www-data\nGroup www-data"
            www = pwd.getpwnam("www-data")
            for path in (d / "lock", self.www, self.www / "mailbox"):
                os.chown(path, www.pw_uid, www.pw_gid)
            for path in (d, *d.parents):  # Apache must reach it
                if str(path).startswith("/tmp/"):
                    path.chmod(path.stat().st_mode | 0o011)
        if auth == "none":
            self.user, granted = None, "Require all granted"
        else:
            granted = AUTH.format(d=d)
            self.set_password(PASSWORD)
        (d / "httpd.conf").write_text(APACHE.format(d=d, port=self.port, user=owner, auth=granted,
                                                    m="/usr/lib/apache2/modules"))
        self.url = f"http://127.0.0.1:{self.port}/mailbox/"
        self.start()

    def set_password(self, password):
        """Apache reads the file for each request."""
        hashed = proc.run(["openssl", "passwd", "-apr1", password]).text.strip()
        (self.directory / "users").write_text(f"{USER}:{hashed}\n")
        (self.directory / "users").chmod(0o644)

    def start(self):
        apache = "/usr/sbin/apache2"
        self.process = proc.start([apache, "-f", self.directory / "httpd.conf", "-DFOREGROUND"],
                                  stdout=subprocess.DEVNULL,
                                  stderr=open(self.directory / "httpd.err", "ab"))

        def answers():
            assert self.process.poll() is None, (self.directory / "httpd.err").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False
        proc.wait_until(answers, 10, "apache2 listens")
