# SPDX-License-Identifier: Apache-2.0
"""Many users in one mount: each has a directory, and nobody else gets anything from it.

Here the server asks nobody who they are, so that only what the mount itself keeps apart is kept
apart; test_kerberos_many.py has tickets.
"""
import json
import os
import pathlib
import re
import time

import pytest

from xfse2e import proc, samples
from xfse2e.dav import Dav
from xfse2e.mount import interrupt
from xfse2e.people import ANN, BEN, CAT, Person, as_user, many  # noqa: F401 (a fixture)
from xfse2e.proc import run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="several users take root")


@pytest.fixture
def sim(start_sim):
    users = [word for uid in (ANN, BEN, 0) for word in ("--user", f"{uid if uid else 'root'}:x")]
    return start_sim("e2003", *users, auth="none")


def mailbox(sim, uid):
    """The other client, at UID's mailbox."""
    return Dav(f"{sim.url.rsplit('/', 2)[0]}/{uid or 'root'}/")


def fill(sim, uid):
    """A small tree in UID's mailbox; its names and bytes tell whose it is."""
    dav = mailbox(sim, uid)
    dav.mkcol(f"of {uid}")
    dav.mkcol(f"of {uid}/deep")
    dav.put(f"top {uid}.txt", f"top of {uid}".encode())
    dav.put(f"of {uid}/in {uid}.txt", f"in of {uid}".encode())
    dav.put(f"of {uid}/deep/big {uid}.bin", samples.noise(300_000))
    return dav


def tree(person):
    """Every path below the own directory, after each was read."""
    top = str(person.uid)
    person.sh('find "$1" -ls >/dev/null; ls -lR "$1" >/dev/null; '
              'find "$1" -type f -exec cat {} + >/dev/null', top)
    return person.sh('find "$1" -mindepth 1 -print0', top).out.decode().split("\0")[:-1]


@pytest.mark.core
def test_each_user_has_a_directory(sim, many):
    for uid in (ANN, BEN):
        fill(sim, uid)
    with many(sim) as m:
        ann, ben = Person(m, ANN), Person(m, BEN)
        assert ann.names(".") == {"4001"}, "not there before its user looks"
        assert Person(m, 0).names(".") == set()
        for person in (ann, ben):
            uid = person.uid
            assert person.names(".") == {str(uid)}
            assert {f"of {uid}", f"top {uid}.txt", "Inbox"} <= person.names(str(uid))
            st = os.stat_result(json.loads(person.python(
                "print(json.dumps(tuple(os.stat(sys.argv[1]))))", str(uid)).text))
            assert (st.st_uid, st.st_gid, st.st_mode, st.st_nlink) == (uid, uid, 0o40700, 1)
            seen = person.sh("find $1 -printf '%U %G %m\\n' | sort -u", str(uid)).text.split("\n")
            assert set(seen) - {""} == {f"{uid} {uid} 700", f"{uid} {uid} 600"}
            assert person.sh(f'cat "{uid}/of {uid}/in {uid}.txt"').text == f"in of {uid}"
        assert Person(m, 0).names(".") == {"4001", "4002"}
        for uid in (ANN, BEN):
            own = m.cache / str(uid)
            assert own.stat().st_mode & 0o777 == 0o700 and (own / "lock").exists()
            assert re.search(rf"info mailbox: {uid} \(uid {uid}\) has come", m.said)
        numbers = [set(p.sh("find . -mindepth 1 -printf '%i\\n' 2>/dev/null").text.split())
                   for p in (ann, ben)]
        assert numbers[0] and not numbers[0] & numbers[1]
        dots = ann.sh("ls -ai . 4001 | grep -F ..").text.split()
        assert dots[-2] == "1", "the way up is the mount's root"


def test_a_login_name_is_the_name(start_sim, many):
    import pwd
    nobody = pwd.getpwnam("nobody")
    sim = start_sim("e2003", "--user", "nobody:x", auth="none")
    with many(sim) as m:
        person = Person(m, nobody.pw_uid)
        assert person.names(".") == {"nobody"}
        assert person.sh("stat -c '%u %g %a' nobody").text.split() == [
            str(nobody.pw_uid), str(nobody.pw_gid), "700"]
        assert person.errno_of("os.stat(str(os.getuid()))") == "ENOENT"
        assert "Inbox" in person.names("nobody")


# What can be asked about a path; each must fail.
ASKED = """
p = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
def statx_cached(x):
    if libc.statx(-100, os.fsencode(x), 0x4000, 0x7ff, ctypes.create_string_buffer(256)) < 0:
        raise OSError(ctypes.get_errno(), '')
def access(x):
    if not os.access(x, os.F_OK):
        raise OSError(errno.EACCES, '')
asked = {
    'stat': os.stat, 'lstat': os.lstat, 'statx': statx_cached, 'open': lambda x: os.open(x, 0),
    'path': lambda x: os.open(x, os.O_PATH), 'append': lambda x: os.open(x, os.O_WRONLY),
    'list': os.listdir, 'readlink': os.readlink, 'statfs': os.statvfs, 'access': access,
    'chdir': os.chdir, 'xattrs': os.listxattr, 'chmod': lambda x: os.chmod(x, 0o700),
    'utime': os.utime, 'truncate': lambda x: os.truncate(x, 0), 'unlink': os.unlink,
    'rmdir': os.rmdir, 'rename': lambda x: os.rename(x, x + 'x'),
    'away': lambda x: os.rename(x, 'mine'), 'mkdir': lambda x: os.mkdir(x + '/new'),
    'create': lambda x: os.open(x + 'new', os.O_CREAT | os.O_WRONLY),
    'symlink': lambda x: os.symlink('a', x + 'l'), 'link': lambda x: os.link(x, x + 'h'),
}
answers = {name: sorted({verdict(lambda: f(x)) for x in p}) for name, f in asked.items()}
print(json.dumps({name: a for name, a in answers.items() if a != ['EACCES']}))
"""


@pytest.mark.core
def test_nobody_else_gets_anything_of_what_the_owner_has_read(sim, many):
    for uid in (ANN, BEN):
        fill(sim, uid)
    with many(sim) as m:
        ann = Person(m, ANN)
        paths = tree(ann)
        assert len(paths) > 10 and f"{ANN}/of {ANN}/deep/big {ANN}.bin" in paths
        absent = [f"{ANN}/no such", f"{ANN}/of {ANN}/no such", f"{ANN}/of {ANN}/deep/no such"]
        tree(Person(m, BEN))
        tampered = sim.mutations()
        for stranger in (Person(m, BEN), Person(m, CAT), Person(m, 0)):
            tree(ann)
            found = json.loads(stranger.python(ASKED, *paths, *absent, timeout=60).text)
            assert found == {}, f"uid {stranger.uid}"
            assert stranger.errno_of("os.stat('4001')") == "EACCES"
            assert stranger.errno_of("os.listdir('4001')") == "EACCES"
            assert stranger.errno_of("os.chdir('4001')") == "EACCES"
        assert sim.mutations() == tampered


def answered(m):
    """Bytes that the daemon has written, to the kernel above all; pages go another way from 8 KiB."""
    text = pathlib.Path(f"/proc/{m.pid}/io").read_text()
    return int(re.search(r"wchar: (\d+)", text).group(1))


def test_strangers_cost_the_owner_nothing(sim, many):
    """The kernel keeps the owner's names and pages, and what is open or stood in stays so."""
    dav = fill(sim, ANN)
    dav.mkcol("many")
    for i in range(100):
        dav.put(f"many/{i}.txt", samples.noise(4000))
    with many(sim, log_level="info") as m:
        ann = Person(m, ANN)
        holder = ann.started(f'cd "4001/of {ANN}" && exec 5<"in {ANN}.txt" && pwd -P && read x; '
                             f'pwd -P; cmp - "in {ANN}.txt" <&5 && echo same')
        where = holder.stdout.readline()

        def warm():
            before = answered(m)
            assert ann.sh("cat 4001/many/*.txt | wc -c").text.strip() == "400000"
            return answered(m) - before
        assert warm() > 400_000
        assert warm() < 200_000, "from the kernel's pages"
        for stranger in (Person(m, 0), Person(m, BEN)):
            stranger.sh("stat 4001; ls 4001; ls -l 4001/*; cat 4001/many/1.txt; find .; mkdir 4001;"
                        "rmdir 4001; mv 4001 x; mv -T 4001/many/1.txt 4001; chmod 755 4001;"
                        "touch 4001/x; ln -s x 4001; true")
            assert warm() < 200_000, "still"
        out, err = holder.communicate(b"go\n", 20)
        assert out == where + b"same\n" and not err, (out, err)


HELD_BEFORE = """
def become(uid):
    os.seteuid(0)
    os.setegid(uid)
    os.seteuid(uid)
os.setgroups([])
become(4001)
names = ['4001', '4001/of 4001', '4001/of 4001/deep']
members = {n: os.listdir(n)[0] for n in names}
handles = [(os.open(n, how), members[n]) for n in names for how in (os.O_RDONLY, os.O_PATH)]
file = os.open('4001/top 4001.txt', os.O_RDONLY)
def attempts():
    for n in names:
        for e in os.scandir(n):
            e.stat()
    os.chdir('4001/of 4001')
    become(int(sys.argv[1]))
    made = [verdict(lambda: os.stat('in 4001.txt')), verdict(lambda: os.open('in 4001.txt', 0)),
            verdict(lambda: os.open('in 4001.txt', os.O_PATH)), verdict(lambda: os.listdir('.')),
            verdict(lambda: os.stat('deep')), verdict(lambda: os.stat('deep/big 4001.bin')),
            verdict(lambda: os.stat('..')), verdict(lambda: os.stat('../Inbox')),
            verdict(lambda: os.stat('no such')), verdict(lambda: os.mkdir('new'))]
    for fd, name in handles:
        made += [verdict(lambda: os.stat(name, dir_fd=fd)), verdict(lambda: os.statvfs(fd)),
                 verdict(lambda: os.open(name, os.O_RDONLY, dir_fd=fd)),
                 verdict(lambda: os.open(name, os.O_PATH, dir_fd=fd)),
                 verdict(lambda: os.stat(f'/proc/self/fd/{fd}/{name}')),
                 verdict(lambda: os.open('.', os.O_RDONLY, dir_fd=fd)),
                 verdict(lambda: os.rename(name, 'x', src_dir_fd=fd))]
    made.append(verdict(lambda: os.open(f'/proc/self/fd/{file}', os.O_RDONLY)))
    return made
tried = attempts()
handed_on = os.pread(file, 100, 0).decode()
become(4001)
print(json.dumps([sorted(set(tried)), len(tried), handed_on, verdict(lambda: os.stat('deep'))]))
"""


@pytest.mark.parametrize("other", [0, BEN])
def test_a_directory_gained_before_gives_others_nothing(sim, many, other):
    """A working directory or descriptor of the owner's, in hands that are not the owner's any more."""
    fill(sim, ANN)
    fill(sim, BEN)
    with many(sim) as m:
        tree(Person(m, ANN))
        seen = json.loads(Person(m, 0).python(HELD_BEFORE, other).text)
        assert seen[0] == ["EACCES"] and seen[1] > 50, seen
        assert seen[2] == f"top of {ANN}", "a descriptor is good for whoever holds it"
        assert seen[3] == "OK"
        holder = Person(m, ANN).started(f'cd "4001/of {ANN}" && ls -l >/dev/null && echo in && read x')
        assert holder.stdout.readline() == b"in\n"
        for way in (f"/proc/{holder.pid}/cwd/in {ANN}.txt", f"/proc/{holder.pid}/cwd/deep"):
            assert Person(m, 0).errno_of("os.stat(sys.argv[1])", way) == "EACCES"
        holder.communicate(b"\n", 10)


def test_the_root_of_the_mount_is_the_mounts(sim, many):
    with many(sim) as m:
        ann, ben, root = (Person(m, uid) for uid in (ANN, BEN, 0))
        assert ben.names("4002") and ann.names("4001")
        for attempt in ("os.mkdir('x')", "os.open('x', os.O_CREAT | os.O_WRONLY)",
                        "os.rmdir('4001')", "os.rename('4001', 'x')", "os.unlink('4001')",
                        "os.symlink('a', 'x')", "os.mknod('x')", "os.chmod('.', 0o777)"):
            assert root.errno_of(attempt) in ("EPERM", "EISDIR"), attempt
            assert ann.errno_of(attempt) in ("EACCES", "EPERM", "EISDIR"), attempt
        for name in ("x", ".Trash", "4003", "root", "nobody", "0"):
            assert ann.errno_of(f"os.stat({name!r})") == "ENOENT", name
        assert root.names(".") == {"4001", "4002"}
        assert root.sh("stat -c '%u %a %h %i' .").text.split() == ["0", "555", "1", "1"]
        for _ in range(2):  # the kernel keeps no listing that another would be shown
            assert ann.names(".") == {"4001"} and ben.names(".") == {"4002"}
            assert Person(m, CAT).names(".") == {"4003"}
        assert not (m.cache / "4003").exists() and not (m.cache / "0").exists()


def test_nothing_moves_between_users(sim, many):
    for uid in (ANN, BEN):
        fill(sim, uid)
    with many(sim) as m:
        for uid in (ANN, BEN):
            Person(m, uid).names(str(uid))
        moved = """
os.setgroups([])
ends = []
for uid in (4001, 4002):
    os.seteuid(0); os.setegid(uid); os.seteuid(uid)
    ends.append(os.open(str(uid), os.O_RDONLY))
    os.seteuid(0)
made = []
for uid in (4001, 4002, 0):
    os.seteuid(0); os.setegid(uid); os.seteuid(uid)
    made.append(verdict(lambda: os.rename('top 4001.txt', 'x', src_dir_fd=ends[0], dst_dir_fd=ends[1])))
    made.append(verdict(lambda: os.rename('4001/top 4001.txt', '4002/x')))
    made.append(verdict(lambda: os.link('top 4001.txt', 'x', src_dir_fd=ends[0], dst_dir_fd=ends[1])))
print(' '.join(sorted(set(made))))
"""
        assert Person(m, 0).python(moved).text.split() == ["EACCES"]
        assert Person(m, ANN).errno_of("os.rename('4001/top 4001.txt', 'top 4001.txt')") == "EACCES"
        assert mailbox(sim, ANN).exists("top 4001.txt")
        assert not mailbox(sim, BEN).exists("x")


def test_room_is_each_users(start_sim, many):
    users = [word for uid in (ANN, BEN) for word in ("--user", f"{uid}:x")]
    sim = start_sim("generic", *users, "--switch", f"quota={64 << 20}", auth="none")
    with many(sim) as m:
        df = "df -B1 --output=size $1 | tail -1"
        size = Person(m, ANN).sh(f"ls $1 >/dev/null; sleep 0.4; {df}", ANN).text
        assert int(size) == 64 << 20
        assert int(Person(m, BEN).sh(df, ".").text) == 1 << 40, "the root has no room of its own"
        for stranger in (BEN, 0):
            assert Person(m, stranger).errno_of("os.statvfs('4001')") == "EACCES"


@pytest.mark.core
def test_each_writes_to_their_own_mailbox(sim, many):
    with many(sim, attr_ttl=0) as m:
        work = ('cd $1 && mkdir new && for i in $(seq 20); do head -c 20000 /dev/urandom >"new/$i.bin" '
                '|| exit 1; done && cp -r new copy && mv new moved && rm copy/1.bin && diff -r moved copy; '
                'ls moved | wc -l')
        both = [Person(m, uid).started(f"set -- {uid}; {work}") for uid in (ANN, BEN)]
        for child in both:
            out, err = child.communicate(timeout=60 * proc.SLOWNESS)
            assert out.endswith(b"20\n") and b"Only in moved: 1.bin" in out and not err, (out, err)
        for uid in (ANN, BEN):
            mine, theirs = mailbox(sim, uid), Person(m, uid)
            for i in (2, 20):
                kept = theirs.sh(f"cat {uid}/moved/{i}.bin").out
                assert len(kept) == 20000 and mine.get(f"moved/{i}.bin") == kept
        assert mailbox(sim, ANN).get("moved/2.bin") != mailbox(sim, BEN).get("moved/2.bin")


@pytest.mark.core
def test_a_server_that_fails_one_user_holds_up_no_other(sim, many):
    fill(sim, ANN)
    sim.faults("* /exchange/4002* always delay=60000\n")
    with many(sim, timeo_meta=4, timeo=30) as m:
        ben = Person(m, BEN)
        waiting = [ben.started("time -p ls 4002") for _ in range(40)]
        time.sleep(0.3)
        began = time.monotonic()
        assert len(tree(Person(m, ANN))) > 10
        assert Person(m, ANN).names(".") == {"4001"} and ben.names(".") == {"4002"}
        assert time.monotonic() - began < 1.9 * proc.SLOWNESS, "while the other waits"
        for child in waiting:
            out, err = child.communicate(timeout=8 * proc.SLOWNESS)
            assert b"timed out" in err and child.returncode, (out, err)
        asked = [line for line in sim.requests() if "/4002" in line.path]
        assert len(asked) <= 3, "one opening for all who wait"
        assert any("4002 (uid 4002): the mailbox is not open yet" in line for line in m.complaints())


def test_who_waits_to_come_in_can_be_interrupted(sim, many):
    sim.faults("* /exchange/4002* always delay=60000\n")
    with many(sim, timeo_meta=30, timeo=30) as m:
        waiting = Person(m, BEN).started("exec ls 4002")
        time.sleep(0.5)
        assert waiting.poll() is None
        began = time.monotonic()
        interrupt(waiting)
        waiting.communicate(timeout=10 * proc.SLOWNESS)
        assert time.monotonic() - began < 1 * proc.SLOWNESS


def test_a_failure_is_told_and_remembered_for_a_moment(sim, many):
    with many(sim) as m:
        cat = Person(m, CAT)  # has no mailbox
        with sim.counting() as counts:
            for _ in range(5):
                assert cat.errno_of("os.listdir('4003')") not in ("OK", "EIO")
        assert len(counts.lines) <= 3, counts.lines
        said = [line for line in m.complaints() if "4003 (uid 4003): " in line]
        assert len(said) == 1, m.complaints()
        assert Person(m, 0).errno_of("os.stat('4003')") == "ENOENT"
        sim.faults("* /exchange/4001* always status=401\n")
        assert Person(m, ANN).errno_of("os.listdir('4001')") == "EACCES"
        assert any("4001 (uid 4001): " in line for line in m.complaints())
        sim.faults("")
        assert Person(m, ANN).errno_of("os.listdir('4001')") == "EACCES", "not asked again yet"
        proc.wait_until(lambda: Person(m, ANN).errno_of("os.listdir('4001')") == "OK", 8,
                        "asked again, with no remount")


@pytest.mark.core
def test_the_mount_ends_with_users_at_work(sim, many):
    for uid in (ANN, BEN):
        fill(sim, uid)
    sim.faults("GET *big%204002* always delay=60000\n* /exchange/4003* always delay=60000\n")
    with many(sim, timeo=30, timeo_meta=20) as m:
        reading = Person(m, BEN).started(f'cat "4002/of {BEN}/deep/big {BEN}.bin" >/dev/null')
        coming = Person(m, CAT).started("ls 4003")
        holding = Person(m, ANN).started('exec 5>>4001/new.txt && echo kept >&5 && echo in && read x')
        assert holding.stdout.readline() == b"in\n"
        time.sleep(0.5)
        began = time.monotonic()
        m.process.terminate()
        m.process.wait(20 * proc.SLOWNESS)
        assert time.monotonic() - began < 8 * proc.SLOWNESS
        for child in (reading, coming, holding):
            child.stdin.close()
            child.wait(10)
    sim.faults("")
    assert mailbox(sim, ANN).get("new.txt") == b"kept\n"


def test_a_remount_keeps_the_inode_numbers(sim, many):
    for uid in (ANN, BEN):
        fill(sim, uid)
    seen = []
    for order in ((ANN, BEN), (BEN, ANN)):
        with many(sim, cache=sim.directory / "cache") as m:
            here = {}
            for uid in order:
                here[uid] = Person(m, uid).sh(f"find {uid} -printf '%i %p\\n' | sort").text
            seen.append(here)
    assert seen[0] == seen[1] and seen[0][ANN].count("\n") > 10


def test_what_cannot_be_with_many_users(sim, many, work):
    secret = work / "secret"
    secret.write_text("x\n")
    secret.chmod(0o600)
    for options, says in (({"sec": "basic"}, "only Kerberos tickets tell users apart"),
                          ({"sec": "ntlm"}, "only Kerberos tickets tell users apart"),
                          ({"user": "alice"}, "user= is one person's"),
                          ({"passwd_file": secret}, "passwd_file= is one person's")):
        refused = many(sim, **options).start_fails()
        assert refused.rc == 2 and says in refused.err, refused
    refused = run(as_user(ANN, [proc.EXCHANGEFS, "http://127.0.0.1:1/%u/", "/mnt", "-o",
                                "multiuser,sec=none"]), check=False)
    assert refused.rc == 2 and "add allow_other" in refused.err
    with many(sim) as first:  # one cache directory, one mount
        Person(first, ANN).names("4001")
        refused = many(sim, cache=first.cache).start_fails()
        assert refused.rc == 1 and "is in use by process" in refused.err
        line = run(["grep", "-F", first.path, "/proc/self/mounts"]).text
        assert {"allow_other", "default_permissions", "nosuid"} <= set(line.split()[3].split(","))
