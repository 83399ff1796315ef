# SPDX-License-Identifier: Apache-2.0
"""A server that answers badly: the right errno, one sentence, no hang, and life goes on after it."""
import time

import pytest
from xfse2e import samples
from xfse2e.proc import SLOWNESS

BODY = samples.noise(300_000)
READ = "open('work/f.txt', 'rb').read()"
LIST = "os.listdir('work')"
WRITE = "f = open('work/f.txt', 'wb')\nf.write(b'new')\nf.close()"
CREATE = "f = open('work/new.txt', 'wb')\nf.write(b'new')\nf.close()"
LISTING = {"e2003": "SEARCH", "generic": "PROPFIND"}
PROFILES = ("e2003", "generic")
TIMEO = 3

HEAD = '<?xml version="1.0"?><a:multistatus xmlns:a="DAV:" xmlns:d="http://schemas.microsoft.com/mapi/id/">'


def response(href, extra="", folder="0"):
    return (f"<a:response><a:href>{href}</a:href><a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop>"
            f"<a:isfolder>{folder}</a:isfolder><a:getcontentlength>3</a:getcontentlength>"
            f'<a:getetag>"x1"</a:getetag><a:resourcetype/>{extra}</a:prop></a:propstat></a:response>')


@pytest.fixture(params=PROFILES)
def sim(request, start_sim):
    made = start_sim(request.param)
    made.client.mkcol("work")
    made.client.put("work/f.txt", BODY)
    return made


def change(sim):
    """Something new in the folder: a listing of it is asked for again."""
    sim.client.put(f"work/change{time.monotonic_ns()}.txt", b"c")


def fails_then_works(m, sim, fault, code, wanted, within=TIMEO + 12):
    """Under FAULT the CODE fails with one of WANTED and a sentence; without it, it works."""
    m.sh("ls work >/dev/null")
    change(sim)
    sim.faults(fault)
    began = time.monotonic()
    got = m.errno_of(code, timeout=within + 10)
    assert time.monotonic() - began < within * SLOWNESS, "longer than it may take"
    assert got in wanted, f"{got}, wanted {wanted}\n" + "\n".join(m.complaints()[-5:])
    if wanted != GONE:
        assert m.complaints(), "nothing was said"
        assert all(len(line) < 600 for line in m.complaints())
    sim.faults("")
    assert m.read("work/f.txt") in (BODY, b"new")
    m.sh("ls -l work >/dev/null; echo works > work/after.txt; cat work/after.txt")
    assert sim.client.get("work/after.txt") == b"works\n"


GONE = {"ENOENT", "ESTALE"}
BAD_BODIES = {
    "HTML with status 200": ('GET *f.txt always body-file={page} type=text/html status=200', {"EIO", "EPROTO"}),
    "empty 500": ("GET *f.txt always status=500", {"EIO"}),
    "403": ("GET *f.txt always status=403", {"EACCES"}),
    "401 although signed in": ("GET *f.txt always status=401", {"EACCES"}),
    "440": ("GET *f.txt always status=440", {"EACCES"}),
    "404": ("GET * always status=404", GONE),
    "423": ("GET *f.txt always status=423", {"EBUSY"}),
    "a shorter body than promised": ("GET *f.txt always length=1000", {"EIO", "ETIMEDOUT"}),
    "a connection that always drops": ("GET *f.txt always drop", {"EIO", "EHOSTUNREACH", "ECONNRESET"}),
    "a body that always breaks": ("GET *f.txt always cut=70000", {"EIO"}),
    "a redirect to elsewhere": ("GET *f.txt always status=302", {"EIO", "EPROTO", "EACCES"}),
    "204": ("GET *f.txt always status=204", {"EIO", "EPROTO"}),
    "a stall before the head": ("GET *f.txt always delay=60000", {"ETIMEDOUT"}),
    "a stall in the middle": ("GET *f.txt always stall=100000", {"ETIMEDOUT"}),
    "503": ("GET *f.txt always status=503", {"EIO", "ETIMEDOUT", "EAGAIN"}),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_bad_answer_to_a_read(sim, mount, work, case):
    page = work / "page.html"
    page.write_text("<html><head><title>Outlook Web Access</title></head><body>Log on</body></html>")
    fault, wanted = BAD_BODIES[case]
    with mount(sim, timeo=TIMEO, timeo_meta=TIMEO, attr_ttl=0) as m:
        fails_then_works(m, sim, fault.format(page=page), READ, wanted)


@pytest.mark.parametrize("cut", [1, 4096, 65535, 65536, 299_999])
def test_a_broken_body_is_never_shown_short(sim, mount, cut):
    """However the line breaks, a reader gets all bytes or an error."""
    with mount(sim, timeo=TIMEO, attr_ttl=0) as m:
        m.sh("ls work >/dev/null")
        sim.faults(f"GET *f.txt always cut={cut}")
        result = m.sh("cat work/f.txt", check=False)
        assert result.rc != 0 and BODY.startswith(result.out) or result.out == BODY
        sim.faults("")
        assert m.read("work/f.txt") == BODY


@pytest.mark.parametrize("delta", [-1, -1000, 1, 1000])
def test_a_wrong_content_length(sim, mount, delta):
    with mount(sim, timeo=TIMEO, attr_ttl=0) as m:
        m.sh("ls work >/dev/null")
        sim.faults(f"GET *f.txt always length={delta}")
        result = m.sh("cat work/f.txt", check=False)
        assert result.rc != 0 or result.out == BODY or sim.exchange and len(result.out) == len(BODY) + delta
        sim.faults("")
        assert m.read("work/f.txt") == BODY or sim.exchange


def canned(sim, work, xml, status=207):
    path = work / "canned.xml"
    path.write_bytes(xml if isinstance(xml, bytes) else xml.encode())
    return f"{LISTING[sim.kind]} */work/ always body-file={path} type=text/xml status={status}"


BOMB = ('<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaaaaaaaaaaaa">'
        + "".join(f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 20}">' for n in range(8))
        + ']><a:multistatus xmlns:a="DAV:"><a:response><a:href>&i;</a:href></a:response></a:multistatus>')

BAD_LISTINGS = {
    "cut in the middle": HEAD + response("/exchange/alice/work/f.txt")[:200],
    "cut after a response": HEAD + response("/exchange/alice/work/f.txt"),
    "HTML": "<html><body>Outlook Web Access</body></html>",
    "empty": "",
    "no XML": "\x00\x01\x02 nothing of the kind",
    "an entity bomb": BOMB,
    "an outside entity": '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
                         '<a:multistatus xmlns:a="DAV:"><a:response><a:href>&e;</a:href></a:response>'
                         '</a:multistatus>',
    "a thousand levels deep": HEAD + "<a:x>" * 1000 + "</a:x>" * 1000 + "</a:multistatus>",
    "a value without end": HEAD + "<a:response><a:href>" + "x" * 3_000_000 + "</a:href></a:response></a:multistatus>",
}


@pytest.mark.parametrize("case", BAD_LISTINGS)
def test_a_bad_listing_is_an_error_and_forgets_nothing(sim, mount, work, case):
    """EIO, never an empty directory: rsync --delete must not empty a backup."""
    with mount(sim, timeo=TIMEO, timeo_meta=TIMEO, attr_ttl=0, offline="no") as m:
        fails_then_works(m, sim, canned(sim, work, BAD_LISTINGS[case]), LIST,
                         {"EIO", "EPROTO", "ENAMETOOLONG"})
        assert "f.txt" in m.names("work")


@pytest.mark.parametrize("case", BAD_LISTINGS)
def test_a_bad_listing_with_offline_auto_shows_the_last_good_one(sim, mount, work, case):
    with mount(sim, timeo=TIMEO, timeo_meta=TIMEO, attr_ttl=0) as m:
        before = sorted(m.names("work"))
        change(sim)
        sim.faults(canned(sim, work, BAD_LISTINGS[case]))
        result = m.sh("ls work", check=False, timeout=30)
        assert result.rc != 0 or sorted(result.text.splitlines()) == before


@pytest.mark.parametrize("status", [403, 401, 500, 503, 404])
def test_a_refused_listing_is_an_error(sim, mount, status):
    with mount(sim, timeo=TIMEO, timeo_meta=TIMEO, attr_ttl=0) as m:
        m.sh("ls work >/dev/null")
        change(sim)
        sim.faults(f"SEARCH */work/ always status={status}\nPROPFIND */work/ always status={status}")
        got = m.errno_of(LIST, timeout=30)
        assert got in {403: ("EACCES",), 401: ("EACCES",), 500: ("EIO",), 503: ("EIO", "ETIMEDOUT"),
                       404: ("ENOENT", "EIO", "ESTALE")}[status]
        sim.faults("")
        assert "f.txt" in m.names("work")


def test_a_listing_cut_between_items_is_an_error(sim, mount):
    for n in range(4):
        sim.client.put(f"work/more{n}.txt", b"m")
    with mount(sim, timeo=TIMEO, timeo_meta=TIMEO, attr_ttl=0, offline="no") as m:
        before = sorted(m.names("work"))
        change(sim)
        rule = f"{LISTING[sim.kind]} */work/ always cut=%d"
        for cut in (700, 900, 1400, 2100):
            sim.faults(rule % cut)
            assert m.errno_of(LIST) == "EIO"
        sim.faults("")
        assert len(m.names("work")) == len(before) + 1


def test_rsync_delete_does_not_empty_a_backup(sim, mount, work):
    with mount(sim, timeo=2, timeo_meta=2, attr_ttl=0, offline="no") as m:
        m.sh('rsync -a work/ "$1/"', work / "backup")
        change(sim)
        sim.faults("SEARCH */work/ always cut=300\nPROPFIND */work/ always cut=300")
        result = m.sh('rsync -a --delete work/ "$1/"', work / "backup", check=False, timeout=40)
        assert result.rc != 0
        assert (work / "backup/f.txt").read_bytes() == BODY
        sim.faults("")


EVIL = {
    "another host's path": "http://evil.example.com/etc/passwd",
    "outside the root": "/etc/passwd",
    "another mailbox": "/exchange/bob/work/f.txt",
    "two dots": "/exchange/alice/work/../secret.txt",
    "escaped dots": "/exchange/alice/work/%2e%2e/secret.txt",
    "dot": "/exchange/alice/work/%2e",
    "NUL": "/exchange/alice/work/a%00b.txt",
    "a slash": "/exchange/alice/work/a%2Fb.txt",
    "deeper": "/exchange/alice/work/sub/deep.txt",
    "empty segment": "/exchange/alice/work//x.txt",
    "nothing": "",
    "bad escape": "/exchange/alice/work/%zz%.txt",
    "not UTF-8": "/exchange/alice/work/a%ff%feb.txt",
    "a control character": "/exchange/alice/work/a%01b.txt",
    "300 bytes long": "/exchange/alice/work/" + "x" * 300,
}


@pytest.mark.parametrize("case", EVIL)
def test_hrefs_that_lead_outside_are_ignored_or_refused(sim, mount, work, case):
    """No name with a slash or dots, nothing outside the folder, and the good neighbour still shown."""
    xml = HEAD + response(EVIL[case]) + response("/exchange/alice/work/good.txt") + "</a:multistatus>"
    with mount(sim, timeo=TIMEO, attr_ttl=0) as m:
        sim.faults(canned(sim, work, xml))
        result = m.sh("ls -U work", check=False)
        names = result.text.splitlines()
        assert not {"passwd", "secret.txt", "..", ".", "deep.txt", ""} & set(names), names
        assert result.rc != 0 or "good.txt" in names
        assert m.errno_of("os.stat('work/passwd')") in ("ENOENT", "EIO")
        sim.faults("")
        change(sim)
        assert "f.txt" in m.names("work")


def test_a_listing_that_repeats_or_loops_ends(start_sim, mount, work):
    """Every page is the first page again: EIO within the time, not a loop for ever."""
    sim = start_sim("e2003", "--synthetic", "Inbox=10")
    xml = HEAD + "".join(response(f"/exchange/alice/Inbox/m{n}.eml") for n in range(200)) + "</a:multistatus>"
    page = work / "page.xml"
    page.write_text(xml)
    with mount(sim, timeo=TIMEO, timeo_meta=TIMEO, attr_ttl=0) as m:
        sim.faults(f"SEARCH */Inbox/ always body-file={page} type=text/xml status=207")
        got = m.errno_of("print(len(os.listdir('Inbox')), flush=True)", timeout=40)
        assert got in ("EIO", "OK", "EPROTO", "ETIMEDOUT"), got
        sim.faults("")
        sim.client.delete("Inbox/" + sorted(sim.client.propfind("Inbox/"))[1].split("/")[-1])
        assert len(m.names("Inbox")) == 9


@pytest.mark.parametrize("profile", ["e2003", "e2007"])
@pytest.mark.parametrize("switch", ["ctrl-chars", "digit-names", "random-chunks", "prop-first"])
def test_ill_formed_but_usual_answers_are_read(start_sim, mount, profile, switch):
    sim = start_sim(profile, "--switch", switch, "--synthetic", "Inbox=50")
    with mount(sim) as m:
        names = m.sh("ls -l Inbox | tail -n +2; ls Inbox").text.splitlines()
        assert len(names) == 100
        assert b"Subject" in m.sh("head -c 2000 Inbox/*1.*").out


WRITE_ERRORS = [(413, {"EFBIG", "ENOSPC"}), (507, {"ENOSPC", "EDQUOT"}), (423, {"EBUSY"}), (403, {"EACCES", "EPERM"}),
                (500, {"EIO"}), (409, {"ENOENT", "EIO", "ESTALE"}), (415, {"EOPNOTSUPP", "ENOTSUP"}),
                (401, {"EACCES"})]


@pytest.mark.parametrize("status, wanted", WRITE_ERRORS, ids=lambda v: str(v) if isinstance(v, int) else "")
@pytest.mark.parametrize("code", [WRITE, CREATE], ids=["overwrite", "new"])
def test_a_refused_write_is_told_at_close(sim, mount, status, wanted, code):
    """The writer is told, the old content stays, a refused new file is not there."""
    with mount(sim, timeo=TIMEO, attr_ttl=0) as m:
        m.sh("ls work >/dev/null")
        sim.faults(f"PUT * always status={status}")
        assert m.errno_of(code) in wanted
        assert sim.client.get("work/f.txt") == BODY
        assert m.sh("cp /etc/passwd work/other.txt", check=False).rc == 1
        sim.faults("")
        assert m.names("work") == ["f.txt"]
        assert m.read("work/f.txt") == BODY
        m.write("work/new.txt", b"now")
        assert sim.client.get("work/new.txt") == b"now"


@pytest.mark.parametrize("op, method", [("os.unlink('work/f.txt')", "DELETE"), ("os.mkdir('work/d')", "MKCOL"),
                                        ("os.rename('work/f.txt', 'work/g.txt')", "MOVE")])
@pytest.mark.parametrize("status, wanted", [(423, {"EBUSY"}), (403, {"EACCES", "EPERM"}), (507, {"ENOSPC", "EDQUOT"}),
                                            (500, {"EIO"})], ids=["423", "403", "507", "500"])
def test_a_refused_change_of_the_tree(sim, mount, op, method, status, wanted):
    with mount(sim, timeo=TIMEO, timeo_meta=TIMEO, attr_ttl=0) as m:
        m.sh("ls work >/dev/null")
        sim.faults(f"{method} * always status={status}")
        assert m.errno_of(op) in wanted
        sim.faults("")
        assert m.names("work") == ["f.txt"] and m.read("work/f.txt") == BODY
        assert m.errno_of(op) == "OK"


def test_503_with_retry_after_is_waited_for(sim, mount):
    with mount(sim, timeo=20, attr_ttl=0) as m:
        m.sh("ls work >/dev/null")
        sim.faults("GET *f.txt nth=1 status=503 retry-after=1")
        result = m.sh("cat work/f.txt")
        assert result.out == BODY and 0.9 < result.seconds < 6 * SLOWNESS


def test_503_once_without_retry_after(sim, mount):
    with mount(sim, timeo=20, attr_ttl=0) as m:
        m.sh("ls work >/dev/null")
        sim.faults("GET *f.txt nth=1 status=503\nSEARCH * nth=1 status=503")
        assert m.read("work/f.txt") == BODY


def test_503_for_long_ends(sim, mount):
    with mount(sim, timeo=TIMEO, timeo_meta=TIMEO, attr_ttl=0) as m:
        fails_then_works(m, sim, "GET *f.txt always status=503 retry-after=3600", READ,
                         {"EIO", "ETIMEDOUT", "EAGAIN"})


def test_a_dropped_connection_before_an_answer_is_tried_again(sim, mount):
    with mount(sim, timeo=20, attr_ttl=0) as m:
        sim.faults("SEARCH *work* nth=1 drop\nPROPFIND *work* nth=1 drop\nGET *f.txt nth=1 drop")
        assert m.names("work") == ["f.txt"]
        assert m.read("work/f.txt") == BODY


@pytest.mark.parametrize("code, method, check", [
    (WRITE, "PUT", lambda c: c.get("work/f.txt") == b"new"),
    (CREATE, "PUT", lambda c: c.get("work/new.txt") == b"new"),
    ("os.unlink('work/f.txt')", "DELETE", lambda c: not c.exists("work/f.txt")),
    ("os.mkdir('work/d')", "MKCOL", lambda c: c.exists("work/d/")),
    ("os.rename('work/f.txt', 'work/g.txt')", "MOVE", lambda c: c.exists("work/g.txt"))],
    ids=["overwrite", "create", "unlink", "mkdir", "rename"])
def test_applied_but_the_answer_was_lost(sim, mount, code, method, check):
    """The change was done: it is neither done twice nor reported as a conflict with oneself."""
    with mount(sim, timeo=20, timeo_meta=10, attr_ttl=0) as m:
        m.sh("ls work >/dev/null")
        sim.faults(f"{method} * nth=1 drop-after")
        assert m.errno_of(code) == "OK"
        assert check(sim.client)
        sim.faults("")
        m.sh("ls -l work >/dev/null")


def test_a_stalled_put_ends_and_the_server_has_old_or_new(sim, mount):
    with mount(sim, timeo=TIMEO, timeo_meta=TIMEO, attr_ttl=0) as m:
        m.sh("ls work >/dev/null")
        sim.faults("PUT * always delay=60000")
        assert m.errno_of(WRITE, timeout=200) in ("ETIMEDOUT", "EIO", "OK")
        sim.faults("")
        assert sim.client.get("work/f.txt") in (BODY, b"new")
        assert m.read("work/f.txt") == sim.client.get("work/f.txt")


def test_a_full_server(start_sim, mount):
    sim = start_sim("generic", "--switch", f"quota={1 << 20}")
    with mount(sim, attr_ttl=0) as m:
        m.write("a.bin", samples.noise(700_000))
        code = "f = open('b.bin', 'wb')\nf.write(bytes(700000))\nf.close()"
        assert m.errno_of(code) in ("ENOSPC", "EDQUOT")
        assert "b.bin" not in m.names()
        m.sh("rm a.bin; head -c 700000 /dev/zero > b.bin")
        assert len(sim.client.get("b.bin")) == 700_000


def test_quota_as_500(start_sim, mount):
    sim = start_sim("e2003", "--switch", f"quota={1 << 20}", "--switch", "quota-500")
    with mount(sim, attr_ttl=0) as m:
        code = "f = open('Inbox/b.txt', 'wb')\nf.write(bytes(1700000))\nf.close()"
        assert m.errno_of(code) in ("ENOSPC", "EDQUOT", "EIO")
        assert m.sh("ls Inbox").text == ""


def test_a_server_that_dies_and_comes_back(sim, mount):
    with mount(sim, timeo=TIMEO, timeo_meta=TIMEO, attr_ttl=0, offline="no") as m:
        m.sh("ls work >/dev/null")
        sim.pause()
        assert m.errno_of(LIST, timeout=20) in ("ETIMEDOUT", "EHOSTUNREACH", "EIO")
        sim.resume()
        assert m.read("work/f.txt") == BODY
