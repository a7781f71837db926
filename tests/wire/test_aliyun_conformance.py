"""The Aliyun SMS adapter against what every adapter must show."""

from collections.abc import AsyncIterator

import pytest

from .aliyun import run_bench
from .conformance import AdapterConformance, Bench, PushConformance


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with run_bench() as bench:
        yield bench


class TestAliyunSms(AdapterConformance):
    """Sending, classification, query, configuration."""


class TestAliyunPushes(PushConformance):
    """Receipts, inbound, verification, hostile pushes."""
