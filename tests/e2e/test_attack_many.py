# SPDX-License-Identifier: Apache-2.0
"""Many users in one mount, attacked: descriptors and handles in other hands, eviction, options."""
import json
import os
import struct

import pytest

from xfse2e import proc
from xfse2e.people import ANN, BEN, Person, as_user, many  # noqa: F401 (a fixture)
from xfse2e.proc import run
from test_multiuser import fill, mailbox, sim, tree  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="several users take root")

HANDED_ON = """
def become(uid):
    os.seteuid(0)
    os.setegid(uid)
    os.seteuid(uid)
os.setgroups([])
become(4001)
file = os.open('4001/top 4001.txt', os.O_RDWR)
path = os.open('4001/top 4001.txt', os.O_PATH)
folder = os.open('4001', os.O_RDONLY)
time.sleep(0.2)
become(int(sys.argv[1]))
print(json.dumps([
    os.read(file, 100).decode(), os.read(file, 100).decode(), os.lseek(file, 0, os.SEEK_END),
    verdict(lambda: os.ftruncate(file, 3)), verdict(lambda: os.pwrite(file, b'new', 0)),
    verdict(lambda: os.fsync(file)),
    [verdict(f) for f in (lambda: os.fstat(path), lambda: os.listdir(folder),
                          lambda: os.fstat(folder), lambda: os.truncate('4001/top 4001.txt', 1),
                          lambda: os.open(f'/proc/self/fd/{path}', 0))]]))
"""


@pytest.mark.parametrize("other", [0, BEN])
def test_an_open_file_works_in_other_hands(sim, many, other):
    """With attributes that nobody keeps, the kernel asks about the open file on behalf of the
    holder; a path or a folder is the owner's all the same."""
    fill(sim, ANN)
    with many(sim, attr_ttl=0) as m:
        seen = json.loads(Person(m, 0).python(HANDED_ON, other).text)
        assert seen[:3] == [f"top of {ANN}", "", 11], seen
        assert seen[3:6] == ["OK", "OK", "OK"], seen
        assert set(seen[6]) == {"EACCES"}, seen
    assert mailbox(sim, ANN).get(f"top {ANN}.txt") == b"new"


HANDLE = """
class Handle(ctypes.Structure):
    _fields_ = [('bytes', ctypes.c_uint), ('type', ctypes.c_int), ('handle', ctypes.c_ubyte * 64)]
libc = ctypes.CDLL(None, use_errno=True)
def failed(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), '')
    return result
def get(path):
    handle, mount = Handle(64), ctypes.c_int()
    failed(libc.name_to_handle_at(-100, os.fsencode(path), ctypes.byref(handle),
                                  ctypes.byref(mount), 0))
    return handle.type, bytes(handle.handle[:handle.bytes])
def use(kind, raw):
    handle = Handle(len(raw), kind)
    ctypes.memmove(handle.handle, raw, len(raw))
    return failed(libc.open_by_handle_at(os.open('.', 0), ctypes.byref(handle), os.O_PATH))
"""


def test_a_file_handle_cannot_be_made_up(sim, many):
    """The kernel would tell the name of any file in its memory to whom CAP_DAC_READ_SEARCH lets
    guess inode numbers."""
    fill(sim, ANN)
    with many(sim) as m:
        ann = Person(m, ANN)
        for name in (f"{ANN}", f"{ANN}/top {ANN}.txt", f"{ANN}/of {ANN}"):
            tree(ann)
            kind, raw = json.loads(ann.python(
                HANDLE + "kind, raw = get(sys.argv[1]); print(json.dumps([kind, raw.hex()]))",
                name).text)
            high, low, generation = struct.unpack("=III", bytes.fromhex(raw))
            assert generation not in (0, 1)
            for guess in (0, 1):
                made_up = struct.pack("=III", high, low, guess).hex()
                assert Person(m, 0).python(
                    HANDLE + "print(verdict(lambda: use(int(sys.argv[1]), bytes.fromhex(sys.argv[2]))))",
                    kind, made_up).text.strip() == "ESTALE"
            assert Person(m, 0).python(HANDLE + "print(verdict(lambda: get(sys.argv[1])))",
                                       f"{ANN}/top {ANN}.txt").text.strip() == "EACCES"


LISTENER = """
import ctypes, select, struct
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.fanotify_init(0, 0)
marked = libc.fanotify_mark(fd, 0x11, ctypes.c_uint64(0x21), -100, b'.')
print(marked, flush=True)
sys.stdin.readline()
got = []
while select.select([fd], [], [], 0.5)[0]:
    try:
        data = os.read(fd, 4096)
        got += [struct.unpack('=IBBHQii', data[:24])[5]]
    except OSError as e:
        got.append(errno.errorcode[e.errno])
print(json.dumps(got))
"""


def test_a_listener_gets_no_descriptor(sim, many):
    """fanotify opens for the listener, root, what the owner opens."""
    fill(sim, ANN)
    with many(sim) as m:
        ann = Person(m, ANN)
        tree(ann)
        listener = m.start_python(LISTENER)
        if listener.stdout.readline() != b"0\n":
            listener.kill()
            pytest.skip("no fanotify here")
        ann.sh(f'cat "{ANN}/top {ANN}.txt"')
        out, err = listener.communicate(b"\n", 20)
        got = json.loads(out)
        assert got and set(got) == {"EACCES"}, (got, err)


def test_another_view_of_the_mount_is_no_way_in(sim, many, work):
    """A bind mount of the owner's directory, a user namespace, the owner's /proc."""
    fill(sim, ANN)
    other = work / "other"
    other.mkdir()
    with many(sim) as m:
        ann = Person(m, ANN)
        tree(ann)
        script = ('mount --make-rprivate / && mount --bind "$1" "$2" && cd / || exit 3; '
                  'ls "$2" || cat "$2/$3" || stat "$2/$3" || exit 4')
        bound = run(["unshare", "-m", "bash", "-c", script, "sh", m.path / str(ANN), other,
                     f"top {ANN}.txt"], check=False)
        assert bound.rc == 4 and bound.out == b"" and "Permission denied" in bound.err, bound
        spaced = run(as_user(BEN, ["unshare", "-Ur", "bash", "-c", 'id -u; ls "$1" || cat "$1/$2"',
                                   "sh", m.path / str(ANN), f"top {ANN}.txt"]), check=False)
        assert spaced.out in (b"0\n", b"") and spaced.rc, spaced
        holder = ann.started(f'exec 5<"{ANN}/top {ANN}.txt"; cd "{ANN}/of {ANN}"; echo in; read x')
        assert holder.stdout.readline() == b"in\n"
        for way in ("os.open(sys.argv[1] + '/fd/5', 0)", "os.listdir(sys.argv[1] + '/cwd')",
                    "os.stat(sys.argv[1] + '/cwd')", "os.open(sys.argv[1] + '/cwd/..', os.O_PATH)",
                    "os.truncate(sys.argv[1] + '/fd/5', 1)"):
            assert Person(m, 0).errno_of(way, f"/proc/{holder.pid}") == "EACCES", way
        holder.communicate(b"\n", 10)


def test_strangers_while_the_kernel_forgets(sim, many):
    """Looks that race with the eviction of what they look at."""
    fill(sim, ANN)
    look = (f'for i in $(seq 100); do stat "{ANN}/top {ANN}.txt"; ls {ANN}; cat "{ANN}/of {ANN}/in '
            f'{ANN}.txt"; done 2>/dev/null; true')
    with many(sim, attr_ttl=0) as m:
        ann = Person(m, ANN)
        tree(ann)
        strangers = [Person(m, uid).started(look) for uid in (BEN, 0)]
        for _ in range(10):
            tree(ann)
            ann.sh(f'mkdir {ANN}/x; echo a >{ANN}/x/a; mv {ANN}/x {ANN}/y; rm -r {ANN}/y')
        for child in strangers:
            out, err = child.communicate(timeout=60 * proc.SLOWNESS)
            assert out == b"", out


@pytest.mark.parametrize("options,says", [
    ({"cacert": "/nowhere.pem"}, "cacert=/nowhere.pem, cannot be read"),
    ({"servers": "http://h/path"}, "holds a path"),
    ({"proxy": "nonsense"}, "proxy= is not"),
    ({"proxy": "http://127.0.0.1:1", "proxy_user": "a", "proxy_passwd_file": "/nowhere"}, "/nowhere"),
], ids=["cacert", "servers", "proxy", "proxy password"])
def test_what_no_user_could_come_with_is_told_at_once(sim, many, options, says):
    refused = many(sim, **options).start_fails()
    assert refused.rc in (1, 2) and says in refused.err and len(refused.err.splitlines()) == 1, refused


def test_options_that_would_be_ignored(sim, many, work):
    for options, says in (({"credentials": work / "c"}, "credentials= is one person's"),
                          ({"insecure_basic": True}, "insecure_basic means nothing with sec=none"),
                          ({"ccache": "FILE:/c"}, "ccache= means nothing with sec=none"),
                          ({"pin": "sha256//x"}, "pin= means nothing without TLS"),
                          ({"key": "/k"}, "key= without cert=")):
        refused = many(sim, **options).start_fails()
        assert refused.rc == 2 and says in refused.err, refused
        assert len(refused.err.splitlines()) == 1, refused
