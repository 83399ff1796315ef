# SPDX-License-Identifier: Apache-2.0
"""By way of an HTTP proxy (Apache's mod_proxy): which password goes to whom, and what is said."""
import base64
import re
import shutil
import tempfile

import pytest
from xfse2e import proc, samples
from xfse2e.server import PASSWORD, USER
from xfse2e.tls import Authority, HttpProxy, TlsFront

PROXY_USER, PROXY_PASSWORD = "clerk", "proxy-sesame-88"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


ORIGINS, PROXYS = basic(USER, PASSWORD), basic(PROXY_USER, PROXY_PASSWORD)


@pytest.fixture(scope="module")
def ca():
    directory = tempfile.mkdtemp(prefix="xfs-ca-")
    yield Authority(directory)
    shutil.rmtree(directory)


@pytest.fixture
def sim(start_sim):
    made = start_sim("e2003")
    made.client.mkcol("work")
    return made


@pytest.fixture
def front(work, sim, ca):
    made = TlsFront(work / "tls", ca.issue(), sim)
    yield made
    made.stop()


@pytest.fixture
def start_proxy(work):
    running = []

    def begin(**kw):
        running.append(HttpProxy(work / f"proxy{len(running)}", **kw))
        return running[-1]
    yield begin
    for made in running:
        made.stop()


@pytest.fixture
def proxy(start_proxy):
    return start_proxy(user=PROXY_USER, password=PROXY_PASSWORD)


@pytest.fixture
def sign_in(work):
    """The options to sign in at a proxy."""
    def options(server, user=PROXY_USER, password=PROXY_PASSWORD):
        file = work / "proxy-password"
        file.write_text(password + "\n")
        file.chmod(0o600)
        return {"proxy": server.url, "proxy_user": user, "proxy_passwd_file": file}
    return options


def works(m, server):
    data = samples.noise(200_000)
    m.write("work/a.txt", data)
    assert server.client.get("work/a.txt") == data
    m.sh("mv work/a.txt work/b.txt; ls -l work")
    assert m.read("work/b.txt") == data
    for i in range(16):  # over more than one connection
        server.client.put(f"work/n{i}.txt", data)
    m.sh("ls work > /dev/null; for i in $(seq 0 15); do cmp work/n$i.txt work/b.txt & done; "
         "for j in $(jobs -p); do wait $j || exit 9; done", timeout=60)
    assert m.complaints() == []


def refused(m, *words):
    result = m.start_fails()
    lines = [line for line in result.err.splitlines() if line.strip()]
    assert result.rc == 1 and len(lines) == 1, repr(result)
    for word in words:
        assert re.search(word, lines[0]), f"{word!r} is not in {lines[0]!r}"
    assert PASSWORD not in m.said and PROXY_PASSWORD not in m.said


def test_plain_http_by_a_proxy(sim, start_proxy, mount):
    proxy = start_proxy()
    with mount(sim, proxy=proxy.url, attr_ttl=0) as m:
        works(m, sim)
    asked = [head for head in proxy.heads() if f":{sim.port}/" in head[0]]
    assert {"PUT", "MOVE"} <= {head[0].split()[0] for head in asked}


def test_plain_http_signs_in_at_once(sim, proxy, mount, sign_in):
    """No request is refused first, so that no body is sent twice."""
    with mount(sim, attr_ttl=0, **sign_in(proxy)) as m:
        works(m, sim)
    heads = proxy.heads()
    assert heads and all(status != "407" and theirs == PROXYS for _, status, _, theirs in heads)


def test_https_by_a_proxy(front, start_proxy, mount, ca):
    proxy = start_proxy()
    with mount(front, cacert=ca.pem, proxy=proxy.url, attr_ttl=0) as m:
        works(m, front)
    heads = proxy.heads()
    assert len(heads) > 1 and heads == proxy.connects and heads[0][0] == f"CONNECT localhost:{front.port} HTTP/1.1"
    assert all(head[2:] == ("-", "-") for head in heads), "the origin's password is not the proxy's"
    assert {head[2] for head in front.heads()} <= {"-", ORIGINS}


def test_https_and_a_sign_in_at_the_proxy(front, proxy, mount, ca, sign_in):
    with mount(front, cacert=ca.pem, attr_ttl=0, **sign_in(proxy)) as m:
        works(m, front)
        said = m.said
    heads = proxy.heads()
    assert {status for _, status, _, _ in heads} <= {"200", "407"}
    assert PROXYS in {head[3] for head in heads}
    assert {head[2] for head in heads} == {"-"}, "the origin's password is not for the proxy"
    assert {head[3] for head in front.heads()} == {"-"}, "nor the proxy's for the origin"
    assert len([h for h in heads if h[1] == "407"]) <= len([h for h in heads if h[1] == "200"])
    for secret in (PASSWORD, PROXY_PASSWORD, ORIGINS[6:], PROXYS[6:]):
        assert secret not in said


def test_digest_at_the_proxy(front, sim, start_proxy, mount, ca, sign_in):
    """By https, where the challenge costs nothing; by http it would cost each body twice."""
    proxy = start_proxy(user=PROXY_USER, password=PROXY_PASSWORD, digest=True)
    with mount(front, cacert=ca.pem, attr_ttl=0, **sign_in(proxy)) as m:
        works(m, front)
    assert {head[3].split()[0] for head in proxy.heads() if head[1] == "200"} == {"Digest"}
    assert PROXYS not in {head[3] for head in proxy.heads()}, "the password is not shown"
    refused(mount(sim, **sign_in(proxy)), "it offers Digest", "ask its operator for a way in by Basic")


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
def test_no_password_and_a_wrong_one(front, sim, proxy, mount, ca, sign_in, https):
    server, options = (front, {"cacert": ca.pem}) if https else (sim, {})
    before = sim.requests()
    refused(mount(server, proxy=proxy.url, **options), f"the proxy {proxy.url} demands a sign-in",
            "it offers Basic", "proxy_user=")
    refused(mount(server, **sign_in(proxy, password="wrong"), **options),
            f"the proxy {proxy.url} does not take the user name and password", "proxy_passwd_file=")
    assert sim.requests() == before


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
def test_the_proxy_goes_and_comes_back(front, sim, start_proxy, mount, ca, https):
    proxy = start_proxy()
    server, options = (front, {"cacert": ca.pem}) if https else (sim, {})
    sim.client.put("work/f.txt", b"hello")
    with mount(server, proxy=proxy.url, attr_ttl=0, **options) as m:
        assert m.read("work/f.txt") == b"hello"
        proxy.break_down()
        sim.client.put("work/f.txt", b"hello again")
        assert m.errno_of("os.listdir('work')") == "EHOSTUNREACH"
        assert any(f"the proxy {proxy.url} does not answer" in line for line in m.complaints())
        assert any("check its address and the network" in line for line in m.complaints())
        proxy.start()
        proc.wait_until(lambda: m.read("work/f.txt") == b"hello again", 15, "the proxy is used again")
        m.write("work/g.txt", b"works")
        assert sim.client.get("work/g.txt") == b"works"


def test_no_proxy_there(front, mount, ca):
    refused(mount(front, cacert=ca.pem, proxy="http://127.0.0.1:9"),
            "the proxy http://127.0.0.1:9 does not answer", "check its address and the network")


def test_a_port_the_proxy_does_not_allow(front, start_proxy, mount, ca):
    proxy = start_proxy()
    proxy.restart(proxy.rules.replace("AllowCONNECT 1-65535", "AllowCONNECT 443"))
    refused(mount(front, cacert=ca.pem, proxy=proxy.url),
            f"https://localhost:{front.port}: the proxy {proxy.url} does not connect to it",
            "status 403", "allows that port")
    assert front.heads() == []


def test_a_certificate_is_judged_behind_a_proxy_too(front, start_proxy, mount):
    proxy = start_proxy()
    refused(mount(front, proxy=proxy.url), f"https://localhost:{front.port}: the certificate of",
            "authority that is not trusted")
    assert front.heads() == []


def test_a_proxy_spoken_to_by_tls(front, start_proxy, ca, mount, sign_in):
    """Its certificate is judged as well, and it is the proxy that is named."""
    proxy = start_proxy(user=PROXY_USER, password=PROXY_PASSWORD, cert=ca.issue())
    with mount(front, cacert=ca.pem, attr_ttl=0, **sign_in(proxy)) as m:
        works(m, front)
    proxy.use_cert(ca.issue(start=-20, end=-2))
    refused(mount(front, cacert=ca.pem, **sign_in(proxy)), f"exchangefs: {proxy.url}: the certificate",
            "has expired")


def test_proxy_url_with_a_password(mount, sim):
    m = mount(sim, proxy=f"http://eve:{PROXY_PASSWORD}@127.0.0.1:9")
    result = m.start_fails()
    assert result.rc == 1 and "proxy_user=" in result.err
    assert PROXY_PASSWORD not in result.err and PROXY_PASSWORD not in m.said


def test_this_machine_needs_no_proxy(sim, front, mount, ca, monkeypatch):
    """http_proxy and https_proxy do not hold for it."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with mount(sim) as m:
        assert "work" in m.names()
    with mount(front, cacert=ca.pem) as m:
        assert "work" in m.names()
