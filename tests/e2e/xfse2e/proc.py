# SPDX-License-Identifier: Apache-2.0
"""Child processes with a time limit, and the way out of a mount that hangs.

The pytest process itself never touches a mount: whatever may block runs in a child, in a session of
its own, so that it can be killed whole.
"""
import os
import pathlib
import signal
import subprocess
import time

REPO = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", REPO / "build" / "release")).resolve()
EXCHANGEFS = BUILD / "exchangefs"
EXCHANGE_SIM = pathlib.Path(os.environ.get("EXCHANGE_SIM", BUILD / "exchange-sim"))
PYTHON = "/usr/bin/python3"

# Sanitizers and busy machines stretch every limit alike.
SLOWNESS = float(os.environ.get("E2E_SLOWNESS", "1"))
SANITIZED = BUILD.name in ("asan", "tsan") or "E2E_SANITIZED" in os.environ


class Hang(AssertionError):
    """A program did not end within its time."""


class Result:
    def __init__(self, argv, rc, out, err, seconds):
        self.argv, self.rc, self.out, self.err, self.seconds = argv, rc, out, err, seconds

    @property
    def text(self):
        return self.out.decode("utf-8", "surrogateescape")

    def __repr__(self):
        return (f"<{' '.join(map(str, self.argv))[:300]} rc={self.rc} {self.seconds:.2f}s\n"
                f"out: {self.out[:600]!r}\nerr: {self.err[:900]}>")


def sudo(argv):
    """ARGV as root."""
    return list(argv) if os.geteuid() == 0 else ["sudo", "-n", *argv]


def kill_session(process, sig=signal.SIGKILL):
    try:
        os.killpg(process.pid, sig)
    except ProcessLookupError:
        pass


def environment(extra=None):
    env = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC")
    env.pop("XFS_BREAK", None)  # a mount gets it as an option
    return env | (extra or {})


def start(argv, **kw):
    """A child in its own session; the caller ends it."""
    kw.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen([os.fspath(a) for a in argv], start_new_session=True,
                            env=environment(kw.pop("env", None)), **kw)


def run(argv, timeout=20.0, check=True, data=None, env=None):
    """Runs ARGV to its end. CHECK: exit status 0 is demanded. Hang: it did not end in time."""
    timeout *= SLOWNESS
    began = time.monotonic()
    child = start(argv, stdin=subprocess.PIPE if data is not None else subprocess.DEVNULL,
                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    try:
        out, err = child.communicate(data, timeout)
    except subprocess.TimeoutExpired:
        end_hung(child)
        raise Hang(f"no end within {timeout:.0f} s: {' '.join(map(str, argv))[:400]}") from None
    result = Result(argv, child.returncode, out, err.decode("utf-8", "replace"),
                    time.monotonic() - began)
    if check:
        assert result.rc == 0, repr(result)
    return result


def end_hung(child):
    """Kills CHILD; when even SIGKILL does not end it, the mounts are what holds it."""
    kill_session(child)
    try:
        child.communicate(timeout=3)
    except subprocess.TimeoutExpired:
        for mountpoint in fuse_mounts():
            if "xfs-e2e-" in mountpoint:
                abort_mount(mountpoint)
        child.communicate(timeout=10)


def unescape(field):
    return field.encode().decode("unicode_escape").encode("latin-1").decode("utf-8")


def fuse_mounts():
    """{mountpoint: minor device number}, read without touching any of them."""
    found = {}
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            left, right = line.split(" - ", 1)
            if right.startswith("fuse"):
                fields = left.split()
                found[unescape(fields[4])] = int(fields[2].split(":")[1])
    found.pop("/sys/fs/fuse/connections", None)
    return found


def abort_mount(mountpoint):
    """Frees whoever waits in MOUNTPOINT, then takes it out of the tree."""
    minor = fuse_mounts().get(os.fspath(mountpoint))
    if minor is None:
        return
    control = f"/sys/fs/fuse/connections/{minor}/abort"
    if not os.path.exists(control):
        subprocess.run(sudo(["mount", "-t", "fusectl", "fusectl", "/sys/fs/fuse/connections"]),
                       stderr=subprocess.DEVNULL, check=False)
    subprocess.run(sudo(["sh", "-c", f"echo 1 > {control}"]), stderr=subprocess.DEVNULL,
                   check=False)
    subprocess.run(sudo(["umount", "-l", os.fspath(mountpoint)]), stderr=subprocess.DEVNULL,
                   check=False)


def wait_until(condition, timeout=5.0, what="condition"):
    """Polls CONDITION until it is true, and returns what it gave."""
    end = time.monotonic() + timeout * SLOWNESS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.02)


def process_state(pid):
    """One letter (R, S, D, Z …), or None when there is no such process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def processes_naming(text):
    """Pids of our programs whose command line holds TEXT."""
    pids = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                argv = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in argv and (b"exchangefs" in argv or b"exchange-sim" in argv
                                          or b"apache2" in argv):
                pids.append(int(entry.name))
    return pids
