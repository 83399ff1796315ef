# SPDX-License-Identifier: Apache-2.0
"""Signing in by a web form: Outlook Web Access of 2003 and 2007, and ISA in front of either."""
import http.server
import os
import re
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest
from xfse2e import samples
from xfse2e.checks import sentence
from xfse2e.dav import Dav
from xfse2e.proc import SANITIZED, kill_session, run, sudo
from xfse2e.server import PASSWORD, USER

FACES = {"2003": ("e2003-fba", (), "/exchweb/bin/auth/owaauth.dll"),
         "2007": ("e2007-fba", (), "/owa/auth/owaauth.dll"),
         "isa": ("e2003", ("isa",), "/CookieAuth.dll")}
each_face = pytest.mark.parametrize("face", FACES)
# What the simulator's cookies hold, whatever else is in them.
COOKIES = (b"1f0c2d9e-7a44-4b1c-9d51", b"q83vEjRWeJCrze8B")


class Person(Dav):
    """The other client, signed in as a browser is."""

    def __init__(self, sim, post):
        super().__init__(sim.url)
        self.post, self.cookie = post, None

    def sign_in(self):
        form = {"destination": self.origin + "/exchange/", "curl": "Z2Fexchange", "flags": "4",
                "trusted": "4", "username": USER, "password": PASSWORD}
        query = "?Logon" if "CookieAuth" in self.post else ""
        request = urllib.request.Request(self.origin + self.post + query,
                                         urllib.parse.urlencode(form).encode())
        opener = urllib.request.build_opener(Stay)
        try:
            answer = opener.open(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        set_cookies = answer.headers.get_all("Set-Cookie") or []
        self.cookie = "; ".join(c.split(";")[0] for c in set_cookies)
        answer.close()

    def request(self, method, name="", body=None, timeout=60, **headers):
        if name.startswith("/.sim/"):
            return super().request(method, name, body, timeout, **headers)
        for _ in range(2):
            if self.cookie:
                answer = super().request(method, name, body, timeout, Cookie=self.cookie, **headers)
                if answer.status not in (302, 440):
                    return answer
            self.sign_in()
        return answer


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


@pytest.fixture
def forms(start_sim):
    """forms(face, *switches): a server with three messages and a document in `work`."""
    def begin(face, *switches, **kw):
        profile, own, post = FACES[face]
        args = [w for s in (*own, *switches) for w in ("--switch", s)]
        sim = start_sim(profile, *args, *kw.pop("args", ()), **kw)
        sim.post = post
        sim.person = Person(sim, post)
        sim.person.mkcol("work")
        for n in range(3):
            sim.person.put(f"work/m{n}.eml", samples.message(n, 3000))
        sim.person.put("work/doc.txt", b"a document\n")
        return sim
    return begin


def order(sim, what, text=""):
    answer = sim.person.request("POST", "/.sim/" + what, text.encode())
    assert answer.status == 200, answer


def sign_ins(sim, counting):
    """How often a form with a password was sent."""
    counting.settle()
    return sum(1 for line in counting.lines
               if line.method == "POST" and line.path.lower() == sim.post.lower())


# -- it works -------------------------------------------------------------------------------------

@each_face
@pytest.mark.parametrize("sec", [None, "forms"])
def test_a_mount_works(forms, mount, face, sec):
    sim = forms(face)
    with sim.counting() as c, mount(sim, attr_ttl=0, sec=sec) as m:
        assert sorted(m.names("work")) == ["doc.txt", "m0.eml", "m1.eml", "m2.eml"]
        assert m.read("work/doc.txt") == b"a document\n"
        assert m.read("work/m1.eml") == sim.person.get("work/m1.eml")
        m.write("work/new.txt", b"written\n")
        m.sh("mv work/new.txt work/moved.txt; mkdir work/sub; rm work/m2.eml")
        assert sorted(m.names("work")) == ["doc.txt", "m0.eml", "m1.eml", "moved.txt", "sub"]
    assert sim.person.get("work/moved.txt") == b"written\n"
    assert sign_ins(sim, c) == 1


def test_a_name_and_password_with_odd_characters(start_sim, mount):
    name, password = "Grüße & Co", "a+b=c&d%20 é€\"'<>\\"
    sim = start_sim("e2007-fba", "--user", f"{name}:{password}")
    sim.user, sim.password = "CONTOSO\\" + name, password
    url = sim.url.replace("/alice/", "/" + urllib.parse.quote(name) + "/")
    with mount(sim, url=url) as m:
        assert "Inbox" in m.names()


def test_a_private_computer_is_claimed(forms, mount):
    """Its sessions live for a day, not for a quarter of an hour."""
    sim = forms("2003")
    with mount(sim, attr_ttl=0) as m:
        m.names("work")
        order(sim, "advance", "3600")
        with sim.counting() as c:
            m.names("work")
        assert sign_ins(sim, c) == 0


# -- a server that says no ------------------------------------------------------------------------

@each_face
@pytest.mark.parametrize("how", range(5))
def test_wrong_password(forms, mount, face, how):
    """reason=2, dead cookies, reason=4, no cookies, the page again: one try, one sentence."""
    sim = forms(face, f"wrong={how}")
    sim.password = "not-this-one"
    with sim.counting() as c:
        said = "ended the session" if how == 1 else "refused the user name or the password"
        sentence(mount(sim).start_fails(), said, "check")
    assert sign_ins(sim, c) == 1


@each_face
def test_locked_account(forms, mount, face):
    sim = forms(face)
    order(sim, "password", f"{USER}:{PASSWORD}")
    locked = FACES[face]
    sim.stop()
    sim.args += ["--switch", "locked"]
    sim.start()
    with sim.counting() as c:
        sentence(mount(sim).start_fails(), "locked", "administrator")
    assert sign_ins(sim, c) == 1, locked


@each_face
def test_nobody_is_named(forms, mount, face):
    sim = forms(face)
    sim.user = None
    sentence(mount(sim).start_fails(), "form", "user=", "passwd_file=")


@each_face
def test_forms_are_not_allowed(forms, mount, face):
    sentence(mount(forms(face), sec="basic").start_fails(), "form", "sec=forms|leave sec=")


def test_ssl_is_demanded(forms, start_sim, mount):
    sentence(mount(start_sim("e2003-fba", "--switch", "need-ssl")).start_fails(), "https")


# -- sessions that end ----------------------------------------------------------------------------

@each_face
def test_a_session_ends_while_mounted(forms, mount, face):
    sim = forms(face)
    with mount(sim, attr_ttl=0) as m:
        m.names("work")
        for step in ("ls work", "cat work/m0.eml", "echo new > work/new.txt", "mkdir work/d",
                     "mv work/new.txt work/d/", "rm work/m1.eml"):
            order(sim, "expire")
            with sim.counting() as c:
                m.sh(step)
            assert sign_ins(sim, c) == 1, step
        assert not m.complaints()
    assert sim.person.get("work/d/new.txt") == b"new\n"


@each_face
def test_many_notice_at_once(forms, mount, face):
    """Eight readers meet an ended session: one of them signs in."""
    sim = forms(face)
    for n in range(24):
        sim.person.put(f"work/n{n}.eml", samples.message(100 + n, 20000))
    with mount(sim, attr_ttl=0) as m:
        m.names("work")
        order(sim, "expire")
        with sim.counting() as c:
            m.sh("ls work/n*.eml | xargs -P 8 -n 1 cat > /dev/null")
        assert sign_ins(sim, c) == 1


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("face", ["2003", "2007"])
def test_a_session_ends_within_a_large_put(forms, mount, work, face, early):
    """100 MiB arrive whole and once, whether the server reads them before it says no or not."""
    sim = forms(face, *["early-440"] * early)
    data = work / "large"
    run(["dd", "if=/dev/urandom", f"of={data}", "bs=1M", "count=100", "status=none"])
    with mount(sim, attr_ttl=0) as m:
        m.names("work")
        sim.reset()
        order(sim, "expire")
        with sim.counting() as c:
            m.sh('cp "$1" work/large.bin', data, timeout=120)
        assert sign_ins(sim, c) == 1
        made = [line.split()[1] for line in sim.mutations() if "/work/large.bin" in line]
        assert made == ["create", "content"], made
    got = work / "got"
    got.write_bytes(sim.person.get("work/large.bin"))
    run(["cmp", data, got])


@pytest.mark.parametrize("face", ["2003", "2007"])
def test_renewed_cookies_are_used(forms, mount, face):
    """A client that keeps its first cookie is thrown out again and again."""
    sim = forms(face, "renew=16")
    with sim.counting() as c, mount(sim, attr_ttl=0) as m:
        for n in range(60):
            m.sh(f"ls work > /dev/null; cat work/m{n % 3}.eml > /dev/null")
    assert len(c.lines) > 60
    assert sign_ins(sim, c) == 1


# -- 440 for "forbidden" --------------------------------------------------------------------------

@pytest.mark.parametrize("how", [1, 2])
@pytest.mark.parametrize("face", ["2003", "2007"])
def test_a_forbidden_folder(forms, mount, face, how):
    """Exchange says 440 and ends the session: EACCES there, all else goes on."""
    sim = forms(face, f"forbidden-440={how}")
    sim.person.mkcol("work/secret")
    sim.person.put("work/secret/a.txt", b"no\n")
    with mount(sim, attr_ttl=0) as m:
        m.names("work")
        order(sim, "access", f"{USER}/work/secret={USER}:none")
        for _ in range(3):
            with sim.counting() as c:
                assert m.errno_of("os.listdir('work/secret')") == "EACCES"
            assert sign_ins(sim, c) <= 1
            with sim.counting() as c:
                assert "m0.eml" in m.names("work")
                assert m.read("work/doc.txt") == b"a document\n"
            assert sign_ins(sim, c) <= 1
        order(sim, "access", f"{USER}/work/secret={USER}:all")
        assert m.names("work/secret") == ["a.txt"]


@pytest.mark.parametrize("face", ["2003", "2007"])
def test_a_forbidden_folder_stops_nobody_else(forms, mount, face):
    """Each look at it ends the session that the readers use as well."""
    sim = forms(face)
    sim.person.mkcol("work/secret")
    for n in range(100):
        sim.person.put(f"work/n{n}.eml", samples.message(100 + n, 2000))
    with mount(sim, attr_ttl=0) as m:
        m.names("work")
        order(sim, "access", f"{USER}/work/secret={USER}:none")
        walker = m.start_sh("while ls work/secret 2>&1 | grep -q denied; do :; done")
        result = m.sh("ls work/n*.eml | xargs -P 6 -n 1 cat > /dev/null", timeout=90, check=False)
        assert result.rc == 0, result
        assert walker.poll() is None
        kill_session(walker)
        walker.wait(10)


@pytest.mark.parametrize("how", [0, 1])
def test_the_password_changes_while_mounted(forms, mount, how):
    """EACCES, one try, and what is cached can still be read."""
    sim = forms("2003", f"wrong={how}")
    with mount(sim, attr_ttl=600) as m:
        m.names("work")
        assert m.read("work/doc.txt") == b"a document\n"
        order(sim, "password", f"{USER}:changed")
        order(sim, "expire")
        with sim.counting() as c:
            for n in range(10):
                assert m.errno_of(f"open('work/m{n % 3}.eml').read()") == "EACCES"
            assert m.read("work/doc.txt") == b"a document\n"
            assert "m0.eml" in m.names("work")
        assert sign_ins(sim, c) == 1
        assert any(re.search("password", line) for line in m.complaints()), m.said[-2000:]


# -- another server of the same store -------------------------------------------------------------

@pytest.mark.parametrize("face", ["2003", "2007"])
def test_a_folder_at_another_server(forms, mount, face):
    """Its replica is elsewhere: the same request goes there, signed in there, if servers= names it."""
    there = forms(face)
    there.person.mkcol("/public/Sales/new")
    there.person.put("/public/Sales/price.txt", b"a lot\n")
    origin = there.url.split("/exchange/")[0]
    here = forms(face, args=("--elsewhere", "/public/Sales=" + origin))
    url = here.url.replace("/exchange/alice/", "/public/")
    with mount(here, url=url, servers=origin, attr_ttl=0) as m:
        with there.counting() as c:
            assert sorted(m.names("Sales")) == ["new", "price.txt"]
            assert m.read("Sales/price.txt") == b"a lot\n"
            m.write("Sales/more.txt", b"and more\n")
        assert sign_ins(there, c) == 1
    assert there.person.get("/public/Sales/more.txt") == b"and more\n"
    with mount(here, url=url, attr_ttl=0) as m, there.counting() as c:
        assert "Sales" in m.names()
        assert m.errno_of("os.listdir('Sales')") != "OK"
    assert c.lines == []


# -- secrets --------------------------------------------------------------------------------------

@each_face
def test_cookies_and_password_leave_no_trace(forms, mount, work, face):
    sim = forms(face, "renew=16")
    with mount(sim, attr_ttl=0) as m:
        m.sh("cat work/*; echo new > work/new.txt")
        order(sim, "expire")
        m.sh("cat work/new.txt; ls work")
        seen = b"".join(open(f"/proc/{m.pid}/{name}", "rb").read() for name in ("cmdline", "environ"))
        if not SANITIZED:
            run(sudo(["gcore", "-o", work / "core", str(m.pid)]), timeout=60)
            core = run(sudo(["cat", work / f"core.{m.pid}"]), timeout=60).out
            assert b"owaauth.dll" in core or b"CookieAuth" in core, "this is no core of the mount"
            assert PASSWORD.encode() not in core
        texts = [seen, m.said.encode()]
        for folder, _, names in os.walk(m.cache):
            texts += [open(os.path.join(folder, name), "rb").read() for name in names]
    texts.append(m.said.encode())
    assert b"/exchange/" in texts[1], "the log says what was asked for"
    for text in texts:
        for secret in (*COOKIES, PASSWORD.encode()):
            assert secret not in text


# -- hostile servers ------------------------------------------------------------------------------

class Web:
    """A web server: answer(method, path) gives (status, headers, body). Keeps what was asked."""

    def __init__(self, answer):
        self.asked = asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked.append((self.command, self.path, body))
                status, headers, text = answer(self.command, self.path)
                if not status:  # not a word
                    self.close_connection = True
                    return
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = "http://127.0.0.1:%d" % self.server.server_port
        self.url = self.origin + "/exchange/alice/"
        self.user, self.password = USER, PASSWORD
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def web():
    made = []

    def begin(answer):
        made.append(Web(answer))
        return made[-1]
    yield begin
    for one in made:
        one.stop()


def page(action):
    return (f'<html><form action="{action}" method=post><input type=hidden name=destination>'
            "<input name=username><input type=password name=password></form></html>").encode()


HTML = {"Content-Type": "text/html"}
AUTH = "/owa/auth/logon.aspx"


def test_a_logon_page_at_a_foreign_host(web, mount):
    foreign = web(lambda method, path: (200, HTML, page("/owa/auth/owaauth.dll")))
    server = web(lambda method, path: (302, {"Location": foreign.origin + AUTH}, b""))
    sentence(mount(server).start_fails(), "another|may not have", "nothing was sent", "mount")
    assert foreign.asked == []


def test_a_form_that_goes_to_a_foreign_host(web, mount):
    foreign = web(lambda method, path: (302, {"Set-Cookie": "cadata=x", "Location": "/"}, b""))

    def answer(method, path):
        if path.startswith(AUTH):
            return 200, HTML, page(foreign.origin + "/owa/auth/owaauth.dll")
        return 302, {"Location": AUTH + "?reason=0"}, b""
    server = web(answer)
    sentence(mount(server).start_fails(), "may not have", "nothing was sent")
    assert foreign.asked == []
    assert all(PASSWORD.encode() not in body for _, _, body in server.asked)


def test_a_page_that_leads_in_a_circle(web, mount):
    count = iter(range(10000))
    server = web(lambda method, path: (302, {"Location": f"{AUTH}?reason=0&n={next(count)}"}, b""))
    sentence(mount(server).start_fails(), "one page to the next", "check the address")
    assert len(server.asked) < 20


def test_a_logon_page_without_a_form(web, mount):
    def answer(method, path):
        if path.startswith(AUTH):
            return 200, HTML, b"<html><p>Scripts must be on.</p>" + b"x" * (10 << 20)
        return 440, {}, b""
    server = web(lambda method, path: answer(method, path) if method != "GET"
                 or path.startswith(AUTH) else (302, {"Location": AUTH}, b""))
    sentence(mount(server).start_fails(), "no form", "sec=")
    assert not [method for method, _, _ in server.asked if method == "POST"]


def test_a_session_that_never_holds(web, mount):
    """Each password gives cookies, none of which is good: no second try."""
    def answer(method, path):
        if method == "POST":
            return 302, {"Set-Cookie": "sessionid=1", "Location": "/exchange/"}, b""
        if path.startswith(AUTH):
            return 200, HTML, page("owaauth.dll")
        return (302, {"Location": AUTH}, b"") if method == "GET" else (440, {}, b"")
    server = web(answer)
    sentence(mount(server).start_fails(), "password")
    assert sum(method == "POST" for method, _, _ in server.asked) == 1


def test_a_password_is_not_sent_twice(web, mount):
    """Nobody knows whether a server that hung up has counted it."""
    def answer(method, path):
        if method == "POST":
            return 0, {}, b""
        if path.startswith(AUTH):
            return 200, HTML, page("owaauth.dll")
        return (302, {"Location": AUTH}, b"") if method == "GET" else (440, {}, b"")
    server = web(answer)
    assert mount(server).start_fails(timeout=60).rc != 0
    assert sum(method == "POST" for method, _, _ in server.asked) == 1


def test_a_page_in_place_of_an_answer(web, mount, forms):
    """A form with status 200 is neither a folder, nor a message, nor a change made."""
    server = web(lambda method, path: (200, HTML, page("/x")))
    sentence(mount(server).start_fails(), "web page", "check")
    sim = forms("2003")
    html = "body=%3Chtml%3E%3Cform%3E%3Cinput%20type=password%20name=p%3E type=text/html status=200"
    with mount(sim, attr_ttl=0) as m:
        m.names("work")
        sim.faults(f"GET */work/* always {html}\nPUT */work/* always {html}\n")
        assert m.errno_of("open('work/m0.eml').read()") == "EIO"
        assert m.errno_of("f = open('work/x.txt', 'w'); f.write('x'); f.close()") == "EIO"
        sim.faults("")
        assert b"<form" not in m.read("work/m0.eml")
