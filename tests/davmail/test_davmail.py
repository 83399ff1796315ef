# SPDX-License-Identifier: Apache-2.0
"""DavMail judges exchange-sim: a client that was written against real Exchange servers must find
its way about in it. Each test is a thing a mail user does; DavMail turns it into WebDAV.

Forms sign-in only: with Basic, DavMail falls over its own null pointer.
"""
import email
import email.message
import email.policy
import email.utils
import imaplib
import os
import re
import smtplib
import uuid

import pytest

import gateway as davmail

ADDRESS = "alice@contoso.test"


@pytest.fixture(scope="module", params=["e2003-fba", "e2007-fba"])
def gateway(request, tmp_path_factory):
    lacking = davmail.missing()
    if lacking:
        pytest.skip(lacking)
    running = davmail.Gateway(tmp_path_factory.mktemp(request.param), request.param)
    yield running
    assert running.stop() == 0, "exchange-sim did not end well:\n" + running.simulator.text()


@pytest.fixture
def imap(gateway):
    with gateway.imap() as connection:
        ok(connection.select("INBOX"))
        yield connection


@pytest.fixture
def folder(imap):
    """A folder of this test alone, gone afterwards."""
    name = f"Folder {unique()}"
    ok(imap.create(quoted(name)))
    yield name
    ok(imap.select("INBOX"))
    if name in folders(imap):
        ok(imap.delete(quoted(name)))


@pytest.fixture
def message(imap):
    """A message of this test alone in the inbox; DavMail has appended it."""
    made = compose(f"letter {unique()}", "First line\n.dot\né 中\n" + "x" * 200 + "\n", os.urandom(30000))
    ok(imap.append("INBOX", r"(\Seen)", None, wire(made)))
    return made


def ok(answer):
    status, data = answer
    assert status == "OK", data
    return data


def unique():
    return uuid.uuid4().hex[:10]


def quoted(name):
    return f'"{name}"'


def compose(subject, text, attachment=None):
    made = email.message.EmailMessage()
    made["From"], made["To"], made["Subject"] = ADDRESS, ADDRESS, subject
    made["Date"] = email.utils.formatdate()
    made["Message-ID"] = f"<{uuid.uuid4()}@contoso.test>"
    made.set_content(text)
    if attachment is not None:
        made.add_attachment(attachment, "application", "octet-stream", filename="data.bin")
    return made


def wire(message):
    return message.as_bytes(policy=email.policy.SMTP)


def folders(imap):
    lines = [line for line in ok(imap.list('""', "*")) if line]
    return [re.search(rb'"([^"]*)"$', line).group(1).decode() for line in lines]


def find(imap, mailbox, subject):
    """UIDs of the messages with just this subject, by a search the server runs."""
    ok(imap.select(quoted(mailbox)))
    return ok(imap.uid("SEARCH", "SUBJECT", quoted(subject)))[0].split()


def find_one(imap, mailbox, subject):
    found = find(imap, mailbox, subject)
    assert len(found) == 1, f"{subject!r} is {len(found)} times in {mailbox}"
    return found[0].decode()


def fetch(imap, uid, what):
    return ok(imap.uid("FETCH", uid, what))


def literal(fetched):
    return next(part[1] for part in fetched if isinstance(part, tuple))


def flags(imap, mailbox, uid):
    """As the server has them: selecting anew makes DavMail ask."""
    ok(imap.select(quoted(mailbox)))
    line = fetch(imap, uid, "(FLAGS)")[0]
    return set(re.search(rb"FLAGS \(([^)]*)\)", line).group(1).decode().split())


def test_wrong_password(gateway):
    with pytest.raises(imaplib.IMAP4.error, match="(?i)authentication|password|fail"):
        with gateway.imap(password="wrong"):
            pass
    with pytest.raises(smtplib.SMTPAuthenticationError):
        with gateway.smtp(password="wrong"):
            pass


def test_login_after_a_wrong_password(gateway):
    with pytest.raises(imaplib.IMAP4.error):
        with gateway.imap(password="wrong again"):
            pass
    with gateway.imap() as imap:
        ok(imap.noop())


def test_well_known_folders(imap):
    assert {"INBOX", "Drafts", "Sent", "Trash"} <= set(folders(imap))


def test_existing_message(imap):
    uid = find_one(imap, "INBOX", "Welcome")
    fetched = fetch(imap, uid, "(UID FLAGS RFC822.SIZE BODY.PEEK[])")
    got = email.message_from_bytes(literal(fetched), policy=email.policy.default)
    assert got["Subject"] == "Welcome"
    assert got["From"].addresses[0].addr_spec == "bob@contoso.test"
    assert got.get_content().strip() == "Good morning."
    assert int(re.search(rb"RFC822.SIZE (\d+)", fetched[0][0]).group(1)) > 0


def test_append_keeps_text_and_attachment(imap, message):
    uid = find_one(imap, "INBOX", message["Subject"])
    raw = literal(fetch(imap, uid, "(BODY.PEEK[])"))
    got = email.message_from_bytes(raw, policy=email.policy.default)
    assert got["Subject"] == message["Subject"]
    assert got["Message-ID"] == message["Message-ID"]
    text, sent_text = (m.get_body(("plain",)).get_content() for m in (got, message))
    assert text.splitlines() == sent_text.splitlines()
    data, sent_data = (next(m.iter_attachments()).get_content() for m in (got, message))
    assert data == sent_data


def test_append_keeps_flags(imap):
    for given, seen in ((r"(\Seen)", True), ("", False), (r"(\Seen \Flagged)", True)):
        subject = f"flags {unique()}"
        ok(imap.append("INBOX", given or None, None, wire(compose(subject, "flags\n"))))
        have = flags(imap, "INBOX", find_one(imap, "INBOX", subject))
        assert (r"\Seen" in have) == seen
        assert (r"\Flagged" in have) == (r"\Flagged" in given)


def test_headers_and_structure(imap, message):
    uid = find_one(imap, "INBOX", message["Subject"])
    fetched = fetch(imap, uid, "(BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)] BODYSTRUCTURE)")
    got = email.message_from_bytes(literal(fetched), policy=email.policy.default)
    assert got["Subject"] == message["Subject"]
    assert got["From"].addresses[0].addr_spec == ADDRESS
    structure = b"".join(p if isinstance(p, bytes) else b"".join(p) for p in fetched)
    assert re.search(rb'"APPLICATION" "OCTET-STREAM".*"MIXED"', structure)


def test_search_by_header(imap, message):
    ok(imap.select("INBOX"))
    found = ok(imap.uid("SEARCH", "HEADER", "SUBJECT", quoted(message["Subject"])))[0].split()
    assert [f.decode() for f in found] == [find_one(imap, "INBOX", message["Subject"])]


def test_store_flags(imap, message):
    uid = find_one(imap, "INBOX", message["Subject"])
    ok(imap.uid("STORE", uid, "+FLAGS", r"(\Flagged)"))
    assert {r"\Seen", r"\Flagged"} <= flags(imap, "INBOX", uid)
    ok(imap.uid("STORE", uid, "-FLAGS", r"(\Seen \Flagged)"))
    assert not {r"\Seen", r"\Flagged"} & flags(imap, "INBOX", uid)
    assert uid in [u.decode() for u in ok(imap.uid("SEARCH", "UNSEEN"))[0].split()]


def test_flags_leave_the_uid_alone(imap, message):
    uid = find_one(imap, "INBOX", message["Subject"])
    ok(imap.uid("STORE", uid, "+FLAGS", r"(\Flagged)"))
    assert find_one(imap, "INBOX", message["Subject"]) == uid


def test_copy(imap, message, folder):
    uid = find_one(imap, "INBOX", message["Subject"])
    ok(imap.uid("COPY", uid, quoted(folder)))
    copy = find_one(imap, folder, message["Subject"])
    assert message["Message-ID"].encode() in literal(fetch(imap, copy, "(BODY.PEEK[])"))
    assert find_one(imap, "INBOX", message["Subject"]) == uid


def test_move(imap, message, folder):
    uid = find_one(imap, "INBOX", message["Subject"])
    ok(imap.uid("MOVE", uid, quoted(folder)))
    assert not find(imap, "INBOX", message["Subject"])
    moved = find_one(imap, folder, message["Subject"])
    assert message["Message-ID"].encode() in literal(fetch(imap, moved, "(BODY.PEEK[])"))


def test_move_back_gives_a_new_uid(imap, message, folder):
    uid = find_one(imap, "INBOX", message["Subject"])
    ok(imap.uid("MOVE", uid, quoted(folder)))
    ok(imap.uid("MOVE", find_one(imap, folder, message["Subject"]), "INBOX"))
    assert int(find_one(imap, "INBOX", message["Subject"])) > int(uid)


def test_two_with_one_subject(imap, message, folder):
    uid = find_one(imap, "INBOX", message["Subject"])
    for _ in range(3):
        ok(imap.uid("COPY", uid, quoted(folder)))
        ok(imap.select("INBOX"))
    assert len(find(imap, folder, message["Subject"])) == 3


def test_delete_and_expunge(imap, folder):
    for number in range(3):
        ok(imap.append(quoted(folder), None, None, wire(compose(f"number {number}", "x\n"))))
    assert ok(imap.select(quoted(folder))) == [b"3"]
    uid = find_one(imap, folder, "number 1")
    ok(imap.uid("STORE", uid, "+FLAGS", r"(\Deleted)"))
    assert r"\Deleted" in flags(imap, folder, uid)
    ok(imap.expunge())
    assert ok(imap.select(quoted(folder))) == [b"2"]
    assert not find(imap, folder, "number 1")
    find_one(imap, folder, "number 2")


def test_folder_life(imap):
    name, renamed = f"Life {unique()}", f"Life \u00e9 & {unique()}"
    shown = renamed.replace("&", "&-").replace("\u00e9", "&AOk-")  # modified UTF-7, RFC 3501 5.1.3
    ok(imap.create(quoted(name)))
    assert name in folders(imap)
    ok(imap.append(quoted(name), None, None, wire(compose("stays", "x\n"))))
    ok(imap.rename(quoted(name), quoted(shown)))
    assert name not in folders(imap) and shown in folders(imap)
    find_one(imap, shown, "stays")
    ok(imap.select("INBOX"))
    ok(imap.delete(quoted(shown)))
    assert shown not in folders(imap)


def test_nested_folders(imap, folder):
    inner = f"{folder}/inner"
    ok(imap.create(quoted(inner)))
    assert inner in folders(imap)
    ok(imap.append(quoted(inner), None, None, wire(compose("deep", "x\n"))))
    find_one(imap, inner, "deep")
    ok(imap.select("INBOX"))
    ok(imap.delete(quoted(inner)))
    assert inner not in folders(imap)


def test_create_twice(imap, folder):
    status, _ = imap.create(quoted(folder))
    assert folders(imap).count(folder) == 1, status


def test_no_such_folder(imap):
    with pytest.raises(imaplib.IMAP4.error, match="404"):  # DavMail hands the status on
        imap.select(quoted(f"nowhere {unique()}"))


def test_status(imap, folder):
    ok(imap.append(quoted(folder), None, None, wire(compose("unread", "x\n"))))
    ok(imap.append(quoted(folder), r"(\Seen)", None, wire(compose("read", "x\n"))))
    line = ok(imap.status(quoted(folder), "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY)"))[0].decode()
    values = dict(re.findall(r"(\w+) (\d+)", line[line.rindex("("):]))
    assert (values["MESSAGES"], values["UNSEEN"]) == ("2", "1")
    uids = [int(u) for u in find(imap, folder, "read")]
    assert int(values["UIDNEXT"]) > max(uids)


def test_sending_leaves_a_copy_in_sent(gateway, imap):
    subject = f"sent {unique()}"
    made = compose(subject, "by way of SMTP\n", os.urandom(2000))
    before = gateway.simulator.submissions()
    with gateway.smtp() as session:
        assert session.send_message(made) == {}
    assert gateway.simulator.submissions() == before + 1
    copy = literal(fetch(imap, find_one(imap, "Sent", subject), "(BODY.PEEK[])"))
    got = email.message_from_bytes(copy, policy=email.policy.default)
    assert next(got.iter_attachments()).get_content() == next(made.iter_attachments()).get_content()
    assert not find(imap, "Drafts", subject)
