# SPDX-License-Identifier: Apache-2.0
"""The command line, attacked: paths that are relative, for a daemon that is elsewhere by then."""
import os

import pytest

from xfse2e import proc
from xfse2e.proc import run
from xfse2e.server import PASSWORD, USER


@pytest.mark.parametrize("option", ["passwd_file", "netrc"])
def test_a_relative_file_is_found_again(start_sim, mount, work, option):
    """The password is asked for once more when the server has refused it; the daemon has gone to
    the root directory meanwhile."""
    sim = start_sim("e2003")
    sim.client.put("f.txt", b"x")
    sim.user = None
    text = {"passwd_file": "{1}\n", "netrc": "machine 127.0.0.1 login {0} password {1}\n"}[option]

    def write(password):
        (work / "secret").write_text(text.format(USER, password))
        (work / "secret").chmod(0o600)
    write(PASSWORD)
    who = {"user": USER} if option == "passwd_file" else {}
    m = mount(sim, attr_ttl=0, **who, **{option: "secret"})
    m.path.mkdir()
    run(["env", "-C", work, *m.argv()], timeout=20)
    try:
        assert m.sh("cat f.txt").out == b"x"
        sim.client.request("POST", "/.sim/password", f"{USER}:changed".encode())
        write("changed")
        proc.wait_until(lambda: m.sh("ls f.txt", check=False).rc == 0, 60, "signed in again")
        assert "cannot" not in m.said
    finally:
        run(["umount", m.path] if os.geteuid() == 0 else ["fusermount3", "-u", m.path])
    proc.wait_until(lambda: not proc.processes_naming(os.fspath(m.path)), 10, "the daemon ends")
    m.judge_words(m.said)
