# SPDX-License-Identifier: Apache-2.0
"""Data under attack: many hands on the same files, answers that come late or never, kills."""
import json
import os
import pathlib
import signal
import time

import pytest
from xfse2e import proc, samples

pytestmark = pytest.mark.core
SIMS = pytest.mark.servers("e2003", "e2007", "generic")


def finish(child, data=None, timeout=60):
    out, err = child.communicate(data, timeout * proc.SLOWNESS)
    assert child.returncode == 0, (out, err.decode())
    return out


def ready(child, word=b"ready\n"):
    line = child.stdout.readline()
    assert line == word, (line, child.stderr.read().decode() if not line else "")


def unsent(m):
    return m.sh("cat .exchange/unsent/* 2>/dev/null || true").out


# -- our own changes are no conflicts, however late an answer comes --------------------------------

@SIMS
def test_a_late_answer_about_a_file_does_not_undo_our_own_write(server, mount):
    """A PROPFIND that was answered before our PUT and arrives after it says nothing new."""
    server.client.put("work/f.txt", b"base\n")
    with mount(server, attr_ttl=0) as m:
        m.read("work/f.txt")
        writer = m.start_python("""
fd = os.open('work/f.txt', os.O_WRONLY | os.O_APPEND)
os.write(fd, b'one\\n'); print('ready', flush=True); sys.stdin.readline()
os.fsync(fd); print('synced', flush=True); sys.stdin.readline()
os.write(fd, b'two\\n'); os.close(fd)""")
        ready(writer)
        server.faults("PROPFIND */f.txt times=4 delay=1500\nSEARCH * times=4 delay=1500\n"
                      "PROPFIND */work/ times=4 delay=1500\n")
        stat = m.start_sh("stat work/f.txt >/dev/null")
        time.sleep(0.4)
        writer.stdin.write(b"\n"), writer.stdin.flush()
        ready(writer, b"synced\n")
        finish(stat)
        server.faults("")
        finish(writer, b"\n")
        assert server.client.get("work/f.txt") == b"base\none\ntwo\n"
        assert not unsent(m)


@SIMS
@pytest.mark.parametrize("look", ["os.stat('work/f.txt')", "os.listdir('work')",
                                  "open('work/f.txt').read()"])
def test_looking_on_makes_no_conflict(server, mount, look):
    """One writes and fsyncs, sets times and writes on; others look at the file all the while."""
    server.client.put("work/f.txt", b"")
    with mount(server, attr_ttl=0) as m:
        lookers = [m.start_python(f"""
print('ready', flush=True)
end = time.time() + 60
while not os.path.exists('work/stop') and time.time() < end:
    try: {look}
    except OSError as e:
        if e.errno == errno.ESTALE and 'open' in '''{look}''': continue
        raise""") for _ in range(3)]
        for child in lookers:
            ready(child)
        m.python("""
fd = os.open('work/f.txt', os.O_WRONLY | os.O_APPEND)
for n in range(30):
    os.write(fd, b'%d\\n' % n); os.fsync(fd)
    if n % 5 == 0: os.utime(fd, (n, n))
os.close(fd)""", timeout=60)
        m.sh("echo > work/stop")
        for child in lookers:
            finish(child)
        assert server.client.get("work/f.txt") == b"".join(b"%d\n" % n for n in range(30))
        assert not unsent(m)


@SIMS
def test_no_name_appears_twice_while_files_are_copied(server, mount):
    """A new item that a listing sees before the PUT's answer came is no second file."""
    with mount(server, attr_ttl=0) as m:
        server.faults("PUT * always delay=400\n")
        writer = m.start_sh("for n in 1 2 3 4; do echo $n > work/f$n.txt; done; echo > work/stop")
        seen = json.loads(m.python("""
seen, end = set(), time.time() + 50
while 'stop' not in (names := os.listdir('work')) and time.time() < end: seen.update(names)
print(json.dumps(sorted(seen)))""", timeout=60).text)
        finish(writer)
        assert not [name for name in seen if "(" in name], seen
        assert sorted(m.names("work")) == ["f1.txt", "f2.txt", "f3.txt", "f4.txt", "stop"]


@SIMS
def test_rename_across_folders_while_both_are_listed(server, mount):
    """The listing that misses the item in the old folder before the MOVE's answer came."""
    server.client.mkcol("other")
    server.client.put("work/f.txt", b"here\n")
    with mount(server, attr_ttl=0) as m:
        m.sh("ls work other")
        before = m.stat("work/f.txt").st_ino
        server.faults("MOVE * always delay=1000\n")
        mover = m.start_sh("exec mv work/f.txt other/g.txt")
        time.sleep(0.4)
        m.start_sh("ls work other >/dev/null").wait(20 * proc.SLOWNESS)
        finish(mover)
        server.faults("")
        assert m.names("work") == [] and m.names("other") == ["g.txt"]
        assert m.read("other/g.txt") == b"here\n"
        assert m.stat("other/g.txt").st_ino == before


@SIMS
def test_rename_of_a_file_that_is_being_written(server, mount):
    server.client.mkcol("other")
    server.client.put("work/f.txt", b"base\n")
    with mount(server, attr_ttl=0) as m:
        writer = m.start_python("""
f = open('work/f.txt', 'ab'); f.write(b'one\\n'); f.flush(); print('ready', flush=True)
sys.stdin.readline(); f.close()""")
        ready(writer)
        server.faults("MOVE * always delay=600\n")
        mover = m.start_sh("exec mv work/f.txt other/g.txt")
        time.sleep(0.3)
        m.sh("ls work other")
        finish(mover)
        finish(writer, b"\n")
        assert server.client.get("other/g.txt") == b"base\none\n"
        assert not unsent(m)


@SIMS
def test_rename_over_a_file_whose_write_is_under_way(server, mount):
    """The temporary file's PUT goes with the tag that the write before it brought, not with an older."""
    server.client.put("work/f.txt", b"base\n")
    with mount(server, attr_ttl=60) as m:
        m.sh("ls work; echo new > work/.f.txt.Ab12Cd")
        server.faults("PUT * times=1 delay=1000\n")
        writer = m.start_sh("echo one >> work/f.txt")
        time.sleep(0.4)
        m.sh("mv work/.f.txt.Ab12Cd work/f.txt")
        finish(writer)
        assert server.client.get("work/f.txt") == b"new\n" == m.read("work/f.txt")
        assert m.names("work") == ["f.txt"]
        assert not unsent(m)


@SIMS
def test_rename_over_a_new_file_whose_write_is_under_way(server, mount):
    with mount(server, attr_ttl=60) as m:
        m.sh("ls work; echo new > work/.f.txt.Ab12Cd")
        server.faults("PUT * times=1 delay=1000\n")
        writer = m.start_sh("echo one > work/f.txt")
        time.sleep(0.4)
        m.sh("mv work/.f.txt.Ab12Cd work/f.txt")
        finish(writer)
        assert server.client.get("work/f.txt") == b"new\n" == m.read("work/f.txt")
        assert m.names("work") == ["f.txt"]


@SIMS
def test_the_folder_goes_while_a_put_is_answered(server, mount):
    """Another client deletes the folder, a listing finds out, then the PUT's answer comes."""
    server.client.mkcol("work/sub")
    server.client.put("work/sub/f.txt", b"base\n")
    with mount(server, attr_ttl=0) as m:
        m.read("work/sub/f.txt")
        server.faults("PUT * times=1 delay=1500\n")
        writer = m.start_sh("echo one >> work/sub/f.txt")
        time.sleep(0.5)
        server.client.delete("work/sub")
        m.sh("ls work work/sub", check=False)
        writer.communicate(timeout=20 * proc.SLOWNESS)
        assert m.names("work") == []


# -- conflicts ------------------------------------------------------------------------------------

@SIMS
def test_refused_bytes_are_not_served_as_the_servers(server, mount):
    """After a conflict of the same length nobody reads the refused bytes under the old name."""
    server.client.put("work/f.txt", b"base one\n")
    with mount(server, attr_ttl=60) as m:
        m.read("work/f.txt")
        server.client.put("work/f.txt", b"theirs 2\n")
        assert m.errno_of("f = open('work/f.txt', 'r+b'); f.write(b'mine 333'); f.close()") == "ESTALE"
        assert m.read("work/f.txt") == b"theirs 2\n"
        assert b"mine 333" in unsent(m)


@SIMS
def test_a_refused_write_that_is_still_open_is_not_shown_to_others(server, mount):
    server.client.put("work/f.txt", b"base one\n")
    with mount(server, attr_ttl=60) as m:
        m.read("work/f.txt")
        server.client.put("work/f.txt", b"theirs 2\n")
        holder = m.start_python("""
fd = os.open('work/f.txt', os.O_RDWR); os.write(fd, b'mine 333')
try: os.fsync(fd)
except OSError as e: print(errno.errorcode[e.errno], flush=True)
sys.stdin.readline()
print(os.pread(fd, 8, 0)); os.close(fd)""")
        ready(holder, b"ESTALE\n")
        assert m.read("work/f.txt") == b"theirs 2\n"
        assert finish(holder, b"\n") == b"b'mine 333'\n"


@SIMS
def test_unlink_while_an_outdated_version_is_open(server, mount):
    """Somebody holds a version open that nobody can get any more: rm works all the same."""
    server.client.put("work/f.txt", b"base\n")
    with mount(server, attr_ttl=0) as m:
        holder = m.start_python("""
fd = os.open('work/f.txt', os.O_WRONLY); print('ready', flush=True); sys.stdin.readline()
os.close(fd)""")
        ready(holder)
        server.client.put("work/f.txt", b"theirs, longer\n")
        m.sh("stat work/f.txt; rm work/f.txt")
        assert not server.client.exists("work/f.txt")
        finish(holder, b"\n")


@SIMS
def test_rename_over_a_file_whose_outdated_version_is_open(server, mount):
    server.client.put("work/f.txt", b"base\n")
    server.client.put("work/g.txt", b"new\n")
    with mount(server, attr_ttl=0) as m:
        holder = m.start_python("""
fd = os.open('work/f.txt', os.O_WRONLY); print('ready', flush=True); sys.stdin.readline()
os.close(fd)""")
        ready(holder)
        server.client.put("work/f.txt", b"theirs, longer\n")
        m.sh("stat work/f.txt; mv work/g.txt work/f.txt")
        assert server.client.get("work/f.txt") == b"new\n"
        finish(holder, b"\n")


@SIMS
@pytest.mark.parametrize("ttl", [0, 1])
def test_a_folder_takes_the_place_of_a_file_and_back(server, mount, ttl):
    server.client.put("work/x", b"a file\n")
    with mount(server, attr_ttl=ttl) as m:
        assert m.read("work/x") == b"a file\n"
        server.client.delete("work/x")
        server.client.mkcol("work/x")
        server.client.put("work/x/in.txt", b"inside\n")
        m.sh(f"sleep {ttl}.1")
        assert m.read("work/x/in.txt") == b"inside\n"
        server.client.delete("work/x")
        server.client.put("work/x", b"a file again\n")
        m.sh(f"sleep {ttl}.1")
        assert m.read("work/x") == b"a file again\n"
        assert m.names("work") == ["x"]


# -- killed writers --------------------------------------------------------------------------------

@SIMS
def test_a_writer_killed_after_truncating_leaves_the_server_alone(server, mount):
    server.client.put("work/f.txt", b"base\n")
    with mount(server, attr_ttl=0) as m:
        for sig in signal.SIGKILL, signal.SIGINT, signal.SIGTERM:
            child = m.start_python("""
import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)
fd = os.open('work/f.txt', os.O_WRONLY | os.O_TRUNC); print('ready', flush=True); time.sleep(60)""")
            ready(child)
            child.send_signal(sig)
            child.communicate(timeout=20 * proc.SLOWNESS)
            time.sleep(0.5)
            assert server.client.get("work/f.txt") == b"base\n"
        assert m.read("work/f.txt") == b"base\n"
        child = m.start_python("""
import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)
fd = os.open('work/new.txt', os.O_WRONLY | os.O_CREAT); print('ready', flush=True); time.sleep(60)""")
        ready(child)
        child.kill()
        child.communicate(timeout=20 * proc.SLOWNESS)
        time.sleep(0.5)
        assert not server.client.exists("work/new.txt") and m.names("work") == ["f.txt"]


@SIMS
def test_cp_again_after_an_interrupted_cp(server, mount):
    """The PUT got through although its writer was killed: the next cp is no conflict."""
    with mount(server, attr_ttl=60) as m:
        for name in "new.txt", "old.txt":
            if name == "old.txt":
                server.client.put("work/old.txt", b"base\n")
            m.sh("ls work; stat work/old.txt", check=False)
            server.faults("PUT * times=1 delay=3000\n")
            child = m.start_sh(f"exec cp /etc/hostname work/{name}")
            time.sleep(0.7)
            child.kill()
            child.communicate(timeout=20 * proc.SLOWNESS)
            server.faults("")
            m.sh(f"cp /etc/passwd work/{name}")
            assert server.client.get(f"work/{name}") == pathlib.Path("/etc/passwd").read_bytes()
        assert not unsent(m)


# -- answers that never come -----------------------------------------------------------------------

@SIMS
def test_every_change_whose_answer_is_lost_is_done_once(server, mount):
    c = server.client
    for name, body in (("old.txt", b"old\n"), ("gone.txt", b"x"), ("from.txt", b"move me\n")):
        c.put("work/" + name, body)
    c.put("work/old.eml", samples.message(1))
    with mount(server, attr_ttl=60) as m:
        m.sh("ls work; cat work/old.txt work/old.eml")

        def lossy(method, script):
            server.faults(f"{method} * times=1 drop-after\n")
            m.sh(script)
            server.faults("")
        lossy("PUT", "echo new > work/new.txt")
        lossy("PUT", "echo appended >> work/old.txt")
        lossy("PUT", r"printf 'From: a@example.com\r\nMessage-ID: <n1@x>\r\n\r\nbody\r\n' > work/n.eml")
        lossy("PUT", r"sed 's/This is message 1/This is another/' work/old.eml > work/.old.eml.Ab12Cd;"
                     "mv work/.old.eml.Ab12Cd work/old.eml")
        lossy("DELETE", "rm work/gone.txt")
        lossy("MOVE", "mv work/from.txt work/to.txt")
        lossy("MKCOL", "mkdir work/sub")
        lossy("MOVE", "mv work/sub work/sub2")
        lossy("PROPPATCH", "touch -d '2021-01-01 00:00:00 UTC' work/new.txt; sleep 0.5")
        lossy("DELETE", "rmdir work/sub2")
        names = sorted(m.names("work"))
        assert names == ["n.eml", "new.txt", "old.eml", "old.txt", "to.txt"]
        assert c.get("work/new.txt") == b"new\n" and c.get("work/old.txt") == b"old\nappended\n"
        assert b"This is another" in c.get("work/old.eml") and c.get("work/to.txt") == b"move me\n"
        assert not unsent(m)
    with mount(server, attr_ttl=0) as m:
        assert sorted(m.names("work")) == names


# -- kills of the daemon -----------------------------------------------------------------------------

LATE_WRITER = """
fd = os.open(sys.argv[1], os.O_RDWR); wait, go = os.pipe()
at = max(os.pread(fd, 9000, 0).find(b'This is message'), 0)
if os.fork() == 0:
    os.read(wait, 1); os.pwrite(fd, b'LATE', at); os._exit(0)
os.close(fd); print('ready', flush=True); sys.stdin.readline(); os.write(go, b'x'); os.wait()"""


def kill_while_the_last_close_is_sent(server, m, name, fault):
    """What another process writes after the opener's close goes at RELEASE: the daemon dies while it is under way."""
    child = m.start_python(LATE_WRITER, name)
    ready(child)
    server.faults(f"PUT * times=9 {fault}\n")
    child.communicate(b"\n", timeout=30 * proc.SLOWNESS)
    time.sleep(0.7 * proc.SLOWNESS)
    m.kill()
    server.faults("")


@SIMS
@pytest.mark.parametrize("fault", ["delay=20000", "stall=0", "drop", "status=503"])
def test_killed_while_the_last_close_is_sent(server, mount, work, fault):
    server.client.put("work/f.txt", b"base, long enough\n")
    want = b"LATE, long enough\n"
    with mount(server, attr_ttl=0, cache=work / "c") as m:
        kill_while_the_last_close_is_sent(server, m, "work/f.txt", fault)
    with mount(server, attr_ttl=0, cache=work / "c") as m:
        proc.wait_until(lambda: server.client.get("work/f.txt") == want or want in unsent(m), 20,
                        "the bytes are on the server or in unsent")
        time.sleep(0.5)
        sent = server.client.get("work/f.txt") == want
        assert sent != (want in unsent(m)), "once, not twice"
        assert sorted(m.names("work")) == ["f.txt"]


@pytest.mark.servers("e2003", "e2007")
def test_recovered_bytes_of_a_message_that_others_changed_are_kept(server, mount, work):
    """The same Message-ID alone does not make their version ours."""
    base = samples.message(1, 3000)
    server.client.put("work/m.eml", base)
    with mount(server, attr_ttl=0, cache=work / "c") as m:
        child = m.start_python(LATE_WRITER, "work/m.eml")
        ready(child)
        server.faults("PUT * always status=503 delay=60000\n")  # nothing is done, and no answer
        child.communicate(b"\n", timeout=20 * proc.SLOWNESS)
        time.sleep(1 * proc.SLOWNESS)
        m.kill()
        server.faults("")
    server.client.put("work/m.eml", base.replace(b"This is message", b"THEIRS message"))
    with mount(server, attr_ttl=0, cache=work / "c") as m:
        proc.wait_until(lambda: b"LATE is message" in unsent(m), 20, "ours is in unsent")
        assert b"THEIRS message" in server.client.get("work/m.eml")


@SIMS
def test_killed_with_everything_under_way(server, mount, work):
    """What was acknowledged is there after the remount; local names too; no name is there twice."""
    with mount(server, attr_ttl=60, cache=work / "c") as m:
        child = m.start_python("""
os.mkdir('work/d')
for n in range(1000):
    for name in f'work/f{n}.txt', f'work/d/.f{n}.swp':
        with open(name, 'w') as f: f.write(name)
    os.rename(f'work/f{n}.txt', f'work/d/f{n}.txt')
    print(n, flush=True)""")
        for _ in range(12):
            done = int(child.stdout.readline())
        m.kill()
        child.communicate(timeout=20 * proc.SLOWNESS)
    with mount(server, attr_ttl=0, cache=work / "c") as m:
        names = m.names("work/d")
        for n in range(done + 1):
            assert m.read(f"work/d/f{n}.txt") == b"work/f%d.txt" % n
            assert m.read(f"work/d/.f{n}.swp") == b"work/d/.f%d.swp" % n
        assert len(names) == len(set(names)) and not [x for x in names if "(" in x]
        on_server = [x.rsplit("/", 1)[1] for x in server.client.propfind("work/d/") if x[-1] != "/"]
        assert sorted(on_server) == sorted(x for x in names if not x.endswith(".swp"))


# -- the last close -----------------------------------------------------------------------------------

@SIMS
def test_a_refused_last_close_is_in_unsent_and_in_the_log(server, mount):
    server.client.put("work/f.txt", b"base, long enough\n")
    with mount(server, attr_ttl=0) as m:
        child = m.start_python(LATE_WRITER, "work/f.txt")
        ready(child)
        server.faults("PUT * always status=507\n")
        finish(child, b"\n")
        proc.wait_until(lambda: b"LATE, long" in unsent(m), 10, "in unsent")
        server.faults("")
        assert server.client.get("work/f.txt") == b"base, long enough\n" == m.read("work/f.txt")
        assert "unsent" in "".join(m.complaints())
        m.sh("cp .exchange/unsent/f.txt work/f.txt && rm .exchange/unsent/f.txt")
        assert server.client.get("work/f.txt") == b"LATE, long enough\n" and not unsent(m)


@SIMS
def test_unmount_with_work_in_flight(server, mount, work):
    server.client.put("work/f.txt", b"base, long enough\n")
    m = mount(server, attr_ttl=0, cache=work / "c")
    with m:
        child = m.start_python(LATE_WRITER, "work/f.txt")
        ready(child)
        readers = [m.start_sh("cat work/f.txt; ls work; sleep 0.1") for _ in range(3)]
        server.faults("* * always delay=700\n")
        writer = m.start_sh("cp /etc/passwd work/g.txt")
        time.sleep(0.3)
        proc.run(["umount", "-l", m.path] if os.geteuid() == 0 else ["fusermount3", "-uz", m.path])
        for c in [child, writer, *readers]:
            c.communicate(b"\n" if c is child else None, timeout=30 * proc.SLOWNESS)
        m.process.wait(40 * proc.SLOWNESS)
        server.faults("")
    assert server.client.get("work/f.txt") == b"LATE, long enough\n"
    if writer.returncode == 0:
        assert server.client.get("work/g.txt") == pathlib.Path("/etc/passwd").read_bytes()


# -- many hands ---------------------------------------------------------------------------------------

WORKER = """
import random, signal
who, seed, shared = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng, model, end = random.Random(seed), {}, time.time() + float(sys.argv[4])
dirs = ['work/a', 'work/b', 'work']
def new(): return f'{rng.choice(dirs)}/{who}-{rng.randrange(12)}.{rng.choice(["txt", "bin"])}'
def some(): return rng.choice(sorted(model)) if model else None
def put(path, data, flags=os.O_TRUNC):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | flags)
    try:
        for at in range(0, len(data), 5000): os.write(fd, data[at:at + 5000])
    finally: os.close(fd)
while time.time() < end:
    what, path = rng.randrange(11), some()
    data = rng.randbytes(rng.choice([1, 30, 5000, 70000]))
    if what <= 1 or not path:
        path = new(); put(path, data); model[path] = data
    elif what == 2:
        put(path, data, os.O_APPEND); model[path] += data
    elif what == 3:
        size = rng.randrange(6000); os.truncate(path, size)
        model[path] = model[path][:size].ljust(size, b'\\0')
    elif what == 4:
        to = new(); os.rename(path, to); body = model.pop(path); model[to] = body
    elif what == 5:
        os.unlink(path); del model[path]
    elif what == 6:
        temp = os.path.dirname(path) + f'/.{os.path.basename(path)}.Ab{rng.randrange(1000, 9999)}'
        put(temp, data); os.rename(temp, path); model[path] = data
    elif what == 7:
        with open(path, 'rb') as f:
            os.unlink(path); body = model.pop(path); got = f.read()
            assert got == body, (path, len(got), len(body))
    elif what == 8:
        names = set(os.listdir(os.path.dirname(path)))
        for p in model:
            if os.path.dirname(p) == os.path.dirname(path): assert os.path.basename(p) in names, p
    elif what == 9 and shared:
        try:
            with open(f'work/shared-{rng.randrange(3)}', rng.choice(['rb', 'ab', 'wb', 'r+b'])) as f:
                f.read() if 'r' in f.mode else f.write(data[:100])
        except OSError as e:
            if e.errno not in (errno.ESTALE, errno.ENOENT, errno.EEXIST): raise
    else:
        with open(path, 'rb') as f: got = f.read()
        assert got == model[path], (path, len(got), len(model[path]), os.stat(path).st_size)
print(json.dumps({p: d.hex() for p, d in model.items()}))
"""


@SIMS
@pytest.mark.parametrize("ttl", [0, 60])
def test_many_hands_agree_with_the_model(server, mount, work, ttl):
    for folder in "work/a", "work/b":
        server.client.mkcol(folder)
    with mount(server, attr_ttl=ttl, cache=work / "c", cache_size=1 << 20) as m:
        m.sh("ls -lR . >/dev/null")
        lister = m.start_sh("for n in $(seq 400); do [ -e work/stop ] && break; ls -lR work; done "
                            ">/dev/null 2>&1")
        workers = [m.start_python(WORKER, f"w{n}", str(n), "1", str(4 * min(proc.SLOWNESS, 2))) for n in range(5)]
        model = {}
        for worker in workers:
            model |= {p: bytes.fromhex(d) for p, d in json.loads(finish(worker)).items()}
        m.sh("echo > work/stop")
        lister.communicate(timeout=20 * proc.SLOWNESS)
        for path, body in model.items():
            assert server.client.get(path) == body, path
        seen = m.sh("find work -type f -name 'w*'").text.split()
        assert sorted(seen) == sorted(model)
        assert m.sh("find work -name '*(*' -o -name '.w*'").text == ""
    held = {x for f in ("work", "work/a", "work/b") for x in server.client.propfind(f + "/")}
    held = sorted(x[x.index("work"):] for x in held if "/w" in x.split("work", 1)[1] and x[-1] != "/")
    assert held == sorted(model)


@pytest.mark.servers("e2003", "generic")
def test_no_estale_reaches_cat_after_our_own_saves(server, mount):
    """A mail that is saved by rename again and again, and read each time, by its name alone."""
    server.client.put("work/m.eml", samples.message(1, 3000))
    with mount(server, attr_ttl=60) as m:
        m.sh("for n in $(seq 25); do sed \"s/message [0-9]*\\./message $n./\" work/m.eml > "
             "work/.m.eml.Ab12Cd && mv work/.m.eml.Ab12Cd work/m.eml && cat work/m.eml >/dev/null "
             "|| exit 1; done", timeout=60)
        assert b"message 25." in server.client.get("work/m.eml")


@SIMS
@pytest.mark.parametrize("status", [507, 403, 423])
def test_a_refused_overwrite_is_not_shown(server, mount, status):
    server.client.put("work/f.txt", b"base\n")
    with mount(server, attr_ttl=60) as m:
        m.read("work/f.txt")
        server.faults(f"PUT * always status={status}\n")
        assert m.sh("cp /etc/passwd work/f.txt", check=False).rc == 1
        assert m.read("work/f.txt") == b"base\n" and m.stat("work/f.txt").st_size == 5
        server.faults("")
        m.sh("cp /etc/passwd work/f.txt")
        assert m.read("work/f.txt") == pathlib.Path("/etc/passwd").read_bytes()


@pytest.mark.servers("e2007")
def test_nothing_leaks_over_many_cycles(server, mount):
    for n in range(20):
        server.client.put(f"work/f{n}.txt", samples.noise(9000, n))
    cycle = """
for n in range(int(sys.argv[1])):
    with open(f'work/f{n % 20}.txt', 'rb') as f: f.read(10)
    for bad in 'work/none', 'work/f1.txt/x':
        try: open(bad)
        except OSError: pass
    fd = os.open('work/t.txt', os.O_CREAT | os.O_WRONLY); os.write(fd, b'x'); os.close(fd)
    os.unlink('work/t.txt')
    try:
        with open('work/refused.txt', 'w') as f: f.write('x')
    except OSError: pass
"""
    def used(m):
        status = pathlib.Path(f"/proc/{m.pid}/status").read_text()
        threads = int(status.split("Threads:")[1].split()[0])
        return len(os.listdir(f"/proc/{m.pid}/fd")), threads
    with mount(server, attr_ttl=0, debug=False) as m:
        server.faults("PUT *refused.txt always status=507\n")
        m.python(cycle, "40", timeout=60)
        time.sleep(1)
        before = used(m)
        m.python(cycle, "150", timeout=300)
        time.sleep(1)
        after = used(m)
        assert after[0] <= before[0] + 6 and after[1] <= before[1] + 6, (before, after)


# -- programs -----------------------------------------------------------------------------------------

@SIMS
def test_save_sequences_with_readers_on_the_file(server, mount, work):
    """Each way to save a file, over a reader that has the old version open."""
    (work / "new.txt").write_bytes(b"by rsync\n")
    saves = {
        "emacs": "mv work/f.txt work/f.txt~ && echo emacs > work/f.txt && rm work/f.txt~",
        "atomic": "echo atomic > work/f.txt.tmp && mv work/f.txt.tmp work/f.txt",
        "sed": "sed -i s/.*/sed/ work/f.txt",
        "inplace": f"rsync --inplace {work}/new.txt work/f.txt",
        "rsync": f"echo by rsync -a > {work}/new.txt; rsync -a {work}/new.txt work/f.txt",
        "vim": "vim -es -u NONE -c 'set backup backupcopy=no' -c '%s/.*/vim/' -c wq work/f.txt </dev/null;"
               " rm -f work/f.txt~",
        "rename": "echo ren > work/g.txt; python3 -c 'import os; os.replace(\"work/g.txt\", \"work/f.txt\")'",
        "link": "cp work/f.txt work/h.txt && rm work/f.txt && mv work/h.txt work/f.txt",
    }
    server.client.put("work/f.txt", b"first line\n")
    with mount(server, attr_ttl=60) as m:
        for name, script in saves.items():
            before = server.client.get("work/f.txt")
            reader = m.start_python("""
f = open('work/f.txt', 'rb'); print('ready', flush=True); sys.stdin.readline()
sys.stdout.buffer.write(f.read())""")
            ready(reader)
            m.sh(script, timeout=30)
            after = server.client.get("work/f.txt")
            assert after == m.read("work/f.txt") and (after != before or name == "link"), name
            held = finish(reader, b"\n")
            assert held == before or (name in ("inplace", "vim") and held == after), (name, held)
            assert m.names("work") == ["f.txt"], name
        assert not unsent(m) and not m.complaints()


@SIMS
def test_folders_with_local_children(server, mount):
    server.client.mkcol("work/d")
    with mount(server, attr_ttl=0) as m:
        holder = m.start_python("""
f = open('work/d/.f.swp', 'w+'); f.write('swap'); f.flush(); print('ready', flush=True)
sys.stdin.readline(); f.write(' more'); f.seek(0); print(f.read()); f.close()""")
        ready(holder)
        assert m.errno_of("os.rmdir('work/d')") == "ENOTEMPTY"
        m.sh("mv work/d work/e")
        assert finish(holder, b"\n") == b"swap more\n"
        assert m.read("work/e/.f.swp") == b"swap more"
        m.sh("rm work/e/.f.swp; rmdir work/e")
        assert m.names("work") == [] and not server.client.exists("work/e/")


@SIMS
def test_deep_trees_move_as_one(server, mount):
    deep = "/".join(f"d{n}" for n in range(40))
    with mount(server, attr_ttl=0) as m:
        m.sh(f"mkdir -p work/{deep} && echo deep > work/{deep}/f.txt && mv work/d0 work/top")
        deep = deep.replace("d0/", "top/", 1)
        assert m.read(f"work/{deep}/f.txt") == b"deep\n" == server.client.get(f"work/{deep}/f.txt")
        server.client.move("work/top/d1/d2/d3", "work/elsewhere")
        rest = "/".join(f"d{n}" for n in range(4, 40))
        assert m.read(f"work/elsewhere/{rest}/f.txt") == b"deep\n"
        assert m.errno_of(f"open('work/{deep}/f.txt')") == "ENOENT"
        m.sh("rm -r work/elsewhere work/top")
        assert m.names("work") == []


@SIMS
def test_a_folder_renamed_by_others_while_a_file_in_it_is_dirty(server, mount):
    server.client.mkcol("work/d")
    server.client.put("work/d/f.txt", b"base ")
    with mount(server, attr_ttl=0) as m:
        child = m.start_python("""
f = open('work/d/f.txt', 'r+b'); f.seek(0, 2); f.write(b'mine'); f.flush(); print('ready', flush=True)
sys.stdin.readline()
try: f.close(); print('closed')
except OSError as e: print(errno.errorcode[e.errno])""")
        ready(child)
        server.client.move("work/d", "work/e")
        m.sh("ls work work/*", check=False)
        said = finish(child, b"\n")
        there = server.client.get("work/e/f.txt")
        assert (said, there) == (b"closed\n", b"base mine") or \
               (said != b"closed\n" and b"base mine" in unsent(m)), (said, there, unsent(m))
