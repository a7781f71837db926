"""Subscription notices against the simulated platform: another path, no key, and no promise."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from channels.base import DeliveryClass, Outcome
from channels.errors import Fault
from channels.gateways.base import Faults
from channels.gateways.wechat_official import WechatOfficialSimulator
from channels.wechat_official import WechatSubscription

from .clock import SLOW
from .conformance import AdapterConformance, Bench
from .hooks import Hooks
from .wechat_official import FATES, make_config, make_message, sim_of

SAMPLE = Path(__file__).parent / "samples" / "wechat_subscription" / "bizsend.json"


@pytest.fixture(name="bench")
async def subscription_bench() -> AsyncIterator[Bench]:
    simulator = WechatOfficialSimulator(Faults(slow_seconds=SLOW))
    url = await simulator.start()
    adapter = WechatSubscription(make_config(url))
    unreachable = WechatSubscription(make_config("http://127.0.0.1:9"))
    stranger = WechatSubscription(make_config(url, app_secret="wrong"))
    await adapter.open()
    yield Bench(
        adapter,
        simulator,
        Hooks(),
        make_message,
        address=lambda n: f"oTaxpayer_{n:06d}",
        magic=lambda fate: f"oMagic-1380000{FATES[fate]}",
        unreachable=unreachable,
        stranger=stranger,
        longest=20,
    )
    for each in (adapter, unreachable, stranger):
        await each.close()
    await simulator.stop()


class TestWechatSubscription(AdapterConformance):
    """The common suite: sending."""


async def test_one_consent_is_one_notice_and_the_next_is_for_another_rung(bench: Bench) -> None:
    simulator, one = sim_of(bench), bench.one(1)
    simulator.consents[one.address] = 1
    (first,) = await bench.adapter.send([one])
    (second,) = await bench.adapter.send([replace(one, key="2")])
    assert first.outcome is Outcome.ACCEPTED
    assert (second.outcome, second.fault, second.code) == (Outcome.REFUSED, Fault.UNSUPPORTED, "43101")
    assert bench.booked(one) == 1


def test_the_request_is_that_of_the_sheet() -> None:
    adapter = WechatSubscription(make_config("http://127.0.0.1:9"))
    message = make_message("00k", "oTaxpayer_000001", "税务提醒")
    assert orjson.loads(adapter.compose(message)) == orjson.loads(SAMPLE.read_bytes())


def test_an_unknown_notice_is_never_sent_again_by_itself() -> None:
    assert WechatSubscription.facts.delivery_class is DeliveryClass.BLIND
