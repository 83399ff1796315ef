# SPDX-License-Identifier: Apache-2.0
"""A door before a server: notes how each request is signed in, and may demand a bearer token."""
import collections
import http.client
import http.server
import socket
import threading

Seen = collections.namedtuple("Seen", "method path scheme credential status length")
HOPS = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.gate.open.append(self.connection)

    def log_message(self, *args):
        pass

    def answer(self, status, headers, body):
        gate = self.server.gate
        scheme, _, credential = self.headers.get("Authorization", "").partition(" ")
        length = int(self.headers.get("Content-Length") or 0)
        gate.seen.append(Seen(self.command, self.path, scheme, credential, status, length))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def run(self):
        gate = self.server.gate
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if gate.tokens is not None and self.headers.get("Authorization") not in {
                f"Bearer {t}" for t in gate.tokens}:
            return self.answer(401, [("WWW-Authenticate", 'Bearer realm="mail"')], b"")
        headers = {k: v for k, v in self.headers.items()
                   if k.lower() not in HOPS and (gate.tokens is None or k != "Authorization")}
        if "Destination" in headers:
            path = headers["Destination"].split("/", 3)[3]
            headers["Destination"] = f"http://127.0.0.1:{gate.to}/{path}"
        back = http.client.HTTPConnection("127.0.0.1", gate.to, timeout=60)
        back.request(self.command, self.path, body or None, headers)
        reply = back.getresponse()
        data = reply.read()
        back.close()
        kept = [(k, v) for k, v in reply.getheaders() if k.lower() not in HOPS]
        return self.answer(reply.status, kept, data)


for _method in ("GET HEAD POST PUT DELETE OPTIONS PROPFIND PROPPATCH SEARCH MKCOL MOVE COPY "
                "BDELETE BMOVE BPROPPATCH").split():
    setattr(Handler, "do_" + _method, Handler.run)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class Gate:
    """Stands before the server on port TO. TOKENS: the bearer tokens that are good; None: no matter."""

    def __init__(self, to, tokens=None, port=0):
        self.to, self.tokens, self.seen, self.open = to, tokens, [], []
        self.http = Server(("127.0.0.1", port), Handler)
        self.http.gate = self
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, of):
        return of.url.replace(f":{of.port}/", f":{self.port}/")

    def close(self):
        """Nobody listens any more, and every line is cut."""
        self.http.shutdown()
        self.http.server_close()
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # gone already
