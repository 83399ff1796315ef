# SPDX-License-Identifier: Apache-2.0
"""The cache: a second mount, the server away, a full disk, a damaged database, a crash."""
import os
import sqlite3
import time

import pytest
from xfse2e import proc, samples
from xfse2e.mount import interrupt
from xfse2e.proc import SLOWNESS, run, sudo

pytestmark = pytest.mark.core


def fill(client, count=12):
    client.mkcol("work/sub")
    for n in range(count):
        client.put(f"work/m{n}.eml", samples.message(n, 2000 * n))
    client.put("work/sub/doc.bin", samples.noise(90_000))


READ_ALL = "ls -lR . && find . -type f -exec sha256sum {} + | sort"


def test_a_second_mount_needs_no_request_while_fresh(server, mount, work):
    """It lists and reads what is known without a request (those of signing in apart)."""
    fill(server.client)
    with mount(server, cache=work / "c", attr_ttl=600) as m:
        m.sh(READ_ALL)  # sizes are true from here on
        first = m.sh(READ_ALL).text
    with mount(server, cache=work / "c", attr_ttl=600) as m:
        with server.counting() as c:
            assert m.sh(READ_ALL).text == first
        assert c.lines == [], c.methods


def test_after_the_ttl_a_second_mount_fetches_no_body_again(server, mount, work):
    fill(server.client)
    if server.kind == "mod_dav":
        time.sleep(1.2)
    with mount(server, cache=work / "c", attr_ttl=0) as m:
        first = m.sh(READ_ALL).text.split("\n\n")[-1]
        first = m.sh("find . -type f -exec sha256sum {} + | sort").text
    with mount(server, cache=work / "c", attr_ttl=0) as m:
        with server.counting() as c:
            assert m.sh("find . -type f -exec sha256sum {} + | sort").text == first
        assert not c.methods["GET"], c.methods


def test_offline_what_is_cached_stays_readable(server, mount, work):
    """The server is away altogether at mount time."""
    fill(server.client)
    with mount(server, cache=work / "c", attr_ttl=0) as m:
        m.sh(READ_ALL)
        first = m.sh(READ_ALL).text
    server.stop()
    with mount(server, cache=work / "c", attr_ttl=0, timeo=2, timeo_meta=2) as m:
        assert m.sh(READ_ALL, timeout=90).text == first
        assert m.errno_of("open('work/new.txt', 'w').close()") in (
            "EHOSTUNREACH", "ETIMEDOUT", "EIO", "EROFS", "ECONNREFUSED", "ENETDOWN")
        assert m.sh("ls work").text


def test_offline_unknown_is_an_error_not_enoent(server, mount, work):
    fill(server.client)
    with mount(server, cache=work / "c") as m:
        m.sh("ls work; cat work/m1.eml >/dev/null")  # work/sub and m2 were never read
    server.stop()
    with mount(server, cache=work / "c", attr_ttl=0, timeo=2, timeo_meta=2) as m:
        assert m.errno_of("os.listdir('work/sub')") not in ("OK", "ENOENT")
        assert m.errno_of("os.stat('work/sub/doc.bin')") not in ("OK", "ENOENT")
        assert m.errno_of("os.stat('work/never seen')") not in ("OK", "ENOENT")
        assert m.errno_of("open('work/m2.eml').read()") not in ("OK", "ENOENT")
        assert m.read("work/m1.eml")


def test_the_server_goes_away_while_mounted_and_comes_back(start_sim, mount, work):
    sim = start_sim("generic")
    sim.client.mkcol("work")
    fill(sim.client)
    with mount(sim, attr_ttl=0, timeo=2, timeo_meta=2) as m:
        first = m.sh(READ_ALL).text
        sim.stop()
        assert m.sh(READ_ALL, timeout=90).text == first
        sim.start(sim.port)  # with an empty store, so that the difference shows
        proc.wait_until(lambda: "work" not in m.names(), 30, "the server is asked again")


def test_offline_no_refuses(start_sim, mount, work):
    sim = start_sim("generic")
    sim.client.put("f.txt", b"x")
    with mount(sim, cache=work / "c") as m:
        m.read("f.txt")
    sim.stop()
    result = mount(sim, cache=work / "c", offline="no", timeo=2).start_fails(timeout=40)
    assert result.rc == 1 and "reach" in result.err or "connect" in result.err, result.err


def test_cache_size_bounds_the_bodies(start_sim, mount, work):
    sim = start_sim("generic")
    for n in range(20):
        sim.client.put(f"f{n:02}.bin", samples.noise(300_000, n))
    with mount(sim, cache=work / "c", cache_size="1M") as m:
        m.sh("cat f*.bin | wc -c; sleep 0.5")
        used = int(run(["du", "-sb", work / "c"]).text.split()[0])
        assert used < 2_500_000, used
        for n in range(20):
            assert m.read(f"f{n:02}.bin") == samples.noise(300_000, n)


def test_least_recently_used_go_first_never_the_open_one(start_sim, mount, work):
    sim = start_sim("generic")
    for n in range(10):
        sim.client.put(f"f{n}.bin", samples.noise(300_000, n))
    with mount(sim, cache_size="1M", attr_ttl=60) as m:
        holder = m.start_python("f = open('f0.bin', 'rb'); f.read(10); print('open'); sys.stdin.readline()\n"
                                "f.seek(0); print(len(f.read()))")
        holder.stdout.readline()
        m.sh("cat f1.bin f2.bin >/dev/null; cat f1.bin >/dev/null; cat f3.bin f4.bin f1.bin >/dev/null")
        sim.pause()
        try:
            assert holder.communicate(b"\n", timeout=10)[0] == b"300000\n"
        finally:
            sim.resume()


# -- the disk and the database -----------------------------------------------------------------


@pytest.fixture
def tmpfs(work):
    place = work / "small"
    place.mkdir()
    run(sudo(["mount", "-t", "tmpfs", "-o", f"size=16m,mode=700,uid={os.getuid()}", "tmpfs", place]))
    yield place
    run(sudo(["umount", "-l", place]))


def test_a_full_disk_under_the_cache(start_sim, mount, tmpfs):
    """The cache on a 16 MiB tmpfs: errors say ENOSPC, nothing wrong is read or sent, it goes on after."""
    sim = start_sim("generic")
    big = samples.noise(30 << 20)
    sim.client.put("big.bin", big)
    sim.client.put("small.txt", b"small\n")
    with mount(sim, cache=tmpfs / "c", attr_ttl=0) as m:
        assert m.read("small.txt") == b"small\n"
        result = m.sh("cat big.bin", check=False)
        assert result.rc != 0 and big.startswith(result.out) or result.out == big
        if result.rc:
            assert "No space left" in result.err
        code = "f = open('new.bin', 'wb')\nfor n in range(40): f.write(bytes(1 << 20))\nf.close()"
        assert m.errno_of(code, timeout=60) == "ENOSPC"
        assert not sim.client.exists("new.bin"), "half a file was sent"
        assert m.read("small.txt") == b"small\n"
        m.sh("echo after > after.txt")
        assert sim.client.get("after.txt") == b"after\n"


def test_a_full_disk_makes_room_by_dropping_old_bodies(start_sim, mount, tmpfs):
    sim = start_sim("generic")
    for n in range(5):
        sim.client.put(f"f{n}.bin", samples.noise(5 << 20, n))
    with mount(sim, cache=tmpfs / "c", attr_ttl=60) as m:
        for n in (0, 1, 2, 3, 4, 0):
            assert m.read(f"f{n}.bin") == samples.noise(5 << 20, n)


def test_a_disk_full_from_the_start(start_sim, mount, tmpfs):
    sim = start_sim("generic")
    sim.client.put("f.txt", b"x")
    run(["sh", "-c", f"head -c 20000000 /dev/zero > {tmpfs}/fill || true"])
    m = mount(sim, cache=tmpfs / "c")
    result = m.start_fails()
    assert result.rc == 1 and "space" in result.err and len(result.err.splitlines()) <= 2, result.err
    (tmpfs / "fill").unlink()
    with m:
        assert m.read("f.txt") == b"x"


def database(cache):
    assert (cache / "index.db").exists()
    return cache / "index.db"


def cached_mount(server, mount, work):
    fill(server.client, 4)
    with mount(server, cache=work / "c") as m:
        m.sh(READ_ALL)
    return database(work / "c")


@pytest.mark.parametrize("damage", ["garbage", "middle", "truncated", "empty", "directory"])
def test_a_corrupt_database_is_put_aside(start_sim, mount, work, damage):
    sim = start_sim("generic")
    sim.client.mkcol("work")
    index = cached_mount(sim, mount, work)
    for extra in (index.with_name(index.name + "-wal"), index.with_name(index.name + "-shm")):
        extra.unlink(missing_ok=True)
    raw = index.read_bytes()
    if damage == "garbage":
        index.write_bytes(os.urandom(50_000))
    elif damage == "middle":
        index.write_bytes(raw[:4096] + b"\xa5" * (len(raw) - 4096))
    elif damage == "truncated":
        index.write_bytes(raw[:len(raw) // 2 + 100])
    elif damage == "empty":
        index.write_bytes(b"")
    else:
        index.unlink()
        index.mkdir()
    m = mount(sim, cache=work / "c", attr_ttl=0)
    if damage == "directory":
        assert m.start_fails().rc == 1
        return
    with m:
        assert len(m.names("work")) == 5
        assert m.read("work/sub/doc.bin") == samples.noise(90_000)
        m.sh("echo x > work/n.txt")
    if damage != "empty":
        assert m.complaints(), "a damaged cache was replaced without a word"


def test_a_newer_database_is_refused(start_sim, mount, work):
    sim = start_sim("generic")
    sim.client.mkcol("work")
    index = cached_mount(sim, mount, work)
    db = sqlite3.connect(index)
    db.execute("pragma user_version = 9999")
    db.commit()
    db.close()
    result = mount(sim, cache=work / "c").start_fails()
    assert result.rc == 1 and "newer" in result.err and len(result.err.splitlines()) <= 2, result.err
    db = sqlite3.connect(index)
    assert db.execute("pragma user_version").fetchone() == (9999,)
    db.close()


def test_a_second_mount_on_one_cache_is_refused(start_sim, mount, work):
    sim = start_sim("generic")
    sim.client.put("f.txt", b"x")
    with mount(sim, cache=work / "c") as m:
        result = mount(sim, cache=work / "c").start_fails()
        assert result.rc == 1 and "use" in result.err and len(result.err.splitlines()) <= 2, result.err
        assert m.read("f.txt") == b"x"


def test_a_cache_of_another_store_is_refused_or_left_alone(start_sim, mount, work):
    sim = start_sim("generic", "--user", "bob:secret")
    sim.client.put("f.txt", b"alice's")
    with mount(sim, cache=work / "c", attr_ttl=600) as m:
        m.read("f.txt")
    m = mount(sim, cache=work / "c", url=sim.url.replace("/alice/", "/bob/"), user="bob", attr_ttl=600)
    m.path.mkdir()
    result = run(m.argv(), check=False)
    if result.rc == 0:
        try:
            assert "f.txt" not in m.names()
        finally:
            run(sudo(["umount", m.path]))
            proc.wait_until(lambda: not proc.processes_naming(os.fspath(m.path)), 10, "ends")
    else:
        assert len(result.err.splitlines()) <= 2


def test_a_cache_directory_that_cannot_be_made(start_sim, mount, work):
    sim = start_sim("generic")
    (work / "file").write_text("x")
    result = mount(sim, cache=work / "file" / "c").start_fails()
    assert result.rc == 1 and len(result.err.splitlines()) <= 2


# -- crashes -----------------------------------------------------------------------------------


def test_kill_9_loses_nothing_acknowledged(server, mount, work):
    m = mount(server, cache=work / "c", attr_ttl=0)
    m.start()
    m.sh("for n in 1 2 3 4 5; do echo text $n > work/f$n.txt; done; touch -d '2020-01-01 UTC' work/f1.txt")
    m.kill()
    for n in range(1, 6):
        assert server.client.get(f"work/f{n}.txt") == f"text {n}\n".encode()
    with mount(server, cache=work / "c", attr_ttl=0) as again:
        assert sorted(again.names("work")) == [f"f{n}.txt" for n in range(1, 6)]
        assert again.read("work/f3.txt") == b"text 3\n"
        assert int(again.stat("work/f1.txt").st_mtime) == 1577836800


def test_kill_9_in_the_middle_of_a_put(start_sim, mount, work):
    """The remount finishes it, or says why not and keeps the bytes; the server has old or new."""
    sim = start_sim("generic")
    sim.client.put("f.txt", b"old")
    sim.faults("PUT *f.txt nth=1 delay=4000")
    m = mount(sim, cache=work / "c", attr_ttl=0)
    m.start()
    child = m.start_sh("echo new text > f.txt")
    time.sleep(1 * SLOWNESS)
    m.kill()
    proc.kill_session(child)
    child.communicate(timeout=10)
    time.sleep(4)
    with mount(sim, cache=work / "c", attr_ttl=0) as again:
        again.sh("ls >/dev/null; sleep 0.5")
        there = sim.client.get("f.txt")
        kept = again.sh("cat .exchange/unsent/* 2>/dev/null || true").out
        assert there == b"new text\n" or there == b"old" and b"new text" in kept, (there, kept)
        assert again.read("f.txt") == there


def test_bytes_written_after_the_last_flush_go_at_release(server, mounted):
    """A dup closed early FLUSHes; what comes after is sent by the last close."""
    mounted.python("""
fd = os.open('work/f.txt', os.O_WRONLY | os.O_CREAT)
os.write(fd, b'one '); os.close(os.dup(fd))
if os.fork() == 0:
    time.sleep(0.3); os.write(fd, b'two'); os._exit(0)
os.close(fd); os.wait()""")
    proc.wait_until(lambda: server.client.get("work/f.txt") == b"one two", 5, "sent at the last close")


def test_a_refused_last_write_goes_to_unsent(start_sim, mount):
    sim = start_sim("generic")
    sim.client.put("f.txt", b"old")
    with mount(sim, attr_ttl=0) as m:
        m.sh("ls >/dev/null")
        sim.faults("PUT * always status=403")
        m.python("""
import ctypes
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
fd = os.open('f.txt', os.O_RDWR)
at = libc.mmap(None, ctypes.c_size_t(4096), 3, 1, fd, ctypes.c_long(0))
os.close(fd)
ctypes.memmove(at, b'NEW', 3)
libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(4096))""")
        proc.wait_until(lambda: b"NEW" in m.sh("cat .exchange/unsent/* 2>/dev/null || true").out, 10,
                        "kept in unsent")
        assert any("f.txt" in line for line in m.complaints())
        assert ".exchange" not in m.names()
        sim.faults("")
        assert sim.client.get("f.txt") == b"old"


@pytest.mark.parametrize("existing", [True, False])
def test_a_writer_killed_in_its_close_is_withdrawn(start_sim, mount, existing):
    """The FLUSH was interrupted: the last close does not send what the writer gave up."""
    sim = start_sim("generic")
    sim.client.mkcol("work")
    if existing:
        sim.client.put("work/f.bin", b"old")
    with mount(sim, attr_ttl=0, timeo=20) as m:
        m.sh("ls work >/dev/null")
        sim.faults("PUT *f.bin nth=1 drop delay=60000")
        child = m.start_sh("exec cp /etc/passwd work/f.bin")
        time.sleep(0.7 * SLOWNESS)
        assert child.poll() is None
        interrupt(child)
        child.communicate(timeout=20)
        time.sleep(0.7 * SLOWNESS)
        assert m.names("work") == (["f.bin"] if existing else [])
        assert not existing or sim.client.get("work/f.bin") == b"old"
        m.write("work/f.bin", b"again")
        assert sim.client.get("work/f.bin") == b"again"


def test_the_unmount_right_after_a_write(server, mount):
    with mount(server, attr_ttl=0) as m:
        m.sh("head -c 500000 /dev/zero > work/z.bin; touch -d '2020-01-01 UTC' work/z.bin")
    assert server.client.get("work/z.bin") == bytes(500_000)
