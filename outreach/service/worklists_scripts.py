"""What to say and whom to say it to: the script of an item, and its contact, who is shown on demand only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.vault import Vault, open_vault
from outreach.labels.cache import SetCache
from outreach.ledger.content import compile_content
from outreach.ledger.letters import Addressee, StepContent, letter_values, load_ahead
from outreach.registry.search import mask_address, mask_name
from outreach.runtime import Runtime
from outreach.service.work_items import lock_item

SQL = load_queries(__file__)

_NO_SCRIPT = "（这段话术缺少变量的值，请按活动目的说明）"


@dataclass(frozen=True, slots=True)
class Purpose:
    """One round that wants the households told: what to say, until when. `code` proves that it is genuine."""

    campaign: str
    round_name: str
    round_id: int
    ends_at: datetime
    code: str
    taxpayer_ids: Sequence[int]
    names: Sequence[str]
    script: str


@dataclass(frozen=True, slots=True)
class Contact:
    """The person of an item; masked unless it was asked for. `mobile` is empty where none is known."""

    name: str
    mobile: str
    usable: bool
    language: str
    special_care: bool


async def purposes_of(conn: Connection, vault: Vault, cache: SetCache, item_id: int) -> list[Purpose]:
    """Everything that an item is for, the round that ends first on top."""
    rows = await (await conn.execute(SQL["purposes"], {"item_id": item_id})).fetchall()
    found = []
    for row in rows:
        content = compile_content(row["channel"], row["content"])
        fixed = {**row["variables"], "campaign": row["campaign"], "code": row["code"]}
        said = StepContent(content, fixed, "")
        addressee = Addressee(row["person_id"], row["taxpayer_ids"], row["org_id"])
        (letter,) = await load_ahead(conn, vault, cache, said, [addressee])
        try:
            script = content.render("text", letter_values(said, letter, letter.names, "", ""))
        except InvalidInput:
            script = _NO_SCRIPT
        found.append(
            Purpose(
                row["campaign"],
                row["round_name"],
                row["round_id"],
                row["ends_at"],
                row["code"],
                row["taxpayer_ids"],
                letter.names,
                script,
            )
        )
    return found


async def masked_contact(conn: Connection, vault: Vault, item_id: int) -> Contact:
    """The person with her name and number masked."""
    shown = await _contact(conn, vault, item_id)
    mobile = mask_address("mobile", shown.mobile) if shown.mobile else ""
    return Contact(mask_name(shown.name), mobile, shown.usable, shown.language, shown.special_care)


async def reveal_contact(rt: Runtime, actor: Actor, item_id: int) -> Contact:
    """The person as she is, with an audit event. Raises NotFound outside the scope."""
    async with rt.db.begin() as conn:
        await lock_item(conn, actor.org_path, item_id)
        shown = await _contact(conn, open_vault(rt.settings), item_id)
        await append_audit(conn, actor, "work.reveal", f"work:{item_id}")
        return shown


async def _contact(conn: Connection, vault: Vault, item_id: int) -> Contact:
    row = await (await conn.execute(SQL["contact"], {"item_id": item_id})).fetchone()
    assert row is not None
    name = vault.decrypt("person", "name_enc", row["id"], row["name_enc"])
    sealed = row["value_enc"]
    mobile = vault.decrypt("address", "value_enc", row["address_id"], sealed) if sealed else ""
    return Contact(name, mobile, bool(row["usable"]), row["language"], row["special_care"])
