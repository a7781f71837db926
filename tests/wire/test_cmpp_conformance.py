"""The CMPP adapter, in both versions, against what every adapter must show."""

from collections.abc import AsyncIterator

import pytest

from .cmpp import run_bench
from .conformance import AdapterConformance, Bench, PushConformance


@pytest.fixture(params=["2.0", "3.0"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with run_bench(request.param) as bench:
        yield bench


class TestCmpp(AdapterConformance):
    """Sending, classification, configuration."""


class TestCmppPushes(PushConformance):
    """Reports and uplinks over the connections."""
