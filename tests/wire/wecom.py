"""What the tests of WeCom share: a bench, messages, a forged push."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from channels.base import Outbound, WebhookRequest
from channels.gateways.base import MAGIC, Faults
from channels.gateways.wechat_official.pushes import encrypt
from channels.gateways.wecom import Account, WecomSimulator
from channels.wecom import Wecom, WecomConfig

from .clock import SLOW, TIMEOUT
from .conformance import Bench
from .hooks import Hooks

SAMPLES = Path(__file__).parent / "samples" / "wecom"
ACCOUNT = Account()
FATES = {fate: digits for digits, fate in MAGIC.items()}


def make_config(url: str, **changes: Any) -> WecomConfig:
    settings: dict[str, Any] = {
        "api_base": url,
        "corp_id": ACCOUNT.corp_id,
        "corp_secret": ACCOUNT.corp_secret,
        "agent_id": ACCOUNT.agent_id,
        "callback_token": ACCOUNT.callback_token,
        "encoding_aes_key": ACCOUNT.encoding_aes_key,
        "timeout": TIMEOUT,
    }
    return WecomConfig(**{**settings, **changes})


def forge(request: WebhookRequest) -> WebhookRequest:
    other = encrypt(ACCOUNT.encoding_aes_key, ACCOUNT.corp_id, "<xml><MsgType>text</MsgType></xml>")
    return replace(request, body=f"<xml><Encrypt>{other}</Encrypt></xml>".encode())


@pytest.fixture(name="bench")
async def wecom_bench() -> AsyncIterator[Bench]:
    hooks = Hooks()
    base = await hooks.start()
    simulator = WecomSimulator(Faults(slow_seconds=SLOW), callback_url=f"{base}/hooks/7")
    url = await simulator.start()
    adapter = Wecom(make_config(url))
    unreachable = Wecom(make_config("http://127.0.0.1:9"))
    stranger = Wecom(make_config(url, corp_secret="wrong"))
    hooks.adapter = adapter
    await adapter.open()
    yield Bench(
        adapter,
        simulator,
        hooks,
        Outbound,
        address=lambda n: f"Staff.{n:06d}",
        magic=lambda fate: f"Magic-1380000{FATES[fate]}",
        unreachable=unreachable,
        stranger=stranger,
        forge=forge,
        uplink={"address": "Staff.000001", "text": "退订"},
        longest=600,
    )
    for each in (adapter, unreachable, stranger):
        await each.close()
    await simulator.stop()
    await hooks.stop()


def sim_of(bench: Bench) -> WecomSimulator:
    """The bench's simulator by its own type."""
    assert isinstance(bench.simulator, WecomSimulator)
    return bench.simulator


def adapter_of(bench: Bench) -> Wecom:
    """The bench's adapter by its own type."""
    assert isinstance(bench.adapter, Wecom)
    return bench.adapter
