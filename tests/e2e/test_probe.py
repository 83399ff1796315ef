# SPDX-License-Identifier: Apache-2.0
"""exchangefs probe: what a server is, offers and demands; the exit code; never a change."""
import json
import os
import re
import socket
import threading
import unicodedata

import pytest
from xfse2e import proc
from xfse2e.proc import run
from xfse2e.realm import Gssapi, Realm
from xfse2e.server import PASSWORD, USER
from xfse2e.tls import Authority, OnlyRc4, TlsFront

ASKING = {"GET", "HEAD", "OPTIONS", "PROPFIND"}
KEYS = {"source", "result", "exit", "kind", "product", "build", "owa_version",
        "activesync_version", "server", "tls", "places", "ticket", "sign_in", "mailbox",
        "public_folders", "capabilities", "milliseconds"}


@pytest.fixture
def probe(work):
    """probe(source, *words, password=…, user=…, **options): the result of the command."""
    def ask(source, *words, password=PASSWORD, user=USER, **options):
        said = []
        if user:
            secret = work / "password"
            secret.write_text(password + "\n")
            secret.chmod(0o600)
            said = [f"user={user}", f"passwd_file={secret}"]
        said += [f"{name}={value}" for name, value in options.items()]
        if os.environ.get("XFS_BREAK"):
            said.append("break=" + os.environ["XFS_BREAK"])
        result = run([proc.EXCHANGEFS, "probe", source, *words, *(["-o", ",".join(said)] if said else [])],
                     timeout=60, check=False, env={"KRB5CCNAME": f"FILE:{work}/none"})
        assert password not in result.text + result.err
        return result
    return ask


@pytest.fixture
def report(probe):
    """The same as JSON, with the exit code that it tells."""
    def ask(source, *words, **options):
        result = probe(source, "--json", *words, **options)
        told = json.loads(result.text)
        assert set(told) == KEYS and told["exit"] == result.rc, repr(result)
        assert result.err == "" or "tls_min" in options and "patch that server" in result.err
        return told
    return ask


class Answers:
    """Answers every connection with the same bytes, or with nothing."""

    def __init__(self, data, scheme="http"):
        self.data = data
        self.heads = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"{scheme}://127.0.0.1:{self.socket.getsockname()[1]}/exchange/alice/"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(5)
                try:
                    self.heads.append(peer.recv(65536))
                    peer.sendall(self.data)
                except OSError:
                    pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def http(status, body="", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@pytest.fixture
def answers():
    made = []

    def begin(*args, **kw):
        made.append(Answers(*args, **kw))
        return made[-1]
    yield begin
    for server in made:
        server.close()


def places(told):
    return {place["path"]: place for place in told["places"]}


# -- servers that are well -------------------------------------------------------------------------

PRODUCTS = {"e2003": ("exchange", "Exchange 2003 SP1"), "e2007": ("exchange", "Exchange 2007 SP1"),
            "generic": ("webdav", None), "mod_dav": ("webdav", None)}


def test_reachable(server, probe, report):
    kind, product = PRODUCTS[server.kind]
    user, before = {"user": server.user}, server.mutations()
    with server.counting() as count:
        told = report(server.url, **user)
        result = probe(server.url, **user)
    assert told["result"] == "reachable" and result.rc == 0, repr(result)
    assert (told["kind"], told["product"]) == (kind, product)
    assert told["mailbox"] == {"reachable": True, "error": None}
    assert told["capabilities"]["exact_size"] == (kind == "webdav")
    assert told["sign_in"] == {"scheme": "basic" if server.user else None,
                               "user": server.user or None}
    assert not told["ticket"]["found"] and "kinit" in told["ticket"]["error"]
    assert (product or "WebDAV") in result.text and "reachable" in result.text
    assert max(map(len, result.text.splitlines())) < 200
    assert set(count.methods) <= ASKING and server.mutations() == before
    assert told["tls"] is None and "none" in result.text


def test_sign_in_is_for_the_asked_alone(start_sim, report):
    """The places are asked without a password; only opening what is to be mounted has one."""
    server = start_sim("e2003")
    with server.counting() as count:
        told = report(server.url)
    for path in ("/owa/", "/exchweb/", "/EWS/Exchange.asmx", "/Microsoft-Server-ActiveSync"):
        assert places(told)[path]["status"] == 401 and places(told)[path]["offers"] == ["basic"]
        assert [line.status for line in count.lines if line.path == path] == ["401"]


@pytest.mark.parametrize("profile", ("e2003-fba", "e2007-fba"))
def test_a_logon_page(start_sim, report, profile):
    server = start_sim(profile)
    told = report(server.url)
    assert told["result"] == "reachable" and told["sign_in"]["scheme"] == "forms"
    assert told["kind"] == "exchange" and told["product"].startswith("Exchange " + profile[1:5])
    assert places(told)["/exchange/alice/"]["status"] == 440
    assert all(p["offers"] == ["forms"] for p in told["places"])
    assert server.mutations() == []


def test_a_logon_page_and_no_password(start_sim, probe, report):
    server = start_sim("e2003-fba")
    told = report(server.url, user=None)
    assert told["result"] == "refused" and told["kind"] == "exchange"
    assert "web form" in told["mailbox"]["error"] and "user=" in told["mailbox"]["error"]
    assert probe(server.url, user=None).rc == 1


def test_no_public_folders(start_sim, report):
    server = start_sim("e2003", faults="PROPFIND /public/* always status=404\n")
    told = report(server.url)
    assert told["result"] == "reachable"
    assert told["public_folders"] == {"reachable": False, "error": "there are none on this server"}


# -- servers that are not --------------------------------------------------------------------------


def test_wrong_password(start_sim, probe, report):
    server = start_sim("e2003")
    told = report(server.url, password="wrong")
    assert told["result"] == "refused" and told["exit"] == 1 and told["kind"] == "exchange"
    assert re.search("refused the (user name|password)", told["mailbox"]["error"])
    assert "asic" in told["mailbox"]["error"] and told["capabilities"] is None
    result = probe(server.url, password="wrong")
    assert result.rc == 1 and "refused" in result.text


def test_no_password(start_sim, report):
    server = start_sim("e2003")
    told = report(server.url, user=None)
    assert told["result"] == "refused" and "offers Basic" in told["mailbox"]["error"]


def test_nothing_allowed_is_offered(start_sim, report):
    server = start_sim("e2003")
    told = report(server.url, sec="ntlm")
    assert told["result"] == "refused" and told["mailbox"]["error"]


def test_no_such_mailbox(start_sim, report):
    server = start_sim("e2003")
    told = report(server.url.replace("/alice/", "/nobody/"))
    assert told["result"] == "refused" and "no mailbox at" in told["mailbox"]["error"]


def test_nobody_listens(probe, report):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{s.getsockname()[1]}/exchange/alice/"
        told = report(url)
        assert told["result"] == "unreachable" and told["exit"] == 1 and told["kind"] == "unknown"
        assert told["mailbox"]["error"] and len(told["places"]) == 1
        assert probe(url).rc == 1
        assert report(url.replace("http:", "https:"))["tls"]["error"]


def test_tls_garbage(answers, probe, report):
    server = answers(b"\x00garbage" * 20, scheme="https")
    told = report(server.url)
    assert told["result"] == "unreachable" and told["tls"]["error"] and told["places"] == []
    assert probe(server.url).rc == 1
    assert not any(PASSWORD.encode() in head for head in server.heads)


NOT_EXCHANGE = {
    "a web page": http("200 OK", "<html><body>Welcome</body></html>", "Content-Type: text/html",
                       "Server: nginx/1.22"),
    "nothing there": http("404 Not Found", "<html></html>", "Content-Type: text/html"),
    "no such method": http("405 Method Not Allowed", "", "Allow: GET, HEAD"),
    "not implemented": http("501 Not Implemented"),
}


@pytest.mark.parametrize("name", NOT_EXCHANGE)
def test_not_exchange(answers, probe, report, name):
    server = answers(NOT_EXCHANGE[name])
    told = report(server.url)
    assert (told["result"], told["exit"], told["kind"]) == ("not-exchange", 3, "other"), told
    assert "check the address" in told["mailbox"]["error"]
    result = probe(server.url)
    assert result.rc == 3 and "neither Exchange nor WebDAV" in result.text


def test_an_exchange_without_webdav(answers, report):
    """2010 and later: the address is right, the server is too new."""
    server = answers(http("404 Not Found", "", "Server: Microsoft-IIS/8.5", "X-OWA-Version: 15.1.2507.6"))
    told = report(server.url)
    assert told["result"] == "refused" and told["product"] == "Exchange 2016"
    assert "no WebDAV any more" in told["mailbox"]["error"]


@pytest.mark.parametrize("said", ('a"b\\c/\x7f', "\xff\xfe", "x" * 9000, "a\x1b[31mb", "\x85\u202e"),
                         ids=("quotes", "no UTF-8", "long", "escape", "controls"))
def test_hostile_headers(answers, probe, report, said):
    """What a server says of itself cannot break the report, or the terminal."""
    server = answers(http("404 Not Found", "", "Server: " + said, "Location: /" + said))
    told = report(server.url)
    text = probe(server.url).text
    assert told["result"] in ("not-exchange", "unreachable")
    assert told["server"] is None or len(told["server"]) <= 200
    for shown in (text, probe(server.url, "--json").text):
        shown = shown.replace("\n", "")
        assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]


def test_redirect_to_another_server(answers, report):
    server = answers(http("302 Found", "", "Location: http://127.0.0.2/exchange/alice/"))
    told = report(server.url)
    assert told["exit"] in (1, 3) and "127.0.0.2" in told["mailbox"]["error"]
    assert not any(b"Authorization" in head for head in server.heads)


# -- TLS -------------------------------------------------------------------------------------------


@pytest.fixture
def ca(work):
    return Authority(work / "ca")


def test_tls(work, start_sim, ca, probe, report):
    cert = ca.issue()
    front = TlsFront(work / "front", cert, start_sim("e2003"))
    try:
        told = report(front.url, cacert=ca.pem)
        assert told["result"] == "reachable", told
        tls = told["tls"]
        assert tls["version"].startswith("TLSv1.") and tls["cipher"] and tls["error"] is None
        assert tls["until"] == cert.date("enddate") and tls["from"] == cert.date("startdate")
        assert "Example Authority" in tls["issuer"] and tls["subject"]
        text = probe(front.url, cacert=ca.pem).text
        assert tls["version"] in text and tls["until"] in text and tls["issuer"] in text

        untrusted = report(front.url)
        assert untrusted["result"] == "unreachable" and untrusted["exit"] == 1
        assert "cacert=" in untrusted["tls"]["error"]
        assert untrusted["tls"]["until"] == cert.date("enddate")
        assert untrusted["places"] == []
    finally:
        front.stop()


def test_tls_of_another_age(report):
    """Only RC4: no option helps, so the report says what does."""
    server = OnlyRc4()
    told = report(server.url, tls_min="1.0")
    server.stop()
    assert told["result"] == "unreachable"
    assert re.search("patch|proxy", told["tls"]["error"]), told["tls"]["error"]


# -- Kerberos --------------------------------------------------------------------------------------


def test_a_ticket(work, start_sim, report, probe, monkeypatch):
    """Found, expired or absent; with one, no name and no password is needed."""
    realm = Realm()
    monkeypatch.setenv("KRB5_CONFIG", realm.env["KRB5_CONFIG"])
    door = None
    try:
        door = Gssapi(work / "door", realm, start_sim("e2003", auth="none"))
        cache = realm.kinit("alice", work / "cc")
        told = report(door.url, user=None, ccache=f"FILE:{cache}")
        assert told["result"] == "reachable", told
        assert told["ticket"] == {"found": True, "of": f"alice@{realm.name}", "error": None}
        assert told["sign_in"]["scheme"] == "negotiate"
        assert told["places"][0]["offers"] == ["negotiate"]
        assert f"of alice@{realm.name}" in probe(door.url, user=None, ccache=f"FILE:{cache}").text

        none = report(door.url, user=None, ccache=f"FILE:{work}/absent")
        assert none["result"] == "refused" and not none["ticket"]["found"]
        assert "kinit" in none["ticket"]["error"] and "kinit" in none["mailbox"]["error"]
        left = report(door.url, sec="basic")
        assert left["result"] == "refused" and "sec=" in left["ticket"]["error"]
    finally:
        if door:
            door.stop()
        realm.stop()


# -- words -----------------------------------------------------------------------------------------


def test_a_bare_host(report):
    """https, and the user's mailbox; ports are as good as any."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{s.getsockname()[1]}"
        told = report(host, user="EXAMPLE\\alice smith")
        assert told["source"] == f"https://{host}/exchange/alice%20smith/"
        assert report(host, user=None)["source"] == f"https://{host}/exchange/"
        assert report(host + "/public/", user=None)["source"] == f"https://{host}/public/"


@pytest.mark.parametrize("words", ([], ["--json"], ["ftp://host/"], ["http://u:p@host/"],
                                   ["http://host/", "/mnt"], ["http://host/", "--xml"],
                                   ["http://host/", "-o", "nonsense"],
                                   ["http://host/", "-o", "passwd_file=x,netrc=y,user=u"]), ids=str)
def test_usage(words):
    result = run([proc.EXCHANGEFS, "probe", *words], check=False)
    assert result.rc == 2 and result.out == b"" and len(result.err.splitlines()) == 1, repr(result)


def test_a_bad_password_file(start_sim, probe):
    server = start_sim("e2003")
    result = probe(server.url, user=None, netrc="/nonexistent")
    assert result.rc == 1 and "netrc" in result.err and result.out == b""
