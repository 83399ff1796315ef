# SPDX-License-Identifier: Apache-2.0
"""Names: the server's own are shown, ours arrive as meant, what cannot be is refused unsent."""
import json
import urllib.parse

import pytest
from xfse2e import samples

SIMS = ("e2003", "e2007", "generic")

# What a user may call a file on any server.
PLAIN = ["50%.txt", "100% sure.eml", "é.txt", "Grüße aus Köln.eml", "日本語.txt", "😀 party.eml", "a&b.txt",
         "a#b.txt", "C:.txt", "a+b.txt", "semi;colon.txt", "<angle>.txt", "\"quoted\".txt", "it's.txt",
         "star*.txt", "pipe|.txt", "q?.txt", "x~y.txt", "back\\slash.txt", " leading.txt",
         "trailing .txt", "two  spaces.eml", "[br]{ac}.txt", "a=b@c,d!$(e).txt", "%41.txt", "%2f.txt",
         "e\u0301 decomposed.txt", "^caret`tick.txt", "no extension", ".hidden", "a.b.c.eml",
         "-dash.txt", "Re: Lunch?.eml"]


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.servers(*SIMS, "mod_dav")
def test_name_made_here_is_what_everybody_sees(server, mount, name):
    """Created, listed, read, renamed and deleted; a second mount sees the same name."""
    body = samples.message(3) if name.endswith(".eml") else b"text of it\n"
    with mount(server, attr_ttl=0) as m:
        m.write("work/" + name, body)
        assert m.names("work") == [name]
        kept = m.read("work/" + name)
        assert server.exchange or kept == body
    with mount(server, attr_ttl=0) as m:
        assert m.names("work") == [name]
        assert m.read("work/" + name) == kept
        m.sh('mv -- "work/$1" work/other.txt && mv work/other.txt "work/$1"', name)
        assert m.names("work") == [name]
        m.sh('mkdir "work/d" && mv -- "work/$1" work/d/', name)
        assert m.read("work/d/" + name) == kept
        m.sh('rm -- "work/d/$1"; rmdir work/d', name)
        assert m.names("work") == []


@pytest.mark.parametrize("name", ["Folder & Co", "50%", "a+b", "Ordner ä", "x~y", "q?", "#1", "C:"])
def test_folder_names(server, mounted, name):
    mounted.sh('mkdir "work/$1"; echo x > "work/$1/f.txt"; mkdir "work/$1/sub"', name)
    assert mounted.names("work") == [name]
    assert mounted.read(f"work/{name}/f.txt") == b"x\n"
    assert sorted(mounted.names(f"work/{name}")) == ["f.txt", "sub"]
    mounted.sh('rm -r "work/$1"', name)


@pytest.mark.parametrize("segment, shown", [
    ("a_xF8FF_b.txt", "a_xF8FF_b.txt"),      # a slash: cannot be shown
    ("q_x003F_.txt", "q?.txt"), ("x_x007E_y.txt", "x~y.txt"), ("C:_xF8FE_.txt", "C:\\.txt"),
    ("50%25.txt", "50%.txt"), ("%C3%A9.txt", "é.txt"), ("%F0%9F%98%80.txt", "😀.txt"),
    ("a%26b.txt", "a&b.txt"), ("a%23b.txt", "a#b.txt"), ("%41%42.txt", "AB.txt"),
    ("line_x000D__x000A_feed.txt", "line_x000D__x000A_feed.txt")])
@pytest.mark.servers("e2003", "e2007")
def test_exchange_spellings(server, mounted, segment, shown):
    """Another client uses the server's own encoding; ls shows the server's name, decoded."""
    server.client.expect((200, 201), "PUT", server.client.root + "work/" + segment, b"content")
    names = mounted.names("work")
    assert len(names) == 1
    assert names == [shown] or "x000D" in segment and "feed" in names[0]
    assert mounted.read("work/" + names[0]) == b"content"
    mounted.sh('echo more >> "work/$1"; rm "work/$1"', names[0])


@pytest.mark.parametrize("switch", ["href-case", "random-chunks", "prop-first", "creation-ties"])
@pytest.mark.parametrize("profile", ["e2003", "e2007"])
def test_other_habits_of_spelling(start_sim, mount, profile, switch):
    sim = start_sim(profile, "--switch", switch)
    sim.client.mkcol("work")
    names = [n for n in PLAIN if not n.endswith("\\slash.txt")]
    for name in names:
        path = urllib.parse.quote(name.replace("?", "_x003F_").replace("~", "_x007E_"), safe="")
        sim.client.expect((200, 201), "PUT", sim.client.root + "work/" + path, samples.message(1))
    with mount(sim, attr_ttl=0) as m:
        assert sorted(m.names("work")) == sorted(names)
        for name in names[::4]:
            assert b"This is message 1" in m.read("work/" + name)


@pytest.mark.parametrize("name", ["x" * 251 + ".txt", "ä" * 125 + ".txt", "😀" * 62 + ".eml",
                                  "é" * 127 + "x"])
def test_names_of_255_bytes(server, mounted, name):
    if server.kind == "mod_dav":
        assert len(name.encode()) <= 255
    mounted.write("work/" + name, samples.message(1))
    assert mounted.names("work") == [name]
    assert mounted.read("work/" + name)
    mounted.sh('rm -- "work/$1"', name)


@pytest.mark.parametrize("code, want", [
    ("open('work/' + 'x' * 256, 'w').close()", "ENAMETOOLONG"),
    ("open('work/' + 'ä' * 128, 'w').close()", "ENAMETOOLONG"),
    ("os.mkdir('work/' + 'x' * 256)", "ENAMETOOLONG"),
    ("open(b'work/bad\\xff\\xfe.txt', 'w').close()", "EILSEQ"),
    ("os.mkdir(b'work/bad\\xc3')", "EILSEQ"),
    ("open('work/a\\x01b', 'w').close()", "EINVAL"),
    ("open('work/a\\nb', 'w').close()", "EINVAL"),
    ("os.rename('work/f.txt', 'work/a\\tb')", "EINVAL"),
    ("os.rename('work/f.txt', b'work/a\\xff')", "EILSEQ")])
@pytest.mark.servers("e2003", "generic")
def test_impossible_names_are_refused_unsent(server, mounted, code, want):
    server.client.put("work/f.txt", b"f")
    with server.counting() as c:
        assert mounted.errno_of(code) == want
    assert not c.changing
    assert mounted.names("work") == ["f.txt"]


@pytest.mark.servers("e2003", "e2007")
def test_a_token_cannot_be_smuggled_in(server, mounted):
    """_x003F_ in a name would come back as '?': refused, so that no name changes on the way."""
    assert mounted.errno_of("open('work/a_x003F_b', 'w').close()") == "EINVAL"


@pytest.mark.servers("generic", "mod_dav")
def test_case_twins_are_two_files_where_the_server_tells_them_apart(server, mounted):
    mounted.sh("echo lower > work/readme.txt; echo UPPER > work/README.txt")
    assert sorted(mounted.names("work")) == ["README.txt", "readme.txt"]
    assert mounted.read("work/readme.txt") == b"lower\n"
    assert mounted.read("work/README.txt") == b"UPPER\n"


@pytest.mark.servers("e2003", "e2007")
def test_case_twins_are_eexist_where_the_server_folds_case(server, mounted):
    server.client.put("work/readme.txt", b"lower")
    assert mounted.errno_of("with open('work/README.txt', 'w') as f: f.write('x')") == "EEXIST"
    assert mounted.errno_of("os.mkdir('work/ReadMe.txt')") == "EEXIST"
    assert server.client.get("work/readme.txt") == b"lower"
    mounted.sh("mv work/readme.txt work/README.txt")
    assert mounted.names("work") == ["README.txt"]
    assert mounted.read("work/README.txt") == b"lower"


@pytest.mark.servers("generic")
def test_twins_get_a_number_that_stays(server, mount, work):
    """Two names that can only be shown alike: the second gets ' (2)', and keeps it."""
    root = server.client.root
    for n, text in ((1, b"one"), (2, b"two"), (3, b"three")):
        server.client.expect((201,), "PUT", root + f"work/x%0{n}y.txt", text)
    want = ["x\ufffdy (2).txt", "x\ufffdy (3).txt", "x\ufffdy.txt"]
    code = "print(json.dumps({n: open('work/' + n).read() for n in os.listdir('work')}))"
    with mount(server, attr_ttl=0, cache=work / "c") as m:
        first = json.loads(m.python(code).text)
        assert sorted(first) == want and sorted(first.values()) == ["one", "three", "two"]
        gone = next(n for n, text in first.items() if n == "x\ufffdy.txt")
        number = {"one": 1, "two": 2, "three": 3}[first[gone]]
        server.client.expect((204,), "DELETE", root + f"work/x%0{number}y.txt")
        server.client.put("work/other.txt", b"o")
        del first[gone]
        assert json.loads(m.python(code).text) == {**first, "other.txt": "o"}
    with mount(server, attr_ttl=0, cache=work / "c") as m:
        assert json.loads(m.python(code).text) == {**first, "other.txt": "o"}


@pytest.mark.parametrize("locale, inbox", [("de", "Posteingang"), ("no", "Innboks"), (None, "Inbox")])
def test_localised_folders(start_sim, mount, locale, inbox):
    sim = start_sim("e2003", *(["--locale", locale] if locale else []))
    with mount(sim) as m:
        assert inbox in m.names()
        m.sh(f'echo x > "{inbox}/f.txt"; mkdir "{inbox}/sub"')
        assert sorted(m.names(inbox)) == ["f.txt", "sub"]
