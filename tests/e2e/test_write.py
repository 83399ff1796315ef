# SPDX-License-Identifier: Apache-2.0
"""Writing: what close() said is what the server holds, whatever program wrote."""
import json

import pytest
from xfse2e import proc, samples

pytestmark = pytest.mark.core


def holds(server, name, want):
    if not want:  # an empty file goes at the last close, which no program waits for
        proc.wait_until(lambda: server.client.exists("work/" + name)
                        and not server.client.get("work/" + name), 5, "the empty file is there")
    got = server.client.get("work/" + name)
    assert got == want, f"{name}: {len(got)} bytes {got[:80]!r}, wanted {len(want)} {want[:80]!r}"


def test_new_file_is_on_the_server_when_cp_ends(server, mounted):
    for size in (0, 1, 4095, 4096, 131072, 1_000_001):
        body = samples.noise(size)
        mounted.write(f"work/n{size}.bin", body)
        holds(server, f"n{size}.bin", body)
        assert mounted.stat(f"work/n{size}.bin").st_size == size
        assert mounted.read(f"work/n{size}.bin") == body


def test_overwrite(server, mounted):
    server.client.put("work/f.txt", b"first version, quite long\n")
    mounted.write("work/f.txt", b"second\n")
    holds(server, "f.txt", b"second\n")
    assert mounted.read("work/f.txt") == b"second\n"
    mounted.write("work/f.txt", b"")
    holds(server, "f.txt", b"")


def test_overwrite_of_a_message(server, mounted):
    server.client.put("work/m.eml", samples.message(1))
    mounted.write("work/m.eml", samples.message(2, 4000))
    got = server.client.get("work/m.eml")
    assert b"This is message 2." in got and b"This is message 1." not in got
    if server.keeps_bytes:
        assert got == samples.message(2, 4000)
    assert mounted.read("work/m.eml") == got


def test_append(server, mounted):
    server.client.put("work/f.txt", b"one\n")
    mounted.sh("echo two >> work/f.txt; echo three >> work/f.txt")
    holds(server, "f.txt", b"one\ntwo\nthree\n")


def test_truncate(server, mounted):
    server.client.put("work/f.bin", samples.noise(10000))
    mounted.sh("truncate -s 5000 work/f.bin")
    holds(server, "f.bin", samples.noise(10000)[:5000])
    mounted.sh("truncate -s 6000 work/f.bin")
    holds(server, "f.bin", samples.noise(10000)[:5000] + bytes(1000))
    mounted.python("fd = os.open('work/f.bin', os.O_RDWR)\nos.ftruncate(fd, 10)\n"
                   "assert os.fstat(fd).st_size == 10\nos.close(fd)")
    holds(server, "f.bin", samples.noise(10000)[:10])
    mounted.sh(": > work/f.bin")
    holds(server, "f.bin", b"")


def test_partial_rewrite(server, mounted):
    body = bytearray(samples.noise(200_000))
    server.client.put("work/f.bin", bytes(body))
    mounted.sh("printf HELLO | dd of=work/f.bin bs=1 seek=100000 conv=notrunc status=none")
    body[100000:100005] = b"HELLO"
    holds(server, "f.bin", bytes(body))
    mounted.python("""
fd = os.open('work/f.bin', os.O_RDWR)
assert os.pread(fd, 5, 100000) == b'HELLO'
os.pwrite(fd, b'abc', 0); os.pwrite(fd, b'xyz', 250000)
assert os.pread(fd, 3, 0) == b'abc' and os.pread(fd, 4, 249999) == b'\\0xyz'
os.close(fd)""")
    body[0:3] = b"abc"
    body += bytes(250000 - len(body)) + b"xyz"
    holds(server, "f.bin", bytes(body))


def test_sed_in_place(server, mounted):
    server.client.put("work/f.txt", b"alpha\nbeta\n")
    mounted.sh("sed -i s/beta/gamma/ work/f.txt")
    holds(server, "f.txt", b"alpha\ngamma\n")
    assert mounted.names("work") == ["f.txt"]


def test_vim(server, mounted):
    server.client.put("work/f.txt", b"alpha\nbeta\n")
    mounted.sh("vim -es -u NONE -c '%s/beta/gamma/' -c wq work/f.txt </dev/null", timeout=30)
    holds(server, "f.txt", b"alpha\ngamma\n")
    mounted.sh("vim -es -u NONE -c 'set backup backupcopy=no writebackup swapfile' "
               "-c '%s/alpha/omega/' -c wq work/f.txt </dev/null", timeout=30)
    holds(server, "f.txt", b"omega\ngamma\n")
    assert server.client.exists("work/f.txt") and not server.client.exists("work/4913")


def test_cp_p_and_touch_keep_the_time(server, mount, work):
    (work / "src.txt").write_bytes(b"old\n")
    with mount(server, attr_ttl=0, cache=work / "c") as m:
        m.sh('touch -d "2020-02-03 04:05:06 UTC" "$1"; cp -p "$1" work/f.txt', work / "src.txt")
        assert int(m.stat("work/f.txt").st_mtime) == 1580702706
        holds(server, "f.txt", b"old\n")
        m.sh("touch -d '2021-01-01 00:00:00 UTC' work/f.txt; touch work/new.txt")
        assert int(m.stat("work/f.txt").st_mtime) == 1609459200
        holds(server, "f.txt", b"old\n")
        holds(server, "new.txt", b"")
    with mount(server, attr_ttl=0, cache=work / "c") as m:
        assert int(m.stat("work/f.txt").st_mtime) == 1609459200


@pytest.mark.servers("e2003", "generic")
def test_a_time_that_was_set_reaches_the_server(server, mount, work):
    """Where the server takes a property: another cache shows the same time."""
    with mount(server, attr_ttl=0) as m:
        m.sh("echo x > work/f.txt; touch -d '2021-01-01 00:00:00 UTC' work/f.txt")
    with mount(server, attr_ttl=0) as m:
        assert int(m.stat("work/f.txt").st_mtime) == 1609459200


@pytest.mark.servers("generic", "mod_dav")
def test_rsync_twice_moves_nothing_the_second_time(server, mounted, work):
    tree = work / "tree"
    (tree / "sub").mkdir(parents=True)
    for n in range(12):
        (tree / ("sub" if n % 2 else ".") / f"f{n}.txt").write_bytes(samples.noise(n * 1000, n))
    mounted.sh('rsync -a "$1/" work/', tree)
    for n in range(12):
        holds(server, ("sub/" if n % 2 else "") + f"f{n}.txt", samples.noise(n * 1000, n))
    mounted.sh("sleep 0.5")  # times that were set go to the server in the background
    with server.counting() as c:
        out = mounted.sh('rsync -ai "$1/" work/', tree).text
    assert not [line for line in out.splitlines() if "p" not in line.split()[0]], out
    assert not c.changing, c.changing
    mounted.sh('chmod -R u=rwX,go= "$1"', tree)  # modes alike, nothing at all is left to do
    assert mounted.sh('rsync -ai "$1/" work/', tree).text == ""


def test_rsync_update_is_one_put_on_the_target(server, mounted, work):
    """The temporary name stays here; the item keeps its identity."""
    server.client.put("work/f.txt", b"one\n")
    mounted.read("work/f.txt")
    (work / "f.txt").write_bytes(b"two, longer\n")
    with server.counting() as c:
        mounted.sh('rsync "$1" work/f.txt', work / "f.txt")
    holds(server, "f.txt", b"two, longer\n")
    assert len([line for line in c.lines if line.method == "PUT" and line.status != "412"]) == 1
    assert not {"MOVE", "DELETE", "COPY"} & set(c.changing), c.changing
    assert not [line for line in c.lines if ".f.txt." in line.path and line.method != "PROPFIND"]


def test_temporary_names_of_editors_are_never_sent(server, mounted):
    with server.counting() as c:
        mounted.sh("for n in .f.txt.swp 4913 .f.txt.Ab12Cd .#f.txt .~lock.f.odt# "
                   ".goutputstream-ABC123 .DS_Store ._f.txt Thumbs.db desktop.ini; do "
                   'echo text > "work/$n"; cat "work/$n" >/dev/null; rm "work/$n"; done')
    assert not c.changing, c.changing
    assert mounted.errno_of("os.mkdir('work/.Trash-1000')") == "EPERM"


def test_tar_extract(server, mounted, work):
    tree = work / "t"
    (tree / "a/b").mkdir(parents=True)
    files = {"a/x.txt": b"x\n", "a/b/y.bin": samples.noise(70000), "a/b/empty": b""}
    for name, body in files.items():
        (tree / name).write_bytes(body)
    mounted.sh('tar -C "$1" -cf - . | tar -C work -xf -', tree)
    for name, body in files.items():
        holds(server, name, body)
        assert int(mounted.stat("work/" + name).st_mtime) == int((tree / name).stat().st_mtime)


def test_cp_a_in_and_out(server, mounted, work):
    tree = work / "t"
    (tree / "a").mkdir(parents=True)
    (tree / "a/x.txt").write_bytes(b"x\n")
    mounted.sh('cp -a "$1/a" work/; cp -a work/a "$2"; diff -r "$1/a" "$2"', tree, work / "out")


def test_dd_conv_fsync(server, mounted):
    body = samples.noise(1 << 20)
    source = mounted.directory / "s"
    source.write_bytes(body)
    mounted.sh('dd if="$1" of=work/f.bin bs=64k conv=fsync status=none', source)
    holds(server, "f.bin", body)


def test_fsync_means_it_is_on_the_server(server, mounted):
    child = mounted.start_python("""
f = open('work/f.txt', 'w')
f.write('first'); f.flush(); os.fsync(f.fileno()); print('synced'); sys.stdin.readline()
f.write(' second'); f.close(); print('closed')""")
    assert child.stdout.readline() == b"synced\n"
    holds(server, "f.txt", b"first")
    child.communicate(b"\n", timeout=10 * proc.SLOWNESS)
    holds(server, "f.txt", b"first second")


def test_shell_redirects_and_many_closes(server, mounted):
    mounted.sh("(for n in 1 2 3 4 5; do echo $n; done) > work/f.txt; "
               "for n in 6 7; do echo $n >> work/f.txt; done; echo tee | tee -a work/f.txt >/dev/null")
    holds(server, "f.txt", b"1\n2\n3\n4\n5\n6\n7\ntee\n")


def test_a_shell_redirect_is_one_upload(server, mounted):
    """The shell closes an empty file, then a copy for each echo: only the end of it is worth a PUT."""
    with server.counting() as c:
        mounted.sh("echo one > work/a.txt")
    assert c.methods["PUT"] == 1, c.methods
    with server.counting() as c:
        mounted.sh("(for n in 1 2 3 4 5 6 7 8; do /bin/echo $n; done) > work/b.txt")
        proc.wait_until(lambda: server.client.exists("work/b.txt")
                        and server.client.get("work/b.txt").count(b"\n") == 8, 5, "sent")
    assert c.methods["PUT"] == 1, c.methods


def test_mmap_read_and_write(server, mounted):
    server.client.put("work/f.bin", samples.noise(100_000))
    mounted.python("""
import mmap
with open('work/f.bin', 'r+b') as f:
    m = mmap.mmap(f.fileno(), 0)
    m[50000:50005] = b'HELLO'; m.flush(); m.close()""")
    body = bytearray(samples.noise(100_000))
    body[50000:50005] = b"HELLO"
    proc.wait_until(lambda: server.client.get("work/f.bin") == bytes(body), 5, "mmap written")
    assert mounted.read("work/f.bin") == bytes(body)


def test_append_by_two_processes_loses_no_line(server, mounted):
    server.client.put("work/log.txt", b"")
    code = """
for n in range(40):
    fd = os.open('work/log.txt', os.O_WRONLY | os.O_APPEND)
    os.write(fd, f'{sys.argv[1]} {n}\\n'.encode())
    os.close(fd)"""
    first, second = (mounted.start_python(code, who) for who in "AB")
    for child in (first, second):
        _, err = child.communicate(timeout=60 * proc.SLOWNESS)
        assert child.returncode == 0, err.decode()
    lines = server.client.get("work/log.txt").decode().splitlines()
    assert sorted(lines) == sorted(f"{who} {n}" for who in "AB" for n in range(40))


def test_append_through_two_open_descriptors(server, mounted):
    mounted.python("""
a = os.open('work/log.txt', os.O_WRONLY | os.O_APPEND | os.O_CREAT)
b = os.open('work/log.txt', os.O_WRONLY | os.O_APPEND)
for n in range(10):
    os.write(a, b'a'); os.write(b, b'b')
os.close(a); os.close(b)""")
    holds(server, "log.txt", b"ab" * 10)


@pytest.mark.servers("e2003", "generic")
def test_unlink_while_the_body_is_on_its_way(server, mounted):
    """Before the server forgets it, what is open here is fetched to its end."""
    server.client.put("work/f.bin", samples.noise(600_000))
    mounted.sh("ls work >/dev/null")
    server.faults("GET *f.bin nth=1 cut=300000 slow=300000\n")
    child = mounted.start_python("""
f = open('work/f.bin', 'rb'); head = f.read(1000); print('open', flush=True); sys.stdin.readline()
sys.stdout.buffer.write(head + f.read())""")
    assert child.stdout.readline() == b"open\n"
    mounted.sh("rm work/f.bin")
    assert not server.client.exists("work/f.bin")
    assert child.communicate(b"\n", timeout=20 * proc.SLOWNESS)[0] == samples.noise(600_000)


def test_unlink_while_open(server, mounted):
    server.client.put("work/f.txt", b"still here\n")
    out = mounted.python("""
f = open('work/f.txt', 'r+')
os.unlink('work/f.txt')
assert not os.path.exists('work/f.txt') and os.listdir('work') == []
print(f.read(), end=''); f.write('more'); f.seek(0); print(f.read(), end=''); f.close()
assert os.listdir('work') == []""").out
    assert out == b"still here\nstill here\nmore"
    assert not server.client.exists("work/f.txt")


def test_many_files_at_once_in_parallel(server, mounted, work):
    source = work / "many"
    source.mkdir()
    for n in range(60):
        (source / f"f{n}.bin").write_bytes(samples.noise(n * 321, n))
    mounted.sh('ls "$1" | xargs -P 8 -I{} cp "$1/{}" work/{}', source, timeout=60)
    for n in range(60):
        holds(server, f"f{n}.bin", samples.noise(n * 321, n))
    mounted.sh('diff -r "$1" work', source)


def test_chmod_and_chown(server, mounted):
    server.client.put("work/f.txt", b"x")
    with server.counting() as c:
        mounted.sh("chmod 600 work/f.txt; chmod 700 work; chown $(id -u):$(id -g) work/f.txt")
        mounted.sh("chmod 755 work/f.txt")  # what the umask hides is not there to be changed
        assert mounted.sh("stat -c %a work/f.txt").text == "600\n"
        assert mounted.errno_of("os.chmod('work/f.txt', 0o400)") == "EPERM"
        assert mounted.errno_of("os.chmod('work', 0o500)") == "EPERM"
        assert mounted.errno_of("os.chown('work/f.txt', 12345, -1)") == "EPERM"
    assert not c.changing


def test_locks_hold_within_the_mount(server, mounted):
    server.client.put("work/f.txt", b"x")
    mounted.python("""
import fcntl
a = open('work/f.txt', 'r+'); fcntl.flock(a, fcntl.LOCK_EX)
b = open('work/f.txt', 'r+')
try:
    fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB); sys.exit(1)
except BlockingIOError:
    pass
fcntl.lockf(a, fcntl.LOCK_EX)""")


def test_absurd_truncate_is_efbig_at_once(server, mounted):
    server.client.put("work/f.txt", b"x")
    code = "os.truncate('work/f.txt', 999999999999999)"
    assert mounted.errno_of(code, timeout=3) == "EFBIG"
    holds(server, "f.txt", b"x")


def test_xattrs_are_not_supported_cheaply(server, mounted):
    server.client.put("work/f.txt", b"x")
    assert mounted.errno_of("os.getxattr('work/f.txt', 'security.capability')") == "ENOTSUP"
    names = mounted.errno_of("os.setxattr('work/f.txt', 'trusted.x', b'1')")
    assert names in ("ENOTSUP", "EPERM")


def test_write_read_back_in_a_second_mount(server, mount):
    with mount(server, attr_ttl=0) as first, mount(server, attr_ttl=0) as second:
        first.write("work/f.bin", samples.noise(30000))
        assert second.read("work/f.bin") == samples.noise(30000)
        second.write("work/f.bin", b"from the second")
        assert first.read("work/f.bin") == b"from the second"
        assert json.loads(first.python("print(os.stat('work/f.bin').st_size)").text) == 15
