# SPDX-License-Identifier: Apache-2.0
"""Exchange tells only estimates of sizes: every program must still see every byte and no other."""
import json
import tarfile

import pytest
from xfse2e import samples

MAIL = ("e2003", "e2007")
NAMES = [f"m{n}.eml" for n in range(5)]

# Each prints or writes the file $1 to standard output.
READERS = {
    "cat": 'cat "$1"',
    "cp": 'cp "$1" "$2" && cat "$2"',
    "dd": 'dd if="$1" bs=777 status=none',
    "tail": 'tail -c +1 "$1"',
    "grep": 'grep -a "" "$1"',
    "tar": 'tar cf "$2" "$1" && tar xOf "$2"',
    "rsync": 'rsync "$1" "$2" && cat "$2"',
    "cmp": 'cp "$1" "$2" && cmp "$1" "$2" && cat "$2"',
    "busybox cat": 'busybox cat "$1"',
    "busybox cp": 'busybox cp "$1" "$2" && cat "$2"',
    "zip by python": '/usr/bin/python3 -m zipfile -c "$2" "$1" && unzip_() { /usr/bin/python3 -c '
                     '"import sys,zipfile;sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1])'
                     '.read(zipfile.ZipFile(sys.argv[1]).namelist()[0]))" "$2"; }; unzip_ "$@"',
    "sendfile": '/usr/bin/python3 -c "import os,sys;f=os.open(sys.argv[1],0)\nwhile os.sendfile(1,f,'
                'None,65536): pass" "$1" | cat',
    "mmap": '/usr/bin/python3 -c "import mmap,sys;f=open(sys.argv[1],\'rb\');'
            'sys.stdout.buffer.write(mmap.mmap(f.fileno(),0,prot=1)[:])" "$1"',
    "seek to the end": '/usr/bin/python3 -c "import os,sys;f=os.open(sys.argv[1],0);'
                       'n=os.lseek(f,0,2);os.lseek(f,0,0);sys.stdout.buffer.write(os.read(f,n))" "$1"',
    "ls then cat": 'ls -l "$1" >/dev/null; cat "$1"',
    "stdin": 'cat < "$1"',
    "proc fd": 'exec 7< "$1"; cat /proc/self/fd/7',
}
# These believe lstat before they open.
TRUSTING = {
    "bsdtar": 'bsdtar cf "$2" "$1" && bsdtar xOf "$2"',
    "cpio": 'echo "$1" | cpio -o -H newc --quiet > "$2" && cpio -i --quiet --to-stdout < "$2"',
    "tarfile": '/usr/bin/python3 -c "import sys,tarfile;t=tarfile.open(sys.argv[2],\'w\');'
               't.add(sys.argv[1]);t.close()" "$1" "$2" && tar xOf "$2"',
    "busybox tar": 'busybox tar cf "$2" "$1" && busybox tar xOf "$2"',
    "git": 'git init -q "$2" && git -C "$2" --work-tree="$PWD" add -f "$1" && '
           'git -C "$2" cat-file blob :"$1"',
}


def fill(client):
    for n, name in enumerate(NAMES):
        client.put("work/" + name, samples.message(n, 5000 * n))


def whole(m, script, name, target):
    target.parent.mkdir(exist_ok=True)
    return m.sh("cd work\n" + script, name, target).out


@pytest.mark.core
@pytest.mark.servers(*MAIL)
@pytest.mark.parametrize("reader", READERS)
def test_reader_sees_every_byte(server, mount, work, reader):
    fill(server.client)
    with mount(server) as m:
        m.sh("ls -l work >/dev/null")
        for n, name in enumerate(NAMES):
            got = whole(m, READERS[reader], name, work / "out" / f"{n}.tmp")
            assert got == server.client.get("work/" + name), (name, len(got))


@pytest.mark.parametrize("reader", TRUSTING)
@pytest.mark.parametrize("profile", ["e2003", "generic"])
def test_programs_that_believe_lstat_with_exact_sizes(start_sim, mount, work, reader, profile):
    sim = start_sim(profile)
    sim.client.mkcol("work")
    fill(sim.client)
    with mount(sim, sizes="exact") as m:
        for n, name in enumerate(NAMES):
            got = whole(m, TRUSTING[reader], name, work / "out" / f"{n}.tmp")
            assert got == sim.client.get("work/" + name), (name, len(got))


@pytest.mark.parametrize("reader", ["cat", "cp", "busybox cat", "sendfile", "tar"])
@pytest.mark.parametrize("switch", ["size=1", "size=0", "size=2"])
def test_estimates_wrong_in_either_direction(start_sim, mount, work, reader, switch):
    sim = start_sim("e2003", "--switch", switch)
    sim.client.mkcol("work")
    fill(sim.client)
    with mount(sim) as m:
        m.sh("ls -l work >/dev/null")
        for n, name in enumerate(NAMES):
            got = whole(m, READERS[reader], name, work / "out" / f"{n}.tmp")
            assert got == sim.client.get("work/" + name), (name, len(got))


@pytest.mark.servers(*MAIL)
def test_estimates_are_upper_bounds_never_zero_and_the_truth_stays(server, mount, work):
    fill(server.client)
    true = {n: len(server.client.get("work/" + n)) for n in NAMES}
    sizes = "print(json.dumps({n: os.stat('work/' + n).st_size for n in os.listdir('work')}))"
    with mount(server, cache=work / "c") as m:
        told = json.loads(m.python(sizes).text)
        assert all(told[n] >= true[n] > 0 for n in NAMES), (told, true)
        m.sh("cat work/* >/dev/null")
        assert json.loads(m.python(sizes).text) == true
    with mount(server, cache=work / "c") as m:
        assert json.loads(m.python(sizes).text) == true


def test_sizes_of_plain_servers_are_exact_without_reading(start_sim, mount):
    sim = start_sim("generic")
    for n in (0, 1, 511, 70000):
        sim.client.put(f"f{n}", b"x" * n)
    with mount(sim) as m, sim.counting() as c:
        assert sorted(m.stat(f"f{n}").st_size for n in (0, 1, 511, 70000)) == [0, 1, 511, 70000]
    assert not c.methods["GET"]


@pytest.mark.servers(*MAIL)
def test_an_opened_file_tells_its_true_size(server, mount):
    fill(server.client)
    with mount(server) as m:
        got = json.loads(m.python("""
print(json.dumps({n: os.fstat(os.open('work/' + n, os.O_RDONLY)).st_size
                  for n in os.listdir('work')}))""").text)
        assert got == {n: len(server.client.get("work/" + n)) for n in NAMES}


@pytest.mark.servers(*MAIL)
def test_grep_and_tar_over_a_folder(server, mount, work):
    fill(server.client)
    with mount(server) as m:
        hits = m.sh("grep -rc 'quick brown fox' work | sort").text.splitlines()
        assert [h.split(":")[1] for h in hits] == [
            str(server.client.get("work/" + n).count(b"quick brown fox")) for n in NAMES]
        m.sh('tar cf "$1" work', work / "a.tar")
    with tarfile.open(work / "a.tar") as archive:
        for n in NAMES:
            assert archive.extractfile("work/" + n).read() == server.client.get("work/" + n)
