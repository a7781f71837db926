"""Yearly bills, a block of households at a time: a few queries, pure computation, one COPY.

Issuing again is harmless: a household whose facts have not changed keeps its document; one whose facts have
gets a new version that names the old one.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from outreach.clock import in_beijing
from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.governance.vault import Vault, open_vault
from outreach.runtime import Runtime
from outreach.statements.content import Household, build_bill, canonical, content_hash, lasting
from outreach.statements.facts import fill_facts, read_households

_SQL = load_queries(__file__)
_BLOCK = 2_000
_COLUMNS = (
    ("id", "int8"),
    ("taxpayer_id", "int4"),
    ("kind", "text"),
    ("year", "int2"),
    ("version", "int2"),
    ("supersedes", "int8"),
    ("run_id", "int4"),
    ("content_enc", "bytea"),
    ("content_hash", "bytea"),
    ("facts_tag", "bytea"),
    ("issued_at", "timestamptz"),
)
Progress = Callable[[int, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Issued:
    """What one issue did. Households = documents (of which corrections) + unchanged + empty."""

    run_id: int
    households: int
    documents: int
    corrections: int
    unchanged: int
    empty: int
    benefits: int


@dataclass(frozen=True, slots=True)
class _Run:
    """What is the same for every block of one issue."""

    id: int
    year: int
    path: str
    province: str
    chosen: list[int] | None
    reason: str
    issued_at: datetime
    entered: Mapping[int, date]

    @property
    def periods(self) -> dict[str, int]:
        year = self.year * 100
        return {"year": self.year, "last_first": year - 99, "first": year + 1, "last": year + 12}


async def issue_yearly_bills(
    rt: Runtime,
    year: int,
    *,
    scope_org_id: int,
    taxpayer_ids: Sequence[int] | None = None,
    by: str = "system",
    reason: str = "",
    deadlines: Mapping[int, date] | None = None,
    progress: Progress | None = None,
) -> Issued:
    """Issue the bills of a year for the households under an org unit, or for some of them.

    `reason` is told to households whose bill is corrected; `deadlines` (yyyymm to date) are filing dates that
    staff have entered for years whose holidays are not published; `progress` is awaited with (done, all)
    after each block. Every block is a transaction: a run that was broken off is finished by running it again.
    Raises NotFound for an unknown unit, InvalidInput for a year that has not begun or a rule not in force.
    """
    now = await rt.now()
    if not 2000 <= year <= in_beijing(now).year:
        raise InvalidInput(f"{year} 年不能出具年度账单，请选择已开始的年度。", field="year")
    run = await _start(rt, year, scope_org_id, taxpayer_ids, by, reason, now, deadlines or {})
    total = (await rt.db.fetch_one(_SQL["count_households"], _filter(run)) or {})["n"]
    counts: dict[str, int] = dict.fromkeys(
        ("households", "documents", "corrections", "unchanged", "empty", "benefits"), 0
    )
    after = -1
    while (last := await _issue_block(rt, run, after, counts)) is not None:
        after = last
        if progress is not None:
            await progress(counts["households"], total)
    await rt.db.execute(_SQL["finish_run"], {"run": run.id, **counts})
    return Issued(run.id, **counts)


async def _start(
    rt: Runtime,
    year: int,
    scope: int,
    chosen: Sequence[int] | None,
    by: str,
    reason: str,
    now: datetime,
    entered: Mapping[int, date],
) -> _Run:
    unit = await rt.db.fetch_one(_SQL["scope"], {"scope": scope})
    if unit is None:
        raise NotFound("没有这个机构，请重新选择。")
    params = {"year": year, "scope": scope, "by": by, "reason": reason}
    row = await rt.db.fetch_one(_SQL["start_run"], params)
    assert row is not None
    ids = None if chosen is None else list(chosen)
    return _Run(row["id"], year, unit["path"], unit["province"], ids, reason, now, entered)


def _filter(run: _Run) -> dict[str, Any]:
    return {"path": run.path + "%", "chosen": run.chosen}


async def _issue_block(rt: Runtime, run: _Run, after: int, counts: dict[str, int]) -> int | None:
    """Issue one block; returns its last id, None when there is none left."""
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        await conn.execute(_SQL["lock_households"], {"year": run.year})
        page = {**_filter(run), "after": after, "block": _BLOCK}
        rows = await (await conn.execute(_SQL["households"], page)).fetchall()
        if not rows:
            return None
        homes = read_households(rows, vault, run.province)
        await fill_facts(conn, _SQL, homes, run.periods)
        documents = [
            build_bill(home, run.year, in_beijing(run.issued_at).date(), run.entered)
            if not home.is_empty
            else None
            for home in homes.values()
        ]
        await _write(conn, vault, run, homes, documents, counts)
    counts["households"] += len(homes)
    return max(homes)


async def _write(
    conn: Connection,
    vault: Vault,
    run: _Run,
    homes: Mapping[int, Household],
    documents: Sequence[dict[str, Any] | None],
    counts: dict[str, int],
) -> None:
    latest = {
        row["taxpayer_id"]: row
        for row in await (
            await conn.execute(_SQL["latest"], {"ids": list(homes), "year": run.year})
        ).fetchall()
    }
    tag = vault.keyed_hash("statement.facts").digest
    fresh: list[tuple[int, dict[str, Any], bytes]] = []
    for taxpayer_id, document in zip(homes, documents, strict=True):
        if document is None:
            counts["empty"] += 1
            continue
        facts_tag = tag(lasting(document).encode())
        if taxpayer_id in latest and latest[taxpayer_id]["facts_tag"] == facts_tag:
            counts["unchanged"] += 1
            continue
        fresh.append((taxpayer_id, document, facts_tag))
        counts["corrections"] += taxpayer_id in latest
        counts["benefits"] += sum(len(part["lines"]) for part in document["enjoyed"].values())
    counts["documents"] += len(fresh)
    await _copy(conn, vault, run, fresh, latest)


async def _copy(
    conn: Connection,
    vault: Vault,
    run: _Run,
    fresh: Sequence[tuple[int, dict[str, Any], bytes]],
    latest: Mapping[int, Mapping[str, Any]],
) -> None:
    taken = await (await conn.execute(_SQL["take_ids"], {"n": len(fresh)})).fetchall()
    ids = [row["id"] for row in taken]
    texts = [
        canonical({**document, "issue": _issue(run, statement_id, latest.get(taxpayer_id))})
        for statement_id, (taxpayer_id, document, _) in zip(ids, fresh, strict=True)
    ]
    sealed = vault.encrypt_many("statement", "content_enc", ids, texts)
    rows = []
    for statement_id, (taxpayer_id, _, tag), text, envelope in zip(ids, fresh, texts, sealed, strict=True):
        old = latest.get(taxpayer_id)
        version = old["version"] + 1 if old else 1
        rows.append(
            (
                statement_id,
                taxpayer_id,
                "yearly_bill",
                run.year,
                version,
                old["id"] if old else None,
                run.id,
                envelope,
                content_hash(text),
                tag,
                run.issued_at,
            )
        )
    await copy_rows(conn, "statement", _COLUMNS, rows)


def _issue(run: _Run, statement_id: int, old: Mapping[str, Any] | None) -> dict[str, Any]:
    """The part of a document that is its own: number, version, time, and the random serial of its hash."""
    return {
        "number": document_number(run.year, statement_id),
        "version": old["version"] + 1 if old else 1,
        "supersedes": document_number(run.year, old["id"]) if old else None,
        "reason": run.reason if old else "",
        "at": in_beijing(run.issued_at).isoformat(timespec="minutes"),
        "serial": secrets.token_hex(16),
    }


def document_number(year: int, statement_id: int) -> str:
    """What people quote: ZD2025-000012345."""
    return f"ZD{year}-{statement_id:09d}"
