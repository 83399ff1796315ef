# SPDX-License-Identifier: Apache-2.0
"""Fixtures: `server` (each server of the test's list in turn), `start_sim`, `mount`, `work`.

`@pytest.mark.servers("generic", "mod_dav")` narrows `server`; without it a test runs on all four.
A test fails when a mount, a daemon or a server of its own is left behind.
"""
import os
import pathlib
import shutil
import signal
import tempfile
import zlib

import pytest

from xfse2e import proc
from xfse2e.mount import Mount
from xfse2e.server import ModDav, Sim

SERVERS = ("e2003", "e2007", "generic", "mod_dav")


def pytest_addoption(parser):
    parser.addoption("--shard", default="0/1", help="run only part I of N, as I/N")
    parser.addoption("--slow", action="store_true", help="with the tests marked slow")


def pytest_configure(config):
    # A shell's background job ignores SIGINT, and so would every program started from here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "servers(*names): the servers a test runs on")
    config.addinivalue_line("markers", "slow: more than a minute or a gigabyte")
    config.addinivalue_line("markers", "core: also under the sanitizers")


def pytest_generate_tests(metafunc):
    if "server" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("servers")
        metafunc.parametrize("server", mark.args if mark else SERVERS, indirect=True)


def pytest_collection_modifyitems(config, items):
    part, parts = map(int, config.getoption("--shard").split("/"))
    keep = [i for i in items if zlib.crc32(i.nodeid.encode()) % parts == part]
    if not config.getoption("--slow") and not any("::" in a for a in config.args):
        keep = [i for i in keep if not i.get_closest_marker("slow")]
    gone = [i for i in items if i not in keep]
    config.hook.pytest_deselected(items=gone)
    items[:] = keep


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What daemon and server said goes into the report of a failure."""
    report = (yield).get_result()
    if report.failed and hasattr(item, "xfs_work"):
        for log in sorted(item.xfs_work.glob("*/*")):  # never into a mount
            if log.name in ("exchangefs.log", "exchangefs.err", "access.log", "sim.err",
                            "error.log", "faults"):
                text = log.read_text("utf-8", "replace")[-6000:]
                if text:
                    report.sections.append((os.fspath(log.relative_to(item.xfs_work)), text))
    if call.when == "teardown" and hasattr(item, "xfs_work"):
        shutil.rmtree(item.xfs_work, ignore_errors=True)


@pytest.fixture
def work(request):
    """A directory of the test's own; at its end nothing of it may be mounted or running."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="xfs-e2e-"))
    request.node.xfs_work = directory
    yield directory
    mounts = [m for m in proc.fuse_mounts() if m.startswith(os.fspath(directory))]
    pids = proc.processes_naming(os.fspath(directory))
    for mountpoint in mounts:
        proc.abort_mount(mountpoint)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    if pids:
        proc.wait_until(lambda: not proc.processes_naming(os.fspath(directory)), 5, "killed")
    assert not mounts, f"left mounted: {mounts}"
    assert not pids, f"left running: {pids}"
    # Removed by the hook above: the report needs the logs.


@pytest.fixture
def start_sim(work):
    """Starts exchange-sim: start_sim(profile, *args, faults=…, auth=…)."""
    running = []

    def begin(profile="e2003", *args, **kw):
        directory = work / f"sim{len(running)}"
        directory.mkdir()
        running.append(Sim(directory, profile, args, **kw))
        return running[-1]
    yield begin
    stop_all(running)


@pytest.fixture
def start_mod_dav(work):
    running = []

    def begin(**kw):
        directory = work / f"apache{len(running)}"
        directory.mkdir()
        running.append(ModDav(directory, **kw))
        return running[-1]
    yield begin
    stop_all(running)


def stop_all(servers):
    failures = []
    for server in servers:
        try:
            server.stop()
        except AssertionError as error:
            failures.append(error)
    if failures:
        raise failures[0]


@pytest.fixture
def server(request, start_sim, start_mod_dav):
    """A server with one folder, `work`, in an otherwise fresh mailbox."""
    kind = request.param
    made = start_mod_dav() if kind == "mod_dav" else start_sim(kind)
    made.client.mkcol("work")
    return made


@pytest.fixture
def mount(work):
    """Mounts: `with mount(server, attr_ttl=0) as m:`; each in a directory of its own."""
    made = []

    def begin(server, **options):
        directory = work / f"mount{len(made)}"
        directory.mkdir()
        made.append(Mount(server, directory, **options))
        return made[-1]
    yield begin
    for m in made:
        m.clean()


@pytest.fixture
def mounted(server, mount):
    """A mount of `server` that asks again each time, as most tests want it."""
    with mount(server, attr_ttl=0) as m:
        yield m
