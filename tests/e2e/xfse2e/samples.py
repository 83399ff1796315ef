# SPDX-License-Identifier: Apache-2.0
"""Input: messages made here, and those that nobody here wrote."""
import pathlib
import random

EMAIL_DATA = pathlib.Path("/usr/lib/python3.11/test/test_email/data")
SPAM = pathlib.Path("/usr/share/doc/spamassassin/examples")


def message(n=1, size=0, subject=None):
    """A plain message of at least SIZE bytes, the same each time."""
    text = (f"From: Bob Example <bob@example.com>\r\nTo: alice@example.com\r\n"
            f"Subject: {subject or f'Message {n}'}\r\nDate: Tue, 03 Mar 2026 10:{n % 60:02d}:00 +0000\r\n"
            f"Message-ID: <{n}@example.com>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
            f"This is message {n}.\r\n")
    line = "The quick brown fox jumps over the lazy dog, again and again.\r\n"
    return (text + line * max(0, -(-(size - len(text)) // len(line)))).encode()


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def foreign_messages():
    """{name: bytes} of 60 hostile MIME files and two samples of a spam filter."""
    files = sorted(EMAIL_DATA.glob("msg_*.txt")) + sorted(SPAM.glob("sample-*.txt"))
    assert len(files) >= 45, f"install libpython3.11-testsuite and spamassassin: {len(files)} found"
    return {f.stem + ".eml": f.read_bytes() for f in files}
