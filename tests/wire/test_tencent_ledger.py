"""A round over Tencent Cloud SMS end to end: sent by the ledger, reported by callback, nobody twice."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from campaigns.rounds import tick
from campaigns.templates import file_template, save_template
from channels.gateways.base import Faults
from channels.gateways.http_server import HttpServer
from channels.gateways.tencent_sms import TencentSmsSimulator
from outreach.ledger.content import file_text
from outreach.ledger.gateways import Fleet, GatewayDraft, save_gateway
from outreach.ledger.receipts import ReceiptDesk
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_ledger import all_final, assert_sums, until, working

from .clock import TIMEOUT
from .scripted import SECRET
from .tencent import APP

PERSONAL = "{{ taxpayers|list(3) }}：{{ tax_year }}年度汇算尚未办理，请登录个人所得税APP办理。"
ALIKE = "{{ tax_year }}年度汇算尚未办理，请登录个人所得税APP办理。"


@asynccontextmanager
async def tencent_town(
    rt: Runtime, count: int, text: str, faults: Faults | None = None, *, echoes_context: bool = True
) -> AsyncIterator[TencentSmsSimulator]:
    """`count` households, one template filed as the technician would, one account, its callbacks taken in."""
    await town.settle_town(rt, town.households(count))
    saved = await save_template(
        rt, "editor", code="remind", name="提醒", channel="sms", content={"text": text}, org_id=town.PROVINCE
    )
    await town.set_clock(rt, town.START)
    desk = ReceiptDesk(rt, Fleet(rt))
    hooks = HttpServer(town._hook(desk, set()))
    base = await hooks.start("127.0.0.1", 0)
    places = iter(range(1, 100))
    body = re.sub(r"\$\{\w+\}", lambda _: f"{{{next(places)}}}", file_text(text).body)
    simulator = TencentSmsSimulator(
        faults, signatures=[rt.settings.signature], templates={"777": body}, echoes_context=echoes_context
    )
    config = {
        "endpoint": await simulator.start(),
        "secret_id": "testId",
        "secret_key": "testSecret",
        "sdk_app_id": APP,
        "sign_name": rt.settings.signature,
        "callback_secret": SECRET,
        "timeout": TIMEOUT,
    }
    draft = GatewayDraft(
        "腾讯云·短信", "tencent_sms", config, 100_000, 1000, quiet_seconds=1.0, secret=SECRET
    )
    async with rt.db.begin() as conn:
        gateway_id = await save_gateway(conn, rt.settings, draft)
        await file_template(conn, saved.version_id, gateway_id, "777")
    simulator.report_url = f"{base}/hooks/{gateway_id}/{SECRET}/report"
    try:
        yield simulator
    finally:
        await simulator.stop()
        await desk.close()
        await hooks.stop()


async def counts(rt: Runtime) -> dict[State, int]:
    return {State(state): n for state, n in (await town.states(rt)).items()}


@pytest.mark.parametrize(("text", "keys"), [(PERSONAL, 300), (ALIKE, 2)], ids=["personal", "alike"])
async def test_a_round_reaches_everybody_once(rt: Runtime, text: str, keys: int) -> None:
    faults = Faults(fail=0.05, shuffle=True, twice=0.2, seed=5)
    async with tencent_town(rt, 300, text, faults) as simulator:
        await town.launch(rt, ["sms"])
        async with working(rt):
            assert await tick(town.ticker(rt)) == 300
            await until(lambda: all_final(rt))
        entries, totals = simulator.books.entries, simulator.books.totals()
    assert len({entry.address for entry in entries}) == len(entries) == 300
    assert len({entry.key for entry in entries}) >= keys
    assert keys == 300 or len({entry.key for entry in entries}) < 20, "equal texts share requests"
    assert await counts(rt) == {State.DELIVERED: totals["delivered"], State.FAILED: totals["failed"]}
    assert totals["failed"] > 5
    assert await rt.db.fetch("select 1 as one from receipt_orphan") == []
    await assert_sums(rt)


async def test_lost_answers_are_told_by_their_reports_and_never_repeated(rt: Runtime) -> None:
    faults = Faults(drop_before=0.05, drop_after=0.08, error_after=0.04, seed=3)
    async with tencent_town(rt, 120, PERSONAL, faults) as simulator:
        await town.launch(rt, ["sms"])
        async with working(rt):
            await tick(town.ticker(rt))
            await until(lambda: _settled(rt, simulator))
        booked = Counter(entry.address for entry in simulator.books.entries)
    assert set(booked.values()) == {1}
    assert 100 < len(booked) < 120
    assert await counts(rt) == {State.DELIVERED: len(booked), State.UNKNOWN: 120 - len(booked)}
    await assert_sums(rt)


async def test_without_the_echo_reports_are_matched_by_serial_number(rt: Runtime) -> None:
    async with tencent_town(rt, 30, ALIKE, echoes_context=False):
        await town.launch(rt, ["sms"])
        async with working(rt):
            await tick(town.ticker(rt))
            await until(lambda: all_final(rt))
    assert await counts(rt) == {State.DELIVERED: 30}


async def _settled(rt: Runtime, simulator: TencentSmsSimulator) -> bool:
    now = await counts(rt)
    booked = len(simulator.books.entries)
    return now.get(State.DELIVERED, 0) == booked and booked + now.get(State.UNKNOWN, 0) == 120
