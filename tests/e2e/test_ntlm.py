# SPDX-License-Identifier: Apache-2.0
"""Signing in by NTLM: three steps that sign one connection in, as IIS has it; NTLMv2 by impacket."""
import time

import pytest
from xfse2e import samples
from xfse2e.checks import sentence, use
from xfse2e.ntlm import OTHER, NtlmGate
from xfse2e.server import PASSWORD, USER

each_server = pytest.mark.parametrize("kind", ("e2003", "e2007", "mod_dav"))


@pytest.fixture
def begin(start_sim, start_mod_dav, work):
    """A server of KIND behind the gate, with a document in it, and the password for it."""
    gates = []

    def start(kind, **kw):
        behind = start_mod_dav() if kind == "mod_dav" else start_sim(kind, auth="none")
        behind.client.mkcol("work")
        behind.client.put("work/doc.txt", b"a document\n")
        gates.append(NtlmGate(work / f"gate{len(gates)}", behind, **kw))
        return gates[-1]
    yield start
    for gate in gates:
        gate.stop()


def done(gate):
    """The requests that the server behind the gate has seen."""
    return [c for c in gate.came() if c.user]


def tries(gate):
    """The sign-ins, each of which a server may count."""
    return [c for c in gate.came() if c.step in (3, OTHER)]


@each_server
@pytest.mark.parametrize("sec", [None, "ntlm"])
def test_works_and_keeps_its_connections(begin, mount, kind, sec):
    gate = begin(kind)
    with mount(gate, sec=sec, attr_ttl=0) as m:
        for _ in range(3):
            use(m)
        assert PASSWORD not in m.said and "NTLM TlRM" not in m.said
    connections = {c.connection for c in done(gate)}
    assert len(tries(gate)) == len(connections) <= 4
    assert len(done(gate)) > 10 * len(connections)
    assert not [c for c in gate.came() if c.step == 0 and not c.user and c.method == "PUT"]


@each_server
def test_a_body_is_sent_once_and_whole(begin, mount, kind):
    """The empty body of the first step never becomes an empty file."""
    gate = begin(kind)
    data = samples.noise(700_000)
    with mount(gate, sec="ntlm", attr_ttl=60) as m:
        m.names("work")
        m.write("work/big.bin", data, timeout=60)
        gate.client.put("work/theirs.txt", b"theirs\n")
        assert m.errno_of("f = os.open('work/theirs.txt', os.O_CREAT | os.O_WRONLY)\n"
                          "os.write(f, b'ours')\nos.close(f)") != "OK"
    assert gate.client.get("work/big.bin") == data
    assert gate.client.get("work/theirs.txt") == b"theirs\n"
    puts = [c for c in gate.came() if c.method == "PUT"]
    assert [c.length for c in puts if c.user and c.path.endswith("big.bin")] == [len(data)]
    assert all(c.length > 0 for c in puts if c.user), puts
    assert not [c for c in puts if c.length > 0 and not c.user], "a body went in vain"


@each_server
@pytest.mark.parametrize("closing", [{"per_connection": 5}, {"idle": 1}])
def test_a_server_that_closes_connections(begin, mount, kind, closing):
    gate = begin(kind, **closing)
    with mount(gate, sec="ntlm", attr_ttl=0) as m:
        for _ in range(2):
            use(m)
            time.sleep(1.3 if "idle" in closing else 0)
        m.write("work/late.bin", samples.noise(100_000))
        assert not m.complaints()
    assert gate.client.get("work/late.bin") == samples.noise(100_000)
    assert len({c.connection for c in done(gate)}) > 1
    assert all(c.length > 0 for c in done(gate) if c.method == "PUT")


@each_server
@pytest.mark.parametrize("sec", [None, "ntlm"])
def test_wrong_password(begin, mount, kind, sec):
    """One sentence, and no more tries than an account lives through."""
    gate = begin(kind)
    gate.password = "wrong"
    sentence(mount(gate, sec=sec).start_fails(), "refused", "password", USER)
    assert 1 <= len(tries(gate)) <= 2 and not done(gate)


def test_no_password(begin, mount):
    gate = begin("e2003")
    gate.user = None
    sentence(mount(gate).start_fails(), "NTLM", "user=")
    assert not tries(gate)


@pytest.mark.core
def test_many_readers(begin, mount):
    gate = begin("e2003")
    for n in range(24):
        gate.client.put(f"work/{n}.txt", b"%d\n" % n * 2000)
    with mount(gate, sec="ntlm", connections=8) as m:
        m.sh('seq 0 23 | xargs -P 8 -I N sh -c \'[ "$(sort -u work/N.txt)" = N ]\'', timeout=60)
    connections = {c.connection for c in done(gate)}
    assert len(connections) <= 8 and len(tries(gate)) == len(connections)


@pytest.mark.parametrize("kind", ("e2003", "mod_dav"))
def test_auto_takes_the_strongest(begin, mount, kind, monkeypatch, work):
    """Negotiate, NTLM and Basic are offered, there is no ticket: the password is not sent."""
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{work}/none")
    gate = begin(kind, offers=("Negotiate", 'Basic realm="mail"'))
    with mount(gate) as m:
        use(m)
        assert "signing in by NTLM" in m.said
    assert not [c for c in gate.came() if c.step == OTHER]
    assert done(gate)


def test_scheme_not_offered(begin, mount, monkeypatch, work):
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{work}/none")
    gate = begin("e2003")
    sentence(mount(gate, sec="basic").start_fails(), "NTLM", "Basic")


def test_domain(begin, mount):
    gate = begin("e2007")
    with mount(gate, sec="ntlm", user=f"CONTOSO\\\\{USER}") as m:
        use(m)


@pytest.mark.parametrize("kind", ("e2003", "mod_dav"))
def test_the_password_is_changed_meanwhile(begin, mount, kind):
    """A connection stays signed in; the refusal of a new one is told from a lack of right."""
    gate = begin(kind, per_connection=40)
    with mount(gate, sec="ntlm", attr_ttl=0) as m:
        use(m)
        before = len(tries(gate))
        gate.change_password()
        for _ in range(20):
            if m.errno_of("open('work/doc.txt').read()", timeout=60) != "OK":
                break
        for _ in range(3):
            assert m.errno_of("open('work/doc.txt').read()", timeout=60) == "EACCES"
        assert len([c for c in tries(gate)[before:] if not c.user]) <= 3
        assert [line for line in m.complaints() if "refused" in line and "password" in line]
