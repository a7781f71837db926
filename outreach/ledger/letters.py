"""Letters: the messages of a batch with all that is needed to write and address them.

Addresses are decrypted here, just before they leave, and live no longer than the window.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from psycopg.rows import args_row, tuple_row
from pyroaring import AbstractBitMap, FrozenBitMap

from channels.base import Outbound
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.vault import Vault, open_vault
from outreach.labels.cache import SetCache
from outreach.labels.slices import read_many
from outreach.labels.units import from_stored
from outreach.ledger.content import Content, compile_content, compose
from outreach.ledger.gateways import ADDRESS_KINDS
from outreach.ledger.keys import encode_key
from outreach.ledger.tokens import unsubscribe_token
from outreach.rendering.sms_parts import count_parts
from outreach.runtime import Runtime

SQL = load_queries(__file__)

BUILT_IN = frozenset(
    {"name", "taxpayer", "taxpayers", "count", "org", "campaign", "code", "link", "unsubscribe_url"}
)
"""Variables that every message has; the others are attributes and the campaign's own."""


@dataclass(frozen=True, slots=True)
class LinkWish:
    """A locator link that a message wants to carry."""

    message_id: int
    round_id: int
    taxpayer_ids: Sequence[int]
    person_id: int
    expires_at: datetime


_NOBODY = FrozenBitMap()

IssueLinks = Callable[[Connection, Sequence[LinkWish]], Awaitable[list[str]]]
"""Makes links durable and returns their addresses; wired on the top floor."""


@dataclass(frozen=True, slots=True)
class StepContent:
    """A step's compiled content; `fixed` are the values that are the same for all its messages."""

    content: Content
    fixed: dict[str, Any]
    filing: str


class Letter(NamedTuple):
    """One message before it is written. `dest` is where it goes by its row, `now_dest` where its person is
    reached today (None: nowhere); `usable` is false where the address is known not to work; `values` are her
    own. A named tuple, because every message that leaves is one."""

    message_id: int
    person_id: int
    taxpayer_ids: Sequence[int]
    state: int
    tries: int
    tried_at: datetime | None
    ref: str
    address: str
    usable: bool
    dest: int
    now_dest: int | None
    names: Sequence[str]
    values: dict[str, Any]

    @property
    def key(self) -> str:
        """The reference that travels."""
        return encode_key(self.message_id)

    @property
    def has_moved(self) -> bool:
        """Whether its person is reached elsewhere than when the batch was cut."""
        return self.now_dest is not None and self.now_dest != self.dest


class Addressee(NamedTuple):
    """A person with the households that her message names."""

    person_id: int
    taxpayer_ids: list[int]
    org_id: int


class _Row(NamedTuple):
    id: int
    person_id: int
    taxpayer_ids: list[int]
    org_id: int
    state: int
    tries: int
    dest: int
    tried_at: datetime | None
    ref: str | None
    address_id: int | None
    value_enc: bytes | None
    usable: bool | None
    now_dest: int | None


async def load_step(rt: Runtime, round_id: int, step: int, gateway_id: int) -> StepContent:
    """Read and compile what a step says."""
    keys = {"round_id": round_id, "step": step, "gateway_id": gateway_id}
    row = await rt.db.fetch_one(SQL["step_content"], keys)
    assert row is not None
    content = compile_content(row["channel"], row["content"])
    fixed = {**row["variables"], "campaign": row["campaign"], "code": row["code"]}
    return StepContent(content, fixed, row["filing"])


async def load_letters(
    rt: Runtime, cache: SetCache, step: StepContent, period: int, shard: int, ids: Sequence[int]
) -> list[Letter]:
    """Messages of one shard with names, addresses and values, in the order of their ids."""
    keys = {"period": period, "shard": shard, "ids": list(ids), "kind": ADDRESS_KINDS[step.content.channel]}
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        # Binary, because addresses are sealed bytes, which as text are twice as long.
        async with conn.cursor(row_factory=args_row(_Row), binary=True) as cursor:
            await cursor.execute(SQL["load_messages"], keys)
            rows = await cursor.fetchall()
        return await _letters(conn, vault, cache, step, rows)


async def load_ahead(
    conn: Connection, vault: Vault, cache: SetCache, step: StepContent, people: Sequence[Addressee]
) -> list[Letter]:
    """What people would get of whom no message has been cut: names and values, no ids and no addresses."""
    rows = [_Row(0, *person, 0, 0, 0, None, None, None, None, None, None) for person in people]
    return await _letters(conn, vault, cache, step, rows)


async def _letters(
    conn: Connection, vault: Vault, cache: SetCache, step: StepContent, rows: Sequence[_Row]
) -> list[Letter]:
    taxpayer_ids = sorted({taxpayer for row in rows for taxpayer in row.taxpayer_ids})
    titles = await _names(conn, "taxpayer_names", taxpayer_ids)
    offices = await _names(conn, "org_names", sorted({row.org_id for row in rows}))
    persons = await _persons(conn, vault, step, rows, titles)
    attributes = await _attributes(conn, cache, step.content.variables, taxpayer_ids)
    return [_letter(vault, row, titles, offices, persons, attributes) for row in rows]


async def _names(conn: Connection, query: str, ids: Sequence[int]) -> dict[int, str | None]:
    async with conn.cursor(row_factory=tuple_row, binary=True) as cursor:
        await cursor.execute(SQL[query], {"ids": ids})
        return dict(await cursor.fetchall())


async def _persons(
    conn: Connection, vault: Vault, step: StepContent, rows: Sequence[_Row], titles: dict[int, str | None]
) -> dict[int, str]:
    """Names of persons, by id; one that nothing shows stays sealed."""
    shown = (
        rows
        if "name" in step.content.variables
        else [row for row in rows if not all(titles.get(taxpayer) for taxpayer in row.taxpayer_ids)]
    )
    if not shown:
        return {}
    async with conn.cursor(row_factory=tuple_row, binary=True) as cursor:
        await cursor.execute(SQL["person_names"], {"ids": [row.person_id for row in shown]})
        sealed = await cursor.fetchall()
    return {person: vault.decrypt("person", "name_enc", person, blob) for person, blob in sealed}


async def _attributes(
    conn: Connection, cache: SetCache, variables: Collection[str], taxpayer_ids: Sequence[int]
) -> dict[str, dict[int, Any]]:
    """Attribute code to taxpayer to value, for the variables that are attributes."""
    rows = await (await conn.execute(SQL["attribute_types"], {"codes": sorted(variables)})).fetchall()
    types = {row["code"]: row["type"] for row in rows}
    if not types:
        return {}
    columns = await read_many(conn, cache, sorted(types), np.array(taxpayer_ids, dtype=np.int64))
    return {
        code: {
            taxpayer: from_stored(types[code], int(value))
            for taxpayer, value, known in zip(taxpayer_ids, values, present, strict=True)
            if known
        }
        for code, (values, present) in columns.items()
    }


def _letter(
    vault: Vault,
    row: _Row,
    titles: dict[int, str | None],
    offices: dict[int, str | None],
    persons: dict[int, str],
    attributes: dict[str, dict[int, Any]],
) -> Letter:
    address = ""
    if row.value_enc is not None and row.address_id is not None:
        address = vault.decrypt("address", "value_enc", row.address_id, row.value_enc)
    name = persons.get(row.person_id, "")
    first = row.taxpayer_ids[0]
    values = {code: held[first] for code, held in attributes.items() if first in held}
    values["name"], values["org"] = name, offices.get(row.org_id) or ""
    return Letter(
        row.id,
        row.person_id,
        row.taxpayer_ids,
        row.state,
        row.tries,
        row.tried_at,
        row.ref or "",
        address,
        bool(row.usable),
        row.dest,
        row.now_dest,
        [titles.get(taxpayer) or name for taxpayer in row.taxpayer_ids],
        values,
    )


def letter_values(
    step: StepContent, letter: Letter, names: Sequence[str], link: str, unsubscribe: str
) -> dict[str, Any]:
    """Every value that the texts of a message may use."""
    return {
        **letter.values,
        **step.fixed,
        "name": letter.values["name"],
        "org": letter.values["org"],
        "taxpayer": names[0],
        "taxpayers": names,
        "count": len(names),
        "link": link,
        "unsubscribe_url": unsubscribe,
    }


def write_letter(
    rt: Runtime, step: StepContent, letter: Letter, link: str, acted: AbstractBitMap = _NOBODY
) -> tuple[Outbound, int]:
    """The message as it leaves, and how many parts it is billed for: a 5G message if it falls back to SMS. It
    names only households that have still to act. Raises TemplateInvalid if a value is missing or the text
    becomes too long."""
    names = [
        name
        for taxpayer, name in zip(letter.taxpayer_ids, letter.names, strict=True)
        if taxpayer not in acted
    ]
    unsubscribe = ""
    if step.content.channel == "email":
        unsubscribe = f"{rt.settings.base_url}/u/{unsubscribe_token(rt.settings, letter.message_id)}"
    values = letter_values(step, letter, names, link, unsubscribe)
    message = compose(
        step.content,
        values,
        key=letter.key,
        address=letter.address,
        signature=rt.settings.signature,
        filing=step.filing,
        unsubscribe=unsubscribe,
    )
    is_text = step.content.channel in ("sms", "rcs")
    parts = count_parts(message.text, rt.settings.signature).parts if is_text else 1
    return message, parts
