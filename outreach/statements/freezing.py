"""Documents frozen: numbered, named in their own text, hashed, packed and sealed, in one COPY."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import scalar_row
from psycopg.types.string import BytesBinaryDumper

from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.vault import Vault
from outreach.statements.canonical import TEXT, VALUE, canonical, form_of
from outreach.statements.content import SCHEMA, content_hash
from outreach.statements.drawing import Drawn
from outreach.statements.packing import pack_many

_SQL = load_queries(__file__)
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
    ("withdrawn", "bool"),
    ("benefits", "int2"),
)


class Latest(NamedTuple):
    """The document of a household that counts so far."""

    id: int
    version: int
    facts_tag: bytes
    withdrawn: bool
    benefits: int


class Fresh(NamedTuple):
    """A document to write."""

    taxpayer_id: int
    drawn: Drawn
    facts_tag: bytes
    old: Latest | None


@dataclass(frozen=True, slots=True)
class Label:
    """What all documents of an issue bear: `shown_at` is `issued_at` in Beijing's time as they print it,
    `data_as_of` the day of the newest load of records (ISO 8601, empty where there was none)."""

    kind: str
    year: int
    run_id: int
    issued_at: datetime
    shown_at: str
    data_as_of: str
    reason: str
    digest: str


def withdrawal(kind: str, year: int, payer: str, name: str, tax_no: str, authority: str) -> dict[str, Any]:
    """The content of a version that withdraws the document: whose it is, and nothing else. `payer` is her
    kind, `tax_no` her masked number."""
    return {
        "schema": SCHEMA,
        "kind": kind,
        "year": year,
        "withdrawn": True,
        "payer": {"kind": payer, "name": name, "tax_no": tax_no, "authority": authority},
        "due": [],
    }


async def freeze(conn: Connection, vault: Vault, run: Label, fresh: Sequence[Fresh]) -> None:
    """Write documents. Raises UniqueViolation where another issue has written the version meanwhile."""
    ids = await _take_ids(conn, len(fresh))
    issues = issues_of(run, ids, [one.old for one in fresh])
    texts = [one.drawn.text(issue) for one, issue in zip(fresh, issues, strict=True)]
    sealed = vault.seal_many("statement", "content_enc", ids, pack_many(texts))
    rows = (
        (
            statement_id,
            one.taxpayer_id,
            run.kind,
            run.year,
            one.old.version + 1 if one.old else 1,
            one.old.id if one.old else None,
            run.run_id,
            envelope,
            content_hash(text, run.digest),
            one.facts_tag,
            run.issued_at,
            one.drawn.withdrawn,
            one.drawn.benefits,
        )
        for statement_id, one, text, envelope in zip(ids, fresh, texts, sealed, strict=True)
    )
    conn.adapters.register_dumper(bytes, BytesBinaryDumper)
    await copy_rows(conn, "statement", _COLUMNS, rows)


async def _take_ids(conn: Connection, count: int) -> list[int]:
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_SQL["take_ids"], {"n": count})
        return await cursor.fetchall()


_SERIAL = 16


def issues_of(run: Label, ids: Sequence[int], olds: Sequence[Latest | None]) -> Iterator[bytes]:
    """Of each document the part that is its own, as canonical JSON: number, version, time, and the random
    serial of its hash."""
    # One system call for many serials.
    serials = secrets.token_hex(_SERIAL * len(ids))
    form, reason = _issue_form(run), canonical(run.reason)
    for place, (statement_id, old) in enumerate(zip(ids, olds, strict=True)):
        number = document_number(run.year, statement_id)
        serial = serials[2 * _SERIAL * place : 2 * _SERIAL * (place + 1)]
        if old is None:
            issue = form % (number, '""', serial, "null", 1)
        else:
            superseded = canonical(document_number(run.year, old.id))
            issue = form % (number, reason, serial, superseded, old.version + 1)
        yield issue.encode()


def _issue_form(run: Label) -> str:
    """Places for number, reason, serial, the document that is superseded, and version."""
    # Named only where it is another than that of all documents before: their texts stay what they were.
    named = {} if run.digest == "sha256" else {"digest": run.digest}
    # Here, because a load that changes nothing of a household makes no new version of her document.
    named |= {"data_as_of": run.data_as_of} if run.data_as_of else {}
    places = {"number": TEXT, "reason": VALUE, "serial": TEXT, "supersedes": VALUE, "version": VALUE}
    return form_of({**named, "at": run.shown_at, **places})


def document_number(year: int, statement_id: int) -> str:
    """What people quote: ZD2025-000012345."""
    return f"ZD{year}-{statement_id:09d}"
