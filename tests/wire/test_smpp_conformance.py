"""The SMPP adapter against what every adapter must show, at three kinds of centres."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels.gateways.smpp import Account

from .conformance import AdapterConformance, Bench, PushConformance
from .smpp import run_bench

CENTRES: dict[str, tuple[Account, dict[str, Any]]] = {
    "both": (Account(), {}),
    "by parameters, whole texts": (Account(receipts="tlv"), {"long_texts": "payload", "alphabet": "gsm7"}),
    "by text, in decimal digits": (
        Account(receipts="text", decimal=True),
        {"id_in_answer": "hex", "id_in_report": "decimal"},
    ),
}


@pytest.fixture(params=CENTRES)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    account, settings = CENTRES[request.param]
    async with run_bench(account, **settings) as bench:
        yield bench


class TestSmpp(AdapterConformance):
    """Sending, classification, configuration."""


class TestSmppPushes(PushConformance):
    """Reports and uplinks over the connections."""
