# SPDX-License-Identifier: Apache-2.0
"""One version per open file; what others change meanwhile; conflicts overwrite nothing."""
import time

import pytest
from xfse2e import proc, samples

pytestmark = pytest.mark.core
OLD, NEW = b"old " * 5000, b"the new one " * 700

HOLDER = """
f = open(sys.argv[1], 'rb')
head = f.read(100)
print('open', flush=True)
sys.stdin.readline()
rest = f.read()
sys.stdout.buffer.write(head + rest)
"""


def say(child, text=b"\n", timeout=15):
    out, err = child.communicate(text, timeout * proc.SLOWNESS)
    assert child.returncode == 0, err.decode()
    return out


@pytest.mark.parametrize("name", ["f.txt", "m.eml"])
def test_old_handle_whole_new_open_new(server, mounted, name):
    old, new = (samples.message(1, 20000), samples.message(2, 9000)) if name == "m.eml" else (OLD, NEW)
    server.client.put("work/" + name, old)
    old = server.client.get("work/" + name)
    child = mounted.start_python(HOLDER, "work/" + name)
    assert child.stdout.readline() == b"open\n"
    server.client.put("work/" + name, new)
    new = server.client.get("work/" + name)
    assert mounted.read("work/" + name) == new
    assert mounted.stat("work/" + name).st_size == len(new)
    assert say(child) == old
    assert mounted.read("work/" + name) == new


def test_an_old_mmap_stays_whole(server, mounted):
    server.client.put("work/f.txt", OLD)
    child = mounted.start_python("""
import mmap
f = open('work/f.txt', 'rb'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
m[0:10]; print('open', flush=True); sys.stdin.readline()
sys.stdout.buffer.write(m[:])""")
    assert child.stdout.readline() == b"open\n"
    server.client.put("work/f.txt", NEW)
    assert mounted.read("work/f.txt") == NEW
    assert say(child) == OLD


def test_a_file_deleted_by_others_stays_readable_while_open(server, mounted):
    server.client.put("work/f.txt", OLD)
    child = mounted.start_python(HOLDER, "work/f.txt")
    assert child.stdout.readline() == b"open\n"
    server.client.delete("work/f.txt")
    assert mounted.errno_of("open('work/f.txt')") == "ENOENT"
    assert say(child) == OLD


def test_a_version_seen_by_ls_but_replaced_since(server, mount):
    """The kernel still knows the old version; open answers ESTALE inside, the user sees the new."""
    server.client.put("work/f.txt", OLD)
    with mount(server, attr_ttl=2) as m:
        assert m.stat("work/f.txt").st_size == len(OLD)
        server.client.put("work/f.txt", NEW)
        assert m.read("work/f.txt") in (OLD, NEW)
        m.sh("sleep 2.1")
        assert m.read("work/f.txt") == NEW


def test_a_reopen_of_an_outdated_version_mixes_nothing(server, mounted):
    """/proc/self/fd opens a node without a lookup: the old bytes or ESTALE, never the new ones."""
    server.client.put("work/f.txt", OLD)
    child = mounted.start_python("""
f = open('work/f.txt', 'rb'); f.read(100); print('open', flush=True); sys.stdin.readline()
try:
    sys.stdout.buffer.write(open('/proc/self/fd/%d' % f.fileno(), 'rb').read())
except OSError as e:
    print(errno.errorcode[e.errno])""")
    assert child.stdout.readline() == b"open\n"
    server.client.put("work/f.txt", NEW)
    assert mounted.read("work/f.txt") == NEW
    assert say(child) in (OLD, b"ESTALE\n")


def test_inode_number_is_the_same_for_every_version(server, mounted):
    server.client.put("work/f.txt", OLD)
    first = mounted.stat("work/f.txt").st_ino
    server.client.put("work/f.txt", NEW)
    assert mounted.read("work/f.txt") == NEW
    mounted.write("work/f.txt", b"third")
    assert mounted.stat("work/f.txt").st_ino == first


def test_own_writes_keep_other_readers_on_their_version(server, mounted):
    server.client.put("work/f.txt", OLD)
    child = mounted.start_python(HOLDER, "work/f.txt")
    assert child.stdout.readline() == b"open\n"
    mounted.sh('cp "$1" work/tmp.txt; mv work/tmp.txt work/f.txt', "/etc/passwd")
    assert say(child) == OLD


EDITOR = """
f = open(sys.argv[1], 'r+b')
f.seek(0, 2); f.write(b'mine')
f.flush(); print('dirty', flush=True)
sys.stdin.readline()
try:
    f.close(); print('closed')
except OSError as e:
    print(errno.errorcode[e.errno])
"""


def unsent(m):
    return m.sh("cat .exchange/unsent/* 2>/dev/null || true").out


def test_a_conflict_never_overwrites(server, mounted):
    """Changed on the server meanwhile: close fails ESTALE, the server keeps theirs, ours is kept."""
    server.client.put("work/f.txt", b"base ")
    child = mounted.start_python(EDITOR, "work/f.txt")
    assert child.stdout.readline() == b"dirty\n"
    if server.kind == "mod_dav":
        time.sleep(1.2)  # its tags are weak within a second
    server.client.put("work/f.txt", b"theirs, newer")
    assert say(child) == b"ESTALE\n"
    assert server.client.get("work/f.txt") == b"theirs, newer" == mounted.read("work/f.txt")
    assert b"base mine" in unsent(mounted)
    assert "f.txt" in "".join(mounted.complaints())


def test_a_conflict_that_was_seen_before_the_close(server, mounted):
    """Reading their version meanwhile does not make ours a change of it."""
    server.client.put("work/f.txt", b"base ")
    child = mounted.start_python(EDITOR, "work/f.txt")
    assert child.stdout.readline() == b"dirty\n"
    server.client.put("work/f.txt", b"theirs, newer")
    assert mounted.read("work/f.txt") == b"theirs, newer"
    assert say(child) == b"ESTALE\n"
    assert server.client.get("work/f.txt") == b"theirs, newer"
    assert b"base mine" in unsent(mounted)


def test_a_conflict_with_a_deletion(server, mounted):
    server.client.put("work/f.txt", b"base ")
    child = mounted.start_python(EDITOR, "work/f.txt")
    assert child.stdout.readline() == b"dirty\n"
    server.client.delete("work/f.txt")
    assert say(child) in (b"ESTALE\n", b"ENOENT\n")
    assert not server.client.exists("work/f.txt")
    assert b"base mine" in unsent(mounted)


def test_a_new_file_must_not_exist(server, mount):
    """Somebody else made the name after our listing: cp fails, theirs stays."""
    with mount(server, attr_ttl=60) as m:
        assert m.names("work") == []
        server.client.put("work/f.txt", b"theirs")
        assert m.sh("cp /etc/passwd work/f.txt", check=False).rc == 1
        assert server.client.get("work/f.txt") == b"theirs"


def test_exclusive_create_of_a_name_made_by_others(server, mount):
    with mount(server, attr_ttl=60) as m:
        assert m.names("work") == []
        server.client.put("work/f.txt", b"theirs")
        code = ("fd = os.open('work/f.txt', os.O_CREAT | os.O_EXCL | os.O_WRONLY)\n"
                "os.write(fd, b'mine')\nos.close(fd)")
        assert m.errno_of(code) == "EEXIST"
    assert server.client.get("work/f.txt") == b"theirs"


def test_two_saves_in_a_row_are_no_conflict(server, mounted):
    """A 412 on our own last tag is none (mod_dav's tags are weak within a second)."""
    for n in range(6):
        mounted.write("work/f.txt", b"save %d" % n)
        assert server.client.get("work/f.txt") == b"save %d" % n
    assert not mounted.complaints()
