"""The audit chain: every event's hash covers the event and the hash before it.

A changed, removed, inserted or reordered row breaks the chain from there on; a cut tail disagrees with the
head. Writers queue on the head's one row for as long as their own transaction lasts, so an audited
transaction appends last and stays short.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.actor import Actor
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
_PAGE = 5_000
GENESIS = b"\x00"
"""The hash before the first event."""


async def append_audit(
    conn: Connection, actor: Actor | str, action: str, object: str, detail: Mapping[str, Any] | None = None
) -> int:
    """Append one event in the caller's transaction; returns its id.

    `action` is `noun.verb`, `object` is `noun:id`; `detail` holds JSON values and no personal data.
    """
    name = actor.name if isinstance(actor, Actor) else actor
    plain = json.loads(json.dumps(dict(detail or {}), allow_nan=False))
    head = await (await conn.execute(_SQL["lock_head"])).fetchone()
    assert head is not None
    at = datetime.now(UTC)
    event = {"id": head["id"] + 1, "at": at, "actor": name, "action": action, "object": object}
    digest = chain_hash(head["hash"], {**event, "detail": plain})
    await conn.execute(_SQL["append"], {**event, "detail": Jsonb(plain), "hash": digest})
    return int(event["id"])


def chain_hash(previous: bytes, event: Mapping[str, Any]) -> bytes:
    """SHA-256 over the previous hash and the canonical JSON of an event."""
    canonical = json.dumps(
        [
            event["id"],
            event["at"].astimezone(UTC).isoformat(timespec="microseconds"),
            event["actor"],
            event["action"],
            event["object"],
            event["detail"],
        ],
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(bytes(previous) + canonical.encode()).digest()


async def verify_audit(rt: Runtime) -> int | None:
    """The id of the first event that is missing or does not fit the chain; None if all of it holds.

    Reads in pages under one snapshot; the head is compared last, so a cut tail is found as the id after the
    last row.
    """
    async with rt.db.begin() as conn:
        await conn.execute("set transaction isolation level repeatable read, read only")
        last, previous = 0, GENESIS
        while rows := await (await conn.execute(_SQL["page"], {"after": last, "limit": _PAGE})).fetchall():
            for row in rows:
                if row["id"] != last + 1 or not _fits(previous, row):
                    return last + 1
                last, previous = row["id"], bytes(row["hash"])
        head = await (await conn.execute(_SQL["head"])).fetchone()
    if head is None or head["id"] != last or not hmac.compare_digest(bytes(head["hash"]), previous):
        return last + 1
    return None


def _fits(previous: bytes, row: Mapping[str, Any]) -> bool:
    return hmac.compare_digest(chain_hash(previous, row), bytes(row["hash"]))
