"""The books of a run of issuing: its blocks, what it did by unit, that it lives (migration 0045).

Which blocks are done stands in the transaction that wrote their documents, so a run that was broken off
goes on with the rest, and its figures are those of all its attempts together.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout
from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict
from outreach.governance.audit import append_audit
from outreach.runtime import Runtime
from outreach.statements.drawing import Drawn
from outreach.statements.freezing import Latest

_SQL = load_queries(__file__)
_COUNTED = (
    "households",
    "documents",
    "corrections",
    "unchanged",
    "empty",
    "withdrawn",
    "benefits",
    "held",
    "gained",
)
_Counts = tuple[int, ...]
_EMPTY: _Counts = (1, 0, 0, 0, 1, 0, 0, 0, 0)
_UNCHANGED: _Counts = (1, 0, 0, 1, 0, 0, 0, 0, 0)
BEAT_SECONDS = 5.0
LOST_SECONDS = 30
"""A run whose executor has given no sign for so long was broken off."""
NAMED = "households"
"""In place of an expression: the households were named one by one."""
Page = tuple[int, int]
"""A block: households after the first id, up to the second."""


class NoLongerOpen(Exception):
    """The block was done by somebody else meanwhile, or its run was stopped: nothing of it is written."""


async def open_run(
    rt: Runtime,
    kind: str,
    year: int,
    *,
    scope_org_id: int,
    by: str,
    reason: str,
    taxpayer_ids: Sequence[int] | None = None,
) -> int:
    """A run that the caller carries out at once; its number."""
    members = None if taxpayer_ids is None else BitMap(taxpayer_ids).serialize()
    params = {"kind": kind, "year": year, "scope": scope_org_id, "by": by, "reason": reason}
    expression = "everyone" if taxpayer_ids is None else NAMED
    row = await rt.db.fetch_one(_SQL["open"], {**params, "expression": expression, "members": members})
    assert row is not None
    return int(row["id"])


async def open_blocks(
    rt: Runtime, run_id: int, path: str, chosen: Sequence[int] | None, block: int
) -> list[Page]:
    """The blocks that are still to be done, in order; laid out by whoever comes first. `path` is a
    pattern."""
    params = {"run": run_id, "path": path, "chosen": chosen, "block": block}
    async with rt.db.begin() as conn:
        row = await (await conn.execute(_SQL["is_laid_out"], params)).fetchone()
        if row is None or not row["yes"]:
            await conn.execute(_SQL["lay_out"], params)
            await conn.execute(_SQL["note_wanted"], params)
        rows = await (await conn.execute(_SQL["open_blocks"], params)).fetchall()
    return [(row["after_id"], row["last_id"]) for row in rows]


class Tally:
    """What a block did, by unit: households = documents + unchanged + empty."""

    __slots__ = ("_done",)

    def __init__(self) -> None:
        # Counted at the end, by C: a bill has little time for sums.
        self._done: dict[int, list[_Counts]] = defaultdict(list)

    def add_empty(self, unit: int) -> None:
        """A household of whom there was nothing to tell."""
        self._done[unit].append(_EMPTY)

    def add_unchanged(self, unit: int) -> None:
        """A household that keeps her document."""
        self._done[unit].append(_UNCHANGED)

    def add_document(self, unit: int, made: Drawn, old: Latest | None) -> None:
        """A household that gets one. `held` and `gained` are what the newest versions come to by it:
        documents that are not withdrawn, and benefit lines."""
        benefits, withdrawn = made.benefits, int(made.withdrawn)
        if old is None:
            self._done[unit].append((1, 1, 0, 0, 0, withdrawn, benefits, 1 - withdrawn, benefits))
        else:
            held, gained = int(old.withdrawn) - withdrawn, benefits - old.benefits
            self._done[unit].append((1, 1, 1, 0, 0, withdrawn, benefits, held, gained))

    def by_unit(self) -> dict[int, _Counts]:
        """Unit to its sums, in the order of _COUNTED."""
        return {unit: tuple(map(sum, zip(*done, strict=True))) for unit, done in self._done.items()}


async def close_block(conn: Connection, run_id: int, page: Page, tally: Tally) -> None:
    """Note in the transaction that has written its documents that a block is done, and what it did by unit.
    Raises NoLongerOpen."""
    params = {"run": run_id, "last": page[1]}
    if await (await conn.execute(_SQL["close_block"], params)).fetchone() is None:
        raise NoLongerOpen
    sums = tally.by_unit()
    units = sorted(sums)
    columns = {name: [sums[unit][place] for unit in units] for place, name in enumerate(_COUNTED)}
    await conn.execute(_SQL["tally"], {"run": run_id, "units": units, **columns})


@asynccontextmanager
async def kept_alive(rt: Runtime, run_id: int, owner: str | None) -> AsyncIterator[None]:
    """Give a sign of life every few seconds while the block runs."""
    beating = asyncio.create_task(_beat(rt, run_id, owner), name="statement-run")
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.wait([beating])


async def check_open(rt: Runtime, run_id: int, owner: str | None) -> int:
    """How many households the run has to do in all. Raises Conflict when it was stopped, or given to
    another."""
    row = await rt.db.fetch_one(_SQL["beat"], {"run": run_id, "owner": owner})
    if row is None:
        raise Conflict("这次出具已被停止，或者由另一个进程接着做。已写入的文书不受影响。", run=run_id)
    return int(row["wanted"] or 0)


async def pace_of(conn: Connection, run_id: int) -> float:
    """Households a second that a run does at the moment."""
    row = await (await conn.execute(_SQL["pace"], {"run": run_id})).fetchone()
    return float(row["per_second"]) if row else 0.0


async def run_sums(rt: Runtime, run_id: int) -> dict[str, int]:
    """What the run has done so far, in all attempts: households = documents + unchanged + empty."""
    row = await rt.db.fetch_one(_SQL["sums"], {"run": run_id})
    assert row is not None
    return row


async def finish_run(conn: Connection, run_id: int, sums: Mapping[str, int]) -> None:
    """Close the books of a run whose blocks are all done, and say so in the audit chain; its frozen
    audience and its blocks are given up."""
    params: dict[str, Any] = {"run": run_id, **sums}
    row = await (await conn.execute(_SQL["finish"], params)).fetchone()
    if row is None:
        return
    await conn.execute(_SQL["forget_blocks"], params)
    detail = {"kind": row["kind"], "year": row["year"], "scope": row["scope_org_id"], **sums}
    await append_audit(conn, row["by"], "statement.finish", f"statement_run:{run_id}", detail)


async def _beat(rt: Runtime, run_id: int, owner: str | None) -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        with contextlib.suppress(DatabaseError, PoolTimeout):
            await rt.db.execute(_SQL["beat"], {"run": run_id, "owner": owner})
