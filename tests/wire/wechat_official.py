"""What the tests of the official account share: a bench, messages, a forged push."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from channels.base import Outbound, WebhookRequest
from channels.gateways.base import MAGIC, Faults
from channels.gateways.wechat_official import DEMO_TEMPLATES, Account, WechatOfficialSimulator
from channels.gateways.wechat_official.pushes import encrypt
from channels.wechat_official import WechatOfficial, WechatOfficialConfig

from .clock import SLOW, TIMEOUT
from .conformance import Bench
from .hooks import Hooks

SAMPLES = Path(__file__).parent / "samples" / "wechat_official"
NOTICE = next(name for name, keys in DEMO_TEMPLATES.items() if keys == ("thing1", "thing2"))
FATES = {fate: digits for digits, fate in MAGIC.items()}
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


def make_config(url: str, **changes: Any) -> WechatOfficialConfig:
    account = Account()
    settings: dict[str, Any] = {
        "api_base": url,
        "app_id": account.app_id,
        "app_secret": account.app_secret,
        "callback_token": account.callback_token,
        "encoding_aes_key": account.encoding_aes_key,
        "timeout": TIMEOUT,
    }
    return WechatOfficialConfig(**{**settings, **changes})


def make_message(key: str, address: str, text: str) -> Outbound:
    params = {"thing1": text[:18], "thing2": text[18:] or "。"}
    return Outbound(key, address, text, template=NOTICE, params=params, url="https://tax.example.cn/m")


def forge(request: WebhookRequest) -> WebhookRequest:
    other = encrypt(AES_KEY, Account().app_id, "<xml><MsgType>text</MsgType></xml>")
    return replace(request, body=f"<xml><Encrypt>{other}</Encrypt></xml>".encode())


@pytest.fixture(name="bench")
async def wechat_bench() -> AsyncIterator[Bench]:
    hooks = Hooks()
    base = await hooks.start()
    simulator = WechatOfficialSimulator(Faults(slow_seconds=SLOW), callback_url=f"{base}/hooks/7")
    url = await simulator.start()
    adapter = WechatOfficial(make_config(url))
    unreachable = WechatOfficial(make_config("http://127.0.0.1:9"))
    stranger = WechatOfficial(make_config(url, app_secret="wrong"))
    hooks.adapter = adapter
    await adapter.open()
    yield Bench(
        adapter,
        simulator,
        hooks,
        make_message,
        address=lambda n: f"oTaxpayer_{n:06d}",
        magic=lambda fate: f"oMagic-13800000{FATES[fate]}"[:8] + f"1380000{FATES[fate]}",
        unreachable=unreachable,
        stranger=stranger,
        forge=forge,
        uplink={"address": "oTaxpayer_000001", "text": "退订"},
        longest=20,
    )
    for each in (adapter, unreachable, stranger):
        await each.close()
    await simulator.stop()
    await hooks.stop()


def sim_of(bench: Bench) -> WechatOfficialSimulator:
    """The bench's simulator by its own type."""
    assert isinstance(bench.simulator, WechatOfficialSimulator)
    return bench.simulator
