"""Calls and visits of a scope: lists, one with its attempts, figures by unit. Names are masked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from outreach.clock import BEIJING, in_beijing
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.governance.actor import Actor
from outreach.governance.vault import Vault
from outreach.registry.search import mask_name
from outreach.web.reads.paging import PAGE, Page, decode_numbers, page_of

_SQL = load_queries(__file__)
KINDS = {"call": "电话", "visit": "上门"}
STATES = {"open": "办理中", "done": "已告知或办结", "given_up": "已终止"}
DUE = {"today": "今天该办", "overdue": "已过约定日", "unapproved": "走访未申请审批"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items; empty: all. `state` is open or closed, `mine` a log-in name, `due` a word of `DUE`."""

    kind: str = ""
    state: str = "open"
    mine: str = ""
    due: str = ""


async def list_items(
    conn: Connection, vault: Vault, actor: Actor, wanted: Wanted, *, cursor: str = "", limit: int = PAGE
) -> Page:
    """Items of the scope, the one that is due first on top."""
    now = await (await conn.execute("select business_now() as now")).fetchone()
    assert now is not None
    after, after_id = decode_numbers(cursor, 2) if cursor else (None, None)
    params: dict[str, Any] = {
        "path": actor.org_path,
        "kind": wanted.kind,
        "state": wanted.state,
        "mine": wanted.mine,
        "due": wanted.due,
        "day": next_midnight(now["now"]),
        "after": after,
        "after_id": after_id,
        "limit": limit + 1,
    }
    rows = await (await conn.execute(_SQL["list"], params)).fetchall()
    return page_of([_named(vault, row) for row in rows], limit, "place", "id")


async def find_item(conn: Connection, actor: Actor, item_id: int) -> dict[str, Any]:
    """One item with its visit request. Raises NotFound outside the scope."""
    row = await (await conn.execute(_SQL["one"], {"item_id": item_id, "path": actor.org_path})).fetchone()
    if row is None:
        raise NotFound("没有这项外呼或走访任务，或者它不在您的数据范围内。")
    return row


async def attempts_of(conn: Connection, vault: Vault, item_id: int) -> list[dict[str, Any]]:
    """What came of an item so far, the last first, notes opened."""
    rows = await (await conn.execute(_SQL["attempts"], {"item_id": item_id})).fetchall()
    return [
        {**row, "note": vault.decrypt("work_attempt", "note_enc", row["id"], row["note_enc"])}
        if row["note_enc"]
        else {**row, "note": ""}
        for row in rows
    ]


async def figures_by_unit(conn: Connection, actor: Actor) -> list[dict[str, Any]]:
    """Calls and visits by state, of the units right below the scope."""
    return await (await conn.execute(_SQL["figures"], {"path": actor.org_path})).fetchall()


async def handed_counts(
    conn: Connection, actor: Actor, round_ids: Sequence[int]
) -> dict[tuple[int, int], dict[str, int]]:
    """(round, step) to households handed to staff within the scope: counted, open, done, given_up."""
    params = {"ids": list(round_ids), "path": actor.org_path}
    rows = await (await conn.execute(_SQL["handed"], params)).fetchall()
    names = ("counted", "open", "done", "given_up")
    return {(row["round_id"], row["step"]): {name: row[name] for name in names} for row in rows}


def next_midnight(now: datetime) -> datetime:
    """When the day ends in Beijing."""
    return datetime.combine(in_beijing(now).date() + timedelta(days=1), time(), BEIJING)


def _named(vault: Vault, row: dict[str, Any]) -> dict[str, Any]:
    person = mask_name(vault.decrypt("person", "name_enc", row["person_id"], row["name_enc"]))
    return {**row, "person": person, "names": row["names"] or [person]}
