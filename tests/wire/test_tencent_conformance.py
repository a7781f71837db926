"""The Tencent SMS adapter against what every adapter must show."""

from collections.abc import AsyncIterator

import pytest

from .conformance import AdapterConformance, Bench, PushConformance
from .tencent import run_bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with run_bench() as bench:
        yield bench


class TestTencentSms(AdapterConformance):
    """Sending, classification, query, configuration."""


class TestTencentPushes(PushConformance):
    """Receipts, inbound, verification, hostile pushes."""
