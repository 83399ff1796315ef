# SPDX-License-Identifier: Apache-2.0
"""Real input: messages nobody here wrote go in by cp -r and come out by every road."""
import pytest
from xfse2e import samples



def tree_of(directory):
    files = samples.foreign_messages()
    for picture in samples.EMAIL_DATA.glob("[ps][yn][td]h*.*"):
        files[picture.name] = picture.read_bytes()
    for name, body in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(body)
    return files


def expected(server, files):
    """Byte for byte what went in; on Exchange what the server itself gives with Translate: f."""
    there = {name: server.client.get("work/in/" + name) for name in files}
    if server.keeps_bytes:
        assert there == files
    return there


OUT = {
    "cp -r": 'cp -r work/in "$1"',
    "tar": 'mkdir "$1" && tar cf - -C work/in . | tar xf - -C "$1"',
    "rsync": 'rsync -a work/in/ "$1"',
    "cat": 'mkdir "$1" && for f in work/in/*; do cat "$f" > "$1/${f##*/}"; done',
    "dd": 'mkdir "$1" && for f in work/in/*; do dd if="$f" bs=313 status=none of="$1/${f##*/}"; done',
    "parallel": 'mkdir "$1" && ls work/in | xargs -P 12 -I{} cp work/in/{} "$1/{}"',
}


@pytest.fixture
def filled(server, mount, work):
    files = tree_of(work / "in")
    with mount(server) as m:
        m.sh('cp -r "$1" work/', work / "in", timeout=60)
        assert sorted(m.names("work/in")) == sorted(files)
    return expected(server, files)


def test_in_by_cp_out_by_every_road(server, mount, work, filled):
    for number, (way, script) in enumerate(OUT.items()):
        target = work / f"out{number}"
        with mount(server) as m:  # each with a cache of its own, so that each reads the server
            m.sh(script, target, timeout=60)
        got = {p.name: p.read_bytes() for p in target.iterdir()}
        assert sorted(got) == sorted(filled), way
        assert [n for n in got if got[n] != filled[n]] == [], way


def test_dd_at_odd_offsets(server, mount, work, filled):
    names = sorted(filled)[::7]
    with mount(server) as m:
        for n, name in enumerate(names):
            for skip, count in ((1, 17), (97, 301), (1009, 4099), (len(filled[name]) - 3, 100)):
                if skip < 0:
                    continue
                got = m.sh('dd if="work/in/$1" bs=1 skip="$2" count="$3" status=none', name, str(skip),
                           str(count)).out
                assert got == filled[name][skip:skip + count], (n, name, skip)


def test_what_is_copied_out_can_be_copied_back(server, mount, work, filled):
    """Out, deleted, and in again: nothing is lost (on Exchange: the same bytes as before)."""
    with mount(server, attr_ttl=0) as m:
        m.sh('cp -r work/in "$1" && rm -r work/in && cp -r "$1" work/in', work / "saved", timeout=90)
    again = {name: server.client.get("work/in/" + name) for name in filled}
    changed = [n for n in filled if again[n] != filled[n]]
    assert changed == [] or server.exchange and all(
        again[n].split(b"\r\n\r\n", 1)[-1].strip() == filled[n].split(b"\r\n\r\n", 1)[-1].strip()
        or b"boundary" in again[n] for n in changed), changed
