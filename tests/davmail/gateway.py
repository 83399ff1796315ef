# SPDX-License-Identifier: Apache-2.0
"""Starts exchange-sim and, in front of it, DavMail: a client of Exchange's WebDAV by other people.

Owns both processes and their directory; what is asked of DavMail is test_davmail.py's.
"""
import contextlib
import imaplib
import os
import pathlib
import re
import shutil
import smtplib
import socket
import subprocess
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
JAR = pathlib.Path("/usr/share/davmail/davmail.jar")
HTTP_LIBRARIES = "/usr/share/java/httpclient.jar:/usr/share/java/httpcore.jar"
USER, PASSWORD = "alice", "secret"
START_SECONDS = 60
ANSWER_SECONDS = 60

WELCOME = b"""\
From: Bob <bob@contoso.test>\r
To: Alice <alice@contoso.test>\r
Subject: Welcome\r
Date: Tue, 02 Mar 2004 08:00:00 +0000\r
Message-ID: <welcome@contoso.test>\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=us-ascii\r
\r
Good morning.\r
"""


def missing():
    """What the tests need and is not there, as text; None if all is."""
    if not JAR.exists():
        return "DavMail is not installed (package davmail)"
    if not shutil.which("javac"):
        return "no Java compiler (package openjdk-17-jdk-headless)"
    if not simulator().exists():
        return f"{simulator()} is not built"
    return None


def simulator():
    return pathlib.Path(os.environ.get("EXCHANGE_SIM", ROOT / "build/release/exchange-sim"))


def free_ports(count):
    with contextlib.ExitStack() as held:
        taken = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]


class Process:
    """A child whose output goes to a file, ended by stop()."""

    def __init__(self, arguments, directory, name):
        self.output = directory / f"{name}.out"
        with self.output.open("wb") as out:
            self.child = subprocess.Popen(
                [str(a) for a in arguments], stdout=out, stderr=subprocess.STDOUT, cwd=directory)

    def wait_for(self, ready, what):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            found = ready()
            if found:
                return found
            if self.child.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"{what}:\n{self.text()[-2000:]}")

    def text(self):
        return self.output.read_text(errors="replace")

    def stop(self):
        """Asks it to end, and returns its exit status."""
        self.child.terminate()
        try:
            return self.child.wait(15)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()


class Simulator(Process):
    def __init__(self, directory, profile):
        mailbox = directory / "mailbox"
        (mailbox / "Inbox").mkdir(parents=True)
        (mailbox / "Inbox/Welcome.eml").write_bytes(WELCOME)
        self.access_log = directory / "access.log"
        super().__init__(
            [simulator(), "--listen", "127.0.0.1:0", "--profile", profile,
             "--user", f"{USER}:{PASSWORD}", "--import", mailbox, "--access-log", self.access_log],
            directory, "exchange-sim")
        line = self.wait_for(
            lambda: re.search(r"listening on (http://[^/\s]+)/", self.text()),
            "exchange-sim does not listen")
        self.url = line.group(1)

    def submissions(self):
        """How many messages were handed over for delivery; asked of the simulator, not of DavMail."""
        with urllib.request.urlopen(f"{self.url}/.sim/submissions", timeout=10) as answer:
            return int(answer.read().split()[0])


class Davmail(Process):
    def __init__(self, directory, url):
        self.imap_port, self.smtp_port = free_ports(2)
        self.log = directory / "davmail.log"
        settings = {
            "davmail.server": "true",
            "davmail.mode": "WebDav",
            "davmail.enableEws": "false",
            "davmail.url": f"{url}/exchange/",
            "davmail.bindAddress": "127.0.0.1",
            "davmail.imapPort": self.imap_port,
            "davmail.smtpPort": self.smtp_port,
            "davmail.popPort": "",
            "davmail.ldapPort": "",
            "davmail.caldavPort": "",
            "davmail.disableUpdateCheck": "true",
            # Without these it tidies Sent and Trash, or expunges, behind the back of a test.
            "davmail.keepDelay": "0",
            "davmail.sentKeepDelay": "0",
            "davmail.imapAutoExpunge": "false",
            "davmail.logFilePath": self.log,
            "log4j.rootLogger": "WARN",
            "log4j.logger.davmail": "DEBUG",
        }
        properties = directory / "davmail.properties"
        properties.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        classes = directory / "classes"
        subprocess.run(["javac", "-nowarn", "-d", classes, "-cp", HTTP_LIBRARIES,
                        HERE / "ResponseEntityProxy.java"], check=True)
        super().__init__(
            ["java", "-Xmx256m", "-Djava.awt.headless=true", f"-Duser.home={directory}",
             "-cp", f"{classes}:{JAR}", "davmail.DavGateway", properties],
            directory, "davmail")
        self.wait_for(lambda: all(map(listens, (self.imap_port, self.smtp_port))),
                      "DavMail does not listen")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Gateway:
    """DavMail in front of a simulator of one profile."""

    def __init__(self, directory, profile):
        self.profile = profile
        self.simulator = Simulator(directory, profile)
        try:
            self.davmail = Davmail(directory, self.simulator.url)
        except BaseException:
            self.simulator.stop()
            raise

    def stop(self):
        self.davmail.stop()
        return self.simulator.stop()

    @contextlib.contextmanager
    def imap(self, password=PASSWORD):
        connection = imaplib.IMAP4("127.0.0.1", self.davmail.imap_port, timeout=ANSWER_SECONDS)
        try:
            connection.login(USER, password)
            yield connection
        finally:
            connection.shutdown()

    @contextlib.contextmanager
    def smtp(self, password=PASSWORD):
        with smtplib.SMTP("127.0.0.1", self.davmail.smtp_port, timeout=ANSWER_SECONDS) as session:
            session.login(USER, password)
            yield session

    def requests(self):
        """(method, path, status) of all that reached the simulator."""
        lines = self.simulator.access_log.read_text(errors="replace").splitlines()
        return [tuple(line.split()[1:4]) for line in lines]

    def complaints(self):
        """The last of what DavMail logged above DEBUG, to explain a failed test."""
        if not self.davmail.log.exists():
            return self.davmail.text()[-2000:]
        lines = self.davmail.log.read_text(errors="replace").splitlines()
        return "\n".join(line[:300] for line in lines if re.search(r" (WARN|ERROR) ", line))[-3000:]
