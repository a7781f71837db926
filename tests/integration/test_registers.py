"""The base register of a policy: sums that agree, reasons from staff and from calls, and the whole way from a
scan to a message: nobody whose finding has not been confirmed is told."""

import io

import pytest
from python_calamine import CalamineWorkbook

from campaigns.rounds import tick
from outreach.errors import Conflict, InvalidInput
from outreach.governance.actor import Actor
from outreach.governance.permissions import PERMISSIONS
from outreach.governance.vault import open_vault
from outreach.ledger.states import State
from outreach.runtime import Runtime
from outreach.service.worklists import Report, record_result
from outreach.statements.findings import decide
from outreach.statements.register import (
    Row,
    Sums,
    give_reason,
    reached_count,
    register_rows,
    register_sums,
    rounds_of,
    take_results,
)
from outreach.statements.scan_run import run_scan
from outreach.web.console.register_sheet import register_workbook
from tests import town
from tests.integration.doorstep import settle
from tests.integration.finding_stage import verifier
from tests.integration.test_ledger import all_final, until, working

CODE = "DPF_SMALL_EXEMPT"
WORD = "finding.dpf_small_exempt.unclaimed"
OFFICER = Actor(3, "officer", "经办人", frozenset(PERMISSIONS), 2, "1.2.", 2, "1.2.")


async def record(rt: Runtime, household: int, claimed: bool) -> None:
    await rt.db.execute(
        "insert into benefit_record (taxpayer_id, month, benefit_code, claimed, inputs, amount)"
        ' values (%(id)s, 202509, %(code)s, %(claimed)s, \'{"employees": "20", "due": "900.00"}\', 900)'
        " on conflict (taxpayer_id, month, benefit_code, item) do update set claimed = excluded.claimed",
        {"id": household, "code": CODE, "claimed": claimed},
    )


async def numbers(rt: Runtime, *households: int) -> list[int]:
    rows = await rt.db.fetch(
        "select id from finding where is_current and direction = 'unclaimed' and taxpayer_id = any(%(ids)s)",
        {"ids": list(households)},
    )
    return [row["id"] for row in rows]


async def sums(rt: Runtime) -> Sums:
    async with rt.db.begin() as conn:
        (found,) = await register_sums(conn, OFFICER, 2025)
    assert found.gap == 0
    return found


async def rows(rt: Runtime, state: str = "") -> dict[int, Row]:
    async with rt.db.begin() as conn:
        rounds = await rounds_of(conn, CODE)
        found = await register_rows(
            conn, open_vault(rt.settings), OFFICER, CODE, 2025, rounds, state=state, limit=100
        )
    return {row.taxpayer_id: row for row in found}


async def scanned(rt: Runtime, count: int = 6) -> None:
    """Of six households the first two have claimed it; of the others the next three are confirmed."""
    await settle(rt, town.households(count))
    for household in range(1, count + 1):
        await record(rt, household, household <= 2)
    await run_scan(rt, 2025, scope_org_id=1, by="test")
    await decide(rt, verifier(), await numbers(rt, 3, 4, 5), "confirm")


async def test_every_household_has_one_state_and_the_sums_agree(rt: Runtime) -> None:
    await scanned(rt)
    assert await sums(rt) == Sums(
        CODE, {"enjoyed": 2, "open": 3, "cannot": 0, "unwilling": 0, "unreachable": 0}, 5
    )
    assert await give_reason(rt, OFFICER, CODE, 2025, [3], "cannot") == 1
    assert await give_reason(rt, OFFICER, CODE, 2025, [4], "unreachable") == 1
    counted = (await sums(rt)).by_state
    assert counted == {"enjoyed": 2, "open": 1, "cannot": 1, "unwilling": 0, "unreachable": 1}
    found = await rows(rt)
    assert {key: row.state for key, row in found.items()} == {
        1: "enjoyed", 2: "enjoyed", 3: "cannot", 4: "unreachable", 5: "open",
    }  # fmt: skip
    assert (found[3].reason_by, found[3].reason_source) == ("officer", "staff")
    assert set(await rows(rt, "open")) == {5}
    await give_reason(rt, OFFICER, CODE, 2025, [4], "")
    assert (await sums(rt)).by_state["open"] == 2
    await decide(rt, verifier(), await numbers(rt, 5), "reject", "无在职职工")
    assert (await sums(rt)).entitled == 4, "whoever is not entitled after all is no target"


async def test_who_enjoys_it_after_all_keeps_what_was_said(rt: Runtime) -> None:
    await scanned(rt)
    await give_reason(rt, OFFICER, CODE, 2025, [3], "unwilling")
    await record(rt, 3, claimed=True)
    await run_scan(rt, 2025, scope_org_id=1, by="test")
    assert (await sums(rt)).by_state == {
        "enjoyed": 3, "open": 2, "cannot": 0, "unwilling": 0, "unreachable": 0,
    }  # fmt: skip
    told = (await rows(rt))[3]
    assert (told.state, told.reason, told.finding_id) == ("enjoyed", "unwilling", None)


async def test_a_reason_that_does_not_fit_is_refused(rt: Runtime) -> None:
    await scanned(rt)
    with pytest.raises(InvalidInput, match="原因只能是"):
        await give_reason(rt, OFFICER, CODE, 2025, [3], "lazy")
    for household in (1, 6, 99):
        with pytest.raises(Conflict):
            await give_reason(rt, OFFICER, CODE, 2025, [3, household], "cannot")
    assert (await sums(rt)).by_state["cannot"] == 0, "all or none"


async def test_what_a_call_says_becomes_the_reason(rt: Runtime) -> None:
    """From the scan to the call: three confirmed households are called, the fourth is not."""
    await scanned(rt)
    await town.launch(rt, ["call"], segment=WORD)
    await tick(town.ticker(rt))
    items = await rt.db.fetch("select id, person_id from work_item order by person_id")
    assert [item["person_id"] for item in items] == [3, 4, 5]
    for item, result in zip(items, ("unwilling", "told", "unreachable"), strict=True):
        await record_result(rt, OFFICER, item["id"], Report(result))
    assert await take_results(rt, OFFICER, CODE, 2025) == 2
    assert (await sums(rt)).by_state == {
        "enjoyed": 2, "open": 1, "cannot": 0, "unwilling": 1, "unreachable": 1,
    }  # fmt: skip
    found = await rows(rt)
    assert (found[3].reason_source, found[3].contact_result) == ("call", "unwilling")
    assert (found[4].state, found[4].contact_kind, found[4].contact_result) == ("open", "call", "told")
    assert await take_results(rt, OFFICER, CODE, 2025) == 0
    await give_reason(rt, OFFICER, CODE, 2025, [3], "cannot")
    assert await take_results(rt, OFFICER, CODE, 2025) == 0, "what staff said later stands"


async def test_an_unverified_finding_is_never_sent(rt: Runtime) -> None:
    await scanned(rt)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["sms"], segment=WORD)
        await tick(town.ticker(wire.rt))
        async with working(wire.rt):
            await until(lambda: all_final(rt))
    assert await town.states(rt) == {State.DELIVERED: 3}
    told = await rt.db.fetch("select t from message, unnest(taxpayer_ids) as t order by t")
    assert [row["t"] for row in told] == [3, 4, 5], "6 was found too, and nobody has verified her"
    async with rt.db.begin() as conn:
        rounds = await rounds_of(conn, CODE)
        assert await reached_count(conn, OFFICER, CODE, 2025, rounds) == 3
    assert {key for key, row in (await rows(rt)).items() if row.was_reached} == {3, 4, 5}


async def test_the_sheet_holds_the_sums_and_every_household(rt: Runtime) -> None:
    await scanned(rt)
    body = register_workbook(await sums(rt), list((await rows(rt)).values()), 2025)
    book = CalamineWorkbook.from_filelike(io.BytesIO(body))
    front = dict(book.get_sheet_by_index(0).to_python()[1:])
    assert front == {
        "应享受": 5, "已享受": 2, "待办": 3, "不能": 0, "不愿": 0, "联系不上": 0, "差额": 0,
    }  # fmt: skip
    lines = book.get_sheet_by_index(1).to_python()
    assert len(lines) == 6 and lines[1][0] == "示例企业1" and lines[3][3] == "待办"
