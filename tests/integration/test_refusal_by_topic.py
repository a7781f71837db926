"""What is refused by topic is sent on no channel; other topics, and what the law obliges us to tell, are."""

from campaigns.rounds import tick
from outreach.labels.keys import TOPICS
from outreach.ledger.gate import opted_out
from outreach.ledger.inbound import opt_out_by_token
from outreach.ledger.kinds import KINDS
from outreach.ledger.states import State
from outreach.ledger.tokens import unsubscribe_token
from outreach.runtime import Runtime
from outreach.service.choices import choose
from outreach.web.reads.timeline import timeline_of
from tests import town
from tests.integration.test_ledger import all_final, until, working
from tests.integration.test_ledger_rules import exclusions


async def refuse(rt: Runtime, person: int, *refused: str) -> None:
    async with rt.db.begin() as conn:
        await choose(conn, person, refused)


def test_every_kind_that_can_be_refused_has_a_topic() -> None:
    assert {kind.topic for kind in KINDS.values()} == {"", *TOPICS}
    for kind in ("statutory_deadline", "overdue", "correct_it", "document_served", "emergency", "arrived"):
        assert not KINDS[kind].honours_opt_out, kind


async def test_a_topic_is_asked_when_planned_and_before_each_window(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(6))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    await refuse(rt, 1, "topic:policy")
    await refuse(rt, 2, "topic:bill")
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"], kind="policy_push")
        assert await tick(town.ticker(wire.rt)) == 5
        assert await exclusions(rt) == {"opted_out": 1}
        await refuse(rt, 3, "topic:policy")
        await refuse(rt, 4, "topic:survey")
        async with working(wire.rt):
            await until(lambda: all_final(rt))
            assert await town.states(rt) == {State.DELIVERED: 4, State.WITHHELD: 1}
            await town.launch(wire.rt, ["sms"], code="law", kind="statutory_deadline")
            assert await tick(town.ticker(wire.rt)) == 6
            await until(lambda: all_final(rt))
            assert (await town.states(rt))[State.DELIVERED] == 10


async def test_the_gate_knows_topic_and_channel(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(4))
    await refuse(rt, 1, "topic:survey")
    await refuse(rt, 2, "email")
    await refuse(rt, 3, "topic:bill", "wechat")
    people = [1, 2, 3, 4]
    async with rt.db.begin() as conn:
        assert await opted_out(conn, "survey", "sms", people) == {1}
        assert await opted_out(conn, "rating", "email", people) == {1, 2}
        assert await opted_out(conn, "bill", "rcs", people) == {3}
        assert await opted_out(conn, "statutory_deadline", "email", people) == frozenset()


async def test_the_page_of_a_mail_stops_its_topic_only_where_it_is_asked_to(rt: Runtime) -> None:
    await town.settle_town(rt, [town.Household(n, n, email=f"a{n}@example.com") for n in (1, 2)])
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["email"], kind="survey")
        await tick(town.ticker(wire.rt))
        async with working(wire.rt):
            await until(lambda: all_final(rt))
        sent = {row["person_id"]: row["id"] for row in await rt.db.fetch("select id, person_id from message")}
        for person, only_topic in ((1, True), (2, False)):
            token = unsubscribe_token(wire.rt.settings, sent[person])
            assert await opt_out_by_token(wire.rt, token, only_topic=only_topic)
    rows = await rt.db.fetch("select person_id, channel from opt_out order by 1")
    assert [(row["person_id"], row["channel"]) for row in rows] == [(1, "topic:survey"), (2, "email")]


async def test_staff_see_what_was_refused_and_taken_back(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(1))
    await refuse(rt, 1, "topic:survey", "sms")
    await refuse(rt, 1, "sms")
    async with rt.db.begin() as conn:
        told = [moment.text for moment in await timeline_of(conn, 1, kind="inbound")]
    assert told[0] == "恢复接收「调查与评价」的宣传"
    assert sorted(told[1:]) == sorted(
        f"不再接收{what}的宣传" for what in ("短信", "5G消息", "「调查与评价」")
    )
