# SPDX-License-Identifier: Apache-2.0
"""exchange-sim bears what the tests and the benchmarks ask of it."""
import concurrent.futures

from xfse2e import samples


def test_a_hundred_thousand_items_are_listed(start_sim, mount):
    sim = start_sim("e2003", "--synthetic", "Inbox=100000")
    with mount(sim, debug=False, timeo_meta=60) as m:
        assert m.sh("ls -U Inbox | wc -l", timeout=60).text.strip() == "100000"
        assert m.memory_peak() < 128 << 20


def test_64_connections_at_once(start_sim):
    """Each answer is held for 300 ms; sixty-four of them take no longer than a few."""
    sim = start_sim("generic", "--delay-ms", "300")
    sim.client.put("f.txt", samples.noise(1000))
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        bodies = list(pool.map(lambda _: sim.client.get("f.txt"), range(64)))
    assert bodies == [samples.noise(1000)] * 64
