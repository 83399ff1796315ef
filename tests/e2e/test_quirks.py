# SPDX-License-Identifier: Apache-2.0
"""Every quirk of Exchange WebDAV that mail, folders and documents can meet, by its number in the list of quirks."""
import pytest
from xfse2e import samples

EXCHANGE = pytest.mark.parametrize("profile", ["e2003", "e2007"])


def mailbox(start_sim, profile, *switches, **kw):
    args = []
    for switch in switches:
        args += ["--switch", switch]
    sim = start_sim(profile, *args, *kw.pop("args", ()), **kw)
    sim.client.mkcol("work")
    for n in range(3):
        sim.client.put(f"work/m{n}.eml", samples.message(n, 3000 * n))
    sim.client.put("work/doc.txt", b"a document\n")
    return sim


def read_all(sim, m):
    """All are listed and read with the server's own bytes."""
    want = ["doc.txt", "m0.eml", "m1.eml", "m2.eml"]
    assert sorted(m.names("work")) == want
    for name in want:
        assert m.read("work/" + name) == sim.client.get("work/" + name)


@EXCHANGE
def test_01_translate_f(start_sim, mount, profile):
    """Without Translate: f a web page comes with status 200."""
    sim = mailbox(start_sim, profile)
    with mount(sim) as m:
        assert b"<html" not in m.read("work/m1.eml").lower()
        read_all(sim, m)


@EXCHANGE
@pytest.mark.parametrize("host", ["mail.wrong.invalid", "https://front.contoso.invalid:444"])
def test_02_hrefs_of_a_foreign_host(start_sim, mount, profile, host):
    sim = mailbox(start_sim, profile, args=("--href-host", host))
    with mount(sim, attr_ttl=0) as m:
        read_all(sim, m)
        m.sh("mv work/m0.eml work/moved.eml; echo x > work/new.txt; mkdir work/sub; rm work/m1.eml")
        assert sorted(m.names("work")) == ["doc.txt", "m2.eml", "moved.eml", "new.txt", "sub"]
    assert sim.client.get("work/new.txt") == b"x\n"


@EXCHANGE
def test_03_hrefs_in_another_spelling(start_sim, mount, profile):
    sim = mailbox(start_sim, profile, "href-case")
    sim.client.put("work/Grüße & Co.eml", samples.message(9))
    with mount(sim, attr_ttl=0) as m:
        assert "Grüße & Co.eml" in m.names("work")
        assert m.read("work/Grüße & Co.eml") == sim.client.get("work/Grüße & Co.eml")


@EXCHANGE
def test_04_tokens_in_urls(start_sim, mount, profile):
    sim = mailbox(start_sim, profile)
    with mount(sim, attr_ttl=0) as m:
        m.sh("echo 1 > 'work/really?.txt'; echo 2 > 'work/a~b.txt'; echo 3 > 'work/c\\d.txt'")
    for name, text in (("really_x003F_.txt", b"1\n"), ("a_x007E_b.txt", b"2\n"), ("c_xF8FE_d.txt", b"3\n")):
        assert sim.client.get(name.join(["work/", ""])) == text


def test_05_plus_in_urls_is_404_on_2007(start_sim, mount):
    sim = start_sim("e2007")
    sim.client.mkcol("work")
    with mount(sim, attr_ttl=0) as m:
        m.write("work/a+b.eml", samples.message(5))
        assert m.names("work") == ["a+b.eml"]
        assert b"message 5" in m.read("work/a+b.eml")
        m.write("work/a+b.eml", samples.message(6))
        assert b"message 6" in m.read("work/a+b.eml")
        with mount(sim, attr_ttl=0) as fresh:  # which never listed the folder
            assert b"message 6" in fresh.read("work/a+b.eml")
        m.sh("mv work/a+b.eml work/c+d.eml; rm work/c+d.eml")
        assert m.names("work") == []


@EXCHANGE
def test_06_404_on_href_then_permanenturl(start_sim, mount, profile):
    sim = mailbox(start_sim, profile, "href-404")
    with mount(sim) as m:
        m.sh("ls work >/dev/null")  # the listing tells the permanent URLs
        assert b"message 1" in m.read("work/m1.eml")
        assert b"message 2" in m.read("work/m2.eml")


@EXCHANGE
def test_06_permanenturl_404_then_href(start_sim, mount, profile):
    sim = mailbox(start_sim, profile, "no-permanent")
    with mount(sim, attr_ttl=0) as m:
        read_all(sim, m)
        m.sh("mv work/m0.eml work/n.eml; rm work/n.eml; rm work/doc.txt")
        assert sorted(m.names("work")) == ["m1.eml", "m2.eml"]


@EXCHANGE
def test_07_element_names_that_begin_with_a_digit(start_sim, mount, profile):
    for chunks in ((), ("random-chunks",)):
        sim = mailbox(start_sim, profile, "digit-names", *chunks)
        with mount(sim) as m:
            read_all(sim, m)


@EXCHANGE
def test_08_control_characters_in_answers(start_sim, mount, profile):
    sim = mailbox(start_sim, profile, "ctrl-chars")
    with mount(sim) as m:
        read_all(sim, m)


def test_09_control_characters_in_proppatch(start_sim, mount):
    """2007 answers 400 to them; a time set on a file must not contain any."""
    sim = mailbox(start_sim, "e2007")
    with mount(sim, attr_ttl=0) as m:
        m.sh("touch -d '2020-01-01 UTC' work/m1.eml; sleep 0.3")
    with mount(sim, attr_ttl=0) as m:
        assert int(m.stat("work/m1.eml").st_mtime) == 1577836800


@EXCHANGE
@pytest.mark.parametrize("switch", ["prop-first=0", "prop-first=1"])
def test_10_status_before_and_after_prop(start_sim, mount, profile, switch):
    sim = mailbox(start_sim, profile, switch, "random-chunks")
    with mount(sim) as m:
        read_all(sim, m)


@EXCHANGE
def test_11_dates_in_iso_form(start_sim, mount, profile):
    sim = mailbox(start_sim, profile, args=("--clock", "1234567890"))
    with mount(sim) as m:
        assert 1234567890 <= m.stat("work/doc.txt").st_mtime < 1234567890 + 1000


@EXCHANGE
@pytest.mark.parametrize("switch", ["read-etag=0", "read-etag=1"])
def test_12_a_read_flag_is_no_new_version_of_the_bytes(start_sim, mount, profile, switch):
    sim = mailbox(start_sim, profile, switch)
    with mount(sim, attr_ttl=0) as m:
        body = m.read("work/m1.eml")
        sim.client.proppatch("work/m1.eml", "urn:schemas:httpmail:read", "1")
        assert m.read("work/m1.eml") == body


@EXCHANGE
@pytest.mark.parametrize("size", ["size=0", "size=1"])
def test_14_sizes_differ_from_the_body(start_sim, mount, profile, size):
    sim = mailbox(start_sim, profile, size)
    with mount(sim) as m:
        m.sh("ls -l work >/dev/null")
        read_all(sim, m)
        assert m.stat("work/m2.eml").st_size == len(sim.client.get("work/m2.eml"))


@EXCHANGE
@pytest.mark.parametrize("status", [440, 401])
def test_15_18_forbidden_comes_as_440_or_401(start_sim, mount, profile, status):
    sim = mailbox(start_sim, profile)
    with mount(sim, attr_ttl=0, timeo=3, timeo_meta=3) as m:
        m.sh("ls work >/dev/null")
        sim.faults(f"GET *m1.eml always status={status}")
        assert m.errno_of("open('work/m1.eml').read()") == "EACCES"
        assert m.read("work/m2.eml")
        sim.faults("")
        read_all(sim, m)


@EXCHANGE
def test_16_a_web_page_is_never_taken_for_a_message(start_sim, mount, profile, work):
    sim = mailbox(start_sim, profile)
    page = work / "page.html"
    page.write_text("<html><body>log on again</body></html>")
    with mount(sim, attr_ttl=0, timeo=3) as m:
        m.sh("ls work >/dev/null")
        sim.faults(f"GET *m1.eml always body-file={page} type=text/html status=200")
        result = m.sh("cat work/m1.eml", check=False)
        assert result.rc != 0 and result.out == b""
        sim.faults("")
        read_all(sim, m)  # and nothing of it was kept


def test_16_a_web_page_that_is_a_document(start_sim, mount):
    sim = mailbox(start_sim, "e2003")
    sim.client.put("work/page.html", b"<html><body>mine</body></html>", Content_Type="text/html")
    with mount(sim) as m:
        assert m.read("work/page.html") == b"<html><body>mine</body></html>"


@EXCHANGE
def test_19_accept_language_is_always_sent(start_sim, mount, profile):
    sim = mailbox(start_sim, profile, "need-language")
    with mount(sim) as m:
        read_all(sim, m)


@EXCHANGE
def test_24_localised_folders_are_found_by_traversal(start_sim, mount, profile):
    sim = start_sim(profile, "--locale", "no")
    with mount(sim, attr_ttl=0) as m:
        assert "Innboks" in m.names()
        m.write("Innboks/m.eml", samples.message(1))
        assert m.names("Innboks") == ["m.eml"] and b"message 1" in m.read("Innboks/m.eml")


@EXCHANGE
def test_26_hidden_items_are_not_shown(start_sim, mount, profile):
    sim = mailbox(start_sim, profile)
    sim.client.put("work/hidden.eml", samples.message(8))
    sim.client.proppatch("work/hidden.eml", "DAV:ishidden", "1")
    with mount(sim) as m:
        assert "hidden.eml" not in m.names("work")
        assert "NON_IPM_SUBTREE" not in m.names()
        read_all(sim, m)


@EXCHANGE
def test_27_an_item_with_attachments_is_a_file(start_sim, mount, profile):
    sim = mailbox(start_sim, profile)
    mail = (b"From: a@example.com\r\nSubject: two parts\r\nMIME-Version: 1.0\r\n"
            b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n'
            b"text\r\n--b\r\nContent-Type: application/octet-stream; name=\"x.bin\"\r\n"
            b"Content-Disposition: attachment; filename=\"x.bin\"\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--b--\r\n")
    sim.client.put("work/att.eml", mail)
    with mount(sim) as m:
        assert m.sh("stat -c %F work/att.eml").text == "regular file\n"
        assert b"AAECAwQ=" in m.read("work/att.eml")


@EXCHANGE
def test_33_the_server_re_serialises_what_was_put(start_sim, mount, profile):
    """After a PUT the bytes are the server's: nothing of ours is served in their place."""
    sim = mailbox(start_sim, profile)
    mail = samples.message(5).replace(b"To: alice", b"Bcc: hidden@example.com\r\nTo: alice")
    with mount(sim, attr_ttl=60) as m:
        m.write("work/put.eml", mail)
        there = sim.client.get("work/put.eml")
        assert there != mail
        assert m.read("work/put.eml") == there
        s = m.stat("work/put.eml")
        assert s.st_size == len(there)
    with mount(sim) as fresh:
        assert fresh.stat("work/put.eml").st_mtime == s.st_mtime


@EXCHANGE
def test_36_37_a_move_never_overwrites_unasked_and_the_item_is_found_again(start_sim, mount, profile):
    sim = mailbox(start_sim, profile)
    sim.client.mkcol("work/to")
    with mount(sim, attr_ttl=60) as m:
        m.sh("ls -R work >/dev/null")
        sim.client.put("work/to/m1.eml", samples.message(77))  # unseen by the mount
        m.sh("mv -n work/m1.eml work/to/m1.eml", check=False)
        assert b"message 77" in sim.client.get("work/to/m1.eml")
        m.sh("mv work/m2.eml work/to/moved.eml; cat work/to/moved.eml >/dev/null; "
             "mv work/to/moved.eml work/back.eml; cat work/back.eml > /dev/null; rm work/back.eml")
    assert not sim.client.exists("work/back.eml")


@EXCHANGE
@pytest.mark.parametrize("switch", ["delete-204=0", "delete-204=1"])
def test_38_any_2xx_to_delete_and_rmdir_checks(start_sim, mount, profile, switch):
    sim = mailbox(start_sim, profile, switch)
    with mount(sim, attr_ttl=60) as m:
        m.sh("rm work/doc.txt; ls work >/dev/null")
        assert m.errno_of("os.rmdir('work')") == "ENOTEMPTY"
        m.sh("rm work/*; rmdir work")
    assert not sim.client.exists("work/")


@EXCHANGE
def test_41_search_that_is_blocked_falls_back(start_sim, mount, profile):
    sim = mailbox(start_sim, profile)
    sim.faults("SEARCH * always status=404")
    with mount(sim) as m:
        read_all(sim, m)


@EXCHANGE
def test_42_quota_shows_as_500(start_sim, mount, profile):
    sim = start_sim(profile, "--switch", f"quota={1 << 20}", "--switch", "quota-500")
    with mount(sim, attr_ttl=0) as m:
        code = "f = open('Inbox/b.txt', 'wb')\nf.write(bytes(2000000))\nf.close()"
        assert m.errno_of(code) in ("ENOSPC", "EDQUOT", "EIO")
        assert m.names("Inbox") == []


@EXCHANGE
def test_45_destination_is_absolute_and_of_our_origin(start_sim, mount, profile):
    """Judged by the server behind a foreign host name: MOVE still works."""
    sim = mailbox(start_sim, profile, args=("--href-host", "mail.wrong.invalid"))
    with mount(sim, attr_ttl=0) as m:
        m.sh("mv work/m0.eml work/x.eml")
    assert sim.client.exists("work/x.eml")
    sent = [line for line in sim.control("log").splitlines() if line.startswith("destination: ")]
    assert sent == [f"destination: {sim.url}work/x.eml"]


def test_49_the_address_works_where_the_alias_does_not(start_sim, mount):
    sim = start_sim("e2007")
    url = sim.url.replace("/alice/", "/alice@contoso.com/")
    with mount(sim, url=url, attr_ttl=0) as m:
        m.sh("echo x > Inbox/f.txt")
        assert m.names("Inbox") == ["f.txt"]
    assert sim.client.get("Inbox/f.txt") == b"x\n"


@EXCHANGE
def test_connections_that_close_after_each_answer(start_sim, mount, profile):
    sim = mailbox(start_sim, profile, "close-after")
    with mount(sim, attr_ttl=0) as m:
        read_all(sim, m)
        m.sh("echo x > work/n.txt")
    assert sim.client.get("work/n.txt") == b"x\n"


def test_weak_tags_are_never_used_in_if_match(start_sim, mount):
    """RFC 9110: If-Match with a weak tag never matches; a save after a save is no conflict."""
    sim = start_sim("generic", "--switch", "weak-etag")
    with mount(sim, attr_ttl=0) as m:
        for n in range(3):
            m.write("f.txt", b"save %d" % n)
        m.sh("echo more >> f.txt; mv f.txt g.txt; rm g.txt")
        assert not {"f.txt", "g.txt"} & set(m.names())
