# SPDX-License-Identifier: Apache-2.0
"""The contract of the store, as its own program checks it, on each server."""
import os

import pytest
from xfse2e import proc
from xfse2e.proc import run


def program(name):
    found = [p for p in (proc.BUILD / name, proc.BUILD / "tests" / name) if p.exists()]
    assert found, f"{name} is not built in {proc.BUILD}"
    return found[0]


@pytest.mark.core
def test_the_store_keeps_its_contract(server):
    env = {"XFS_STORE_URL": server.url + "work/"}
    if server.user:
        env.update(XFS_STORE_USER=server.user, XFS_STORE_PASSWORD=server.password)
    if "XFS_BREAK" in os.environ:
        env["XFS_BREAK"] = os.environ["XFS_BREAK"]
    result = run([program("unit_store_contract")], timeout=120, env=env)
    assert "[  PASSED  ]" in result.text + result.err
