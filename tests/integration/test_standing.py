"""Standing orders: what changes is noted with the change, becomes a run, and who has a version is told."""

from pathlib import Path

import pytest

from campaigns.announcing import announce_documents
from campaigns.trigger_rules import Trigger
from campaigns.triggers import check_events
from outreach.errors import Conflict, InvalidInput, NotFound
from outreach.governance.actor import Actor
from outreach.governance.permissions import permissions_of
from outreach.runtime import Runtime
from outreach.statements.documents import read_documents
from outreach.statements.orders import work_runs
from outreach.statements.standing import REASON, begin_standing, end_standing, list_standing, order_stale
from tests import town
from tests.integration.statement_samples import load_text
from tests.integration.trigger_stage import answer, ruled, told

PLANNER = Actor(7, "planner", "经办员", permissions_of(["planner"]), 1, "1.", 1, "1.")
ELSEWHERE = Actor(8, "other", "外地经办员", permissions_of(["planner"]), 99, "99.", 99, "99.")


def children(number: int, household: int = 1, month: int = 202512) -> str:
    header = "纳税人识别号,所属期,优惠代码,序号,子女数,月数,分摊比例"
    return f"{header}\n{household},{month},IIT_SAD_CHILD,1,{number},12,1\n"


async def follow(rt: Runtime, kind: str = "benefit_bill") -> int:
    async with rt.db.begin() as conn:
        return await begin_standing(conn, PLANNER, kind, 1)


async def waiting(rt: Runtime) -> list[int]:
    async with rt.db.begin() as conn:
        return [one.waiting for one in await list_standing(conn, PLANNER)]


async def carry_out(rt: Runtime) -> int:
    """What scheduler and worker do; how many events were announced."""
    ordered = await order_stale(rt)
    assert await order_stale(rt) == 0, "one run at a time"
    for _ in range(ordered):
        assert await work_runs(rt, "worker") == 1
    new = await announce_documents(rt)
    assert await announce_documents(rt) == 0
    return new


async def versions(rt: Runtime, household: int) -> list[tuple[str, int, str]]:
    documents = await read_documents(rt, [household])
    return [(one.kind, one.content["issue"]["version"], one.content["issue"]["reason"]) for one in documents]


async def test_records_that_change_become_a_bill_and_a_message(rt: Runtime, tmp_path: Path) -> None:
    async with ruled(rt, Trigger("benefit_bill_ready")) as wire:
        await follow(wire.rt)
        await load_text(wire.rt, tmp_path, children(1))
        assert await carry_out(wire.rt) == 1 and await versions(wire.rt, 1) == [("benefit_bill", 1, "")]
        await answer(wire.rt)
        assert await told(wire.rt) == [1]
        await load_text(wire.rt, tmp_path, children(1))
        assert await waiting(wire.rt) == [0], "the same file again changes nothing"
        await load_text(wire.rt, tmp_path, children(2))
        assert await carry_out(wire.rt) == 1
        assert await versions(wire.rt, 1) == [("benefit_bill", 2, REASON)]
        withdrawn = "纳税人识别号,所属期,优惠代码,享受状态\n1,202512,IIT_SAD_CHILD,作废\n"
        assert (await load_text(wire.rt, tmp_path, withdrawn)).changed == 1
        assert await waiting(wire.rt) == [1], "what is withdrawn is noted too"


def test_no_system_may_report_that_a_document_is_ready() -> None:
    with pytest.raises(InvalidInput):
        check_events([("benefit_bill_ready", {})])


async def test_each_order_has_a_list_and_older_years_are_closed_books(rt: Runtime, tmp_path: Path) -> None:
    await town.settle_town(rt, town.households(3))
    await town.set_clock(rt, town.START)
    await load_text(rt, tmp_path, children(1))
    await follow(rt)
    await follow(rt, "yearly_bill")
    assert await waiting(rt) == [0, 0], "what was there before is for staff to issue"
    await load_text(rt, tmp_path, children(2, 2) + children(1, 3, 202312).split("\n", 1)[1])
    assert await waiting(rt) == [1, 1]
    assert await order_stale(rt) == 2
    assert [await work_runs(rt, "worker") for _ in range(3)] == [1, 1, 0]
    assert [await announce_documents(rt) for _ in range(3)] == [1, 1, 0]
    assert [kind for kind, _, _ in await versions(rt, 2)] == ["yearly_bill", "benefit_bill"]
    assert await versions(rt, 1) == await versions(rt, 3) == []


async def test_orders_stay_within_the_scope_and_end(rt: Runtime, tmp_path: Path) -> None:
    await town.settle_town(rt, town.households(1))
    await town.set_clock(rt, town.START)
    order = await follow(rt)
    with pytest.raises(Conflict):
        await follow(rt)
    async with rt.db.begin() as conn:
        assert await list_standing(conn, ELSEWHERE) == []
        for refused in (begin_standing(conn, ELSEWHERE, "checkup", 1), end_standing(conn, ELSEWHERE, order)):
            with pytest.raises(NotFound):
                await refused
        await end_standing(conn, PLANNER, order)
    await load_text(rt, tmp_path, children(1))
    assert await order_stale(rt) == 0 and await waiting(rt) == []
