"""The adapter of Aliyun's 5G messages against what every adapter must show."""

from collections.abc import AsyncIterator

import pytest

from .aliyun_rcs import run_bench
from .conformance import AdapterConformance, Bench, PushConformance


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with run_bench() as bench:
        yield bench


class TestAliyunRcs(AdapterConformance):
    """Sending, classification, query, configuration."""


class TestAliyunRcsPushes(PushConformance):
    """Receipts, inbound, verification, hostile pushes."""
