# SPDX-License-Identifier: Apache-2.0
"""TLS: who is trusted, what is said when nobody is, and what an old server takes."""
import concurrent.futures
import re
import shutil
import tempfile

import pytest
from xfse2e import proc, samples
from xfse2e.server import PASSWORD
from xfse2e.tls import Authority, OnlyRc4, TlsFront

ISO = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
OLD_TLS = "SSLProtocol TLSv1\nSSLCipherSuite ALL:@SECLEVEL=0"


@pytest.fixture(scope="module")
def ca():
    directory = tempfile.mkdtemp(prefix="xfs-ca-")
    yield Authority(directory)
    shutil.rmtree(directory)


@pytest.fixture
def front(work, start_sim, ca):
    """front(cert=…, …): exchange-sim behind mod_ssl; without a simulator: front(sim=False)."""
    running = []

    def begin(cert=None, sim=True, **kw):
        behind = start_sim("e2003") if sim else None
        if behind:
            behind.client.mkcol("work")
        made = TlsFront(work / f"tls{len(running)}", cert or ca.issue(), behind, **kw)
        running.append(made)
        return made
    yield begin
    for made in running:
        made.stop()


def refused(server, m, *words):
    """The start fails with one sentence that holds all WORDS; nothing but the handshake was sent."""
    result = m.start_fails()
    lines = [line for line in result.err.splitlines() if line.strip()]
    assert result.rc == 1 and len(lines) == 1 and len(lines[0]) < 600, repr(result)
    for word in words:
        assert re.search(word, lines[0]), f"{word!r} is not in {lines[0]!r}"
    assert PASSWORD not in m.said
    if isinstance(server, TlsFront):
        assert server.heads() == []
        assert server.behind is None or server.behind.requests() == server.asked_before
    return lines[0]


@pytest.fixture
def refuses(mount):
    def check(server, *words, **options):
        if isinstance(server, TlsFront) and server.behind:
            server.asked_before = server.behind.requests()
        return refused(server, mount(server, **options), *words)
    return check


def works(m, server):
    """Reading, writing, renaming, eight connections."""
    data = samples.noise(300_000)
    m.write("work/a.txt", data)
    assert server.client.get("work/a.txt") == data
    m.sh("mv work/a.txt work/b.txt; mkdir work/sub; echo two > work/sub/two.txt; ls -lR work")
    for i in range(24):
        server.client.put(f"work/n{i}.txt", data)
    m.sh("sleep 0.1; ls work > /dev/null; for i in $(seq 0 23); do cmp work/n$i.txt work/b.txt & "
         "done; for j in $(jobs -p); do wait $j || exit 9; done", timeout=60)
    assert m.complaints() == []


def test_a_trusted_server_works(front, mount, ca):
    server = front()
    with mount(server, cacert=ca.pem, attr_ttl=0, connections=8) as m:
        works(m, server)
    assert {"PROPFIND", "SEARCH"} & {head[0].split()[0] for head in server.heads()}


def test_a_trusted_mod_dav_works(front, mount, ca):
    server = front(sim=False)
    server.client.mkcol("work")
    with mount(server, cacert=ca.pem, attr_ttl=0) as m:
        works(m, server)


def test_an_address_is_a_name_too(front, mount, ca):
    server = front()
    with mount(server, url=server.url.replace("localhost", "127.0.0.1"), cacert=ca.pem) as m:
        assert "work" in m.names()


def test_unknown_authority(front, refuses):
    server = front()
    refuses(server, "CN=localhost,O=Example", "issued by CN=Example Authority",
            f"valid from {server.cert.date('startdate')} until {server.cert.date('enddate')}",
            "authority that is not trusted", "cacert=")


def test_cacert_trusts_nobody_else(front, refuses, ca):
    """cacert= takes the place of the system's authorities, and of any other."""
    other = Authority(ca.directory / "other", "Another Authority")
    refuses(front(), "authority that is not trusted", cacert=other.pem)


def test_self_signed(front, refuses, mount, ca):
    own = ca.self_signed()
    server = front(own)
    refuses(server, "CN=localhost,O=Example, issued by CN=localhost,O=Example", ISO,
            "signed by itself", "cacert=")
    with mount(server, cacert=own.pem) as m:
        assert "work" in m.names()


def test_expired(front, refuses, ca):
    old = ca.issue(start=-20, end=-2)
    refuses(front(old), "CN=localhost,O=Example", "issued by CN=Example Authority",
            f"until {old.date('enddate')}", "has expired", rf"clock \(it says {ISO}\)",
            cacert=ca.pem)


def test_not_valid_yet(front, refuses, ca):
    new = ca.issue(start=2, end=20)
    refuses(front(new), "CN=localhost,O=Example", f"valid from {new.date('startdate')}",
            "not valid yet", "clock", cacert=ca.pem)


def test_wrong_name(front, refuses, ca):
    other = ca.issue("mail", "DNS:mail.example.com,DNS:*.example.org,IP:192.0.2.1")
    refuses(front(other), "CN=mail,O=Example", "issued by CN=Example Authority", ISO,
            r"not for the host of this address but for mail.example.com, \*.example.org, 192.0.2.1",
            cacert=ca.pem)


def test_pin(front, refuses, mount, ca):
    server, other = front(), ca.issue()
    with mount(server, cacert=ca.pem, pin=other.pin + ";" + server.cert.pin) as m:
        assert "work" in m.names()
    server.restart()
    (server.directory / "heads.log").write_text("")
    refuses(server, "CN=localhost,O=Example", "Example Authority", ISO, "another public key",
            "somebody is in between", cacert=ca.pem, pin=other.pin)


def test_a_pin_does_not_replace_trust(front, refuses):
    server = front()
    refuses(server, "authority that is not trusted", pin=server.cert.pin)


@pytest.mark.parametrize("place", ["file", "directory"])
def test_the_systems_authorities(front, mount, ca, work, place):
    """Seen in a mount namespace of the test's own, where they are others."""
    server, system = front(), work / "certs"
    m = mount(server)
    m.path.mkdir()
    system.mkdir()
    bundle = system / "ca-certificates.crt"
    shutil.copy(ca.pem if place == "file" else ca.self_signed("another").pem, bundle)
    if place == "directory":
        name = proc.run(["openssl", "x509", "-in", ca.pem, "-noout", "-hash"]).text.strip()
        shutil.copy(ca.pem, system / f"{name}.0")
    script = 'mount --bind "$1" "$2" && shift 2 && "$@" && cd "$M" && ls && cd / && umount "$M"'
    argv = ["unshare", "-m", "sh", "-c", script, "sh", system, "/etc/ssl/certs", *m.argv()]
    result = proc.run(proc.sudo(["env", f"M={m.path}", *argv]), timeout=30)
    assert "work" in result.text.split()
    proc.wait_until(lambda: not proc.processes_naming(str(m.path)), 10, "the daemon's end")


def test_a_certificate_that_turns_bad(front, mount, ca):
    """While mounted: a sentence in the log, EIO or EPROTO, and all is well when it is good again."""
    good = ca.issue()
    server = front(good)
    server.client.put("work/f.txt", b"hello")
    with mount(server, cacert=ca.pem, attr_ttl=0) as m:
        assert m.read("work/f.txt") == b"hello"
        server.show(ca.issue(start=-20, end=-2))
        server.client.put("work/f.txt", b"hello again")
        seen = len(server.heads())
        assert m.errno_of("os.listdir('work')") in ("EIO", "EPROTO")
        assert m.errno_of("open('work/new.txt', 'w').write('x')") in ("EIO", "EPROTO")
        said = [line for line in m.complaints() if "has expired" in line]
        assert said and "CN=localhost,O=Example" in said[0] and re.search(ISO, said[0])
        assert len(server.heads()) == seen
        server.show(good)
        assert m.read("work/f.txt") == b"hello again"
        m.write("work/new.txt", b"works")
        assert server.client.get("work/new.txt") == b"works"
        assert PASSWORD not in m.said


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_certificate_of_ours(front, refuses, mount, ca, version):
    server = front(demand=ca, settings=f"SSLProtocol {version}\n")
    server.asked_before = None
    m = mount(server, cacert=ca.pem)
    result = m.start_fails()
    assert result.rc == 1 and len(result.err.splitlines()) == 1, result
    assert "demands a certificate of yours: give it with cert=FILE" in result.err
    other = Authority(ca.directory / f"other-{version}", "Another Authority").issue("alice", None)
    m = mount(server, cacert=ca.pem, cert=other.pem, key=other.key)
    result = m.start_fails()
    assert result.rc == 1 and "does not take the certificate that cert= names" in result.err
    assert server.heads() == []
    mine = ca.issue("alice", None, key_password="key-sesame-99")
    password = server.directory / "key-password"
    password.write_text("key-sesame-99\n")
    password.chmod(0o600)
    with mount(server, cacert=ca.pem, cert=mine.pem, key=mine.key, key_passwd_file=password,
               attr_ttl=0) as m:
        works(m, server)
        assert "key-sesame-99" not in m.said
        assert "key-sesame-99" not in proc.pathlib.Path(f"/proc/{m.pid}/cmdline").read_text()
    m = mount(server, cacert=ca.pem, cert=mine.pem, key=mine.key)
    result = m.start_fails()
    assert result.rc == 1 and "is encrypted: give its password with key_passwd_file=" in result.err


def test_a_certificate_for_one_folder(front, mount, ca):
    """As IIS does it: the server asks for the certificate when it has seen the request."""
    settings = (f"SSLProtocol TLSv1.2\nSSLCACertificateFile {ca.pem}\n"
                "<Location /exchange>\nSSLVerifyClient require\n</Location>\n")
    server, mine = front(settings=settings), ca.issue("alice", None)
    with mount(server, cacert=ca.pem, cert=mine.pem, key=mine.key, attr_ttl=0) as m:
        works(m, server)


def test_old_tls(front, refuses, mount, ca):
    server = front(settings=OLD_TLS)
    refuses(server, "does not speak TLS 1.2 or newer", "tls_min=1.0", cacert=ca.pem)
    with mount(server, cacert=ca.pem, tls_min="1.0", attr_ttl=0) as m:
        m.write("work/a.txt", b"old")
        assert m.read("work/a.txt") == b"old"
        loud = [line for line in m.complaints() if "tls_min=" in line]
        assert len(m.complaints()) == 1 and len(loud) == 1
        assert server.url.split("/exchange")[0] in loud[0] and "take the option away" in loud[0]


def test_tls_1_3_alone(front, refuses, mount, ca):
    server = front(settings="SSLProtocol TLSv1.2")
    refuses(server, "does not speak TLS 1.3: allow older ones with tls_min=1.2", cacert=ca.pem,
            tls_min="1.3")
    with mount(server, cacert=ca.pem, tls_min="1.2") as m:
        assert "work" in m.names()
        assert m.complaints() == []


@pytest.mark.parametrize("alert", [True, False], ids=["says so", "hangs up"])
def test_only_rc4(refuses, mount, ca, alert):
    server = OnlyRc4(alert)
    refuses(server, "tls_min=1.0", "RC4 and 3DES: patch the server, or put a TLS proxy in front",
            cacert=ca.pem)
    refuses(server, "RC4 and 3DES", "TLS proxy", cacert=ca.pem, tls_min="1.0")
    server.stop()
    assert len(server.hellos) == 2, "a handshake is not tried again"


def test_no_tls_there(start_sim, refuses, ca):
    sim = start_sim("e2003")
    before = sim.requests()
    sim.url = sim.url.replace("http://127.0.0.1", "https://localhost")
    refuses(sim, "does not speak TLS on this port", "begin the address with http://",
            cacert=ca.pem)
    assert sim.requests() == before


@pytest.mark.parametrize("option,words", [
    ({"cacert": "/nowhere.pem"}, "cacert=/nowhere.pem, cannot be read"),
    ({"cacert": "/etc/hostname"}, "PEM"),
    ({"cert": "/etc/hostname"}, "PEM"),
    ({"pin": "sha256//short"}, "44 characters"),
], ids=["absent", "no PEM", "no certificate", "short pin"])
def test_options_that_cannot_be(front, refuses, option, words):
    refuses(front(), words, **option)
