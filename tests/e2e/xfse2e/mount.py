# SPDX-License-Identifier: Apache-2.0
"""One mount under test: started, waited for, used from children only, unmounted, judged."""
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess

from . import proc
from .proc import run

FAULTS = re.compile(r"AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error"
                    r"|[Aa]ssertion|CRITICAL|GLib-WARNING|core dumped")
SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=0:exitcode=77:detect_leaks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "exitcode=77",
    "G_DEBUG": "", "G_SLICE": "always-malloc",
}


def option_text(options):
    """{"ro": True, "attr_ttl": 0} as ro,attr_ttl=0; None and False leave a default out."""
    words = []
    for name, value in options.items():
        if value is not None and value is not False:
            words.append(name if value is True else f"{name}={value}")
    return ",".join(words)


class Mount:
    """Context manager. `path` is the mountpoint: hand it to children, never open it here."""

    def __init__(self, server, directory, url=None, binary=None, cache=None, debug=True, **options):
        self.directory = pathlib.Path(directory)
        self.path = self.directory / "mnt"
        self.cache = pathlib.Path(cache) if cache else self.directory / "cache"
        self.log_file = self.directory / "exchangefs.log"
        self.stderr_file = self.directory / "exchangefs.err"
        self.url = server.url if url is None else url
        self.server = server
        self.binary = binary or proc.EXCHANGEFS
        self.process = None
        self.children = []
        self.expect_rc = 0
        self.options = {"cache_dir": self.cache, "log_file": self.log_file}
        if debug:
            self.options["log_level"] = "debug"
        if server is not None and server.user:
            secret = self.directory / "password"
            secret.write_text(server.password + "\n")
            secret.chmod(0o600)
            self.options.update(user=server.user, passwd_file=secret)
        self.options.update(options)
        if os.environ.get("XFS_BREAK"):
            self.options["break"] = os.environ["XFS_BREAK"]

    def argv(self, *flags):
        return [self.binary, *flags, self.url, self.path, "-o", option_text(self.options)]

    # -- life ------------------------------------------------------------------------------------

    def start(self):
        dead = self.mounted  # a dead mount cannot even be looked at
        if not dead:
            self.path.mkdir(parents=True, exist_ok=True)
        with open(self.stderr_file, "ab") as err:
            self.process = proc.start(self.argv("-f"), stdout=err, stderr=err, env=SANITIZER_ENV)
        proc.wait_until(lambda: self.process.poll() is not None or self.mounted and not (
            dead and run(["stat", self.path], check=False).rc), 60, "mounted")
        assert self.process.poll() is None, f"exchangefs ended {self.process.returncode}:\n{self.said}"
        return self

    def start_fails(self, timeout=30):
        """The start that must fail: (exit status, what was said, seconds)."""
        self.path.mkdir(parents=True, exist_ok=True)
        result = run(self.argv(), timeout=timeout, check=False, env=SANITIZER_ENV)
        if self.mounted:
            proc.abort_mount(self.path)
            raise AssertionError(f"mounted although it must not: {result!r}")
        self.judge_words(result.err)
        return result

    @property
    def mounted(self):
        return os.fspath(self.path) in proc.fuse_mounts()

    @property
    def pid(self):
        return self.process.pid

    @property
    def said(self):
        """Log and stderr together."""
        return "".join(f.read_text("utf-8", "replace")
                       for f in (self.log_file, self.stderr_file) if f.exists())

    def complaints(self):
        """Log lines for the user: warnings and errors."""
        return [line for line in self.said.splitlines()
                if re.search(r"\b(warning|error)\b", line, re.I) and not re.search(r"\bdebug\b", line)]

    def unmount(self, timeout=45):
        helper = "fusermount3" if os.geteuid() else "umount"
        argv = [helper, "-u", self.path] if helper == "fusermount3" else [helper, self.path]
        proc.wait_until(lambda: run(argv, check=False).rc == 0 or not self.mounted, 5, "unmounted")
        try:
            self.process.wait(timeout * proc.SLOWNESS)
        except subprocess.TimeoutExpired:
            proc.kill_session(self.process)
            raise AssertionError("the daemon did not end after the unmount") from None

    def kill(self):
        """kill -9, and the dead mount taken away, as after a crash."""
        proc.kill_session(self.process)
        self.process.wait(10)
        proc.abort_mount(self.path)
        self.process = None

    def judge_words(self, text):
        found = FAULTS.search(text)
        assert not found, f"{found.group(0)} in:\n{text[-6000:]}"

    def judge(self):
        if self.process is not None:
            assert self.process.returncode == self.expect_rc, \
                f"exit status {self.process.returncode}:\n{self.said[-3000:]}"
        self.judge_words(self.said)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *exc):
        if kind is not None:  # what a failed test left running would run for ever
            for child in self.children:
                if child.poll() is None:
                    proc.kill_session(child)
        try:
            if self.process is not None and self.process.poll() is None and self.mounted:
                self.unmount()
            assert not self.mounted, "still mounted"
        except BaseException:
            self.clean()
            if kind is None:
                raise
        self.clean()
        if kind is None:
            self.judge()

    def clean(self):
        if self.mounted:
            proc.abort_mount(self.path)
        if self.process is not None and self.process.poll() is None:
            proc.kill_session(self.process)
            self.process.wait(10)

    # -- use -------------------------------------------------------------------------------------

    def sh(self, script, *args, timeout=20, check=True, env=None):
        """A bash SCRIPT inside the mount; ARGS are $1 …"""
        words = f"set -o pipefail; cd {shlex.quote(os.fspath(self.path))} || exit 111\n{script}"
        return run(["bash", "-c", words, "sh", *map(os.fspath, args)], timeout, check, env=env)

    def python(self, code, *args, timeout=20, check=True):
        """A Python CODE inside the mount (os, sys, json, errno are imported); ARGS in sys.argv."""
        head = f"import os,sys,json,errno,time\nos.chdir({os.fspath(self.path)!r})\n"
        return run([proc.PYTHON, "-c", head + code, *map(os.fspath, args)], timeout, check)

    def start_python(self, code, *args):
        """The same, running on; its stdin and stdout are pipes."""
        head = f"import os,sys,json,errno,time\nos.chdir({os.fspath(self.path)!r})\n"
        return self.started([proc.PYTHON, "-uc", head + code, *map(os.fspath, args)],
                            stdin=subprocess.PIPE)

    def started(self, argv, stdin=None):
        child = proc.start(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.children.append(child)
        return child

    def start_sh(self, script, *args):
        words = f"cd {shlex.quote(os.fspath(self.path))} || exit 111\n{script}"
        return self.started(["bash", "-c", words, "sh", *map(os.fspath, args)])

    def names(self, folder="."):
        return json.loads(self.python("print(json.dumps(os.listdir(sys.argv[1])))", folder).text)

    def read(self, name, timeout=20):
        return self.sh('exec cat -- "$1"', name, timeout=timeout).out

    def write(self, name, data, timeout=20):
        """open(O_TRUNC), write, close, each of which must succeed."""
        source = self.directory / "source"
        source.write_bytes(data)
        return self.sh('exec cp -- "$1" "$2"', source, name, timeout=timeout)

    def stat(self, name):
        return os.stat_result(json.loads(self.python(
            "print(json.dumps(tuple(os.lstat(sys.argv[1]))))", name).text))

    def errno_of(self, code, *args, timeout=20):
        """The errno name that the Python CODE fails with, or 'OK'."""
        body = "".join("    " + line + "\n" for line in code.splitlines())
        return self.python("try:\n" + body + "    print('OK')\nexcept OSError as e:\n"
                           "    print(errno.errorcode[e.errno])\n",
                           *args, timeout=timeout).text.splitlines()[-1]

    def memory_peak(self):
        """VmHWM of the daemon, bytes."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


def interrupt(child, sig=signal.SIGINT):
    """Ctrl-C as a terminal sends it: to the whole group."""
    proc.kill_session(child, sig)
