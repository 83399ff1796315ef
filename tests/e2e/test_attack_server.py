# SPDX-License-Identifier: Apache-2.0
"""A server that lies: bytes by hand, not by a simulator that means well.

`Liar` is a small WebDAV server of raw sockets: one folder `work` with a file `f.txt`. A test replaces
single answers by whatever it likes; each ends in an errno within the time, one sentence, no damage.
"""
import base64
import os
import re
import socket
import threading
import time
import urllib.parse

import pytest
from xfse2e import proc
from xfse2e.proc import SLOWNESS

pytestmark = pytest.mark.core
TIMEO = 2
BODY = bytes(range(256)) * 400  # 102,400 bytes
ROOT = "/dav/"
HEAD = '<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">'
TAIL = "</D:multistatus>"


def row(href, folder=False, size=len(BODY), tag='"t1"', modified="Tue, 24 Nov 2026 10:00:00 GMT", extra=""):
    kind = "<D:collection/>" if folder else ""
    length = "" if folder else f"<D:getcontentlength>{size}</D:getcontentlength><D:getetag>{tag}</D:getetag>"
    return (f"<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:resourcetype>{kind}</D:resourcetype>"
            f"{length}<D:getlastmodified>{modified}</D:getlastmodified>{extra}</D:prop>"
            "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>")


def answer(status, body=b"", *headers, length=None):
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", *headers]
    if length != "none":
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def multistatus(*rows, **kw):
    return answer("207 Multi-Status", HEAD + "".join(rows) + TAIL, "Content-Type: text/xml", **kw)


PAGE = answer("200 OK", "<html><body>Please log on</body></html>", "Content-Type: text/html")


class Request:
    def __init__(self, method, path, headers):
        self.method, self.path, self.headers = method, path, headers
        self.name = urllib.parse.unquote(path)[len(ROOT):]
        self.body = b""


class Liar:
    """`lie(request, send)` answers True when it has sent all that is to be sent (False: the truth)."""
    kind, user, password, exchange = "liar", None, None, False

    def __init__(self):
        self.files = {"work/f.txt": BODY}
        self.tags = {"work/f.txt": '"t1"'}
        self.log, self.lie, self.hang_up, self.read_bodies = [], None, False, True
        self.lock = threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d%s" % (self.socket.getsockname()[1], ROOT)
        self.open, self.ended = set(), False
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.open.add(peer)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def stop(self):
        if self.ended:
            return
        self.ended = True
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for peer in list(self.open):
            self.drop(peer)

    def drop(self, peer):
        try:
            peer.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        peer.close()
        self.open.discard(peer)

    def read_request(self, stream):
        line = stream.readline().decode("latin-1").split(" ")
        if len(line) < 3:
            return None
        headers = {}
        while (text := stream.readline().decode("latin-1").strip()):
            name, value = text.split(":", 1)
            headers[name.lower()] = value.strip()
        return Request(line[0], line[1], headers)

    def serve(self, peer):
        stream = peer.makefile("rb")
        try:
            while (request := self.read_request(stream)):
                request.read_body = lambda: stream.read(int(request.headers.get("content-length", 0)))
                with self.lock:
                    self.log.append(request)
                if self.read_bodies or request.method != "PUT":
                    request.body = request.read_body()
                if not (self.lie and self.lie(request, peer.sendall)):
                    peer.sendall(self.truth(request))
                if self.hang_up:
                    break
        except (OSError, ValueError, StopIteration):
            pass
        self.drop(peer)

    def truth(self, r):
        name = r.name.rstrip("/")
        if r.method == "PROPFIND":
            return self.propfind(r, name)
        if r.method == "GET" and name in self.files:
            return answer("200 OK", self.files[name], "ETag: " + self.tags[name], "Content-Type: text/plain")
        if r.method == "PUT":
            new = name not in self.files
            if "if-none-match" in r.headers and not new:
                return answer("412 Precondition Failed")
            if "if-match" in r.headers and r.headers["if-match"] != self.tags.get(name):
                return answer("412 Precondition Failed")
            self.files[name] = r.body
            self.tags[name] = '"t%d"' % len(self.log)
            return answer("201 Created" if new else "204 No Content", b"", "ETag: " + self.tags[name])
        if r.method == "DELETE" and name in self.files:
            del self.files[name]
            return answer("204 No Content")
        if r.method == "PROPPATCH":
            return answer("403 Forbidden")
        return answer("404 Not Found")

    def rows(self, folder):
        return [row(ROOT + n, size=len(b), tag=self.tags[n]) for n, b in self.files.items()
                if os.path.dirname(n) == folder]

    def propfind(self, r, name):
        if name in self.files:
            return multistatus(row(ROOT + name, size=len(self.files[name]), tag=self.tags[name]))
        if name not in ("", "work"):
            return answer("404 Not Found")
        rows = [row(ROOT + (name and name + "/"), folder=True)]
        if r.headers.get("depth") == "1":
            rows += self.rows(name) + ([row(ROOT + "work/", folder=True)] if not name else [])
        return multistatus(*rows)

    def count(self, method):
        with self.lock:
            return sum(r.method == method for r in self.log)


@pytest.fixture
def liar():
    made = Liar()
    yield made
    made.stop()


def when(method, name, *pieces, depth=None):
    """A lie for METHOD on NAME (None: any): PIECES are bytes to send, seconds to wait, None to hang up."""
    def lie(request, send):
        if method not in ("*", request.method) or name not in (None, request.name.rstrip("/")):
            return False
        if depth is not None and request.headers.get("depth") != depth:
            return False
        for piece in pieces:
            if piece is None:
                raise StopIteration
            if isinstance(piece, bytes):
                send(piece)
            else:
                time.sleep(piece)
        return True
    return lie


READ = "open('work/f.txt', 'rb').read()"
LIST = "os.listdir('work')"
WRITE = "f = open('work/f.txt', 'wb')\nf.write(b'new' * 100000)\nf.close()"
CREATE = "f = open('work/new.txt', 'wb')\nf.write(b'new' * 100000)\nf.close()"


def start(mount, liar, **kw):
    return mount(liar, **{"timeo": TIMEO, "timeo_meta": TIMEO, "attr_ttl": 0, "offline": "no"} | kw)


def judge_sentences(m):
    for line in m.complaints():
        assert len(line) < 700, line[:200]
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", line), line


def head(*headers, status="200 OK"):
    return answer(status, b"", *headers, length="none")


BAD_READS = {
    "endless headers": [b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 300_000, None],
    "a header without end": [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 3_000_000, None],
    "endless 1xx": [b"HTTP/1.1 102 Processing\r\n\r\n" * 20_000, None],
    "101": [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
    "status 099": [b"HTTP/1.1 099 What\r\nContent-Length: 0\r\n\r\n"],
    "status 1000": [b"HTTP/1.1 1000 What\r\nContent-Length: 0\r\n\r\n"],
    "HTTP/0.9": [BODY, None],
    "HTTP/3.7": [b"HTTP/3.7 200 OK\r\nContent-Length: 3\r\n\r\nabc", None],
    "SSH": [b"SSH-2.0-OpenSSH_9.2\r\n", None],
    "a length that is too long": [answer("200 OK", BODY, 'ETag: "t1"', length=len(BODY) + 5), None],
    "a length that is too short": [answer("200 OK", BODY, 'ETag: "t1"', length=len(BODY) - 5)],
    "a negative length": [answer("200 OK", BODY, 'ETag: "t1"', length=-5), None],
    "a length of 2^63-1": [answer("200 OK", BODY, 'ETag: "t1"', length=2**63 - 1), None],
    "a length of 2^64+5": [answer("200 OK", BODY, 'ETag: "t1"', length=2**64 + 5), None],
    "chunked nonsense": [head('ETag: "t1"', "Transfer-Encoding: chunked") + b"zzzz\r\nabc\r\n0\r\n\r\n", None],
    "a chunk of 2^64": [head('ETag: "t1"', "Transfer-Encoding: chunked") + b"10000000000000000\r\nabc", None],
    "chunks cut": [head('ETag: "t1"', "Transfer-Encoding: chunked") + b"5\r\nhello\r\n5\r\nhe", None],
    "chunks and too few": [head('ETag: "t1"', "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n"],
    "206 unasked": [answer("206 Partial Content", BODY[:10], 'ETag: "t1"',
                           f"Content-Range: bytes 0-9/{len(BODY)}")],
    "another tag": [answer("200 OK", b"x" * len(BODY), 'ETag: "t2"')],
    "gzip unasked": [answer("200 OK", b"\x1f\x8b" + b"x" * 500, 'ETag: "t1"', "Content-Encoding: gzip")],
    "gzip unasked, chunked": [head('ETag: "t1"', "Content-Encoding: gzip", "Transfer-Encoding: chunked")
                              + b"5\r\n\x1f\x8b123\r\n0\r\n\r\n"],
    "a redirect to itself": [answer("302 Found", b"", f"Location: {ROOT}work/f.txt")],
    "a redirect elsewhere": [answer("307 Temporary", b"", "Location: http://198.51.100.1/f.txt")],
    "a redirect to file:": [answer("301 Moved", b"", "Location: file:///etc/passwd")],
    "nothing": [None],
    "half a head": [b"HTTP/1.1 200 OK\r\nContent-", None],
    "503 for a century": [answer("503 Busy", b"", "Retry-After: 3153600000")],
    "503 at once, for ever": [answer("503 Busy", b"", "Retry-After: 0")],
    "429 and a negative time": [answer("429 Slow down", b"", "Retry-After: -5")],
    "429 and a far date": [answer("429 Slow down", b"", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT")],
}


@pytest.mark.parametrize("case", BAD_READS)
def test_a_lie_about_a_body(liar, mount, case):
    with start(mount, liar) as m:
        m.sh("ls -l work >/dev/null")
        liar.lie = when("GET", "work/f.txt", *BAD_READS[case])
        began = time.monotonic()
        result = m.sh("cat work/f.txt", check=False, timeout=40)
        assert time.monotonic() - began < (TIMEO * 4 + 4) * SLOWNESS, result
        assert result.rc != 0 or (result.out == BODY and "2^64" in case), result
        assert BODY.startswith(result.out)
        assert m.complaints() or case in ("another tag", "a length of 2^63-1", "a length of 2^64+5")
        judge_sentences(m)
        liar.lie = None
        assert m.read("work/f.txt") == BODY


def test_a_redirect_to_a_logon_page_is_eacces(liar, mount):
    with start(mount, liar) as m:
        m.sh("ls -l work >/dev/null")
        page = answer("302 Found", b"", "Location: /exchweb/bin/auth/owalogon.asp?url=x&reason=0")
        liar.lie = when("*", None, page)
        assert m.errno_of(READ) == "EACCES"
        assert m.errno_of(LIST) == "EACCES"
        assert m.errno_of(CREATE) == "EACCES"


@pytest.mark.parametrize("second", ["404 Not Found", "500 Oops", "403 No"])
def test_a_broken_body_is_not_gone_on_with_from_an_error_page(liar, mount, second):
    """The line breaks at byte 70,000; what answers then is longer, and no body."""
    tries = []

    def lie(request, send):
        if request.method != "GET":
            return False
        tries.append(1)
        if len(tries) == 1:
            send(answer("200 OK", BODY[:70_000], 'ETag: "t1"', length=len(BODY)))
            raise StopIteration
        send(answer(second, b"EVIL" * 30_000, "Content-Type: text/plain"))
        return True
    with start(mount, liar) as m:
        m.sh("ls -l work >/dev/null")
        liar.lie = lie
        result = m.sh("cat work/f.txt", check=False)
        assert result.rc != 0 and BODY.startswith(result.out), (len(result.out), result.out[70_000:70_040])
        assert len(tries) > 1


PIECES = {
    "another start": (70_001, len(BODY) - 1, len(BODY), '"t1"'),
    "another whole": (70_000, len(BODY) - 1, len(BODY) + 1, '"t1"'),
    "another version": (70_000, len(BODY) - 1, len(BODY), '"t2"'),
    "less than asked for": (70_000, 70_009, len(BODY), '"t1"'),
    "less, whole unknown": (70_000, 70_009, "*", '"t1"'),
    "from the beginning": (0, len(BODY) - 1, len(BODY), '"t1"'),
    "absurd": (2**64 + 70_000, 2**65, 2**66, '"t1"'),
}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("case", PIECES)
def test_206_with_another_piece(liar, mount, case, chunked):
    first, last, whole, tag = PIECES[case]
    tries = []

    def lie(request, send):
        if request.method != "GET":
            return False
        tries.append(request.headers.get("range"))
        if len(tries) == 1 and chunked:
            send(head('ETag: "t1"', "Transfer-Encoding: chunked") + b"%x\r\n" % 70_000 + BODY[:70_000] + b"\r\n")
            raise StopIteration
        if len(tries) == 1:
            send(answer("200 OK", BODY[:70_000], 'ETag: "t1"', length=len(BODY)))
            raise StopIteration
        send(answer("206 Partial Content", b"X" * min(last - first + 1, 200_000), f"ETag: {tag}",
                    f"Content-Range: bytes {first}-{last}/{whole}"))
        return True
    with start(mount, liar) as m:
        m.sh("ls -l work >/dev/null")
        liar.lie = lie
        result = m.sh("cat work/f.txt", check=False)
        good = result.out[:70_000] == BODY[:len(result.out)][:70_000]
        assert good and result.rc != 0, (result.rc, len(result.out), tries)


def test_slow_bytes_can_be_interrupted(liar, mount):
    liar.lie = when("GET", "work/f.txt", head(f"Content-Length: {len(BODY)}", 'ETag: "t1"'), *[b"x", 0.3] * 60)
    with start(mount, liar) as m:
        m.sh("ls work >/dev/null")
        reader = m.start_python("open('work/f.txt','rb').read()")
        time.sleep(1.5)
        began = time.monotonic()
        reader.terminate()
        reader.wait(10)
        reader.communicate()
        assert time.monotonic() - began < 1.5 * SLOWNESS


@pytest.mark.parametrize("pieces", [[b"HTTP/1.1 207 Multi", 1.5] * 1 + [b"-Status\r\n", 1.5] + [b"X: y\r\n", 1.5] * 20,
                                    [b"HTTP/1.1 102 Processing\r\n\r\n", 1.5] * 20])
def test_a_listing_that_drips_ends(liar, mount, pieces):
    with start(mount, liar) as m:
        liar.lie = when("PROPFIND", "work", *pieces)
        began = time.monotonic()
        assert m.errno_of("os.mkdir('work/x')", timeout=60) in ("ETIMEDOUT", "EIO")
        assert time.monotonic() - began < 3 * TIMEO * SLOWNESS + 2


# ---- what is asked about and what is answered ----

OTHER = {
    "a file inside": row(ROOT + "work/f.txt"),
    "a file beside": row(ROOT + "other.txt"),
    "the root": row(ROOT, folder=True),
    "a file of the root's name": row(ROOT),
    "outside": row("/etc/passwd"),
    "nowhere": row(""),
    "dots": row(ROOT + "work/../work/"),
}


@pytest.mark.parametrize("case", OTHER)
@pytest.mark.parametrize("ttl", [0, 1])
def test_an_answer_about_another_thing_turns_no_folder_into_a_file(liar, mount, case, ttl):
    with start(mount, liar, attr_ttl=ttl) as m:
        m.sh("ls -lR . >/dev/null; cat work/f.txt >/dev/null")
        liar.lie = when("PROPFIND", "work", multistatus(OTHER[case]), depth="0")
        time.sleep(ttl + 0.1)
        m.sh("stat work; ls work; stat work/f.txt; ls -l", check=False)
        assert m.sh("stat -c %F work", check=False).text.strip() in ("directory", "")
        liar.lie = None
        time.sleep(ttl + 0.1)
        assert m.names() == ["work"] and m.names("work") == ["f.txt"]
        assert m.read("work/f.txt") == BODY


@pytest.mark.parametrize("href", ["work/other.txt", "work/", "", "work/f.txt/x", "elsewhere/f.txt"])
def test_an_answer_about_another_file_is_not_taken(liar, mount, href):
    with start(mount, liar) as m:
        m.sh("ls work >/dev/null")
        liar.lie = when("PROPFIND", "work/new.txt", multistatus(row(ROOT + href, size=7, tag='"o"')))
        got = m.errno_of("os.stat('work/new.txt')")
        assert got in ("EIO", "ENOENT"), got
        liar.lie = when("PROPFIND", "work/f.txt", multistatus(row(ROOT + href, size=7, tag='"o"')))
        m.sh("cat work/f.txt; ls -l work", check=False)
        liar.lie = None
        assert m.names("work") == ["f.txt"] and m.read("work/f.txt") == BODY


def test_a_folder_whose_kind_is_not_told_stays_one(liar, mount):
    nothing = ("<D:response><D:href>/dav/work</D:href><D:propstat><D:prop><D:resourcetype/></D:prop>"
               "<D:status>HTTP/1.1 500 Oops</D:status></D:propstat></D:response>")
    with start(mount, liar) as m:
        m.sh("ls -lR . >/dev/null")
        liar.lie = when("PROPFIND", "work", multistatus(nothing), depth="0")
        m.sh("stat work; ls work", check=False)
        assert m.sh("stat -c %F work", check=False).text.strip() in ("directory", "")
        liar.lie = None
        assert m.names("work") == ["f.txt"]


# ---- listings ----

BAD_LISTS = {
    "another folder's members": multistatus(row(ROOT + "work/", folder=True), row(ROOT + "x/f.txt")),
    "deeper": multistatus(row(ROOT + "work/a/b/f.txt")),
    "HTML and 200": PAGE,
    "HTML and 207": answer("207 Multi-Status", "<html></html>", "Content-Type: text/html"),
    "HTML called XML": answer("207 Multi-Status", "<html></html>", "Content-Type: text/xml"),
    "gzip": answer("207 Multi-Status", b"\x1f\x8b\x08\x00abc", "Content-Type: text/xml", "Content-Encoding: gzip"),
    "UTF-16": answer("207 Multi-Status", (HEAD + TAIL).encode("utf-16"), "Content-Type: text/xml"),
    "a redirect": answer("301 Moved", b"", f"Location: {ROOT}elsewhere/"),
    "204": answer("204 No Content", length="none"),
    "a 2 MB name": multistatus(row(ROOT + "work/" + "x" * 2_000_000)),
    "a control character in an error": answer("207 Multi-Status", HEAD + "<D:response><D:href>\x1b]0;x\x07</D:href>"
                                              "</D:response>" + TAIL, "Content-Type: text/xml"),
}


@pytest.mark.parametrize("case", BAD_LISTS)
def test_a_lie_about_a_listing(liar, mount, case):
    with start(mount, liar) as m:
        m.sh("ls -l work >/dev/null")
        liar.lie = when("PROPFIND", "work", BAD_LISTS[case], depth="1")
        assert m.errno_of(LIST) in ("EIO", "EPROTO", "EACCES")
        judge_sentences(m)
        liar.lie = None
        assert m.names("work") == ["f.txt"]


STRANGE = {
    "double encoding": ("%252e%252e%252fpasswd", "%2e%2e%2fpasswd"),
    "overlong dots": ("%c0%ae%c0%ae", "\ufffd\ufffd\ufffd\ufffd"),
    "a slash inside": ("..%2f..%2fpasswd", ".._xF8FF_.._xF8FF_passwd"),
    "a backslash": ("..%5c..%5cpasswd", "..\\..\\passwd"),
    "a broken escape": ("%zz%2", "%zz%2"),
    "a fragment": ("a%23b", "a#b"),
    "C1 control": ("a%c2%9bb", "a\ufffdb"),
}


@pytest.mark.parametrize("case", STRANGE)
def test_strange_names_are_shown_safely_and_asked_for_as_spelled(liar, mount, case):
    segment, shown = STRANGE[case]
    liar.lie = when("PROPFIND", "work", multistatus(row(ROOT + "work/", folder=True),
                                                    row(ROOT + "work/" + segment)), depth="1")
    with start(mount, liar, attr_ttl=60) as m:
        assert m.names("work") == [shown]
        m.sh('cat "$1"', "work/" + shown, check=False)
    asked = {r.path for r in liar.log if r.method == "GET"}
    assert asked <= {ROOT + "work/" + segment.replace("%zz%2", "%25zz%252")}, asked


@pytest.mark.parametrize("size", [-5, 2**63 - 1, 2**64, "abc", "", "1e3", "0x10"])
@pytest.mark.parametrize("modified", ["Thu, 01 Jan 0001 00:00:00 GMT", "9999-12-31T23:59:59Z", "yesterday", "",
                                      "1601-01-01T00:00:00Z"])
def test_numbers_and_dates_out_of_range(liar, mount, size, modified):
    liar.lie = when("PROPFIND", "work", multistatus(row(ROOT + "work/", folder=True), row(
        ROOT + "work/f.txt", size=size, modified=modified)), depth="1")
    with start(mount, liar, attr_ttl=60) as m:
        assert m.names("work") == ["f.txt"]
        m.sh("ls -l work; find work -ls; cat work/f.txt; du work", check=False)
        judge_sentences(m)


# ---- writing ----

LOST = {
    "a logon page with 200": [PAGE],
    "a redirect": [answer("302 Found", b"", "Location: /x")],
    "202": [answer("202 Accepted")],
    "206": [answer("206 Partial Content")],
    "207 of something else": [multistatus(row(ROOT + "x"))],
    "207 that failed": [answer("207 Multi-Status", HEAD + "<D:response><D:href>/dav/work/f.txt</D:href>"
                               "<D:status>HTTP/1.1 423 Locked</D:status></D:response>" + TAIL,
                               "Content-Type: text/xml")],
}


@pytest.mark.parametrize("case", LOST)
@pytest.mark.parametrize("alike", [False, True], ids=["put", "all"])
def test_a_put_that_was_not_done_is_not_taken_for_done(liar, mount, case, alike):
    """ALIKE: whatever stands between answers every request so."""
    with start(mount, liar) as m:
        m.sh("ls -l work >/dev/null")
        liar.lie = when("*" if alike else "PUT", None, *LOST[case])
        got = m.errno_of(CREATE, timeout=60)
        assert got != "OK"
        judge_sentences(m)
        liar.lie = None
        assert m.names("work") == ["f.txt"]
        assert liar.files == {"work/f.txt": BODY}


@pytest.mark.parametrize("status", ["201 Created", "200 OK", "403 Forbidden", "507 Full"])
@pytest.mark.parametrize("then", ["close", "wait"])
def test_an_answer_before_the_body_was_read(liar, mount, status, then):
    """The server answers from the head alone and reads nothing: success is not believed."""
    def lie(request, send):
        if request.method != "PUT":
            return False
        send(answer(status))
        if then == "wait":
            time.sleep(TIMEO * 3)
        raise StopIteration
    with start(mount, liar) as m:
        m.sh("ls -l work >/dev/null")
        liar.read_bodies, liar.lie = False, lie
        code = "f = open('work/big.bin', 'wb')\nf.write(bytes(30 << 20))\nf.close()"
        got = m.errno_of(code, timeout=60)
        assert got in {"403": ("EACCES",), "507": ("ENOSPC",)}.get(status[:3], ("EIO", "ETIMEDOUT")), got
        liar.read_bodies, liar.lie = True, None
        assert m.names("work") == ["f.txt"]


@pytest.mark.parametrize("code, wanted", [(CREATE, "work/new.txt"), (WRITE, "work/f.txt")], ids=["new", "old"])
def test_keep_alive_that_was_closed_meanwhile(liar, mount, code, wanted):
    """Each connection is closed after one answer that promised more: no PUT is applied twice."""
    with start(mount, liar) as m:
        m.sh("ls -l work >/dev/null")
        liar.hang_up = True
        assert m.errno_of(code, timeout=60) == "OK"
        assert liar.files[wanted] == b"new" * 100_000
        liar.hang_up = False
        applied = sum(r.method == "PUT" and len(r.body) == 300_000 for r in liar.log)
        assert applied == 1


@pytest.mark.parametrize("weak", ['W/"a1"', '"a1"'])
def test_a_tag_that_grows_strong_is_no_new_version(liar, mount, weak):
    """mod_dav's tags are weak for a second: no second download, and never W/ in If-Match."""
    liar.tags["work/f.txt"] = weak

    def lie(request, send):
        if request.method == "PUT":
            assert "W/" not in request.headers.get("if-match", "")
        return False
    liar.lie = lie
    with start(mount, liar) as m:
        assert m.read("work/f.txt") == BODY
        before, gets = m.stat("work/f.txt"), liar.count("GET")
        liar.tags["work/f.txt"] = '"a1"'
        assert m.read("work/f.txt") == BODY
        after = m.stat("work/f.txt")
        assert liar.count("GET") == gets, "read again"
        assert before.st_ctime == after.st_ctime and before.st_ino == after.st_ino
        assert m.errno_of(WRITE) == "OK"
        assert liar.files["work/f.txt"] == b"new" * 100_000
    assert all("W/" not in r.headers.get("if-match", "") for r in liar.log)


# ---- the first answer ----

def mount_sentence(mount, liar, **kw):
    result = start(mount, liar, **kw).start_fails()
    assert result.rc == 1
    text = result.err.strip()
    assert text.startswith("exchangefs: ") and "\n" not in text and len(text) < 600, text
    assert not re.search(r"[\x00-\x1f\x7f]", text), repr(text)
    return text


FIRST = {
    "logon page": (answer("302 Found", b"", "Location: /exchweb/bin/auth/owalogon.asp?x"), "web form"),
    "440": (answer("440 Login Timeout", b"", "Connection: close"), "web form"),
    "elsewhere": (answer("302 Found", b"", "Location: http://\x1b[31mother.example.com\x9b/x"), "other.example.com"),
    "elsewhere, long": (answer("302 Found", b"", "Location: http://h/" + "x" * 5000), "mount that address"),
    "loop": (answer("302 Found", b"", f"Location: {ROOT}"), "mount that address"),
    "SSL": (answer("403 Forbidden", "<html>must be viewed over SSL</html>", "Content-Type: text/html"), "https"),
    "403": (answer("403 Forbidden"), "no right"),
    "401": (answer("401 No", b"", 'WWW-Authenticate: Basic realm="x"'), "password"),
    "404": (answer("404 No"), "check the address"),
    "mailbox": (answer("404 No", b"", "MS-WebStorage: 6.5"), "no mailbox"),
    "page": (PAGE, "web page"),
    "207 page": (answer("207 M", "<html/>", "Content-Type: text/html"), "web page"),
    "file": (multistatus(row(ROOT + "x.txt")), "no folder"),
    "405": (answer("405 No"), "WebDAV"),
    "503": (answer("503 Busy", b"", "Retry-After: 99999"), "later"),
    "empty": (multistatus(), "no folder"),
    "not HTTP": (b"\x15\x03\x01\x00\x02\x02\x46", "HTTP"),
    "cut": (multistatus(length=99999), ""),
}


@pytest.mark.parametrize("case", FIRST)
def test_a_mount_that_cannot_be_says_why_in_one_sentence(liar, mount, case):
    data, word = FIRST[case]
    liar.lie = when("*", None, data, *([None] if case in ("not HTTP", "cut") else []))
    assert word in mount_sentence(mount, liar)


def test_nobody_listens(mount, liar):
    liar.stop()
    assert "check" in mount_sentence(mount, liar)


@pytest.mark.parametrize("hook", ["PUT", "PROPFIND"])
def test_401_after_success_is_eacces_and_no_storm(liar, mount, hook):
    with start(mount, liar) as m:
        m.sh("ls -l work >/dev/null")
        liar.lie = when(hook, None, answer("401 Unauthorized", b"", 'WWW-Authenticate: Basic realm="x"'))
        before = len(liar.log)
        assert m.errno_of(CREATE) == "EACCES"
        assert len(liar.log) - before < 12


# ---- SEARCH ----

def mail(n, uid=None):
    name = f"m{n:05}.txt"
    return (f"<D:response><D:href>{ROOT}work/{name}</D:href><D:propstat><D:status>HTTP/1.1 200 OK</D:status><D:prop>"
            f'<D:isfolder>0</D:isfolder><D:getcontentlength>3</D:getcontentlength><D:getetag>"t{n}"</D:getetag>'
            f"<r:repl-uid xmlns:r='http://schemas.microsoft.com/repl/'>{name if uid is None else uid}</r:repl-uid>"
            "</D:prop></D:propstat></D:response>")


def pages(count, total=lambda whole, first: whole, first=lambda f: f, uid=None, give=None):
    """A lie: SEARCH of COUNT rows, with what TOTAL and FIRST make of the truth in Content-Range."""
    def lie(request, send):
        is_folder = request.name in ("", "work/", "work")
        if request.method == "PROPFIND" and is_folder:
            kind = "<D:isfolder>1</D:isfolder><r:repl-uid xmlns:r='http://schemas.microsoft.com/repl/'>r</r:repl-uid>"
            send(answer("207 Multi-Status", HEAD + row(request.path, folder=True, extra=kind) + TAIL,
                        "Content-Type: text/xml", "MS-WebStorage: 6.5.7638"))
            return True
        if request.method != "SEARCH" or request.name != "work/":
            return False
        begin, end = map(int, request.headers["range"].split("=")[1].split("-"))
        rows = range(begin, min(end + 1, count))
        if give:
            rows = give(rows)
        extra = []
        if total:
            extra = [f"Content-Range: rows {first(begin)}-{end}; total={total(count, begin)}"]
        if not rows:
            send(answer("416 Range", b"", *extra))
        else:
            send(answer("207 Multi-Status", HEAD + "".join(mail(n, uid) for n in rows) + TAIL,
                        "Content-Type: text/xml", *extra))
        return True
    return lie


TRUE_PAGES = {
    "told": {},
    "no total": {"total": None},
    "a total of 0": {"total": lambda whole, begin: 0},
    "a negative total": {"total": lambda whole, begin: -7},
    "a total of 2^70": {"total": lambda whole, begin: 2**70 if begin < 600 else whole},
    "a total that shrinks": {"total": lambda whole, begin: max(whole - begin, 5)},
    "empty repl-uids": {"uid": ""},
}
FALSE_PAGES = {
    "always the first page": {"give": lambda rows: range(0, 200)},
    "never an end": {"give": lambda rows: range(0, 200), "total": None},
    "another start": {"first": lambda begin: begin + 1},
    "a total too large": {"total": lambda whole, begin: whole + 50},
    "one row for all": {"give": lambda rows: [1] * len(rows)},
}


@pytest.mark.parametrize("case", TRUE_PAGES)
def test_pages_with_odd_totals_are_read_whole(liar, mount, case):
    liar.lie = pages(700, **TRUE_PAGES[case])
    with start(mount, liar, attr_ttl=60) as m:
        assert sorted(m.names("work")) == [f"m{n:05}.txt" for n in range(700)]


@pytest.mark.parametrize("case", FALSE_PAGES)
def test_pages_that_lie_are_an_error_and_end(liar, mount, case):
    liar.lie = pages(700, **FALSE_PAGES[case])
    with start(mount, liar, attr_ttl=60) as m:
        assert m.errno_of(LIST, timeout=40) == "EIO"
        assert liar.count("SEARCH") < 60
        judge_sentences(m)


def test_one_row_found_by_another_name_is_not_it(liar, mount):
    """SEARCH by stored name that answers about something else."""
    liar.lie = pages(1, give=lambda rows: [0])
    with start(mount, liar, attr_ttl=0) as m:
        assert m.errno_of("os.stat('work/a+b.txt')") in ("ENOENT", "EIO")


# ---- secrets ----

def memory(pid):
    """What a core file of PID would hold: (where, bytes)."""
    regions = []
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as lines:
        for line in lines:
            if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) (r\S*) ", line):
                regions.append((int(found[1], 16), int(found[2], 16)))
            elif re.match(r"[0-9a-f]+-[0-9a-f]+ ", line) or line.startswith("VmFlags") and " dd" in line:
                regions.append(None) if not line.startswith("VmFlags") else regions.__setitem__(-1, None)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for first, last in filter(None, regions):
            if last - first < 1 << 28:
                try:
                    file.seek(first)
                    yield f"{first:x}", file.read(last - first)
                except (OSError, ValueError, OverflowError):
                    pass


def test_a_password_is_nowhere_but_in_its_place(start_sim, mount):
    """Not in arguments, environment, log, cache or what a core file would hold, in no form."""
    sim = start_sim("e2003")
    with mount(sim, attr_ttl=0) as m:
        m.sh("ls -lR . >/dev/null; echo hello > Inbox/a.txt; cat Inbox/a.txt; rm Inbox/a.txt")
        encoded = base64.b64encode(f"{sim.user}:{sim.password}".encode())
        needles = [sim.password.encode(), encoded[8:-4]]
        places = [(p, open(f"/proc/{m.pid}/{p}", "rb").read()) for p in ("cmdline", "environ")]
        places += [(os.fspath(p), p.read_bytes()) for p in (*m.cache.rglob("*"), m.log_file) if p.is_file()]
        try:
            places += memory(m.pid)
        except PermissionError:
            pass  # not for us either
        assert len(places) > 4
        for where, data in places:
            assert not any(needle in data for needle in needles), where


PASSWORD_FILES = {
    "readable": ("chmod 644 {0}", "chmod 600"),
    "a folder": ("rm {0}; mkdir -m 700 {0}", "regular"),
    "a fifo": ("rm {0}; mkfifo -m 600 {0}", "regular"),
    "missing": ("rm {0}", "cannot be opened"),
    "empty": (": > {0}", "empty"),
    "an empty first line": ("printf '\\nsecret\\n' > {0}", "empty"),
    "too long": ("head -c 90000 /dev/zero | tr '\\0' x > {0}", "too long"),
}


@pytest.mark.parametrize("case", PASSWORD_FILES)
def test_a_bad_password_file_is_refused(liar, mount, work, case):
    command, word = PASSWORD_FILES[case]
    secret = work / "secret"
    secret.write_text("sesame\n")
    secret.chmod(0o600)
    proc.run(["sh", "-c", command.format(secret)])
    assert word in mount_sentence(mount, liar, user="alice", passwd_file=secret)


@pytest.mark.parametrize("host", ["localhost.example.com", "127.0.0.1.example.com", "0.0.0.0", "[::ffff:127.0.0.1]",
                                  "192.0.2.1", "127.example.com", "localhost.", "2130706434", "[::]"])
def test_no_password_over_plain_http_to_what_is_not_this_machine(liar, mount, work, host):
    secret = work / "secret"
    secret.write_text("sesame\n")
    secret.chmod(0o600)
    liar.url = f"http://{host}:9/x/"
    text = mount_sentence(mount, liar, user="alice", passwd_file=secret, sec="basic")
    if host != "2130706434":  # 127.0.0.2: this machine
        assert "insecure_basic" in text


@pytest.mark.parametrize("url", ["http://alice:SENTINEL@127.0.0.1/", "http://SENTINEL@127.0.0.1/",
                                 "http://alice:SENTINEL@[::1]/", "http://a%3ASENTINEL@127.0.0.1/x"])
def test_a_url_with_a_password_is_refused_without_repeating_it(liar, mount, url):
    liar.url = url
    result = start(mount, liar).start_fails()
    assert result.rc == 2 and "SENTINEL" not in result.err and "-o user=" in result.err


# ---- the manual ----

def test_every_option_is_in_the_manual_and_the_reverse():
    table = (proc.REPO / "src/cli/opts.c").read_text().split("rows[] = {")[1].split("\n};")[0]
    known = set(re.findall(r'^\s*{"([a-z_]+)"', table, re.M)) - {"break"}
    page = (proc.REPO / "src/exchangefs.1").read_text()
    told = set()
    for line in page.split(".Ss Signing in")[1].split(".Sh WHAT")[0].splitlines():
        line = re.sub(r"Ns = Ns (Ar \S+|(Cm \S+( \| )?)+)", "", line)
        if re.match(r"\.(It|Pq|Op)? ?.*Cm |\.Cm |\.Pq Cm ", line):
            told |= set(re.findall(r"\b[a-z_]{2,}\b", line.split("Cm", 1)[1]))
    assert known <= told, known - told
    defined = set(re.findall(r"^\.It Cm ([a-z_]+)", page, re.M))
    assert defined <= known, defined - known
