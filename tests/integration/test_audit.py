"""The audit proves the sums; whatever is tampered with, it names the equation that no longer holds."""

import pytest

from campaigns.rounds import tick
from outreach.errors import NotFound
from outreach.ledger.audit import audit_everything, audit_round
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.ledger_stage import staged
from tests.integration.to_the_end import send_to_the_end

COUNTERS = "逐级逐状态重新清点与计数器的差异数为零"
NAMED_TWICE = "同一级中被两条消息提到的户数为零"
BATCH_SIZES = "批次大小与消息数不符的批次为零"
FORGOTTEN = "已轮到却没有消息的接收人为零"
TOTAL = "消息数 = 各状态消息数之和"
HOUSEHOLDS = "计划户数 = 接收人名下户数"
EACH_HOUSEHOLD = "计划集合与接收人名下户逐户一致"
REACHED = "已送达户逐户清点与汇总的差异数为零"
ONCE = "每位接收人只列一次"
SUM = "受众户数 = 计划户数 + 各项剔除户数之和"
UNION = "受众集合 = 计划集合 ∪ 各剔除集合"
FROZEN = "冻结的受众数与记录一致"

TAMPERED = [
    ("update message_count set n = n + 1", {COUNTERS, TOTAL}),
    ("update message_count set households = households - 1", {COUNTERS}),
    ("update message_count set state = 3", {COUNTERS}),
    ("delete from message where person_id = 3", {COUNTERS, TOTAL, BATCH_SIZES, FORGOTTEN}),
    ("update message set state = 3 where person_id = 3", {COUNTERS, REACHED}),
    ("insert into reached_delta (round_id, taxpayer_ids) select id, '{5}' from round", {REACHED}),
    ("update message set taxpayer_ids = '{1,3}' where person_id = 3", {COUNTERS, NAMED_TWICE}),
    ("update message set taxpayer_ids = '{1}' where person_id = 3", {NAMED_TWICE}),
    ("update message set person_id = 777 where person_id = 3", {FORGOTTEN}),
    ("update batch set n = n - 1", {BATCH_SIZES}),
    ("delete from recipient where person_id = 3", {HOUSEHOLDS, EACH_HOUSEHOLD}),
    ("update recipient set taxpayer_ids = '{999}' where person_id = 3", {EACH_HOUSEHOLD}),
    ("update recipient set person_id = 2 where person_id = 3", {ONCE}),
    ("update round set audience = audience + 1", {FROZEN}),
    (
        "update round_set s set data = o.data from round_set o"
        " where s.reason = 'disputed' and o.reason = 'already_done'",
        {SUM},
    ),
    (
        "update round_set s set data = o.data from round_set o"
        " where s.reason = 'already_done' and o.reason = 'disputed'",
        {SUM, UNION},
    ),
]


@pytest.mark.parametrize(("statement", "names"), TAMPERED)
async def test_what_is_tampered_with_is_named(rt: Runtime, statement: str, names: set[str]) -> None:
    await town.settle_town(rt, town.households(8))
    await town.write_templates(rt)
    await town.add_label(rt, "iit.filed", [7, 8])
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"])
        await tick(town.ticker(wire.rt))
    (before,) = await audit_everything(rt)
    assert before.agrees, [check for check in before.checks if not check.agrees]
    assert await rt.db.execute(statement) > 0
    after = await audit_round(rt, before.round_id)
    assert not after.agrees
    assert {check.name for check in after.checks if not check.agrees} == names


async def test_a_round_that_is_being_sent_agrees_at_every_moment(rt: Runtime) -> None:
    async with staged(rt, town.households(300), faults={"aliyun_sms": {"drop_after": 0.3}}) as stage:
        for _ in range(3):
            await stage.drain()
            for audit in await audit_everything(rt):
                assert audit.agrees
            await stage.end_rest()
            await stage.reconcile()
            await stage.merge()
        await send_to_the_end(stage)
        (audit,) = await audit_everything(rt)
        assert audit.agrees
        assert (await town.states(rt))[State.DELIVERED] > 0


async def test_a_round_that_has_not_begun_has_nothing_to_prove(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(1))
    await town.write_templates(rt)
    await town.launch(rt, ["sms"])
    assert await audit_everything(rt) == []
    row = await rt.db.fetch_one("select id from round")
    assert row is not None
    with pytest.raises(NotFound, match="没有这个轮次"):
        await audit_round(rt, row["id"])
