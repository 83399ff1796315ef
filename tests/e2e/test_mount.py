# SPDX-License-Identifier: Apache-2.0
"""Mounting: what can be wrong is said in one sentence, and what is right lets go cleanly."""
import base64
import os
import re
import shutil
import socket
import threading
import time

import pytest
from xfse2e import proc, samples
from xfse2e.mount import Mount
from xfse2e.proc import SLOWNESS, run
from xfse2e.server import PASSWORD, USER



class Page:
    """A web server that answers every request with the same bytes."""

    def __init__(self, answer):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.answer = answer
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/exchange/alice/"
        self.user = None
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.reply, args=(peer,), daemon=True).start()

    def reply(self, peer):
        with peer:
            data = b""
            while b"\r\n\r\n" not in data:
                piece = peer.recv(65536)
                if not piece:
                    return
                data += piece
            if self.answer is None:
                time.sleep(120)
            peer.sendall(self.answer or b"")

    def close(self):
        self.socket.close()


def http(status, body, *headers):
    head = "".join(h + "\r\n" for h in (*headers, f"Content-Length: {len(body)}", "Connection: close"))
    return f"HTTP/1.1 {status}\r\n{head}\r\n{body}".encode()


@pytest.fixture
def page():
    made = []

    def begin(answer):
        made.append(Page(answer))
        return made[-1]
    yield begin
    for p in made:
        p.close()


def one_sentence(result, *words):
    """Exit status 1, one line, that names what is wrong (any of WORDS)."""
    lines = [line for line in result.err.splitlines() if line.strip()]
    assert result.rc == 1, repr(result)
    assert 1 <= len(lines) <= 2, result.err
    assert len(lines[-1]) < 500
    assert any(re.search(w, result.err, re.I) for w in words), f"none of {words} in {result.err!r}"
    assert PASSWORD not in result.err, "the password is in the message"


HTML = "<html><head><title>Welcome</title></head><body>A web page</body></html>"
PAGES = {
    "https demanded": (http("403 Forbidden", "<html>The page must be viewed over a secure channel: SSL"
                            "</html>", "Content-Type: text/html"), ("https",)),
    "no such mailbox": (http("404 Not Found", "", "MS-WebStorage: 6.5.7638",
                             "Server: Microsoft-IIS/6.0"), ("mailbox",)),
    "not there": (http("404 Not Found", HTML, "Content-Type: text/html"), ("404|not found|no .*store|nothing",)),
    "a web page": (http("200 OK", HTML, "Content-Type: text/html"), ("web page|WebDAV",)),
    "no WebDAV": (http("405 Method Not Allowed", HTML, "Content-Type: text/html"), ("WebDAV",)),
    "forms": (http("440 Login Timeout", ""), ("form|sign",)),
    "a logon page": (http("302 Moved", "", "Location: https://127.0.0.1/exchweb/bin/auth/owalogon.asp"),
                     ("form|sign|redirect",)),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", ("answer|HTTP|protocol|connection",)),
    "a broken answer": (http("207 Multi-Status", "<a:multistatus xmlns:a='DAV:'><a:resp",
                             "Content-Type: text/xml"), (".",)),
}


@pytest.mark.parametrize("case", PAGES)
def test_a_server_that_is_something_else(page, mount, case):
    answer, words = PAGES[case]
    one_sentence(mount(page(answer)).start_fails(timeout=45), *words)


def test_wrong_password(start_sim, start_mod_dav, mount):
    for server in (start_sim("e2003"), start_sim("generic"), start_mod_dav(auth="basic")):
        server.password = "wrong"
        one_sentence(mount(server).start_fails(), "password|user")


def test_no_password_given(start_sim, mount):
    server = start_sim("e2003")
    server.user = None
    one_sentence(mount(server).start_fails(), "user=|password|sign")


@pytest.mark.parametrize("profile", ["e2003", "e2007"])
def test_no_such_mailbox(start_sim, mount, profile):
    server = start_sim(profile)
    url = server.url.replace("/alice/", "/nobody/")
    one_sentence(mount(server, url=url).start_fails(), "mailbox")


def test_a_wrong_address_does_not_claim_the_cache(start_sim, mount, work):
    server = start_sim("e2003")
    url = server.url.replace("/alice/", "/nobody/")
    one_sentence(mount(server, url=url, cache=work / "c").start_fails(), "mailbox")
    with mount(server, cache=work / "c") as m:
        assert "Inbox" in m.names()
    with mount(server, cache=work / "c") as m:  # at once: the first may still be ending
        assert "Inbox" in m.names()


def test_forms_sign_in_is_named(start_sim, mount):
    server = start_sim("e2003-fba")
    server.user = None
    one_sentence(mount(server).start_fails(), "form")


def test_a_server_that_is_not_there(start_sim, mount):
    server = start_sim("generic")
    port = socket.create_server(("127.0.0.1", 0))
    free = port.getsockname()[1]
    port.close()
    m = mount(server, url=f"http://127.0.0.1:{free}/exchange/alice/")
    one_sentence(m.start_fails(), "connect|reach|refused")


def test_a_server_that_stalls(page, mount):
    m = mount(page(None), timeo=2, timeo_meta=2)
    result = m.start_fails(timeout=40)
    one_sentence(result, "answer|time")
    assert result.seconds < 30 * SLOWNESS


def test_a_name_that_does_not_resolve(mount, page):
    m = mount(page(None), url="http://no-such-host.invalid/exchange/alice/")
    one_sentence(m.start_fails(timeout=60), "resolve|no-such-host|name")


def test_password_over_plain_http_only_to_loopback(start_sim, mount):
    server = start_sim("generic")
    m = mount(server, url="http://192.0.2.1/exchange/alice/", sec="basic", timeo=1, timeo_meta=1)
    one_sentence(m.start_fails(timeout=60), "https|insecure_basic|plain")


@pytest.mark.parametrize("url", ["ftp://h/", "127.0.0.1/exchange/alice/", "http://u:p@h/x/", "http://h/a/../b/",
                                 "http://h/x/?q=1", "", "alice"])
def test_bad_urls(mount, page, url):
    result = mount(page(None), url=url).start_fails()
    assert result.rc in (1, 2) and len(result.err.strip().splitlines()) <= 2, result.err


def test_bad_options(start_sim, mount):
    server = start_sim("generic")
    for options, word in (({"no_such_option": True}, "no_such_option"), ({"attr_ttl": "abc"}, "attr_ttl"),
                          ({"cache_size": "-1"}, "cache_size"), ({"sizes": "maybe"}, "sizes"),
                          ({"connections": 0}, "connections"), ({"umask": "999"}, "umask")):
        result = mount(server, **options).start_fails()
        assert result.rc == 2 and word in result.err and len(result.err.strip().splitlines()) <= 2, result.err


def test_the_kind_of_server_is_found(start_sim, start_mod_dav, mount):
    for server, words in ((start_sim("e2003"), "Exchange 6.5"), (start_sim("e2007"), "Exchange 08"),
                          (start_sim("generic"), "(WebDAV)"), (start_mod_dav(), "(WebDAV)")):
        with mount(server) as m:
            line = next(x for x in m.said.splitlines() if " is mounted on " in x)
            assert words in line and ("Exchange " in line) == server.exchange


def test_usage_and_version():
    assert "exchangefs" in run([proc.EXCHANGEFS, "-V"]).text
    text = run([proc.EXCHANGEFS, "-h"]).text
    for option in ("cache_dir", "passwd_file", "attr_ttl", "timeo", "sizes"):
        assert option in text
    assert run([proc.EXCHANGEFS], check=False).rc == 2


def test_mountpoints(start_sim, mount, work):
    server = start_sim("generic")

    def attempt(path, **options):
        m = mount(server, **options)
        m.path = path
        argv = m.argv()
        return run(argv, check=False, timeout=20)
    one_sentence(attempt(work / "not there"), "not there|no such|exist")
    (work / "file").write_text("x")
    one_sentence(attempt(work / "file"), "directory")
    (work / "full").mkdir()
    (work / "full/keep.txt").write_text("keep")
    one_sentence(attempt(work / "full"), "empty")
    assert (work / "full/keep.txt").read_text() == "keep"
    m = mount(server, nonempty=True)
    m.path = work / "full"
    with m:
        assert "keep.txt" not in m.names()
    assert (work / "full/keep.txt").read_text() == "keep"


def test_password_file_that_others_may_read(start_sim, mount):
    server = start_sim("generic")
    m = mount(server)
    (m.directory / "password").chmod(0o644)
    one_sentence(m.start_fails(), "0600|others|permission|chmod")
    (m.directory / "password").unlink()
    one_sentence(m.start_fails(), "password|No such file")


def test_the_daemon_detaches_and_unmounts_quietly(start_sim, mount, work):
    """Without -f the command returns 0 when mounted; umount ends the daemon."""
    server = start_sim("generic")
    server.client.put("f.txt", b"x")
    m = mount(server)
    m.path.mkdir()
    result = run(m.argv(), timeout=20)
    assert result.err == "" and result.out == b""
    assert m.mounted and m.sh("cat f.txt").out == b"x"
    pids = proc.processes_naming(os.fspath(m.path))
    assert len(pids) == 1
    run(["umount", m.path] if os.geteuid() == 0 else ["fusermount3", "-u", m.path])
    proc.wait_until(lambda: not proc.processes_naming(os.fspath(m.path)), 10, "the daemon ends")
    m.judge_words(m.said)


def test_mount_helper(start_sim, mount, work):
    """mount -t exchangefs: the same binary by another name, with the words of fstab."""
    helper = work / "mount.exchangefs"
    helper.symlink_to(proc.EXCHANGEFS)
    server = start_sim("generic")
    server.client.put("f.txt", b"x")
    m = mount(server, binary=helper, noauto=True, _netdev=True, nofail=True, rw=True)
    m.path.mkdir()
    argv = m.argv()
    run([argv[0], argv[1], argv[2], "-v", "-o", argv[4]], timeout=20)
    assert m.sh("cat f.txt").out == b"x"
    run(["umount", m.path] if os.geteuid() == 0 else ["fusermount3", "-u", m.path])
    proc.wait_until(lambda: not proc.processes_naming(os.fspath(m.path)), 10, "the daemon ends")


def test_sigterm_unmounts(start_sim, mount):
    server = start_sim("generic")
    with mount(server) as m:
        m.sh("ls >/dev/null")
        os.kill(m.pid, 15)
        assert m.process.wait(15 * SLOWNESS) == 0
        assert not m.mounted


def test_a_dead_mount_is_taken_over(start_sim, mount, work):
    """After kill -9 the mountpoint answers ENOTCONN; mounting again there just works."""
    server = start_sim("generic")
    server.client.put("f.txt", b"x")
    m = mount(server)
    m.start()
    proc.kill_session(m.process)
    m.process.wait(10)
    assert m.mounted
    with m:
        assert m.read("f.txt") == b"x"
    assert not m.mounted


def test_no_secret_is_in_log_ps_or_cache(start_sim, mount):
    server = start_sim("generic")
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    with mount(server, log_level="debug") as m:
        m.sh("ls -l; echo x > f.txt; cat f.txt")
        argv = open(f"/proc/{m.pid}/cmdline", "rb").read()
        environ = open(f"/proc/{m.pid}/environ", "rb").read()
        assert PASSWORD.encode() not in argv + environ
    assert PASSWORD not in m.said and encoded not in m.said
    hits = run(["grep", "-raF", "-e", PASSWORD, "-e", encoded, m.cache], check=False)
    assert hits.rc == 1, hits


def test_cache_is_private(start_sim, mount):
    server = start_sim("generic")
    server.client.put("f.txt", b"x")
    with mount(server) as m:
        m.read("f.txt")
    modes = run(["find", m.cache, "-printf", "%y %m\\n"]).text.split("\n")
    assert {line for line in modes if line} == {"d 700", "f 600"}


def test_everything_of_one_mount_is_gone_after_unmount(start_sim, mount):
    server = start_sim("generic")
    with mount(server) as m:
        m.sh("ls >/dev/null")
        pid = m.pid
    assert proc.process_state(pid) is None
    assert isinstance(m, Mount) and shutil.rmtree(m.path) is None


def test_break_needs_a_build_that_can(start_sim, mount):
    """-o break= is refused by a build without it, so that no user ever runs with a rule off."""
    if "XFS_PROVE:BOOL=ON" in (proc.BUILD / "CMakeCache.txt").read_text():
        return
    result = mount(start_sim("generic"), **{"break": "x"}).start_fails()
    assert result.rc in (1, 2) and "break" in result.err


def test_unmount_while_busy_is_refused_and_harmless(start_sim, mount):
    server = start_sim("generic")
    server.client.put("f.txt", samples.noise(1000))
    with mount(server) as m:
        child = m.start_sh("exec sleep 5 < f.txt")
        time.sleep(0.3)
        assert run(["umount", m.path], check=False).rc != 0
        assert m.read("f.txt") == samples.noise(1000)
        proc.kill_session(child)
        child.communicate()
