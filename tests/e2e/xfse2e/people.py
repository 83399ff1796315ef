# SPDX-License-Identifier: Apache-2.0
"""Several users of one mount: who they are to the host, and what each does below it."""
import json
import os
import shlex
import subprocess

import pytest

from . import proc
from .proc import run

ANN, BEN, CAT = 4001, 4002, 4003  # no host knows them: their directories are called so


def as_user(uid, argv):
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", *argv]


class Person:
    """Somebody who works below M, as root only in name when UID is 0."""

    def __init__(self, m, uid):
        self.m, self.uid = m, uid

    def argv(self, argv):
        return list(argv) if self.uid == 0 else as_user(self.uid, argv)

    def sh(self, script, *args, **kw):
        words = f"set -o pipefail; cd {shlex.quote(os.fspath(self.m.path))} || exit 111\n{script}"
        return run(self.argv(["bash", "-c", words, "sh", *map(str, args)]), **kw)

    def python(self, code, *args, **kw):
        head = (f"import os,sys,json,errno,time,ctypes\nos.chdir({os.fspath(self.m.path)!r})\n"
                "def verdict(f):\n"
                "    try:\n        f()\n        return 'OK'\n"
                "    except OSError as e:\n        return errno.errorcode[e.errno]\n")
        return run(self.argv([proc.PYTHON, "-c", head + code, *map(str, args)]), **kw)

    def errno_of(self, expression, *args):
        return self.python(f"print(verdict(lambda: {expression}))", *args).text.strip()

    def names(self, folder):
        return set(json.loads(self.python("print(json.dumps(os.listdir(sys.argv[1])))", folder).text))

    def started(self, script):
        words = f"cd {shlex.quote(os.fspath(self.m.path))} || exit 111\n{script}"
        return self.m.started(list(map(str, self.argv(["bash", "-c", words]))),
                              stdin=subprocess.PIPE)


@pytest.fixture
def many(work, mount):
    """Mounts a directory for each user: many(server, attr_ttl=0)."""
    work.chmod(0o711)

    def begin(server, **options):
        options = {"url": server.url.rsplit("/", 2)[0] + "/%u/", "multiuser": True, "sec": "none",
                   **options}
        return mount(server, **options)
    return begin
