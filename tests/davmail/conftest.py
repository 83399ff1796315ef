# SPDX-License-Identifier: Apache-2.0
"""When a step fails, says what the simulator answered last and what DavMail complained of."""
import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    gateway = getattr(item, "funcargs", {}).get("gateway")
    if report.failed and gateway is not None:
        last = "\n".join(" ".join(r) for r in gateway.requests()[-25:])
        report.sections.append(("last requests", last))
        report.sections.append(("DavMail", gateway.complaints()))
