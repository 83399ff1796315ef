# SPDX-License-Identifier: Apache-2.0
"""Signing in by a Kerberos ticket: a real KDC, and mod_auth_gssapi before each server."""
import os
import re
import shutil
import signal
import time

import pytest
from xfse2e import proc, samples
from xfse2e.checks import sentence, use
from xfse2e.mount import interrupt
from xfse2e.proc import SLOWNESS
from xfse2e.realm import NAME, PASSWORDS, Gssapi, Realm, skew
from xfse2e.server import PASSWORD

each_server = pytest.mark.parametrize("kind", ("e2003", "e2007", "mod_dav"))


@pytest.fixture(scope="session")
def shared_realm():
    made = Realm()
    yield made
    made.stop()


@pytest.fixture
def realm(shared_realm, monkeypatch, work):
    """The realm for every program the test starts, and a person without a ticket."""
    for name, value in shared_realm.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{work}/cc")
    yield shared_realm
    shared_realm.resume()


@pytest.fixture
def begin(realm, start_sim, work):
    """A server of KIND behind the acceptor, with a document in it."""
    doors = []

    def start(kind, **kw):
        behind = None if kind == "mod_dav" else start_sim(kind, auth="none")
        doors.append(Gssapi(work / f"door{len(doors)}", realm, behind, **kw))
        doors[-1].client.mkcol("work")
        doors[-1].client.put("work/doc.txt", b"a document\n")
        return doors[-1]
    yield start
    for door in doors:
        door.stop()


@pytest.fixture
def ticket(realm, work):
    """A person at the machine: `kinit` into the default cache."""
    return lambda user="alice", *flags: realm.kinit(user, work / "cc", *flags)


def doc(m):
    """The errno name of asking the server for the document's attributes and bytes, or OK."""
    return m.errno_of("open('work/doc.txt').read()", timeout=60)


def refused(server):
    return [c for c in server.came() if c[3] == 401]


# -- with a ticket ----------------------------------------------------------------------------------

@each_server
@pytest.mark.parametrize("sec", [None, "negotiate"])
def test_a_ticket_is_enough(begin, ticket, mount, kind, sec):
    """No user=, no password; sec=auto finds out by one small request."""
    server = begin(kind)
    cache = ticket()
    before = cache.read_bytes()
    with mount(server, sec=sec, attr_ttl=0) as m:
        use(m)
        assert "authoriz" not in m.said.lower().replace("unauthorized", "")
        assert "YII" not in m.said  # how each token begins
    asked = [] if sec else [("-", "PROPFIND")]
    assert [c[:2] for c in refused(server)] == asked
    assert {c[0] for c in server.came() if c[3] != 401} == {"alice"}
    assert cache.read_bytes() == before, "the person's own cache was written"


@each_server
def test_a_body_is_sent_once_and_whole(begin, ticket, mount, kind):
    server = begin(kind)
    ticket()
    data = samples.noise(700_000)
    with mount(server, attr_ttl=60) as m:
        m.names("work")
        m.write("work/big.bin", data, timeout=60)
        # What came meanwhile by another way is not overwritten.
        server.client.put("work/theirs.txt", b"theirs\n")
        assert m.errno_of("f = os.open('work/theirs.txt', os.O_CREAT | os.O_WRONLY)\n"
                          "os.write(f, b'ours')\nos.close(f)") != "OK"
    assert server.client.get("work/big.bin") == data
    assert server.client.get("work/theirs.txt") == b"theirs\n"
    puts = [c for c in server.came() if c[1] == "PUT"]
    assert [c[2] for c in puts if c[4].endswith("big.bin")] == [len(data)]
    assert all(c[0] == "alice" and c[2] > 0 for c in puts), puts


@pytest.mark.core
def test_many_at_once(begin, ticket, mount):
    server = begin("e2003")
    ticket()
    for n in range(24):
        server.client.put(f"work/{n}.txt", b"%d\n" % n * 2000)
    with mount(server, sec="negotiate", connections=8) as m:
        m.sh('seq 0 23 | xargs -P 8 -I N sh -c \'[ "$(sort -u work/N.txt)" = N ]\'', timeout=60)
    assert not refused(server)


@each_server
def test_a_keytab_renews_by_itself(begin, realm, mount, work, kind):
    """Tickets for three seconds; nobody runs kinit."""
    server = begin(kind)
    keys, name = work / "short.keytab", f"short-{kind}"
    realm.kadmin(f'addprinc -randkey -maxlife "3 seconds" {name}', f"ktadd -k {keys} {name}")
    with mount(server, sec="negotiate", keytab=keys, attr_ttl=0) as m:
        end = time.monotonic() + 4.5
        while time.monotonic() < end:
            assert doc(m) == "OK"
            time.sleep(0.3)
        assert not m.complaints()
    assert {c[0] for c in server.came()} == {name}


# -- tickets that are none ---------------------------------------------------------------------------

@pytest.mark.parametrize("sec", [None, "negotiate"])
def test_no_ticket(begin, mount, work, sec):
    server = begin("e2003")
    sentence(mount(server, sec=sec).start_fails(), "no Kerberos ticket", f"{work}/cc", "kinit")


@each_server
def test_expired(begin, ticket, mount, kind):
    server = begin(kind)
    ticket("alice", "-l", "1s")
    time.sleep(1.5)
    sentence(mount(server, sec="negotiate").start_fails(), "expired", f"alice@{NAME}", "kinit")
    assert not server.came()


@each_server
def test_ends_and_is_renewed(begin, ticket, mount, kind):
    """EACCES while there is none; kinit is all that it needs, no remount."""
    server = begin(kind)
    ticket("alice", "-l", "3s")
    with mount(server, attr_ttl=0) as m:
        assert doc(m) == "OK"
        time.sleep(3.2)
        assert doc(m) == "EACCES"
        assert [line for line in m.complaints() if "expired" in line and "kinit" in line]
        ticket()
        assert doc(m) == "OK"
        use(m)
    assert {c[0] for c in server.came() if c[3] != 401} == {"alice"}


def test_clock_skew(begin, ticket, mount):
    """The person's clock is off, as the cache says; first the KDC notices, then the server."""
    server = begin("e2003")
    cache = ticket()
    skew(cache, 3000)
    sentence(mount(server, sec="negotiate").start_fails(), "clock")
    server.realm.service_ticket(ticket())
    skew(cache, 3000)
    sentence(mount(server, sec="negotiate").start_fails(), "refused the Kerberos ticket", "clock")
    with mount(server, sec="negotiate", ccache=ticket()) as m:
        use(m)


def test_unknown_service(begin, ticket, mount):
    """A name of the server that the realm does not know."""
    server = begin("e2003")
    ticket()
    url = server.url.replace("localhost", "127.0.0.1")
    sentence(mount(server, url=url, sec="negotiate").start_fails(), "HTTP/127.0.0.1", "setspn")


def test_bad_keytab(begin, realm, mount, work):
    server = begin("e2003")
    sentence(mount(server, sec="negotiate", keytab=work / "none").start_fails(), f"{work}/none")
    sentence(mount(server, sec="negotiate", keytab=realm.keytab("alice"),
                   principal="bob").start_fails(), "no key of bob")
    old = work / "old.keytab"
    realm.kadmin("addprinc -randkey moved", f"ktadd -k {old} moved", "cpw -randkey moved")
    sentence(mount(server, sec="negotiate", keytab=old).start_fails(), str(old), "again")


def test_the_servers_key_changes(begin, ticket, realm, mount):
    """The ticket for the service is got anew, once the server refuses the one at hand."""
    server = begin("e2003")
    ticket()
    with mount(server, sec="negotiate", attr_ttl=0) as m:
        assert doc(m) == "OK"
        keys = server.directory / "http.keytab"
        owner = keys.stat()
        keys.unlink()
        realm.kadmin(f"ktadd -k {realm.directory}/new.keytab HTTP/localhost")
        shutil.move(realm.directory / "new.keytab", keys)
        os.chown(keys, owner.st_uid, owner.st_gid)
        shutil.copy(keys, realm.keytab("HTTP/localhost"))  # for the tests to come
        assert doc(m) == "OK"
    assert len(refused(server)) == 1


# -- the KDC ----------------------------------------------------------------------------------------

@pytest.mark.core
def test_silent_kdc(begin, ticket, realm, mount):
    """Ctrl-C gets through at once, and all is well when the KDC is."""
    server = begin("e2003")
    ticket()
    with mount(server, sec="negotiate", attr_ttl=0) as m:
        assert doc(m) == "OK"
        ticket()  # the ticket for the service has to be asked for again
        realm.pause()
        child = m.start_sh("exec cat work/doc.txt")
        time.sleep(1)
        assert child.poll() is None
        began = time.monotonic()
        interrupt(child)
        child.wait(10)
        assert time.monotonic() - began < 1 * SLOWNESS
        realm.resume()
        assert doc(m) == "OK"


@pytest.mark.core
def test_silent_kdc_at_the_start(begin, ticket, realm, mount):
    server = begin("e2003")
    ticket()
    realm.pause()
    m = mount(server, sec="negotiate")
    m.path.mkdir()
    child = proc.start(m.argv("-f"))
    time.sleep(1)
    assert child.poll() is None and not m.mounted
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    child.wait(10)
    assert time.monotonic() - began < 1 * SLOWNESS


def test_no_kdc(begin, ticket, realm, mount, work, monkeypatch):
    server = begin("e2003")
    ticket()
    text = (realm.directory / "krb5.conf").read_text()
    (work / "krb5.conf").write_text(re.sub(r"kdc = .*", "kdc = 127.0.0.1:1", text))
    monkeypatch.setenv("KRB5_CONFIG", str(work / "krb5.conf"))
    sentence(mount(server, sec="negotiate").start_fails(), "no KDC answers", "HTTP/localhost")


# -- rights, and other schemes ----------------------------------------------------------------------

@each_server
@pytest.mark.parametrize("status", [401, 403])
def test_no_right_to_one_folder(begin, ticket, mount, kind, status):
    """401 to who is signed in means "not you": EACCES there, everything else goes on."""
    base = "/mailbox" if kind == "mod_dav" else "/exchange/alice"
    server = begin(kind, rights={f"{base}/secret": "bob"}, denied=status)
    server.client.mkcol("secret")
    server.client.put("secret/plan.txt", b"secret\n")
    ticket()
    with mount(server, attr_ttl=0) as m:
        use(m)
        for _ in range(3):
            assert m.errno_of("os.listdir('secret')") == "EACCES"
            assert m.errno_of("open('secret/mine.txt', 'w').close()") == "EACCES"
            assert doc(m) == "OK"
        use(m)
    assert not [c for c in server.came() if "/secret" in c[4] and c[3] < 400]


@pytest.mark.parametrize("kind", ("e2003", "mod_dav"))
def test_auto_takes_the_strongest(begin, ticket, mount, work, kind):
    """Negotiate and Basic are offered: the ticket where there is one, else the password."""
    server = begin(kind, basic=True)
    secret = work / "password"
    secret.write_text(PASSWORDS["alice"] + "\n")
    secret.chmod(0o600)
    options = {"user": "alice", "passwd_file": secret}
    with mount(server, **options) as m:
        use(m)
        assert "signing in by Basic" in m.said
    ticket("bob")  # another's, so that the name tells
    with mount(server, **options) as m:
        use(m)
        assert "signing in by Negotiate" in m.said
    assert {c[0] for c in server.came() if c[3] != 401} == {"alice", "bob"}
    secret.write_text("wrong\n")
    (work / "cc").unlink()
    text = sentence(mount(server, **options).start_fails(), "refused", "alice")
    assert PASSWORD not in text and "wrong" not in text
