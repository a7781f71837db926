"""The pieces of the Aliyun tests: the simulated account, a bench, and a server that answers by script."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from channels.aliyun.sms import AliyunSms, AliyunSmsConfig
from channels.base import Outbound
from channels.gateways.aliyun_sms import AliyunSmsSimulator
from channels.gateways.base import MAGIC, Faults

from .clock import SLOW, TIMEOUT
from .conformance import Bench
from .hooks import Hooks
from .scripted import SECRET

SIGNATURE = "测试税务"


class AliyunBench(Bench):
    """A bench whose simulator is known to be Aliyun's."""

    simulator: AliyunSmsSimulator
    adapter: AliyunSms


def make_adapter(endpoint: str, **changes: Any) -> AliyunSms:
    """An adapter for the simulated account."""
    settings: dict[str, Any] = {
        "endpoint": endpoint,
        "access_key_id": "testId",
        "access_key_secret": "testSecret",
        "sign_name": SIGNATURE,
        "callback_secret": SECRET,
        "timeout": TIMEOUT,
    }
    return AliyunSms(AliyunSmsConfig(**{**settings, **changes}))


def plain(key: str, address: str, name: str = "张三", template: str = "SMS_000001") -> Outbound:
    """A message by the simulator's sample template."""
    return Outbound(key, address, f"尊敬的{name}", template=template, params={"name": name})


@asynccontextmanager
async def run_bench(**options: Any) -> AsyncIterator["AliyunBench"]:
    """The adapter on its simulator, pushes arriving at a product's webhook path."""
    hooks = Hooks()
    base = await hooks.start()
    simulator = AliyunSmsSimulator(
        Faults(slow_seconds=SLOW, receipt_delay=0.02),
        report_url=f"{base}/hooks/7/{SECRET}/report",
        uplink_url=f"{base}/hooks/7/{SECRET}/up",
        repeat_scale=0.001,
        **options,
    )
    adapter = make_adapter(await simulator.start())
    hooks.adapter = adapter
    closed = make_adapter("http://127.0.0.1:9")
    stranger = make_adapter(simulator.url, access_key_secret="another")
    yield AliyunBench(
        adapter,
        simulator,
        hooks,
        message=lambda key, address, text: in_pieces(simulator, key, address, text),
        address=lambda n: f"139{n:08d}",
        magic=lambda fate: "1380000" + next(digits for digits, name in MAGIC.items() if name == fate),
        unreachable=closed,
        stranger=stranger,
        forge=lambda push: replace(push, path=push.path.replace(SECRET, SECRET[:-1] + "X")),
        uplink={"address": "13912345678", "text": "退订"},
        longest=500 - len(f"【{SIGNATURE}】"),
    )
    for one in (adapter, closed, stranger):
        await one.close()
    await asyncio.gather(simulator.stop(), hooks.stop())


def in_pieces(simulator: AliyunSmsSimulator, key: str, address: str, text: str) -> Outbound:
    """Any text by a template of nothing but variables, which hold 35 characters each."""
    pieces = [text[start : start + 35] for start in range(0, len(text), 35)]
    code = f"SMS_{len(pieces):06d}9"
    simulator.catalogue.approve(code, "".join(f"${{t{n}}}" for n in range(len(pieces))))
    params = {f"t{n}": piece for n, piece in enumerate(pieces)}
    return Outbound(key, address, text, template=code, params=params)
