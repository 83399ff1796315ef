# SPDX-License-Identifier: Apache-2.0
"""What several test files ask of a mount, and of one that was refused."""
import re

from .server import PASSWORD


def sentence(result, *words):
    """Exit status 1 and one sentence that holds each of WORDS (expressions), and no password."""
    text = result.err.strip()
    assert result.rc == 1 and len(text.splitlines()) == 1, result
    for word in words:
        assert re.search(word, text, re.I), f"{word} not in: {text}"
    assert PASSWORD not in text
    return text


def use(m):
    """All that a person does in a minute; wants the document work/doc.txt."""
    m.sh("ls -l work >/dev/null && grep -q document work/doc.txt && echo new > work/new.txt && "
         "mv work/new.txt work/moved.txt && [ \"$(cat work/moved.txt)\" = new ] && "
         "mkdir work/dir && rmdir work/dir && rm work/moved.txt", timeout=60)
