"""The pieces of the tests of Aliyun's 5G messages: the simulated account and a bench."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from channels.aliyun.rcs import AliyunRcs, AliyunRcsConfig
from channels.base import Outbound
from channels.gateways.aliyun_rcs import AliyunRcsSimulator
from channels.gateways.base import MAGIC, Faults

from .aliyun import SIGNATURE
from .clock import SLOW, TIMEOUT
from .conformance import Bench
from .hooks import Hooks
from .scripted import SECRET

CODE = "RCS_SMS_10001052"


class AliyunRcsBench(Bench):
    """A bench whose simulator is known."""

    simulator: AliyunRcsSimulator
    adapter: AliyunRcs


def make_adapter(endpoint: str, **changes: Any) -> AliyunRcs:
    """An adapter for the simulated account."""
    settings: dict[str, Any] = {
        "endpoint": endpoint,
        "access_key_id": "testId",
        "access_key_secret": "testSecret",
        "sign_name": SIGNATURE,
        "callback_secret": SECRET,
        "timeout": TIMEOUT,
    }
    return AliyunRcs(AliyunRcsConfig(**{**settings, **changes}))


def plain(key: str, address: str, name: str = "张三", template: str = CODE) -> Outbound:
    """A message by the simulator's sample template."""
    return Outbound(key, address, f"尊敬的{name}", template=template, params={"name": name})


@asynccontextmanager
async def run_bench(**options: Any) -> AsyncIterator[AliyunRcsBench]:
    """The adapter on its simulator, pushes arriving at a product's webhook path."""
    hooks = Hooks()
    base = await hooks.start()
    simulator = AliyunRcsSimulator(
        Faults(slow_seconds=SLOW, receipt_delay=0.02),
        report_url=f"{base}/hooks/7/{SECRET}/report",
        uplink_url=f"{base}/hooks/7/{SECRET}/up",
        repeat_scale=0.001,
        **options,
    )
    simulator.catalogue.approve("RCS_SMS_9", "${text}", "PLAIN_TEXT")
    adapter = make_adapter(await simulator.start())
    hooks.adapter = adapter
    closed = make_adapter("http://127.0.0.1:9")
    stranger = make_adapter(simulator.url, access_key_secret="another")
    yield AliyunRcsBench(
        adapter,
        simulator,
        hooks,
        message=lambda key, address, text: Outbound(
            key, address, text, template="RCS_SMS_9", params={"text": text}
        ),
        address=lambda n: f"139{n:08d}",
        magic=lambda fate: "1380000" + next(digits for digits, name in MAGIC.items() if name == fate),
        unreachable=closed,
        stranger=stranger,
        forge=lambda push: replace(push, path=push.path.replace(SECRET, SECRET[:-1] + "X")),
        uplink={"address": "13912345678", "text": "退订"},
    )
    for one in (adapter, closed, stranger):
        await one.close()
    await asyncio.gather(simulator.stop(), hooks.stop())
