# SPDX-License-Identifier: Apache-2.0
"""Reads stream, waits can be interrupted, and one stalled answer holds up nobody else."""
import os
import signal
import time

import pytest
from xfse2e import proc, samples
from xfse2e.mount import interrupt
from xfse2e.proc import SLOWNESS, run

STALL = "GET *big* always stall=65536"
SIMS = ("e2003", "generic")


@pytest.fixture(params=SIMS)
def stalled(request, start_sim, mount):
    """A mount whose `work/big.bin` stops after 64 KiB, for ever."""
    sim = start_sim(request.param)
    sim.client.mkcol("work")
    sim.client.put("work/big.bin", samples.noise(4 << 20))
    sim.client.put("work/small.txt", b"small\n")
    sim.faults(STALL)
    with mount(sim, timeo=20) as m:
        m.sim = sim
        yield m
        sim.faults("")


@pytest.mark.core
def test_first_bytes_come_before_the_last(stalled):
    """The server stalls after 64 KiB: head -c 1000 ends within a second."""
    stalled.sh("ls work >/dev/null")
    result = stalled.sh("head -c 1000 work/big.bin")
    assert result.out == samples.noise(4 << 20)[:1000]
    assert result.seconds < 1.0 * SLOWNESS


@pytest.mark.parametrize("profile", SIMS)
def test_bytes_are_served_as_they_arrive(start_sim, mount, profile):
    """100 KB a second: a reader gets its first 60 KB long before the last of 16 MB."""
    sim = start_sim(profile)
    sim.client.put("slow.bin", samples.noise(16 << 20))
    sim.faults("GET *slow.bin always slow=100000")
    with mount(sim) as m:
        m.sh("ls >/dev/null")
        result = m.sh("head -c 60000 slow.bin", timeout=30)
        assert result.out == samples.noise(16 << 20)[:60000]
        assert result.seconds < 12 * SLOWNESS


@pytest.mark.core
def test_a_reader_of_a_stalled_server_ends_on_sigint(stalled):
    child = stalled.start_sh("exec cat work/big.bin > /dev/null")
    time.sleep(1.0 * SLOWNESS)
    assert child.poll() is None
    began = time.monotonic()
    interrupt(child)
    child.communicate(timeout=5)
    assert time.monotonic() - began < 1.0 * SLOWNESS and child.returncode == -signal.SIGINT


@pytest.mark.core
def test_a_program_with_its_own_handler_gets_eintr(stalled):
    """A handler without SA_RESTART runs at once, in the middle of a stalled read."""
    child = stalled.start_python("""
import signal
signal.signal(signal.SIGINT, lambda *a: (_ for _ in ()).throw(KeyboardInterrupt()))
fd = os.open('work/big.bin', os.O_RDONLY)
print('reading')
try:
    n = 0
    while True:
        piece = os.read(fd, 65536)
        if not piece: break
except KeyboardInterrupt:
    print('handled')
""")
    child.stdout.readline()
    time.sleep(1.0 * SLOWNESS)
    began = time.monotonic()
    os.kill(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=5)
    assert out == b"handled\n", err
    assert time.monotonic() - began < 1.0 * SLOWNESS


def test_open_ls_and_mkdir_can_be_interrupted(start_sim, mount):
    sim = start_sim("generic")
    sim.client.mkcol("work")
    sim.client.mkcol("work/slow")
    sim.faults("".join(f"{rule} always drop delay=60000\n" for rule in ("* *slow*", "MKCOL *", "PUT *")))
    with mount(sim, attr_ttl=0, timeo_meta=30, timeo=30) as m:
        m.sh("ls work >/dev/null")
        for script in ("ls work/slow", "mkdir work/new", "echo x > work/put.txt",
                       "cp /etc/passwd work/passwd"):
            child = m.start_sh(script)
            time.sleep(0.5 * SLOWNESS)
            assert child.poll() is None, script
            began = time.monotonic()
            interrupt(child)
            child.communicate(timeout=5)
            assert time.monotonic() - began < 1.0 * SLOWNESS, script
        sim.faults("")
        assert m.sh("ls work").text.split() == ["slow"]


def test_a_stall_ends_after_timeo_with_etimedout(start_sim, mount):
    sim = start_sim("e2003")
    sim.client.mkcol("work")
    sim.client.put("work/big.bin", samples.noise(1 << 20))
    sim.faults(STALL)
    with mount(sim, timeo=2, timeo_meta=2) as m:
        began = time.monotonic()
        code = "f = os.open('work/big.bin', os.O_RDONLY)\nwhile os.read(f, 65536): pass"
        assert m.errno_of(code) in ("ETIMEDOUT", "EIO")
        assert 1.5 < time.monotonic() - began < 12 * SLOWNESS
        sim.faults("")
        assert m.read("work/big.bin") == samples.noise(1 << 20)
        assert m.complaints(), "nothing was said about it"


def test_many_blocked_readers_do_not_freeze_the_mount(stalled):
    """Thirty readers wait on a server that stalls; ls and a cached cat answer meanwhile."""
    stalled.sh("cat work/small.txt >/dev/null; ls work >/dev/null")
    children = [stalled.start_sh("exec dd if=work/big.bin bs=1M of=/dev/null 2>/dev/null")
                for _ in range(30)]
    time.sleep(1.0 * SLOWNESS)
    assert stalled.sh("ls -l work >/dev/null; cat work/small.txt", timeout=2).out == b"small\n"
    for child in children:
        proc.kill_session(child)
        child.communicate(timeout=5)


@pytest.mark.core
def test_the_unmount_of_a_stalled_mount_answers_everybody(stalled):
    child = stalled.start_sh("exec dd if=work/big.bin bs=1M of=/dev/null")
    time.sleep(0.5 * SLOWNESS)
    os.kill(stalled.pid, signal.SIGTERM)
    child.communicate(timeout=10 * SLOWNESS)
    assert child.returncode != 0
    assert stalled.process.wait(30 * SLOWNESS) == 0


@pytest.mark.parametrize("profile", SIMS)
def test_a_dropped_line_is_taken_up_again(start_sim, mount, profile):
    """The connection breaks in the middle of a body, twice; the reader sees every byte."""
    sim = start_sim(profile)
    body = samples.noise(3 << 20)
    sim.client.put("a.bin", body)
    sim.faults("GET *a.bin times=2 cut=1000000")
    with mount(sim) as m:
        assert m.read("a.bin") == body


def test_a_mmap_of_a_large_file(server, mounted):
    body = samples.noise(5 << 20)
    server.client.put("work/map.bin", body)
    got = mounted.python("""
import mmap, hashlib
with open('work/map.bin', 'rb') as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
    print(hashlib.sha256(m[4000000:]).hexdigest(), len(m), hashlib.sha256(m).hexdigest())""").text
    import hashlib
    assert got.split() == [hashlib.sha256(body[4000000:]).hexdigest(), str(len(body)),
                           hashlib.sha256(body).hexdigest()]


@pytest.mark.slow
@pytest.mark.parametrize("profile", SIMS)
def test_a_document_of_a_gibibyte_in_little_memory(start_sim, mount, profile, work):
    sim = start_sim(profile)
    size = 1 << 30
    with mount(sim, cache_size="1500M", attr_ttl=0) as m:
        m.sh('head -c "$1" /dev/zero | tr "\\0" x > huge.bin', str(size), timeout=300)
        assert m.memory_peak() < 64 << 20
    with mount(sim, cache_size="1500M") as m:
        out = m.sh("dd if=huge.bin bs=1M 2>/dev/null | cksum", timeout=300).text.split()
        assert int(out[1]) == size
        assert m.memory_peak() < 64 << 20, m.memory_peak() >> 20
    want = run(["bash", "-c", f"head -c {size} /dev/zero | tr '\\0' x | cksum"], 120).text.split()
    assert out == want


def test_reading_a_little_transfers_a_little(start_sim, mount):
    """head of a large file does not make the daemon fetch it all before the unmount."""
    sim = start_sim("generic")
    sim.client.put("a.bin", samples.noise(64 << 20))
    sim.faults("GET *a.bin always slow=2000000")
    with mount(sim) as m:
        assert m.sh("head -c 1000 a.bin").seconds < 2 * SLOWNESS
        began = time.monotonic()
    assert time.monotonic() - began < 15 * SLOWNESS
