"""Reading frozen documents: opened, compared with their hash, never recomputed."""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from outreach.db.sql import parse_queries
from outreach.governance.vault import SealBroken, open_vault
from outreach.runtime import Runtime
from outreach.statements.content import content_hash

_SQL = parse_queries(Path(__file__).with_name("access.sql"))


@dataclass(frozen=True, slots=True)
class Document:
    """One issued document as it was frozen."""

    id: int
    taxpayer_id: int
    year: int
    content: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class DocumentProof:
    """What a public check may tell about a document: no name and no amount."""

    bureau: str
    year: int
    version: int
    issued_at: datetime
    current: bool


async def read_documents(rt: Runtime, taxpayer_ids: Sequence[int]) -> list[Document]:
    """The newest version of every year's bill of some households, in their order, newest year first.

    Raises SealBroken when a document does not open or does not match its hash.
    """
    rows = await rt.db.fetch(_SQL["documents"], {"ids": list(taxpayer_ids)})
    vault = open_vault(rt.settings)
    documents = []
    for row in rows:
        text = vault.decrypt("statement", "content_enc", row["id"], row["content_enc"])
        digest = content_hash(text)
        if not hmac.compare_digest(digest, bytes(row["content_hash"])):
            raise SealBroken("账单内容与其校验值不一致，请联系主管税务机关。", statement=row["id"])
        documents.append(Document(row["id"], row["taxpayer_id"], row["year"], json.loads(text), digest.hex()))
    order = {taxpayer_id: place for place, taxpayer_id in enumerate(taxpayer_ids)}
    return sorted(documents, key=lambda document: (order[document.taxpayer_id], -document.year))


async def check_digest(rt: Runtime, digest: str) -> DocumentProof | None:
    """Whether a document with this SHA-256 (64 hex digits) was issued; None when not."""
    try:
        wanted = bytes.fromhex(digest)
    except ValueError:
        return None
    if len(wanted) != 32:
        return None
    row = await rt.db.fetch_one(_SQL["by_digest"], {"digest": wanted})
    if row is None:
        return None
    return DocumentProof(row["bureau"], row["year"], row["version"], row["issued_at"], row["current"])
