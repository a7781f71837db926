"""What is kept how long: applied once a day, in small pieces, by whichever scheduler comes first.

Months of receipts are dropped, months of messages are archived (archive.py), everything else is deleted by
its age. Audit events, opt-outs and what taxpayers wrote are never deleted here.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg import Error as DatabaseError
from psycopg.errors import LockNotAvailable

from outreach.db.partitions import drop_partition
from outreach.db.sql import load_queries
from outreach.errors import OutreachError
from outreach.logs import get_log
from outreach.runtime import Runtime
from outreach.storage.archive import archive_period

SQL = load_queries(__file__)

_LOCK = 7_640_010
_AT_ONCE = 20_000
_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Retained:
    """What one run did. `deleted`: rows by kind; `dropped`: months of receipts; `archived`: months of
    messages; `refused`: months that could not leave yet, with the reason for staff."""

    deleted: Mapping[str, int]
    dropped: tuple[int, ...]
    archived: tuple[int, ...]
    refused: Mapping[int, str]


async def retain(rt: Runtime) -> Retained | None:
    """Apply the settings `keep_…`; None if another process is at it."""
    async with rt.db.begin() as conn:
        row = await (await conn.execute("select pg_try_advisory_xact_lock(%s) as mine", (_LOCK,))).fetchone()
        if row is None or not row["mine"]:
            return None
        deleted = {name: await _forget(rt, query, days) for name, (query, days) in _ages(rt).items()}
        dropped = await _drop_receipts(rt, rt.settings.keep_receipts_days)
        archived, refused = await _archive_due(rt)
    found = Retained(deleted, tuple(dropped), tuple(archived), refused)
    get_log().info("storage.retained", deleted=sum(deleted.values()), dropped=dropped, archived=archived)
    return found


async def retain_daily(rt: Runtime) -> None:
    """As `retain`; trouble is logged, and the next day comes."""
    try:
        await retain(rt)
    except (DatabaseError, OSError) as error:
        get_log().warning("storage.troubled", error=type(error).__name__)


def archive_folder(rt: Runtime) -> Path:
    """Where archived months go if nobody says otherwise."""
    return Path(rt.settings.archive) if rt.settings.archive else rt.settings.var / "archive"


def _ages(rt: Runtime) -> dict[str, tuple[str, int]]:
    settings = rt.settings
    return {
        "receipt_orphan": ("forget_orphans", settings.keep_receipts_days),
        "link": ("forget_links", settings.keep_links_days),
        "session": ("forget_sessions", settings.keep_traces_days),
        "login_attempt": ("forget_attempts", settings.keep_traces_days),
        "statement_access": ("forget_accesses", settings.keep_traces_days),
        "direct_message": ("forget_directs", settings.keep_traces_days),
        "worker": ("forget_workers", settings.keep_traces_days),
        "trigger_turn": ("forget_turns", settings.keep_traces_days),
        "triggered": ("forget_triggered", settings.keep_traces_days),
    }


async def _forget(rt: Runtime, query: str, days: int) -> int:
    total = 0
    while count := await rt.db.execute(SQL[query], {"days": days, "limit": _AT_ONCE}):
        total += count
        if count < _AT_ONCE:
            break
        await asyncio.sleep(_PAUSE)
    return total


async def _drop_receipts(rt: Runtime, days: int) -> list[int]:
    dropped: list[int] = []
    for row in await rt.db.fetch(SQL["inbox_months"], {"days": days}):
        try:
            async with rt.db.begin() as conn:
                await conn.execute("set local lock_timeout = '2s'")
                waiting = await (await conn.execute(SQL["unmerged_in"], row)).fetchone()
                if waiting is None or waiting["waits"]:
                    get_log().error("receipts.unmerged", period=row["period"])
                    continue
                await drop_partition(conn, "receipt_inbox", row["period"])
                dropped.append(row["period"])
        except LockNotAvailable:
            get_log().warning("receipts.busy", period=row["period"])
    return dropped


async def _archive_due(rt: Runtime) -> tuple[list[int], dict[int, str]]:
    archived: list[int] = []
    refused: dict[int, str] = {}
    if not rt.settings.keep_messages_months:
        return archived, refused
    for row in await rt.db.fetch(SQL["months_due"], {"months": rt.settings.keep_messages_months}):
        try:
            await archive_period(rt, row["period"], archive_folder(rt), by="scheduler", progress=_silent)
            archived.append(row["period"])
        except OutreachError as error:
            refused[row["period"]] = error.message
            get_log().warning("period.refused", period=row["period"], code=error.code)
    return archived, refused


def _silent(_: str) -> None:
    pass
