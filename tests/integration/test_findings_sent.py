"""A confirmation that is withdrawn between planning and sending: its household gets nothing."""

from campaigns.rounds import tick
from outreach.ledger.states import State
from outreach.runtime import Runtime
from outreach.statements.findings import decide
from outreach.statements.scan_run import run_scan
from outreach.web.reads.timeline import timeline_of
from tests import town
from tests.integration.finding_stage import verifier
from tests.integration.test_ledger import all_final, assert_sums, until, working

WORD = "finding.dpf_small_exempt.unclaimed"


async def confirm_all(rt: Runtime) -> dict[int, int]:
    """Every household has a confirmed finding; its id by household."""
    await rt.db.execute(
        "insert into benefit_record (taxpayer_id, month, benefit_code, claimed, inputs, amount)"
        ' select id, 202509, \'DPF_SMALL_EXEMPT\', false, \'{"employees": "20", "due": "900.00"}\', 900'
        " from taxpayer"
    )
    await run_scan(rt, 2025, scope_org_id=1, by="test")
    rows = await rt.db.fetch("select id, taxpayer_id from finding where is_current")
    found = {row["taxpayer_id"]: row["id"] for row in rows}
    await decide(rt, verifier(), list(found.values()), "confirm")
    return found


async def settle(rt: Runtime, people: list[town.Household]) -> dict[int, int]:
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    return await confirm_all(rt)


async def test_a_finding_that_is_no_longer_confirmed_holds_its_message_back(rt: Runtime) -> None:
    found = await settle(rt, town.households(6))
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"], segment=f"{WORD} and not iit.disputed")
        assert await tick(town.ticker(wire.rt)) == 6
        await decide(rt, verifier(), [found[2]], "reject", "合同已终止")
        async with working(wire.rt):
            await until(lambda: all_final(rt))
        assert {entry.address for entry in wire.simulators["aliyun_sms"].books.entries} == {
            town.mobile(n) for n in (1, 3, 4, 5, 6)
        }
    (row,) = await rt.db.fetch(
        "select code, taxpayer_ids from message where state = %(s)s", {"s": State.WITHHELD}
    )
    assert (row["code"], row["taxpayer_ids"]) == ("unverified", [2])
    await assert_sums(rt)
    async with rt.db.begin() as conn:
        (line,) = await timeline_of(conn, 2, kind="message")
    assert line.text.endswith("临发前停发（疑点未核实）")


async def test_a_message_names_no_household_whose_finding_fell(rt: Runtime) -> None:
    found = await settle(rt, [town.Household(n, 1, town.mobile(1)) for n in (1, 2, 3)])
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"], segment=WORD)
        await tick(town.ticker(wire.rt))
        await decide(rt, verifier(), [found[2]], "reject", "合同已终止")
        async with working(wire.rt):
            await until(lambda: all_final(rt))
        (entry,) = wire.simulators["aliyun_sms"].books.entries
    assert "示例企业1、示例企业3" in entry.text


async def test_who_was_told_for_another_reason_is_told(rt: Runtime) -> None:
    found = await settle(rt, town.households(3))
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"], segment=f"{WORD} or iit.must_file")
        await tick(town.ticker(wire.rt))
        await decide(rt, verifier(), [found[1]], "reject", "合同已终止")
        async with working(wire.rt):
            await until(lambda: all_final(rt))
    assert await town.states(rt) == {State.DELIVERED: 3}
