"""5G messages to phones that cannot read them: remembered for a while, and what the SMS instead cost."""

import io
import zipfile

from campaigns.rounds import tick
from channels.base import Channel, DeliveryState, Receipt
from outreach.analytics.fallen_back import FellBack, count_fallen_back
from outreach.analytics.report import campaign_report
from outreach.analytics.tables import reach_table
from outreach.labels.cache import SetCache
from outreach.ledger.capability import LAPSE_DAYS, forget_incapable
from outreach.ledger.keys import decode_key, encode_key
from outreach.ledger.merge import FELL_BACK, merge_receipts
from outreach.ledger.states import State
from outreach.runtime import Runtime
from outreach.web.console.report_sheet import report_workbook
from tests import town
from tests.integration.test_ledger import all_final, assert_sums, until, working


async def fell_back(rt: Runtime) -> FellBack:
    row = await rt.db.fetch_one("select max(id) as id from campaign")
    assert row is not None
    await count_fallen_back(rt)
    assert await count_fallen_back(rt) is None, "nothing has moved since"
    report = await campaign_report(rt, SetCache(), row["id"], town.PROVINCE)
    with zipfile.ZipFile(io.BytesIO(report_workbook(report))) as book:
        assert ("5G转短信" in book.read("xl/workbook.xml").decode()) == report.has_fallen_back
    titles = [table.title for table in reach_table(report)]
    assert ("5G 消息转短信" in titles) == (report.rounds[-1].fell_back != FellBack())
    return report.rounds[-1].fell_back


async def unable(rt: Runtime) -> int:
    row = await rt.db.fetch_one("select count(*)::int as n from address where rcs = false")
    assert row is not None
    return int(row["n"])


async def run_round(rt: Runtime, capable: float, ladder: list[str]) -> dict[tuple[str, int], tuple[int, int]]:
    """A whole round; messages and billed parts by channel and state."""
    async with town.wired(rt, capable=capable) as wire:
        await town.launch(wire.rt, ladder)
        ticker = town.ticker(wire.rt)
        async with working(wire.rt):
            for _ in ladder:
                await tick(ticker)
                await until(lambda: all_final(rt))
    rows = await rt.db.fetch(
        "select s.channel, m.state, count(*)::int as n, sum(m.parts)::int as parts from message m"
        " join round_step s on s.round_id = m.round_id and s.step = m.step group by 1, 2"
    )
    return {(row["channel"], row["state"]): (row["n"], row["parts"]) for row in rows}


async def test_the_ladder_pays_for_phones_that_cannot(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(30, rcs=None))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    counts = await run_round(rt, 0.5, ["rcs", "sms"])
    failed, _ = counts["rcs", State.FAILED]
    sent, parts = counts["sms", State.DELIVERED]
    assert 0 < failed == sent == await unable(rt)
    assert await fell_back(rt) == FellBack(0, failed, parts)
    assert parts >= failed
    await assert_sums(rt)


async def test_what_the_operator_sends_as_sms_is_counted_once(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(10, rcs=None))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt, faults={"fiveg_bot": {"silent": 1.0}}) as wire:
        await town.launch(wire.rt, ["rcs", "sms"])
        async with working(wire.rt):
            await tick(town.ticker(wire.rt))
            await until(lambda: _accepted(rt, 10))
        rows = await rt.db.fetch("select id, parts from message order by id")
        told = [
            Receipt(DeliveryState.DELIVERED, key=encode_key(row["id"]), fallback=Channel.SMS)
            for row in rows[:4]
        ]
        told += [*told, Receipt(DeliveryState.DELIVERED, key=encode_key(rows[9]["id"]))]
        await _append(rt, wire.ids["fiveg_bot"], told)
        while await merge_receipts(rt):
            continue
    codes = await rt.db.fetch("select code, count(*)::int as n from message where state = 3 group by code")
    assert {row["code"]: row["n"] for row in codes} == {FELL_BACK: 4, None: 1}
    assert await fell_back(rt) == FellBack(4, 0, sum(row["parts"] for row in rows[:4]))
    assert await unable(rt) == 4
    await assert_sums(rt)


async def _accepted(rt: Runtime, n: int) -> bool:
    return (await town.states(rt)).get(State.ACCEPTED) == n


async def _append(rt: Runtime, gateway_id: int, receipts: list[Receipt]) -> None:
    """Receipts as the desk appends them."""
    await rt.db.execute("select ensure_period('receipt_inbox', 203001)")
    for receipt in receipts:
        message_id = decode_key(receipt.key)
        await rt.db.execute(
            "insert into receipt_inbox (period, gateway_id, message_id, dest, state, fallback)"
            " select 203001, %(gateway)s, %(id)s, dest, 3, %(fallback)s from message where id = %(id)s",
            {"gateway": gateway_id, "id": message_id, "fallback": receipt.fallback is not None},
        )


async def test_a_learned_phone_is_passed_by_until_it_lapses(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(6, rcs=None))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    learned = (
        "update address set rcs = false, rcs_learned_at = now() - %(days)s * interval '1 day'"
        " where person_id <= %(id)s"
    )
    await rt.db.execute(learned, {"days": LAPSE_DAYS - 1, "id": 4})
    await rt.db.execute(learned, {"days": LAPSE_DAYS + 1, "id": 2})
    assert (await forget_incapable(rt), await forget_incapable(rt)) == (2, 0)
    known = await rt.db.fetch("select rcs, rcs_learned_at is null as fresh from address order by person_id")
    assert [(row["rcs"], row["fresh"]) for row in known] == [(None, True)] * 2 + [(False, False)] * 2 + [
        (None, True)
    ] * 2
    counts = await run_round(rt, 1.0, ["rcs", "sms"])
    assert {place: n for place, (n, _) in counts.items()} == {
        ("rcs", State.DELIVERED): 4,
        ("sms", State.DELIVERED): 2,
    }
    assert await fell_back(rt) == FellBack(), "who was never sent a 5G message did not fall back from one"


async def test_a_code_of_another_channel_teaches_nothing(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(2, rcs=True))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        keys = {"sms": wire.ids["aliyun_sms"], "rcs": wire.ids["fiveg_bot"]}
        await rt.db.execute("select ensure_period('receipt_inbox', 203001)")
        await rt.db.execute(
            "insert into receipt_inbox (period, gateway_id, dest, state, code)"
            " select 203001, case person_id when 1 then %(sms)s else %(rcs)s end, dest, 4, '2' from address"
            " where kind = 'mobile'",
            keys,
        )
        await merge_receipts(rt)
    assert await unable(rt) == 1
