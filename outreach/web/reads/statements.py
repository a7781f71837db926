"""Runs of issuing and what they have left, within a scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.governance.actor import Actor
from outreach.governance.vault import Vault
from outreach.statements.documents import Document, open_document
from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.statements.register import display_name
from outreach.statements.runs import LOST_SECONDS
from outreach.web.reads.paging import PAGE, Page, decode_numbers, page_of

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Held:
    """A unit with all below it: by kind of document, households that hold one that counts, and the benefit
    lines contained in them. `id` is None for the households of the unit acted in itself."""

    id: int | None
    name: str
    households: dict[str, int]
    benefits: dict[str, int]


async def list_runs(
    conn: Connection, actor: Actor, *, year: int = 0, kind: str = "", cursor: str = "", limit: int = PAGE
) -> Page:
    """Runs that concern the scope, newest first, with figures of the scope only. `is_own`: ordered for a unit
    of the scope, so it may be stopped. `state` is that of the row, or `lost` where nobody gives a sign of
    life."""
    before = decode_numbers(cursor, 1)[0] if cursor else None
    rows = await _runs(conn, actor, before=before, year=year, kind=kind, limit=limit + 1)
    return page_of(rows, limit, "id")


async def find_run(conn: Connection, actor: Actor, run_id: int) -> dict[str, Any]:
    """One run. Raises NotFound where it does not concern the scope."""
    rows = await _runs(conn, actor, id=run_id)
    if not rows:
        raise NotFound("没有这次出具，或者它不在您的数据范围内。")
    return rows[0]


async def issued_years(conn: Connection, actor: Actor) -> list[int]:
    """Years of which there are documents, newest first."""
    rows = await (await conn.execute(_SQL["years"], {"path": actor.org_path})).fetchall()
    return [row["year"] for row in rows]


async def held_by_unit(conn: Connection, actor: Actor, year: int) -> list[Held]:
    """The units next below the one acted in, after those households that belong to it itself."""
    params = {"path": actor.org_path, "org": actor.org_id, "year": year}
    found: dict[int | None, Held] = {}
    for row in await (await conn.execute(_SQL["held"], params)).fetchall():
        if row["id"] not in found:
            none, name = dict.fromkeys(DOCUMENT_KINDS, 0), row["name"] or "本级直接管理"
            found[row["id"]] = Held(row["id"], name, none, dict(none))
        unit = found[row["id"]]
        unit.households[row["kind"]] = row["households"]
        unit.benefits[row["kind"]] = row["benefits"]
    return list(found.values())


def held_in_all(units: Sequence[Held]) -> Held:
    """The sum of some units."""
    return Held(
        None,
        "合计",
        {kind: sum(unit.households[kind] for unit in units) for kind in DOCUMENT_KINDS},
        {kind: sum(unit.benefits[kind] for unit in units) for kind in DOCUMENT_KINDS},
    )


async def run_units(conn: Connection, actor: Actor, run_id: int) -> list[dict[str, Any]]:
    """What a run that the caller has found did, by the units next below the one acted in."""
    params = {"path": actor.org_path, "org": actor.org_id, "run": run_id}
    rows = await (await conn.execute(_SQL["units"], params)).fetchall()
    return [{**row, "name": row["name"] or "本级直接管理"} for row in rows]


async def run_documents(
    conn: Connection, vault: Vault, actor: Actor, run: dict[str, Any], ids: Sequence[int], limit: int
) -> list[dict[str, Any]]:
    """Some of the documents that a run wrote for these households; names of natural persons are masked."""
    params = {"ids": list(ids), "kind": run["kind"], "year": run["year"], "run": run["id"]}
    params |= {"path": actor.org_path, "limit": limit}
    rows = await (await conn.execute(_SQL["of_households"], params)).fetchall()
    return [{**row, "household": display_name(vault, row)} for row in rows]


async def find_document(conn: Connection, vault: Vault, actor: Actor, statement_id: int) -> Document:
    """A document of the scope, opened. Raises NotFound, SealBroken."""
    params = {"id": statement_id, "path": actor.org_path}
    row = await (await conn.execute(_SQL["one"], params)).fetchone()
    if row is None:
        raise NotFound("没有这份文书，或者它不在您的数据范围内。")
    return open_document(vault, row)


async def campaigns_after(
    conn: Connection, actor: Actor, kind: str, year: int, since: datetime
) -> list[dict[str, Any]]:
    """Campaigns that have sent links to documents of a kind and year since a moment, newest first."""
    params = {"path": actor.org_path, "kind": kind, "year": year, "since": since}
    return await (await conn.execute(_SQL["campaigns"], params)).fetchall()


async def _runs(
    conn: Connection,
    actor: Actor,
    *,
    id: int | None = None,
    before: int | None = None,
    year: int = 0,
    kind: str = "",
    limit: int = 1,
) -> list[dict[str, Any]]:
    params = {"path": actor.org_path, "id": id, "before": before, "year": year, "kind": kind}
    params |= {"limit": limit, "lost": LOST_SECONDS}
    return await (await conn.execute(_SQL["runs"], params)).fetchall()
