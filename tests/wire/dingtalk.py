"""What the tests of DingTalk share: a bench, settings, a forged push."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from channels.base import Outbound, WebhookRequest
from channels.dingtalk import Dingtalk, DingtalkConfig
from channels.gateways.base import MAGIC, Faults
from channels.gateways.dingtalk import Account, DingtalkSimulator
from channels.gateways.wechat_official.pushes import encrypt

from .clock import SLOW, TIMEOUT
from .conformance import Bench
from .hooks import Hooks

SAMPLES = Path(__file__).parent / "samples" / "dingtalk"
ACCOUNT = Account()
FATES = {fate: digits for digits, fate in MAGIC.items()}


def make_config(url: str, **changes: Any) -> DingtalkConfig:
    settings: dict[str, Any] = {
        "api_base": url,
        "app_key": ACCOUNT.app_key,
        "app_secret": ACCOUNT.app_secret,
        "agent_id": ACCOUNT.agent_id,
        "callback_token": ACCOUNT.callback_token,
        "encoding_aes_key": ACCOUNT.encoding_aes_key,
        "timeout": TIMEOUT,
    }
    return DingtalkConfig(**{**settings, **changes})


def forge(request: WebhookRequest) -> WebhookRequest:
    other = encrypt(ACCOUNT.encoding_aes_key, ACCOUNT.app_key, '{"EventType":"check_url"}')
    return replace(request, body=orjson.dumps({"encrypt": other}))


@pytest.fixture(name="bench")
async def dingtalk_bench() -> AsyncIterator[Bench]:
    hooks = Hooks()
    base = await hooks.start()
    simulator = DingtalkSimulator(Faults(slow_seconds=SLOW), callback_url=f"{base}/hooks/7")
    url = await simulator.start()
    adapter = Dingtalk(make_config(url))
    unreachable = Dingtalk(make_config("http://127.0.0.1:9"))
    stranger = Dingtalk(make_config(url, app_secret="wrong"))
    hooks.adapter = adapter
    await adapter.open()
    yield Bench(
        adapter,
        simulator,
        hooks,
        Outbound,
        address=lambda n: f"manager{n:06d}",
        magic=lambda fate: f"magic-1380000{FATES[fate]}",
        unreachable=unreachable,
        stranger=stranger,
        forge=forge,
        longest=600,
    )
    for each in (adapter, unreachable, stranger):
        await each.close()
    await simulator.stop()
    await hooks.stop()


def sim_of(bench: Bench) -> DingtalkSimulator:
    """The bench's simulator by its own type."""
    assert isinstance(bench.simulator, DingtalkSimulator)
    return bench.simulator


def adapter_of(bench: Bench) -> Dingtalk:
    """The bench's adapter by its own type."""
    assert isinstance(bench.adapter, Dingtalk)
    return bench.adapter
