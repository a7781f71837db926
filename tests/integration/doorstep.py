"""A town whose ladder ends at a doorstep: scripts, rounds with calls and visits, what stands behind them."""

from datetime import timedelta
from typing import Any

from campaigns.templates import save_template
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_ledger import assert_sums

SCRIPT = {"text": "您好，这里是{{ org }}。您负责的{{ taxpayers|list(5) }}尚未办理{{ tax_year }}年度汇算。"}
DAY = timedelta(days=1)


async def settle(rt: Runtime, people: list[town.Household]) -> None:
    """The town with its templates, scripts for calls and visits among them, at the start of its season."""
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    for channel in ("call", "visit"):
        await save_template(
            rt, "editor", code="remind", name="话术", channel=channel, content=SCRIPT, org_id=town.PROVINCE
        )
    await town.set_clock(rt, town.START)


async def items(rt: Runtime, kind: str = "") -> list[dict[str, Any]]:
    """Work items with the households that they are open for, in order."""
    return await rt.db.fetch(
        "select i.*, array(select distinct taxpayer_id from handover h where h.item_id = i.id and h.state = 0"
        " order by 1) as households from work_item i where %(kind)s in ('', i.kind) order by i.id",
        {"kind": kind},
    )


async def handed(rt: Runtime) -> dict[tuple[int, int], int]:
    """(step, state) to households, over all rounds."""
    rows = await rt.db.fetch("select step, state, count(*)::int as n from handover group by step, state")
    return {(row["step"], row["state"]): row["n"] for row in rows}


async def set_person(rt: Runtime, person: int, **columns: Any) -> None:
    """What the registry knows of a person."""
    for name, value in columns.items():
        await rt.db.execute(
            f"update person set {name} = %(value)s where id = %(id)s", {"value": value, "id": person}
        )


__all__ = ["DAY", "assert_sums", "handed", "items", "set_person", "settle"]
