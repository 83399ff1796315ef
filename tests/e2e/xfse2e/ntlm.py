# SPDX-License-Identifier: Apache-2.0
"""A gate that demands NTLM before a server, in a process of its own.

It is NTLM as IIS speaks it: three steps on one connection, which is signed in from then on, and no
other. NTLMv2's arithmetic is impacket's (python3-impacket).
"""
import base64
import collections
import http.client
import http.server
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import threading
import time

from . import proc
from .server import PASSWORD, USER, Server

# `step`: of NTLM, 0 without a credential, OTHER with one of another scheme.
OTHER = 9
Came = collections.namedtuple("Came", "connection method path length step user status")

UNICODE, TARGET, NTLM, SIGN, EXTENDED, INFO, KEY128, KEY56 = (
    1 << 0, 1 << 2, 1 << 9, 1 << 15, 1 << 19, 1 << 23, 1 << 29, 1 << 31)
OWN = {"authorization", "connection", "content-length", "transfer-encoding", "expect"}
THEIRS = {"connection", "content-length", "transfer-encoding", "date", "server", "keep-alive"}


def challenge_message(nonce, domain):
    """Step two: the server's random bytes, and who it says it is."""
    name = domain.encode("utf-16le")
    now = (int(time.time()) + 11644473600) * 10**7  # since 1601, in 100 ns
    about = b""
    for kind, value in ((2, name), (1, "EXCH".encode("utf-16le")), (7, struct.pack("<Q", now)),
                        (0, b"")):
        about += struct.pack("<HH", kind, len(value)) + value
    flags = UNICODE | TARGET | NTLM | SIGN | EXTENDED | INFO | KEY128 | KEY56

    def field(value, at):
        return struct.pack("<HHI", len(value), len(value), at)
    head = b"NTLMSSP\0" + struct.pack("<I", 2) + field(name, 56) + struct.pack("<I", flags)
    head += nonce + bytes(8) + field(about, 56 + len(name)) + bytes([6, 1, 0, 0, 0, 0, 0, 15])
    return head + name + about


def proven_user(message, nonce, user, password):
    """Step three: the name, when MESSAGE proves that its sender knows PASSWORD; NTLMv2 alone."""
    from impacket import ntlm
    said = ntlm.NTLMAuthChallengeResponse()
    said.fromString(message)
    code = "utf-16le" if said["flags"] & UNICODE else "latin-1"
    name, domain = (bytes(said[f]).decode(code) for f in ("user_name", "domain_name"))
    proof, blob = bytes(said["ntlm"])[:16], bytes(said["ntlm"])[16:]
    if name.lower() != user.lower() or len(blob) < 28:
        return None
    key = ntlm.NTOWFv2(name, password, domain)
    return name if ntlm.hmac_md5(key, nonce + blob) == proof else None


class Connection(http.server.BaseHTTPRequestHandler):
    """One client connection; `user` once it is signed in."""
    protocol_version = "HTTP/1.1"
    wbufsize, disable_nagle_algorithm = -1, True  # an answer is one packet, at once
    user = nonce = behind = None
    served = 0

    def log_message(self, *args):
        pass

    def whole_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, body, step, status, headers, data=b""):
        self.server.note(f"{self.client_address[1]} {self.command} {len(body)} {step} "
                         f"{self.user or '-'} {status} {self.path}\n")
        self.served += 1
        last = self.server.per_connection and self.served >= self.server.per_connection
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        if last and step != 1:  # a server that closes between the steps could never be entered
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, body, step, value="NTLM"):
        values = [value] if step == 1 else [*self.server.offers, value]
        self.answer(body, step, 401, [("WWW-Authenticate", v) for v in values], b"no\n")

    def run(self):
        body = self.whole_body()
        scheme, _, text = self.headers.get("Authorization", "").partition(" ")
        step = OTHER if scheme else 0
        if scheme == "NTLM":
            message = base64.b64decode(text)
            step = message[8]
            if step == 1:
                self.user, self.nonce = None, os.urandom(8)
                told = base64.b64encode(challenge_message(self.nonce, self.server.domain)).decode()
                return self.refuse(body, 1, "NTLM " + told)
            nonce, self.nonce = self.nonce, None
            self.user = nonce and proven_user(message, nonce, *self.server.account)
        if not self.user:
            return self.refuse(body, step)
        return self.answer(body, step, *self.forward(body))

    def forward(self, body):
        self.behind = self.behind or http.client.HTTPConnection(*self.server.to, timeout=120)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in OWN}
        if body or self.command in ("PUT", "POST"):
            headers["Content-Length"] = str(len(body))
        self.behind.request(self.command, self.path, body or None, headers)
        reply = self.behind.getresponse()
        data = reply.read()
        return reply.status, [(k, v) for k, v in reply.getheaders()
                              if k.lower() not in THEIRS], data


for _method in ("GET HEAD POST PUT DELETE OPTIONS PROPFIND PROPPATCH SEARCH MKCOL MOVE COPY LOCK "
                "UNLOCK BDELETE BMOVE BCOPY BPROPPATCH BPROPFIND").split():
    setattr(Connection, "do_" + _method, Connection.run)


class Gate(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, settings):
        super().__init__(("127.0.0.1", 0), Connection)
        self.to = ("127.0.0.1", settings["to"])
        self.account, self.domain = [settings["user"], settings["password"]], settings["domain"]
        self.offers, self.per_connection = settings["offers"], settings["per_connection"]
        self.log = open(settings["log"], "a", buffering=1, encoding="utf-8")
        self.lock = threading.Lock()
        Connection.timeout = settings["idle"]

    def note(self, line):
        with self.lock:
            self.log.write(line)

    def change_password(self, *_):
        self.account[1] += "-changed"

    def handle_error(self, request, client_address):
        pass  # a client that went away


class NtlmGate(Server):
    """Stands before BEHIND, a server without a sign-in of its own.

    OFFERS: challenges besides NTLM, which nothing can meet; PER_CONNECTION: requests until it is
    closed; IDLE: seconds after which it is.
    """

    def __init__(self, directory, behind, domain="CONTOSO", offers=(), per_connection=0, idle=None):
        super().__init__(directory, behind.kind)
        self.directory.mkdir(exist_ok=True)
        self.behind, self.came_log = behind, self.directory / "came.log"
        settings = {"to": behind.port, "user": USER, "password": PASSWORD, "domain": domain,
                    "offers": list(offers), "per_connection": per_connection, "idle": idle,
                    "log": str(self.came_log)}
        self.process = proc.start([proc.PYTHON, "-m", "xfse2e.ntlm", json.dumps(settings)],
                                  stdout=subprocess.PIPE, cwd=pathlib.Path(__file__).parents[1])
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/" + behind.url.split("/", 3)[3]

    @property
    def client(self):
        return self.behind.client

    def mutations(self):
        return self.behind.mutations()

    def came(self):
        """Each request that reached the gate; `user` is whose connection it came by."""
        found = []
        if self.came_log.exists():
            for line in self.came_log.read_text("utf-8").splitlines():
                connection, method, length, step, user, status, path = line.split(" ", 6)
                found.append(Came(int(connection), method, path, int(length), int(step),
                                  None if user == "-" else user, int(status)))
        return found

    def change_password(self):
        """From now on the old one is refused; who is signed in stays so."""
        self.process.send_signal(signal.SIGHUP)
        time.sleep(0.15)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


if __name__ == "__main__":
    gate = Gate(json.loads(sys.argv[1]))
    signal.signal(signal.SIGHUP, gate.change_password)
    print(gate.server_address[1], flush=True)
    gate.serve_forever()
