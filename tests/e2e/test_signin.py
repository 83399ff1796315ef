# SPDX-License-Identifier: Apache-2.0
"""Signing in by Basic and bearer tokens, the choice among schemes, and several servers of one store.

Forms, Kerberos, NTLM and TLS have files of their own; the table of all is in tests/README.md.
"""
import re

import pytest
from xfse2e import proc
from xfse2e.checks import sentence, use
from xfse2e.gate import Gate
from xfse2e.server import USER

ALL = ("e2003", "e2007", "generic", "mod_dav")
each_server = pytest.mark.parametrize("kind", ALL)


@pytest.fixture
def gate():
    made = []

    def begin(server, tokens=None, port=0):
        made.append(Gate(server.port, tokens, port))
        return made[-1]
    yield begin
    for g in made:
        g.close()


@pytest.fixture
def begin(start_sim, start_mod_dav):
    def start(kind, *args):
        server = start_mod_dav(auth="basic") if kind == "mod_dav" else start_sim(kind, *args)
        server.client.mkcol("work")
        server.client.put("work/doc.txt", b"a document\n")
        return server
    return start


def comes_back(m, script):
    proc.wait_until(lambda: m.sh(script, check=False).rc == 0, 45, script)


# -- Basic ----------------------------------------------------------------------------------------

@each_server
@pytest.mark.parametrize("sec", ["auto", "basic"])
def test_basic_works(begin, gate, mount, kind, sec):
    server = begin(kind)
    door = gate(server)
    with mount(server, url=door.url(server), sec=sec) as m:
        use(m)
    refused = [s for s in door.seen if s.status == 401]
    # auto finds out by one small request; then every request carries it, and no body goes in vain.
    assert len(refused) == (1 if sec == "auto" else 0), refused
    assert all(s.scheme == "" and s.method == "PROPFIND" for s in refused)
    assert {s.scheme for s in door.seen if s.status != 401} == {"Basic"}


@each_server
def test_basic_wrong(begin, gate, mount, kind):
    server = begin(kind)
    door = gate(server)
    server.password = "wrong"
    sentence(mount(server, url=door.url(server)).start_fails(), "refused", "password", "alice",
             "offers Basic", "tried: Basic")
    assert [s.scheme for s in door.seen] == ["", "Basic"], "tried more than once"
    assert all(s.status == 401 for s in door.seen)


def change_password(server, password):
    if server.kind == "mod_dav":
        server.set_password(password)
    else:
        server.client.request("POST", "/.sim/password", f"{USER}:{password}".encode())
    server.password = password


@each_server
def test_basic_expired(begin, gate, mount, kind):
    """The password is changed while mounted: EACCES, no storm; then the file with the new one is
    read, without a remount."""
    server = begin(kind)
    door = gate(server)
    with mount(server, url=door.url(server), attr_ttl=0) as m:
        use(m)
        assert m.read("work/doc.txt") == b"a document\n"
        change_password(server, "changed")
        before = len(door.seen)
        for _ in range(10):
            assert m.errno_of("open('work/other.txt', 'x')") == "EACCES"
        tried = door.seen[before:]
        assert 1 <= len(tried) <= 3 and all(s.status == 401 for s in tried), tried
        assert any("password" in line for line in m.complaints() + m.said.splitlines())
        if kind in ("generic", "mod_dav"):  # half a minute later it is tried again
            (m.directory / "password").write_text("changed\n")
            comes_back(m, "ls work/doc.txt")
            use(m)


def test_locked_account(begin, mount):
    server = begin("e2003")
    server.stop()
    server.args += ["--switch", "locked"]
    server.start(server.port)
    sentence(mount(server).start_fails(), "right|locked")


@pytest.mark.parametrize("kind", ["e2003", "e2007"])
def test_no_right_to_one_folder(begin, gate, mount, kind):
    """401 to one who is signed in: EACCES there, everything else goes on."""
    server = begin(kind)
    server.client.mkcol("secret")
    server.client.put("secret/x.txt", b"x")
    door = gate(server)
    server.client.request("POST", "/.sim/access", f"{USER}/secret={USER}:none".encode())
    with mount(server, url=door.url(server)) as m:
        m.sh("ls >/dev/null")
        before = len(door.seen)
        assert m.errno_of("os.listdir('secret')") == "EACCES"
        assert len(door.seen) - before <= 6
        use(m)


@pytest.mark.parametrize("sec, offer", [("ntlm", 0), ("negotiate", 0), ("basic", 6), ("bearer", 0)])
def test_a_scheme_that_is_not_offered(start_sim, mount, sec, offer):
    server = start_sim("e2003", "--switch", f"offer={offer}")
    options = {"token_cmd": "echo x"} if sec == "bearer" else {}
    if sec in ("negotiate", "bearer"):
        server.user = None
    text = sentence(mount(server, sec=sec, **options).start_fails(), "")
    assert re.search("offers|ticket|refused", text), text


def test_none_means_nobody(start_sim, mount, begin, gate):
    server = begin("generic")
    door = gate(server)
    server.user = None
    sentence(mount(server, url=door.url(server), sec="none").start_fails(), "sec=none")
    assert not any(s.scheme for s in door.seen)
    assert sum(s.status == 401 for s in door.seen) == 1


def test_nobody_is_named(begin, gate, mount):
    server = begin("e2003")
    door = gate(server)
    server.user = None
    sentence(mount(server, url=door.url(server)).start_fails(), "offers Basic", "user=")


def test_no_sign_in_where_none_is_wanted(start_sim, gate, mount):
    """A server that asks for nothing is told nothing, though there is a password."""
    server = start_sim("generic", auth="none")
    server.client.mkcol("work")
    server.client.put("work/doc.txt", b"a document\n")
    door = gate(server)
    server.user = USER
    with mount(server, url=door.url(server)) as m:
        use(m)
    assert not any(s.scheme for s in door.seen)


@pytest.mark.parametrize("allowed", [False, True])
def test_basic_is_not_sent_where_it_can_be_read(begin, gate, mount, allowed):
    """0.0.0.0 reaches this machine and is none of its names: the password stays here."""
    server = begin("e2003")
    door = gate(server)
    url = door.url(server).replace("127.0.0.1", "0.0.0.0")
    if allowed:
        with mount(server, url=url, insecure_basic=True) as m:
            use(m)
        assert any(s.scheme == "Basic" for s in door.seen)
    else:
        sentence(mount(server, url=url).start_fails(), "readable", "insecure_basic")
        assert not any(s.scheme for s in door.seen)


# -- bearer ---------------------------------------------------------------------------------------

@pytest.fixture
def tokens(work):
    """A command that prints the first line of a file, and counts how often it ran."""
    class Tokens:
        file, runs = work / "token", work / "runs"
        command = f"echo run >> {work}/runs; cat {work}/token"

        def set(self, token):
            self.file.write_text(token + "\n")

        @property
        def count(self):
            return len(self.runs.read_text().splitlines()) if self.runs.exists() else 0
    t = Tokens()
    t.set("token-1")
    return t


@pytest.mark.parametrize("kind", ["e2003", "e2007", "mod_dav"])
def test_bearer(start_sim, start_mod_dav, gate, mount, tokens, kind):
    """works; expired: the command runs again, the request too; wrong: EACCES, no storm."""
    server = start_mod_dav(auth="none") if kind == "mod_dav" else start_sim(kind, auth="none")
    server.user = None
    server.client.mkcol("work")
    server.client.put("work/doc.txt", b"a document\n")
    door = gate(server, tokens={"token-1"})
    with mount(server, url=door.url(server), token_cmd=tokens.command, attr_ttl=0) as m:
        use(m)
        assert tokens.count == 1
        assert {s.credential for s in door.seen if s.status != 401} == {"token-1"}
        door.tokens = {"token-2"}
        tokens.set("token-2")
        use(m)
        assert tokens.count == 2
        door.tokens = set()
        before = len(door.seen)
        for _ in range(5):
            assert m.errno_of("open('work/x.txt', 'x')") == "EACCES"
        assert len(door.seen) - before <= 4 and tokens.count == 3
        assert "token-" not in m.said
        door.tokens = {"token-2"}
        if kind == "e2003":
            comes_back(m, "ls work/doc.txt")
            use(m)


def test_bearer_wrong(start_sim, gate, mount, tokens):
    server = start_sim("e2003", auth="none")
    door = gate(server, tokens={"another"})
    text = sentence(mount(server, url=door.url(server), token_cmd=tokens.command).start_fails(),
                    "token")
    assert "token-1" not in text and tokens.count == 1


# -- several servers of one store -----------------------------------------------------------------

def test_another_server_stands_in(begin, gate, mount):
    """The first goes away and comes back: nobody notices, but for the log."""
    server = begin("generic")
    first, second = gate(server), gate(server)
    with mount(server, url=first.url(server), servers=f"127.0.0.1:{second.port}", attr_ttl=0) as m:
        use(m)
        assert not second.seen
        port = first.port
        first.close()
        use(m)
        assert second.seen and "does not answer" in m.said
        again = gate(server, port=port)
        comes_back(m, f"ls -l work && grep -q '127.0.0.1:{port} answers again' {m.log_file}")
        before = len(second.seen)
        use(m)
        assert again.seen and len(second.seen) == before


def test_a_redirect_is_followed_to_named_servers_alone(begin, start_sim, mount, gate):
    """A public folder whose replica is elsewhere (302): the same request goes there, or nowhere."""
    replica = start_sim("e2003")
    replica.client.request("PROPFIND", "/public/", b"", Depth="0")
    door = gate(replica)
    server = start_sim("e2003", "--elsewhere", f"/public/Sales=http://127.0.0.1:{door.port}")
    public = server.url.split("/exchange/")[0] + "/public/"
    with mount(server, url=public, servers=f"http://127.0.0.1:{door.port}") as m:
        m.sh("ls Sales >/dev/null")
        assert any(s.method in ("SEARCH", "PROPFIND") and s.status == 207 for s in door.seen)
        assert {s.scheme for s in door.seen if s.status == 207} == {"Basic"}
    before = len(door.seen)
    with mount(server, url=public) as m:
        assert m.errno_of("os.listdir('Sales')") not in ("OK", "ENOENT")
        m.sh("ls >/dev/null")
    assert len(door.seen) == before, "sent to a server that nobody named"


def test_a_mount_of_what_is_elsewhere_says_where(begin, start_sim, mount):
    server = start_sim("e2003", "--elsewhere", "/public/Sales=http://127.0.0.1:9")
    url = server.url.split("/exchange/")[0] + "/public/Sales/"
    sentence(mount(server, url=url).start_fails(), "127.0.0.1:9|mount that address|servers=")
