"""Reading frozen documents: opened, compared with their hash, never recomputed."""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from outreach.db.sql import parse_queries
from outreach.governance.vault import SealBroken, Vault, open_vault
from outreach.runtime import Runtime
from outreach.statements.access import StatementSession, find_sealed
from outreach.statements.content import content_hash, digest_of
from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.statements.packing import unpack

_SQL = parse_queries(Path(__file__).with_name("access.sql"))
_KINDS = {kind: place for place, kind in enumerate(DOCUMENT_KINDS)}


@dataclass(frozen=True, slots=True)
class Document:
    """One issued document as it was frozen."""

    id: int
    taxpayer_id: int
    kind: str
    year: int
    content: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A document that the visitor may turn to, by the name of its household."""

    name: str
    kind: str
    year: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A verified visit: all documents that it may see, the one at `place` opened, and whether reminders on
    WeChat can be offered."""

    session: StatementSession
    listed: Sequence[Listed]
    place: int
    document: Document
    offers_wechat: bool


@dataclass(frozen=True, slots=True)
class DocumentProof:
    """What a public check may tell about a document: no name and no amount. `withdrawn`: by this version or
    by a later one."""

    bureau: str
    kind: str
    year: int
    version: int
    issued_at: datetime
    current: bool
    withdrawn: bool


async def read_documents(rt: Runtime, taxpayer_ids: Sequence[int]) -> list[Document]:
    """The newest version of every document of some households, in their order, newest year first, the yearly
    bill before the other kinds.

    Raises SealBroken when a document does not open or does not match its hash.
    """
    rows = await rt.db.fetch(_SQL["documents"], {"ids": list(taxpayer_ids)})
    vault = open_vault(rt.settings)
    return [open_document(vault, row) for row in _in_order(rows, taxpayer_ids)]


async def open_visit(rt: Runtime, secret: str, n: int | None) -> Opened | None:
    """The visit of a cookie with the n-th of its documents, or without a number with the one of which its
    message told; the first where there is none such. None when it is over or has none. What is not shown is
    not opened, but for one document of each other household.

    Raises SealBroken as `read_documents` does.
    """
    found = await find_sealed(rt, secret)
    if found is None or not found[1]:
        return None
    session, vault = found[0], open_vault(rt.settings)
    rows = _in_order(found[1], session.taxpayer_ids)
    place = _told(rows) if n is None else n if 0 <= n < len(rows) else 0
    shown = open_document(vault, rows[place])
    names = {shown.taxpayer_id: shown.content["payer"]["name"]}
    for row in rows:
        if row["taxpayer_id"] not in names:
            names[row["taxpayer_id"]] = open_document(vault, row).content["payer"]["name"]
    listed = [Listed(names[row["taxpayer_id"]], row["kind"], row["year"]) for row in rows]
    return Opened(session, listed, place, shown, rows[0]["offers_wechat"])


def _in_order(rows: Iterable[dict[str, Any]], taxpayer_ids: Sequence[int]) -> list[dict[str, Any]]:
    order = {taxpayer_id: place for place, taxpayer_id in enumerate(taxpayer_ids)}
    return sorted(rows, key=lambda row: (order[row["taxpayer_id"]], -row["year"], _KINDS[row["kind"]]))


def _told(rows: Sequence[Mapping[str, Any]]) -> int:
    """The place of the document of which the message told: its template is called after the kind."""
    template, year = rows[0]["told_by"] or "", rows[0]["told_year"]
    told = [place for place, row in enumerate(rows) if template.endswith(row["kind"])]
    return next((place for place in told if str(rows[place]["year"]) == year), told[0] if told else 0)


def open_document(vault: Vault, row: Mapping[str, Any]) -> Document:
    """One row of the table `statement`. Raises SealBroken as `read_documents` does."""
    text = unpack(vault.unseal("statement", "content_enc", row["id"], row["content_enc"]))
    content = orjson.loads(text)
    digest = content_hash(text, digest_of(content))
    if not hmac.compare_digest(digest, bytes(row["content_hash"])):
        raise SealBroken("账单内容与其校验值不一致，请联系主管税务机关。", statement=row["id"])
    return Document(row["id"], row["taxpayer_id"], row["kind"], row["year"], content, digest.hex())


async def check_digest(rt: Runtime, digest: str) -> DocumentProof | None:
    """Whether a document with this check value (64 hex digits) was issued; None when not."""
    try:
        wanted = bytes.fromhex(digest)
    except ValueError:
        return None
    if len(wanted) != 32:
        return None
    row = await rt.db.fetch_one(_SQL["by_digest"], {"digest": wanted})
    if row is None:
        return None
    return DocumentProof(**row)
