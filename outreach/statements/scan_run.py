"""A scan: the findings of all households under an org unit for a year, a block of households at a time.

Scanning again is harmless: a finding whose facts have not changed keeps its verification; one whose facts
have becomes a new version that nobody has verified; one that is found no more is closed with the reason.
Every block is a transaction, so a scan that was broken off is finished by running it again.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import orjson
from psycopg.rows import tuple_row

from outreach.clock import in_beijing
from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.governance.audit import append_audit
from outreach.governance.vault import Vault, open_vault
from outreach.labels.slices import read_many
from outreach.labels.units import Type, from_stored
from outreach.runtime import Runtime
from outreach.statements.canonical import canonical
from outreach.statements.entitlements import ENTITLEMENTS, entitled_in
from outreach.statements.finding_sets import Touched, name_terms, refresh_sets
from outreach.statements.gift_pack import pack_month
from outreach.statements.marks import Marks, marks_of, read_marks
from outreach.statements.rules import CATALOGUE_VERSION, LISTED
from outreach.statements.scan import (
    DUE_TYPES,
    FROM_ATTRIBUTES,
    OTHER_STATUS,
    SMALL_SCALE,
    Due,
    Found,
    Home,
    Judged,
    Record,
    Task,
    judge,
)
from outreach.statements.standing import note_stale

_SQL = load_queries(__file__)
_BLOCK = 2_000
_SUPERSEDED = "数据已变化，见新版本"
_CLAIMED = "已享受"
_GONE = "按最新数据不再成立"
_STATUS = "vat_status = small_scale"
_COLUMNS = (
    ("id", "int8"),
    ("taxpayer_id", "int4"),
    ("benefit_code", "text"),
    ("direction", "text"),
    ("year", "int2"),
    ("version", "int2"),
    ("supersedes", "int8"),
    ("run_id", "int4"),
    ("evidence_enc", "bytea"),
    ("facts_tag", "bytea"),
)
_TYPES = sorted(frozenset[str]().union(*DUE_TYPES.values()))
_COUNTED = ("employees",)
Progress = Callable[[int, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scanned:
    """What one scan did. `found` are new findings and new versions, of which `changed` name an older one;
    `kept` have not changed; `closed` are found no more; `refused` records could not be computed."""

    run_id: int
    households: int
    enjoyed: int
    found: int
    kept: int
    changed: int
    closed: int
    refused: int


@dataclass(frozen=True, slots=True)
class _Run:
    id: int
    path: str
    province: str
    task: Task
    marks: Marks
    vault: Vault

    @property
    def months(self) -> dict[str, int]:
        return {"first": self.task.year * 100 + 1, "until": self.task.year * 100 + 12}


class _Current(NamedTuple):
    id: int
    version: int
    facts_tag: bytes
    state: str


Key = tuple[int, str, str]
"""Household, benefit code, direction."""


class _Fresh(NamedTuple):
    key: Key
    text: str
    facts_tag: bytes
    old: _Current | None


async def run_scan(
    rt: Runtime, year: int, *, scope_org_id: int, by: str, progress: Progress | None = None
) -> Scanned:
    """Scan the households under an org unit; `progress` is awaited with (done, all) after each block.

    Raises NotFound for an unknown unit, InvalidInput for a year that has not begun, ExpressionInvalid when
    the label catalogue lacks what the entitlements need.
    """
    run = await _start(rt, year, scope_org_id, by)
    pages = await rt.db.fetch(_SQL["pages"], {"path": run.path, "block": _BLOCK})
    total = sum(page["n"] for page in pages)
    counts = Counter(dict.fromkeys(Scanned.__slots__[1:], 0))
    terms: set[tuple[str, str]] = set()
    for after, last in pairwise((-1, *(page["last"] for page in pages))):
        counts.update(await _do_block(rt, run, after, last, terms))
        if progress is not None:
            await progress(counts["households"], total)
    async with rt.db.begin() as conn:
        await name_terms(conn, terms)
        await conn.execute(_SQL["finish"], {"run": run.id, **counts})
        detail = {"year": year, "scope": scope_org_id, **counts}
        await append_audit(conn, by, "scan.run", f"scan:{run.id}", detail)
    return Scanned(run.id, **counts)


async def unit_path(conn: Connection, org_id: int) -> str:
    """The path of an org unit. Raises NotFound."""
    return str((await _unit(conn, org_id))["path"])


async def _unit(conn: Connection, org_id: int) -> dict[str, Any]:
    unit = await (await conn.execute(_SQL["scope"], {"scope": org_id})).fetchone()
    if unit is None:
        raise NotFound("没有这个机构，请重新选择。")
    return unit


async def _start(rt: Runtime, year: int, scope: int, by: str) -> _Run:
    today = in_beijing(await rt.now()).date()
    if not 2000 <= year <= today.year:
        raise InvalidInput(f"{year} 年还没有开始，请选择已开始的年度。", field="year")
    async with rt.db.begin() as conn:
        unit = await _unit(conn, scope)
    month = pack_month(year, today)
    labels = {f"{one.code}#{number}": one.expression for number, one in enumerate(ENTITLEMENTS)}
    labels |= {SMALL_SCALE: _STATUS, OTHER_STATUS: f"has vat_status and not {_STATUS}"}
    marks = await read_marks(rt, labels, (), unit["root_id"])
    loaded = {name.partition("#")[0] for name, members in marks.sets.items() if members} & LISTED
    params = {"year": year, "month": month, "scope": scope, "by": by, "version": CATALOGUE_VERSION}
    row = await rt.db.fetch_one(_SQL["start"], params)
    assert row is not None
    task = Task(year, month, tuple(entitled_in(month)), frozenset(loaded))
    return _Run(row["id"], unit["path"], unit["province"], task, marks, open_vault(rt.settings))


async def _do_block(
    rt: Runtime, run: _Run, after: int, last: int, terms: set[tuple[str, str]]
) -> Counter[str]:
    async with rt.db.begin() as conn:
        await conn.execute(_SQL["lock"])
        homes = await _read(conn, run, after, last)
        judged = await asyncio.to_thread(_judge_all, homes, run.task)
        return await _write(conn, run, homes, judged, terms)


def _judge_all(homes: Sequence[Home], task: Task) -> list[Judged]:
    return [judge(home, task) for home in homes]


async def _read(conn: Connection, run: _Run, after: int, last: int) -> list[Home]:
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_SQL["households"], {"path": run.path, "after": after, "last": last})
        homes = {row[0]: Home(row[0], row[1], run.province) for row in await cursor.fetchall()}
        params: dict[str, Any] = {"ids": list(homes), **run.months}
        await cursor.execute(_SQL["records"], params)
        for taxpayer_id, month, code, claimed, inputs in await cursor.fetchall():
            homes[taxpayer_id].records.append(Record(month, code, claimed, orjson.loads(inputs)))
        await cursor.execute(_SQL["dues"], {**params, "types": _TYPES})
        for taxpayer_id, *due in await cursor.fetchall():
            homes[taxpayer_id].dues.append(Due(*due))
    for taxpayer_id, name, _ in await marks_of(conn, run.marks, list(homes)):
        homes[taxpayer_id].marks.add(name)
    await _read_values(conn, run, homes)
    return list(homes.values())


async def _read_values(conn: Connection, run: _Run, homes: Mapping[int, Home]) -> None:
    ids, codes = list(homes), sorted(set(FROM_ATTRIBUTES.values()))
    read = await read_many(conn, run.marks.cache, codes, np.array(ids, dtype=np.uint32))
    for code, (values, present) in read.items():
        kind: Type = "integer" if code in _COUNTED else "money"
        for place in np.flatnonzero(present):
            amount = from_stored(kind, int(values[place]))
            homes[ids[place]].values[code] = Decimal(str(amount))


async def _write(
    conn: Connection,
    run: _Run,
    homes: Sequence[Home],
    judged: Sequence[Judged],
    terms: set[tuple[str, str]],
) -> Counter[str]:
    ids, counts = [home.taxpayer_id for home in homes], Counter(households=len(homes))
    current = await _current(conn, run, ids)
    seen: dict[Key, Found] = {
        (home.taxpayer_id, found.code, found.direction): found
        for home, result in zip(homes, judged, strict=True)
        for found in result.found
    }
    enjoyed = [
        (home.taxpayer_id, code) for home, one in zip(homes, judged, strict=True) for code in one.enjoyed
    ]
    fresh = _fresh(run, seen, current)
    vanished = [key for key, old in current.items() if key not in seen and old.state != "closed"]
    await _supersede(conn, fresh)
    await _close(conn, current, vanished, set(enjoyed))
    await _copy(conn, run, fresh)
    await _register(conn, run, ids, enjoyed)
    await refresh_sets(conn, _were_confirmed(current, fresh, vanished))
    moved = {key[0] for key in (*(one.key for one in fresh), *vanished)}
    await note_stale(conn, [(taxpayer_id, run.task.year) for taxpayer_id in sorted(moved)])
    terms.update((code, direction) for _, code, direction in seen)
    counts["enjoyed"] = len(enjoyed)
    counts["found"], counts["kept"] = len(fresh), len(seen) - len(fresh)
    counts["changed"] = sum(one.old is not None for one in fresh)
    counts["closed"] = len(vanished)
    counts["refused"] = sum(result.refused for result in judged)
    return counts


async def _current(conn: Connection, run: _Run, ids: list[int]) -> dict[Key, _Current]:
    rows = await (await conn.execute(_SQL["current"], {"ids": ids, "year": run.task.year})).fetchall()
    return {
        (row["taxpayer_id"], row["benefit_code"], row["direction"]): _Current(
            row["id"], row["version"], bytes(row["facts_tag"]), row["state"]
        )
        for row in rows
    }


def _fresh(run: _Run, seen: Mapping[Key, Found], current: Mapping[Key, _Current]) -> list[_Fresh]:
    tag = run.vault.keyed_hash("finding.facts").digest
    fresh = []
    for key, found in seen.items():
        text, old = canonical(found.evidence), current.get(key)
        facts_tag = tag(text.encode())
        if old is None or old.state == "closed" or old.facts_tag != facts_tag:
            fresh.append(_Fresh(key, text, facts_tag, old))
    return fresh


async def _supersede(conn: Connection, fresh: Sequence[_Fresh]) -> None:
    ids = [one.old.id for one in fresh if one.old is not None]
    if ids:
        await conn.execute(_SQL["supersede"], {"ids": ids, "reason": _SUPERSEDED})


async def _close(
    conn: Connection, current: Mapping[Key, _Current], vanished: Sequence[Key], enjoyed: set[tuple[int, str]]
) -> None:
    reasons = [_CLAIMED if key[2] == "unclaimed" and key[:2] in enjoyed else _GONE for key in vanished]
    if vanished:
        await conn.execute(_SQL["close"], {"ids": [current[key].id for key in vanished], "reasons": reasons})


async def _copy(conn: Connection, run: _Run, fresh: Sequence[_Fresh]) -> None:
    if not fresh:
        return
    taken = await (await conn.execute(_SQL["take_ids"], {"n": len(fresh)})).fetchall()
    ids = [row["id"] for row in taken]
    sealed = run.vault.encrypt_many("finding", "evidence_enc", ids, [one.text for one in fresh])
    rows = (
        (
            finding_id,
            *one.key,
            run.task.year,
            one.old.version + 1 if one.old else 1,
            one.old.id if one.old else None,
            run.id,
            envelope,
            one.facts_tag,
        )
        for finding_id, one, envelope in zip(ids, fresh, sealed, strict=True)
    )
    await copy_rows(conn, "finding", _COLUMNS, rows)


async def _register(conn: Connection, run: _Run, ids: list[int], enjoyed: Sequence[tuple[int, str]]) -> None:
    homes, codes = [one[0] for one in enjoyed], [one[1] for one in enjoyed]
    params = {"ids": ids, "year": run.task.year, "homes": homes, "codes": codes}
    await conn.execute(_SQL["keep_register"], params)


def _were_confirmed(
    current: Mapping[Key, _Current], fresh: Sequence[_Fresh], vanished: Sequence[Key]
) -> list[Touched]:
    moved = [*(one.key for one in fresh), *vanished]
    return [
        Touched(code, direction, taxpayer_id)
        for taxpayer_id, code, direction in moved
        if (old := current.get((taxpayer_id, code, direction))) is not None and old.state == "confirmed"
    ]
