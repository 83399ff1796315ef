# SPDX-License-Identifier: Apache-2.0
"""Directories: what they show, what they cost, and that looking at them changes nothing."""
import json
import os
import tarfile

import pytest
from xfse2e import samples
from xfse2e.proc import run

pytestmark = pytest.mark.core
HARMLESS = {"OPTIONS", "PROPFIND", "SEARCH", "GET", "HEAD"}


def populate(client, folder="work"):
    for n in range(6):
        client.put(f"{folder}/Message {n}.eml", samples.message(n, 3000 * n))
    client.put(f"{folder}/plan.txt", b"a plan\n")
    client.mkcol(f"{folder}/sub")
    client.mkcol(f"{folder}/sub/deeper")
    client.put(f"{folder}/sub/deeper/data.bin", samples.noise(70000))


def test_folders_are_directories_and_items_are_files(server, mounted):
    populate(server.client)
    found = mounted.sh("find work -printf '%y %P\\n' | sort").text.splitlines()
    assert found == sorted(["d ", *(f"f Message {n}.eml" for n in range(6)), "f plan.txt", "d sub",
                            "d sub/deeper", "f sub/deeper/data.bin"])
    for name in ("work/Message 3.eml", "work/plan.txt", "work/sub/deeper/data.bin"):
        assert mounted.read(name) == server.client.get(name)


def test_reading_never_changes_the_server(server, mount, work):
    """ls, find, grep, tar, rsync, sha256sum: no change request, no read flag, no new tag."""
    client = server.client
    populate(client)
    folders = ("", "work", "work/sub", "work/sub/deeper")
    before, changes = client.snapshot(*folders), server.mutations()
    with mount(server, attr_ttl=0) as m, server.counting() as count:
        m.sh("ls -lR . >/dev/null; find . >/dev/null")
        m.sh("grep -r fox work >/dev/null")
        m.sh('tar cf "$1" work', work / "t.tar")
        m.sh('rsync -a work "$1"', work / "copy")
        m.sh("find work -type f -exec sha256sum {} + >/dev/null")
        m.sh("cp -a work \"$1\"; cat work/*.eml | wc -c >/dev/null; file -s work/* || true",
             work / "copy2")
    assert set(count.methods) <= HARMLESS, count.methods
    assert server.mutations() == changes
    assert client.snapshot(*folders) == before
    assert (work / "copy/work/plan.txt").read_bytes() == b"a plan\n"
    assert len(tarfile.open(work / "t.tar").getnames()) == 11


def test_read_only_mount_refuses_and_sends_nothing(server, mount):
    populate(server.client)
    before = server.mutations()
    with mount(server, ro=True) as m:
        for code in ("open('work/new.txt', 'w').close()", "open('work/plan.txt', 'r+').close()",
                     "os.unlink('work/plan.txt')", "os.mkdir('work/d')", "os.rmdir('work/sub')",
                     "os.rename('work/plan.txt', 'work/p')", "os.truncate('work/plan.txt', 0)",
                     "os.utime('work/plan.txt', (1, 1))"):
            assert m.errno_of(code) == "EROFS", code
        assert m.read("work/plan.txt") == b"a plan\n"
    assert server.mutations() == before


def test_listing_costs_no_request_per_item(server, mount):
    count = 300
    for n in range(count):
        server.client.put(f"work/d{n:04}.txt", b"x" * (n + 1))
    with mount(server) as m, server.counting() as c:
        assert len(m.sh("ls -l work").text.splitlines()) == count + 1
        m.sh("find work -type f -size +0 >/dev/null")
    assert len(c.lines) <= 12, c.methods


def test_second_ls_within_the_ttl_costs_none(server, mount):
    populate(server.client)
    with mount(server, attr_ttl=60) as m:
        first = m.sh("ls -lR work").text
        with server.counting() as c:
            assert m.sh("ls -lR work").text == first
            m.sh("ls -l work/plan.txt; stat work/sub >/dev/null; ls -l 'work/Message 1.eml'")
        assert c.lines == []


def test_a_fresh_listing_answers_enoent_by_itself(server, mount):
    populate(server.client)
    with mount(server, attr_ttl=60) as m:
        m.sh("ls work >/dev/null")
        with server.counting() as c:
            assert m.errno_of("os.stat('work/not there')") == "ENOENT"
        assert c.lines == []


@pytest.mark.servers("e2003", "e2007", "generic", "mod_dav")
def test_changes_of_others_are_seen_after_the_ttl(server, mount):
    populate(server.client)
    with mount(server, attr_ttl=0.3) as m:
        assert "plan.txt" in m.names("work")
        server.client.delete("work/plan.txt")
        server.client.put("work/fresh.txt", b"new here\n")
        server.client.move("work/Message 1.eml", "work/sub/Message 1.eml")
        m.sh("sleep 0.4")
        names = m.names("work")
        assert "plan.txt" not in names and "fresh.txt" in names and "Message 1.eml" not in names
        assert m.read("work/fresh.txt") == b"new here\n"
        assert m.errno_of("os.stat('work/plan.txt')") == "ENOENT"
        assert "Message 1.eml" in m.names("work/sub")


def test_close_to_open_with_ttl_zero(server, mounted):
    server.client.put("work/f.txt", b"one")
    assert mounted.read("work/f.txt") == b"one"
    for text in (b"two!", b"", b"three three"):
        server.client.put("work/f.txt", text)
        assert mounted.read("work/f.txt") == text
        assert mounted.stat("work/f.txt").st_size == len(text)


def test_attributes(server, mount):
    populate(server.client)
    with mount(server) as m:
        s = m.stat("work/plan.txt")
        assert oct(s.st_mode) == "0o100600" and s.st_nlink == 1
        assert (s.st_uid, s.st_gid) == (os.getuid(), os.getgid())
        assert s.st_atime == s.st_mtime
        d = m.stat("work")
        assert oct(d.st_mode) == "0o40700" and d.st_nlink == 1
        blocks = m.sh("stat -c '%b %s' work/*.eml").text.split("\n")[:-1]
        for line in blocks:
            b, size = map(int, line.split())
            assert b == -(-size // 512) and size > 0
    with mount(server, uid=1234, gid=2345, umask="022", allow_other=True) as m:
        s = m.stat("work/plan.txt")
        assert (oct(s.st_mode), s.st_uid, s.st_gid) == ("0o100644", 1234, 2345)
        assert oct(m.stat("work").st_mode) == "0o40755"


def test_inode_numbers_stay_across_remounts(server, mount, work):
    populate(server.client)
    listing = "find . -printf '%i %p\\n' | sort -k2"
    with mount(server, cache=work / "cache") as m:
        first = m.sh(listing).text
        inodes = [line.split()[0] for line in first.splitlines()]
        assert len(set(inodes)) == len(inodes)
    with mount(server, cache=work / "cache", attr_ttl=0) as m:
        assert m.sh(listing).text == first


@pytest.mark.servers("e2003", "e2007")
def test_mtime_of_mail_is_the_time_received(server, mounted):
    server.client.put("work/m.eml", samples.message(1))
    told = server.client.propfind("work/m.eml", "0", ("urn:schemas:httpmail:datereceived",
                                                      "DAV:getlastmodified"))
    values = next(iter(told.values()))
    want = values.get("{urn:schemas:httpmail:}datereceived") or values["{DAV:}getlastmodified"]
    shown = mounted.sh("date -u -d @$(stat -c %Y work/m.eml) +%Y-%m-%dT%H:%M:%S").text.strip()
    assert want.startswith(shown), (want, shown)


@pytest.mark.parametrize("switch", ["", "no-total", "row-limit=100", "creation-ties"])
@pytest.mark.parametrize("profile", ["e2003", "e2007"])
def test_many_pages_are_one_complete_listing(start_sim, mount, profile, switch):
    count = 2500
    sim = start_sim(profile, "--synthetic", f"Inbox={count}", *(["--switch", switch] if switch else []))
    with mount(sim) as m, sim.counting() as c:
        names = m.sh("ls -U Inbox").text.splitlines()
        assert len(names) == count and len(set(names)) == count
    assert len(c.lines) < 45, c.methods


@pytest.mark.parametrize("profile", ["e2003"])
def test_items_that_arrive_between_pages_lose_none(start_sim, mount, profile):
    count = 2500
    sim = start_sim(profile, "--synthetic", f"Inbox={count}", "--switch", "shift-rows=3")
    with mount(sim, attr_ttl=0) as m:
        names = m.sh("ls -U Inbox").text.splitlines()
        assert len(set(names)) == len(names) >= count


def test_readdir_from_an_offset_while_others_change(server, mounted):
    """Offsets are persistent: deleting what was read does not make others be skipped."""
    for n in range(400):
        server.client.put(f"work/f{n:03}", b".")
    gone = mounted.python("""
n = 0
with os.scandir('work') as entries:
    for e in entries:
        os.unlink(e.path); n += 1
print(json.dumps([n, os.listdir('work')]))""", timeout=60).text
    assert json.loads(gone) == [400, []]


def test_statfs_answers_at_once(server, mounted):
    assert mounted.sh("stat -f -c '%T %b' . && df . >/dev/null", timeout=2).rc == 0


def test_statfs_tells_the_quota(start_sim, mount):
    sim = start_sim("generic", "--switch", f"quota={64 << 20}")
    sim.client.put("a.bin", samples.noise(1 << 20))
    with mount(sim) as m:
        m.sh("ls >/dev/null; sleep 0.3")
        total, free = map(int, m.sh("df -B1 --output=size,avail . | tail -1").text.split())
        assert total == 64 << 20 and 60 << 20 <= free < 64 << 20


def test_mount_type_and_flags(server, mount):
    with mount(server) as m:
        line = run(["grep", "-F", m.path, "/proc/self/mounts"]).text
        fields = line.split()
        assert fields[0] == m.url and fields[2] == "fuse.exchangefs"
        assert {"nosuid", "nodev", "noexec", "default_permissions"} <= set(fields[3].split(","))
