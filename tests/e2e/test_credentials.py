# SPDX-License-Identifier: Apache-2.0
"""Where passwords come from: every source works, and what it tells is nowhere but in the request."""
import base64
import os
import pathlib
import pty
import re
import select
import shlex
import signal
import termios
import time
import urllib.parse

import pytest
from xfse2e import proc
from xfse2e.gate import Gate
from xfse2e.mount import interrupt, option_text
from xfse2e.ntlm import NtlmGate
from xfse2e.proc import SLOWNESS, run, wait_until
from xfse2e.server import PASSWORD
from xfse2e.tls import Authority, TlsFront

SENTRY, SENTINEL = "sentry", 'Zq7/ %+"s\\tinel'
FORMS = (SENTINEL, base64.b64encode(f"{SENTRY}:{SENTINEL}".encode()).decode(),
         urllib.parse.quote(SENTINEL, safe=""), urllib.parse.quote_plus(SENTINEL),
         SENTINEL.replace("\\", "\\\\").replace('"', '\\"'))


def shown(data):
    """Which forms of the sentinel are in DATA; a base64 is told by its beginning, too."""
    parts = [form.encode() for form in FORMS] + [FORMS[1][:16].encode()]
    return [part for part in parts if part in data]


@pytest.fixture
def sentry(start_sim):
    return as_sentry(start_sim("e2003", "--user", f"{SENTRY}:{SENTINEL}"))


def private(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def script(path, text):
    return private(path, "#!/bin/sh\n" + text, 0o700)


def quoted(word):
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def spied(work, text):
    """A command that also leaves behind what it was given."""
    return script(work / "tell", f"cat /proc/self/environ /proc/$$/cmdline >> {work}/spied\n"
                                 f"ls -l /proc/self/fd > {work}/fds\n{text}")


def passwd_file(work):
    return {"user": SENTRY, "passwd_file": private(work / "secret", SENTINEL + "\n")}


def passwd_cmd_pass(work):
    """As pass(1): the password, then lines about it."""
    store = private(work / "secret", f"{SENTINEL}\nuser: {SENTRY}\nurl: https://mail\n")
    return {"user": SENTRY, "passwd_cmd": f"{spied(work, f'exec cat {store}')} show mail"}


def passwd_cmd_secret_tool(work):
    """As secret-tool(1): no line end."""
    store = private(work / "secret", SENTINEL)
    tell = spied(work, f'test "$1 $2" = "lookup server" && exec cat {store}')
    return {"user": SENTRY, "passwd_cmd": f"{tell} lookup server mail"}


def passwd_cmd_systemd_creds(work):
    """As systemd-creds(1): says something on stderr, looks at its directory."""
    store = private(work / "secret", SENTINEL + "\r\n")
    tell = spied(work, f'echo "Credential is fine." >&2; cat "$CREDENTIALS_DIRECTORY/{store.name}"')
    return {"user": SENTRY, "passwd_cmd": f"CREDENTIALS_DIRECTORY={work} {tell} cat mail"}


def netrc(work):
    text = (f"machine elsewhere login {SENTRY} password no\n"
            f"machine 127.0.0.1\n  login {SENTRY}\n  password {quoted(SENTINEL)}\n"
            "default login anonymous password guest\n")
    return {"user": None, "netrc": private(work / "secret", text)}


def credentials(work):
    text = f"# for the mount\nuser={SENTRY}\npassword={SENTINEL}\n"
    return {"user": None, "credentials": private(work / "secret", text)}


SOURCES = (passwd_file, passwd_cmd_pass, passwd_cmd_secret_tool, passwd_cmd_systemd_creds, netrc,
           credentials)


def use(m):
    m.write("note.txt", b"body\n")
    assert m.read("note.txt") == b"body\n"
    assert "note.txt" in m.names()


def children_of(pid):
    """PID and every process below it."""
    found = [pid]
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if parent == pid:
                found += children_of(int(entry.name))
    return found


def dumped(m, work):
    """A core of the mount by gdb, which leaves out what the kernel would; needs the right to look."""
    argv = ["gcore", "-o", work / "core", str(m.pid)]
    run(argv if m.dumpable else proc.sudo(argv), timeout=60)
    core = work / f"core.{m.pid}"
    run(proc.sudo(["chmod", "644", core]))
    return core


def search(m, work, shown):
    """Uses the mount and looks at all that is left of it, running and ended; SHOWN tells a find."""
    with m:
        m.dumpable = os.access(f"/proc/{m.pid}/mem", os.R_OK)
        use(m)
        for pid in children_of(m.pid):
            for name in ("cmdline", "environ"):
                assert not shown(pathlib.Path(f"/proc/{pid}/{name}").read_bytes())
        m.sh("ls -lR . > /dev/null; cp note.txt copy.txt; rm copy.txt")
        core = None if proc.SANITIZED else dumped(m, work)
    if core:
        data = core.read_bytes()
        assert b"note.txt" in data, "this is no core of the mount"
        assert not shown(data)
    assert not shown(m.said.encode())
    for path in m.cache.rglob("*"):
        assert not path.is_file() or not shown(path.read_bytes()), path


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.__name__)
def test_a_sentinel_is_nowhere(sentry, mount, work, source):
    search(mount(sentry, attr_ttl=0, **({"passwd_file": None} | source(work))), work, shown)
    if (work / "spied").exists():
        assert not shown((work / "spied").read_bytes())
        fds = [line.split(" -> ")[0].rsplit(" ", 1)[1]
               for line in (work / "fds").read_text().splitlines() if " -> " in line]
        assert set(map(int, fds)) <= {0, 1, 2, 3}, (work / "fds").read_text()  # 3: ls looks


def as_sentry(server):
    server.url = server.url.replace("/alice/", f"/{SENTRY}/")
    server.user, server.password = SENTRY, SENTINEL
    return server


@pytest.mark.parametrize("profile", ("e2003-fba", "e2007-fba"))
def test_a_sentinel_in_a_form_is_nowhere(start_sim, mount, work, profile):
    """The password; the cookies that stand for it for a while are in memory, and not in the log."""
    server = as_sentry(start_sim(profile, "--user", f"{SENTRY}:{SENTINEL}"))
    m = mount(server, attr_ttl=0, **passwd_file(work))
    search(m, work, shown)
    assert "cadata=" not in m.said


def test_a_sentinel_by_ntlm_is_nowhere(start_sim, mount, work):
    """The connection keeps the password as long as it lives, where no core looks."""
    gate = NtlmGate(work / "gate", start_sim("e2003", auth="none"))
    forms = (PASSWORD.encode(), PASSWORD.encode("utf-16le"), PASSWORD.upper().encode())
    try:
        search(mount(gate, attr_ttl=0), work, lambda data: [f for f in forms if f in data])
        assert any(came.user for came in gate.came())
    finally:
        gate.stop()


def test_a_sentinel_under_tls_is_nowhere(start_sim, mount, work):
    authority = Authority(work / "ca")
    behind = as_sentry(start_sim("e2003", "--user", f"{SENTRY}:{SENTINEL}"))
    front = TlsFront(work / "front", authority.issue(), behind)
    try:
        url = front.url.replace("/alice/", f"/{SENTRY}/")
        m = mount(front, url=url, attr_ttl=0, cacert=authority.pem, **passwd_file(work))
        search(m, work, shown)
    finally:
        front.stop()


def test_a_token_is_nowhere(start_sim, mount, work):
    """One as long as they are with many groups in them."""
    token = "Zq7" + "0123456789abcdef" * 500
    server = start_sim("e2003", auth="none")
    door = Gate(server.port, {token})
    tell = spied(work, f"exec cat {private(work / 'secret', token)}")
    try:
        m = mount(server, url=door.url(server), attr_ttl=0, token_cmd=tell)
        search(m, work, lambda data: [token[:40]] if token[:40].encode() in data else [])
    finally:
        door.close()
    assert token[:40].encode() not in (work / "spied").read_bytes()
    assert any(seen.credential == token for seen in door.seen)


def test_a_core_after_abort(sentry, mount, work):
    """A release leaves none; what a debug build leaves holds no password."""
    shell = script(work / "limitless", f'cd {work} && ulimit -c unlimited && '
                                       f'exec {shlex.quote(os.fspath(proc.EXCHANGEFS))} "$@"\n')
    release = not proc.SANITIZED and "XFS_PROVE" in run(
        [proc.EXCHANGEFS, sentry.url, work, "-o", "break=none"], check=False).err
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    with mount(sentry, binary=shell, attr_ttl=0, **passwd_file(work)) as m:
        use(m)
        os.kill(m.pid, signal.SIGABRT)
        m.expect_rc = m.process.wait(30 * SLOWNESS)
        proc.abort_mount(m.path)
    assert m.expect_rc == -signal.SIGABRT
    cores = [path.read_bytes() for path in work.glob("*core*")]
    assert len(cores) == (not release and not proc.SANITIZED and pattern[0] not in "|/")
    for core in cores:
        assert SENTRY.encode() in core and not shown(core)


# -- the terminal ----------------------------------------------------------------------------------


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, argv):
        self.master, slave = pty.openpty()
        self.child = proc.start(argv, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self.seen = b""

    def read(self, seconds=0.2):
        while select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 4096)
            except OSError:
                break
            if not data:
                break
            self.seen += data
        return self.seen

    def expect(self, text):
        wait_until(lambda: text in self.read(), 20, text)

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self, timeout=30):
        try:
            return self.child.wait(timeout * SLOWNESS)
        finally:
            self.read()
            if self.child.poll() is None:
                proc.kill_session(self.child)
                self.child.wait(5)
            os.close(self.master)


def daemon_of(m):
    return proc.processes_naming(os.fspath(m.path))


def unmount_daemon(m):
    pids = daemon_of(m)
    m.unmount_only()
    wait_until(lambda: not [p for p in pids if proc.process_state(p) not in (None, "Z")], 20, "ended")


def asked_mount(sentry, mount, **options):
    m = mount(sentry, user=SENTRY, passwd_file=None, **options)
    m.path.mkdir()
    helper = "fusermount3" if os.geteuid() else "umount"
    flags = ["-u"] if os.geteuid() else []
    m.unmount_only = lambda: run([helper, *flags, m.path])
    return m


def test_prompt(sentry, mount):
    """Echo off, asked before the daemon leaves, remembered after it left."""
    m = asked_mount(sentry, mount, attr_ttl=0)
    terminal = Terminal(m.argv())
    terminal.expect(b"Password of sentry: ")
    terminal.type(SENTINEL + "\n")
    assert terminal.end() == 0, terminal.seen
    assert m.mounted and not shown(terminal.seen)
    use(m)
    for pid in daemon_of(m):
        assert not shown(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
    unmount_daemon(m)
    assert not shown(m.said.encode())


def test_prompt_with_a_wrong_password(sentry, mount):
    m = asked_mount(sentry, mount)
    terminal = Terminal(m.argv())
    terminal.expect(b"Password of sentry: ")
    terminal.type("wrong\n")
    assert terminal.end() == 1
    assert re.search(rb"exchangefs: .*(password|sign)", terminal.seen) and b"wrong" not in terminal.seen


def test_ctrl_c_at_the_prompt(sentry, mount):
    """Nothing is left, and the terminal speaks again."""
    m = asked_mount(sentry, mount)
    terminal = Terminal(m.argv())
    terminal.expect(b"Password of sentry: ")
    assert not termios.tcgetattr(terminal.master)[3] & termios.ECHO
    interrupt(terminal.child)
    wait_until(lambda: not daemon_of(m), 5, "nothing left")
    assert termios.tcgetattr(terminal.master)[3] & termios.ECHO
    assert terminal.end() == -signal.SIGINT


def test_nobody_to_ask(sentry, mount):
    m = asked_mount(sentry, mount)
    result = m.start_fails()
    assert result.rc == 1 and "passwd_file=" in result.err and len(result.err.splitlines()) == 1


# -- fstab -----------------------------------------------------------------------------------------

FSTAB = """
set -e
mount --bind "$1/etc" /etc
"$2" "$3" "$4" -o "$5"
cd "$4"
echo body > note.txt
cat note.txt
cd /
umount "$4"
"""


def system_mount(sentry, work, m, text, mode=0o600, name="127.0.0.1.credentials", **options):
    """mount.exchangefs as root would be started by mount(8), with TEXT in /etc/exchangefs/."""
    etc = work / "etc"
    (etc / "exchangefs").mkdir(parents=True)
    for known in ("passwd", "group", "nsswitch.conf", "hosts", "fuse.conf"):
        source = pathlib.Path("/etc") / known
        if source.exists():
            (etc / known).write_bytes(source.read_bytes())
    (etc / "mtab").symlink_to("/proc/self/mounts")
    private(etc / "exchangefs" / name, text, mode)
    run(proc.sudo(["chown", "-R", "0:0", etc / "exchangefs"]))
    helper = work / "mount.exchangefs"
    helper.symlink_to(proc.EXCHANGEFS)
    m.path.mkdir()
    m.options.pop("user", None)
    m.options.pop("passwd_file", None)
    m.options.update(options)
    argv = ["unshare", "-m", "sh", "-c", FSTAB, "sh", work, helper, m.url, m.path,
            option_text(m.options)]
    return run(proc.sudo(argv), timeout=40, check=False)


def gone(m):
    wait_until(lambda: not daemon_of(m), 20, "the daemon ended")


def test_system_file(sentry, mount, work):
    m = mount(sentry)
    result = system_mount(sentry, work, m, f"user={SENTRY}\npassword={SENTINEL}\n")
    assert result.rc == 0 and result.text == "body\n", repr(result)
    gone(m)
    assert not shown(m.said.encode())


def test_system_file_that_others_may_read(sentry, mount, work):
    m = mount(sentry)
    result = system_mount(sentry, work, m, f"user={SENTRY}\npassword={SENTINEL}\n", 0o644)
    assert result.rc == 1 and "/etc/exchangefs/127.0.0.1.credentials" in result.err
    assert "chmod 600" in result.err and not shown(result.err.encode())


def test_system_file_of_another_server(sentry, mount, work):
    m = mount(sentry)
    result = system_mount(sentry, work, m, f"user={SENTRY}\npassword={SENTINEL}\n",
                          name="mail.example.org.credentials")
    assert result.rc == 1 and re.search("sign|password|user", result.err), repr(result)


def test_system_file_for_another_user(sentry, mount, work):
    """user= names somebody else: root's file is not theirs."""
    m = mount(sentry)
    result = system_mount(sentry, work, m, f"user={SENTRY}\npassword={SENTINEL}\n", user="bob")
    assert result.rc == 1 and "password" in result.err, repr(result)


def test_system_file_is_root_s_helper_s_alone(sentry, mount, work):
    """exchangefs by its own name looks at nothing below /etc."""
    m = mount(sentry, user=None, passwd_file=None)
    (work / "mount.exchangefs").symlink_to("/nonexistent")
    (work / "mount.exchangefs").unlink()
    etc = work / "etc" / "exchangefs"
    etc.mkdir(parents=True)
    private(etc / "127.0.0.1.credentials", f"user={SENTRY}\npassword={SENTINEL}\n")
    m.path.mkdir()
    words = 'mount --bind "$1/etc" /etc; shift; exec "$@"'
    result = run(proc.sudo(["unshare", "-m", "sh", "-c", words, "sh", work, *m.argv()]), timeout=40,
                 check=False)
    assert result.rc == 1, repr(result)


# -- bad sources -----------------------------------------------------------------------------------


def bad_file(work, kind):
    path = work / "secret"
    if kind == "others may read":
        private(path, SENTINEL + "\n", 0o644)
    elif kind == "directory":
        path.mkdir(mode=0o700)
    elif kind == "fifo":
        os.mkfifo(path, 0o600)
    elif kind == "empty":
        private(path, "")
    elif kind == "endless line":
        private(path, "x" * (10 << 20))
    return path


BAD_FILES = {"others may read": "chmod 600", "missing": "No such file", "directory": "no regular file",
             "fifo": "no regular file", "empty": "empty|no password|no line password",
             "endless line": "too long|too large"}


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("option", ("passwd_file", "netrc", "credentials"))
def test_bad_file(sentry, mount, work, option, kind):
    m = mount(sentry, **{"passwd_file": None, option: bad_file(work, kind)})
    result = m.start_fails(timeout=15)
    assert result.rc == 1 and len(result.err.splitlines()) == 1, repr(result)
    assert re.search(BAD_FILES[kind], result.err) and not shown(result.err.encode())
    if kind != "empty" or option != "passwd_file":
        assert os.fspath(work / "secret") in result.err or kind == "endless line"


BAD_COMMANDS = {
    "fails": (f"echo {shlex.quote(SENTINEL)}; echo it is locked >&2; exit 2", "code 2 .it is locked"),
    "prints nothing": ("true", "empty"),
    "an empty line first": (f"echo; echo {shlex.quote(SENTINEL)}", "empty"),
    "floods": (f"yes {shlex.quote(SENTINEL)}", "64 KiB"),
    "endless line": ("cat /dev/zero", "64 KiB"),
    "is not there": ("/nonexistent/secret-tool lookup", "code 127"),
    "is killed": ("kill -9 $$", "Killed"),
}


@pytest.mark.parametrize("kind", BAD_COMMANDS)
def test_bad_command(sentry, mount, work, kind):
    text, words = BAD_COMMANDS[kind]
    m = mount(sentry, passwd_file=None, passwd_cmd=script(work / "tell", text + "\n"))
    result = m.start_fails(timeout=15)
    assert result.rc == 1 and len(result.err.splitlines()) == 1, repr(result)
    assert re.search(words, result.err) and "passwd_cmd" in result.err
    assert not shown(result.err.encode() + m.said.encode())


def test_ctrl_c_ends_a_command_that_hangs(sentry, mount, work):
    """It and what it started are gone with the mount command."""
    tell = script(work / "tell", f"echo $$ > {work}/pid; sleep 30 & echo $! >> {work}/pid; wait\n")
    m = mount(sentry, passwd_file=None, passwd_cmd=tell)
    m.path.mkdir()
    child = m.started(m.argv())
    wait_until(lambda: (work / "pid").exists() and len((work / "pid").read_text().split()) == 2, 10,
               "the command runs")
    start = time.monotonic()
    interrupt(child)
    assert child.wait(10 * SLOWNESS) == -signal.SIGINT
    pids = [int(p) for p in (work / "pid").read_text().split()]
    wait_until(lambda: all(proc.process_state(p) in (None, "Z") for p in pids), 5, "killed")
    assert time.monotonic() - start < 5 * SLOWNESS
    wait_until(lambda: not daemon_of(m), 5, "nothing left")


def test_netrc_of_another_user(sentry, mount, work):
    """user= with a netrc that has another's password for this host alone."""
    text = f"machine 127.0.0.1 login other password {quoted(SENTINEL)}\n"
    m = mount(sentry, passwd_file=None, netrc=private(work / "secret", text))
    result = m.start_fails()
    assert result.rc == 1 and "127.0.0.1" in result.err and SENTRY in result.err
    assert not shown(result.err.encode())


TWO = [("passwd_file", "passwd_cmd"), ("passwd_cmd", "netrc"), ("netrc", "credentials"),
       ("passwd_file", "credentials")]


@pytest.mark.parametrize("names", TWO, ids="+".join)
def test_two_sources_are_one_too_many(sentry, mount, work, names):
    m = mount(sentry, **{"passwd_file": None} | {name: work / "secret" for name in names})
    result = m.start_fails()
    assert result.rc == 2 and len(result.err.splitlines()) == 1, repr(result)
    assert all(name + "=" in result.err for name in names)
