"""A round over Aliyun's 5G messages end to end: filed cards leave, reports come back, phones are learned."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from campaigns.rounds import tick
from campaigns.templates import file_template
from channels.gateways.aliyun_rcs import AliyunRcsSimulator
from channels.gateways.base import Faults
from outreach.errors import InvalidInput
from outreach.ledger.content import file_card
from outreach.ledger.gateways import Fleet, GatewayDraft, save_gateway
from outreach.ledger.merge import FELL_BACK
from outreach.ledger.pacing import Pacer, keep_pace
from outreach.ledger.states import State
from outreach.runtime import Runtime
from outreach.web.reads.templates import filings_of
from tests import town
from tests.integration.test_ledger import all_final, assert_sums, until, working

from .clock import TIMEOUT
from .scripted import SECRET

CODE = "RCS_SMS_777"


class Stage:
    """A town with simulated accounts of every channel, and one more for 5G messages."""

    def __init__(self, wire: town.Wire, simulator: AliyunRcsSimulator, gateway_id: int) -> None:
        self.rt, self.wire, self.simulator, self.gateway_id = wire.rt, wire, simulator, gateway_id

    async def close(self, adapter: str) -> None:
        """Take an account out of service."""
        keys = {"id": self.wire.ids.get(adapter, self.gateway_id)}
        await self.rt.db.execute("update gateway set state = 'closed' where id = %(id)s", keys)

    async def version(self) -> dict[str, Any]:
        """The 5G message of the town, as a reading of it returns it."""
        row = await self.rt.db.fetch_one(
            "select v.id as version_id, v.content, t.channel from template_version v"
            " join template t on t.id = v.template_id where t.channel = 'rcs' and t.code = 'remind'"
        )
        assert row is not None
        return row

    async def file(self, code: str = CODE) -> None:
        """What a technician does: hand in the card, enter the code."""
        found = await self.version()
        self.simulator.catalogue.approve(code, file_card(found["content"]).body)
        async with self.rt.db.begin() as conn:
            await file_template(conn, found["version_id"], self.gateway_id, code)

    async def run(self, ladder: list[str]) -> dict[tuple[str, State], int]:
        """A whole round; messages by channel and state."""
        await town.launch(self.rt, ladder)
        return await self.finish(ladder)

    async def finish(self, ladder: list[str]) -> dict[tuple[str, State], int]:
        """A signed round, to its end."""
        ticker = town.ticker(self.rt)
        async with working(self.rt):
            for _ in ladder:
                await tick(ticker)
                await until(lambda: all_final(self.rt))
        rows = await self.rt.db.fetch(
            "select s.channel, m.state, count(*)::int as n from message m"
            " join round_step s on s.round_id = m.round_id and s.step = m.step group by 1, 2"
        )
        return {(row["channel"], State(row["state"])): row["n"] for row in rows}

    def booked(self) -> Counter[str]:
        """How often each number was sent to."""
        return Counter(entry.address for entry in self.simulator.books.entries)


@asynccontextmanager
async def staged(
    rt: Runtime, count: int, faults: Faults | None = None, **options: Any
) -> AsyncIterator[Stage]:
    await town.settle_town(rt, town.households(count, rcs=None))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        simulator = AliyunRcsSimulator(faults, signatures=[wire.rt.settings.signature], **options)
        config = {
            "endpoint": await simulator.start(),
            "access_key_id": "testId",
            "access_key_secret": "testSecret",
            "sign_name": wire.rt.settings.signature,
            "callback_secret": SECRET,
            "timeout": TIMEOUT,
        }
        draft = GatewayDraft(
            "阿里云·5G消息", "aliyun_rcs", config, 100_000, 1000, quiet_seconds=1.0, secret=SECRET
        )
        async with wire.rt.db.begin() as conn:
            gateway_id = await save_gateway(conn, wire.rt.settings, draft)
        hook = f"{wire.rt.settings.base_url}/hooks/{gateway_id}/{SECRET}"
        simulator.report_url, simulator.uplink_url = f"{hook}/report", f"{hook}/up"
        try:
            yield Stage(wire, simulator, gateway_id)
        finally:
            await simulator.stop()


async def unable(rt: Runtime) -> int:
    row = await rt.db.fetch_one("select count(*)::int as n from address where rcs = false")
    assert row is not None
    return int(row["n"])


async def test_a_round_of_filed_cards_reaches_everybody_once(rt: Runtime) -> None:
    faults = Faults(fail=0.05, shuffle=True, twice=0.2, seed=5)
    async with staged(rt, 300, faults) as stage:
        await stage.close("fiveg_bot")
        await stage.file()
        counts = await stage.run(["rcs"])
        totals = stage.simulator.books.totals()
    assert set(stage.booked().values()) == {1} and len(stage.booked()) == 300
    assert counts == {
        ("rcs", State.DELIVERED): totals["delivered"],
        ("rcs", State.FAILED): totals["failed"],
    }
    assert totals["failed"] > 5
    text = next(e.text for e in stage.simulator.books.entries if e.address == town.mobile(7))
    assert text.splitlines()[:3] == [
        "〔回落短信正文〕2025年度汇算尚未办理，请登录个人所得税APP办理。",
        "〔标题〕个税汇算提醒",
        "〔正文〕示例企业7：2025年度汇算尚未办理。",
    ]
    assert await rt.db.fetch("select 1 as one from receipt_orphan") == []
    await assert_sums(rt)


async def test_what_is_not_filed_goes_to_the_other_account(rt: Runtime) -> None:
    async with staged(rt, 20) as stage:
        counts = await stage.run(["rcs"])
    assert sum(counts.values()) == 20
    assert stage.booked() == {}


async def test_what_is_not_filed_is_not_submitted_where_no_other_account_is_left(rt: Runtime) -> None:
    async with staged(rt, 1) as stage:
        await stage.close("fiveg_bot")
        with pytest.raises(InvalidInput, match="「提醒」还没有在网关账号「阿里云·5G消息」报备"):
            await town.launch(stage.rt, ["rcs", "sms"])


async def test_what_is_not_filed_is_refused_and_the_ladder_goes_on(rt: Runtime) -> None:
    async with staged(rt, 20) as stage:
        await town.launch(stage.rt, ["rcs", "sms"])
        await stage.close("fiveg_bot")
        counts = await stage.finish(["rcs", "sms"])
    assert counts == {("rcs", State.FAILED): 20, ("sms", State.DELIVERED): 20}
    assert stage.booked() == {}
    codes = await rt.db.fetch("select distinct code from message where state = 4")
    assert [row["code"] for row in codes] == ["no_template"]
    await assert_sums(rt)


@pytest.mark.parametrize("as_success", [True, False])
async def test_phones_that_cannot_are_learned_however_it_is_told(rt: Runtime, as_success: bool) -> None:
    async with staged(rt, 40, capable=0.5, reports_fallback=as_success) as stage:
        await stage.close("fiveg_bot")
        await stage.file()
        counts = await stage.run(["rcs"] if as_success else ["rcs", "sms"])
        learned = await unable(rt)
    assert 5 < learned < 35
    if as_success:
        assert counts == {("rcs", State.DELIVERED): 40}
        rows = await rt.db.fetch(
            "select count(*)::int as n from message where code = %(code)s", {"code": FELL_BACK}
        )
        assert rows[0]["n"] == learned
    else:
        assert counts == {
            ("rcs", State.DELIVERED): 40 - learned,
            ("rcs", State.FAILED): learned,
            ("sms", State.DELIVERED): learned,
        }
    await assert_sums(rt)


async def test_lost_answers_are_told_by_their_reports_and_never_repeated(rt: Runtime) -> None:
    faults = Faults(drop_before=0.05, drop_after=0.08, error_after=0.04, seed=3)
    async with staged(rt, 120, faults) as stage:
        await stage.close("fiveg_bot")
        await stage.file()
        await town.launch(stage.rt, ["rcs"])
        async with working(stage.rt):
            await tick(town.ticker(stage.rt))
            await until(lambda: _settled(stage))
    booked = stage.booked()
    assert set(booked.values()) == {1}
    assert 100 < len(booked) < 120
    assert await town.states(rt) == {State.DELIVERED: len(booked), State.UNKNOWN: 120 - len(booked)}
    await assert_sums(rt)


async def _settled(stage: Stage) -> bool:
    now, booked = await town.states(stage.rt), len(stage.simulator.books.entries)
    return now.get(State.DELIVERED, 0) == booked and booked + now.get(State.UNKNOWN, 0) == 120


@pytest.mark.parametrize("filed", [False, True])
async def test_batches_move_to_the_account_only_if_it_has_filed_the_card(rt: Runtime, filed: bool) -> None:
    async with staged(rt, 30) as stage:
        await stage.close("aliyun_rcs")
        await town.launch(stage.rt, ["rcs"])
        assert await tick(town.ticker(stage.rt)) == 30
        await rt.db.execute("update gateway set state = 'active' where id = %(id)s", {"id": stage.gateway_id})
        await stage.close("fiveg_bot")
        if filed:
            await stage.file()
        await keep_pace(Pacer(stage.rt, Fleet(stage.rt)))
        owners = await rt.db.fetch("select distinct gateway_id from batch")
    expected = stage.gateway_id if filed else stage.wire.ids["fiveg_bot"]
    assert [row["gateway_id"] for row in owners] == [expected]


async def test_a_button_pressed_on_a_phone_is_an_opt_out(rt: Runtime) -> None:
    async with staged(rt, 3) as stage:
        stage.simulator.uplink({"address": town.mobile(2), "text": "不再接收", "post_data": "退订"})
        await until(lambda: _answered(rt))
    rows = await rt.db.fetch("select person_id, kind, action from inbound")
    assert [(row["person_id"], row["kind"], row["action"]) for row in rows] == [(2, "suggestion", "opt_out")]


async def _answered(rt: Runtime) -> bool:
    return bool(await rt.db.fetch("select 1 as one from inbound"))


async def test_the_console_shows_what_to_hand_in(rt: Runtime) -> None:
    async with staged(rt, 1) as stage, rt.db.begin() as conn:
        [filing] = await filings_of(conn, await stage.version())
    assert (filing.adapter, filing.gateway_id, filing.code) == ("aliyun_rcs", stage.gateway_id, "")
    assert filing.text.splitlines() == [
        "〔回落短信正文〕${tax_year}年度汇算尚未办理，请登录个人所得税APP办理。",
        "〔标题〕个税汇算提醒",
        "〔正文〕${taxpayers}：${tax_year}年度汇算尚未办理。",
        "〔按钮〕咨询12366｜拨号｜12366｜回执标识=咨询12366",
        "〔悬浮菜单〕退订｜回复｜回执标识=退订",
    ]
