"""The pieces of the Tencent tests: the simulated account, a bench, and a server that answers by script."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from channels.base import Outbound
from channels.gateways.base import MAGIC, Faults
from channels.gateways.tencent_sms import TencentSmsSimulator
from channels.tencent.sms import TencentSms, TencentSmsConfig

from .clock import SLOW, TIMEOUT
from .conformance import Bench
from .hooks import Hooks
from .scripted import SECRET

SIGNATURE = "测试税务"
APP = "1400000000"


class TencentBench(Bench):
    """A bench whose simulator is known to be Tencent's."""

    simulator: TencentSmsSimulator
    adapter: TencentSms


def make_adapter(endpoint: str, **changes: Any) -> TencentSms:
    """An adapter for the simulated account."""
    settings: dict[str, Any] = {
        "endpoint": endpoint,
        "secret_id": "testId",
        "secret_key": "testSecret",
        "sdk_app_id": APP,
        "sign_name": SIGNATURE,
        "callback_secret": SECRET,
        "timeout": TIMEOUT,
    }
    return TencentSms(TencentSmsConfig(**{**settings, **changes}))


def plain(key: str, address: str, name: str = "张三", template: str = "100001") -> Outbound:
    """A message by the simulator's sample template."""
    return Outbound(key, address, f"尊敬的{name}", template=template, params={"name": name})


@asynccontextmanager
async def run_bench(**options: Any) -> AsyncIterator["TencentBench"]:
    """The adapter on its simulator, pushes arriving at a product's webhook path."""
    hooks = Hooks()
    base = await hooks.start()
    simulator = TencentSmsSimulator(
        Faults(slow_seconds=SLOW, receipt_delay=0.02),
        report_url=f"{base}/hooks/7/{SECRET}/report",
        reply_url=f"{base}/hooks/7/{SECRET}/reply",
        repeat_scale=0.001,
        **options,
    )
    url = await simulator.start()
    adapter = make_adapter(url)
    hooks.adapter = adapter
    closed = make_adapter("http://127.0.0.1:9")
    stranger = make_adapter(url, secret_key="another")
    yield TencentBench(
        adapter,
        simulator,
        hooks,
        message=lambda key, address, text: by_template(simulator, key, address, text),
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


def by_template(simulator: TencentSmsSimulator, key: str, address: str, text: str) -> Outbound:
    """Any text by a template of nothing but two variables."""
    simulator.catalogue.approve("100002", "{1}{2}")
    middle = len(text) // 2
    params = {"first": text[:middle], "second": text[middle:]}
    return Outbound(key, address, text, template="100002", params=params)


def status(number: str, code: str = "Ok", serial: str = "2640:1") -> dict[str, object]:
    """One number's entry of an answer."""
    return {"SerialNo": serial if code == "Ok" else "", "PhoneNumber": number, "Code": code, "Fee": 1}


def answer_of(*statuses: object) -> dict[str, object]:
    """An answer to SendSms."""
    return {"Response": {"SendStatusSet": list(statuses), "RequestId": "R"}}


def error_of(code: str) -> dict[str, object]:
    """The refusal of a whole request."""
    return {"Response": {"Error": {"Code": code, "Message": "no"}, "RequestId": "R"}}
