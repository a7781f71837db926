"""Writing checked persons, roles and contacts: set by set, and only what differs.

Only imports write these tables, one at a time under the lock of `outreach.imports.report`; so what a block
reads before it writes cannot change in between, and new rows go straight into their tables by COPY.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from psycopg.rows import tuple_row
from pyroaring import BitMap

from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.vault import Vault
from outreach.imports.blocks import Problem
from outreach.registry.people import ADDRESS_TITLES, OTHER_ADDRESS, OTHER_NAME, AddressBatch, PersonBatch

_SQL = load_queries(__file__)

LOCK_GROUP = "registry"

_PERSON_COLUMNS = [
    ("id", "int4"), ("name_enc", "bytea"), ("id_no_enc", "bytea"), ("id_no_bidx", "bytea"),
    ("language", "text"), ("birth_year", "int2"), ("special_care", "bool"), ("digest", "bytea"),
]  # fmt: skip
_ADDRESS_COLUMNS = [
    ("id", "int4"), ("person_id", "int4"), ("kind", "text"), ("value_enc", "bytea"), ("bidx", "bytea"),
    ("dest", "int8"),
]  # fmt: skip
_ROLE_COLUMNS = [("taxpayer_id", "int4"), ("person_id", "int4"), ("role", "text")]


@dataclass(slots=True)
class Seen:
    """Ids that earlier rows of the same file have spoken of: there the first mention wins."""

    taxpayers: BitMap = field(default_factory=BitMap)
    persons: BitMap = field(default_factory=BitMap)
    addresses: dict[str, BitMap] = field(default_factory=lambda: {kind: BitMap() for kind in ADDRESS_TITLES})


@dataclass(slots=True)
class PersonsWritten:
    """Ids in the order of the batch; `changed` are indexes of known persons of whom something changed,
    `moved` the ids of known persons whose addresses changed."""

    ids: list[int]
    new: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)
    moved: list[int] = field(default_factory=list)


async def reserve_ids(conn: Connection, sequence: str, count: int) -> list[int]:
    """So many numbers of a sequence."""
    if not count:
        return []
    row = await (await conn.execute(_SQL["reserve"], {"sequence": sequence, "count": count})).fetchone()
    assert row is not None
    return list(row["ids"])


async def fetch_tuples(conn: Connection, query: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    """All rows of a query as tuples, in binary: dictionaries cost too much for blocks of thousands."""
    async with conn.cursor(row_factory=tuple_row, binary=True) as cursor:
        return await (await cursor.execute(query, params)).fetchall()


async def write_persons(
    conn: Connection, vault: Vault, seen: Seen, batch: PersonBatch, problems: list[Problem]
) -> PersonsWritten:
    """Insert new persons, change known ones and their addresses; disagreement within the file is reported."""
    rows = await fetch_tuples(conn, _SQL["find_persons"], {"keys": b"".join(batch.bidx)})
    found = {row[0]: row[1:] for row in rows}
    fresh = [at for at, key in enumerate(batch.bidx) if key not in found]
    ids = [found[key][0] if key in found else 0 for key in batch.bidx]
    for at, new_id in zip(fresh, await reserve_ids(conn, "person_id", len(fresh)), strict=True):
        ids[at] = new_id
    written = PersonsWritten(ids, new=set(fresh))
    await _insert_persons(conn, vault, batch, ids, fresh)
    await _change_persons(conn, vault, seen, batch, written, found, problems)
    known_ids = [ids[at] for at in range(len(ids)) if at not in written.new]
    await _write_addresses(conn, vault, seen, batch, written, known_ids, problems)
    seen.persons.update(ids)
    return written


async def _insert_persons(
    conn: Connection, vault: Vault, batch: PersonBatch, ids: Sequence[int], fresh: Sequence[int]
) -> None:
    own_ids = [ids[at] for at in fresh]
    names = vault.encrypt_many("person", "name_enc", own_ids, [batch.names[at] for at in fresh])
    id_nos = vault.encrypt_many("person", "id_no_enc", own_ids, [batch.id_nos[at] for at in fresh])
    rows = (
        (
            own_id, name, id_no, batch.bidx[at], batch.languages[at] or "zh", batch.birth_years[at],
            bool(batch.cares[at]), batch.digests[at],
        )
        for own_id, name, id_no, at in zip(own_ids, names, id_nos, fresh, strict=True)
    )  # fmt: skip
    await copy_rows(conn, "person", _PERSON_COLUMNS, rows)


async def _change_persons(
    conn: Connection,
    vault: Vault,
    seen: Seen,
    batch: PersonBatch,
    written: PersonsWritten,
    found: dict[bytes, tuple[Any, ...]],
    problems: list[Problem],
) -> None:
    changed: list[int] = []
    for at, key in enumerate(batch.bidx):
        if key not in found:
            continue
        own_id, digest, language, care = found[key]
        same_name = digest == batch.digests[at]
        same_rest = batch.languages[at] in (None, language) and batch.cares[at] in (None, care)
        if not same_name and own_id in seen.persons:
            title = f"{batch.titles[at]}姓名"
            problems.append(Problem(batch.rows[at], title, batch.names[at], OTHER_NAME, False))
        elif not (same_name and same_rest):
            changed.append(at)
    if not changed:
        return
    ids = [written.ids[at] for at in changed]
    params = {
        "ids": ids,
        "names": vault.encrypt_many("person", "name_enc", ids, [batch.names[at] for at in changed]),
        "digests": [batch.digests[at] for at in changed],
        "languages": [batch.languages[at] for at in changed],
        "cares": [batch.cares[at] for at in changed],
    }
    await conn.execute(_SQL["change_persons"], params)
    written.changed.update(changed)


async def _write_addresses(
    conn: Connection,
    vault: Vault,
    seen: Seen,
    batch: PersonBatch,
    written: PersonsWritten,
    known_ids: list[int],
    problems: list[Problem],
) -> None:
    rows = await fetch_tuples(conn, _SQL["find_addresses"], {"ids": known_ids}) if known_ids else []
    stored = {(person_id, kind): (own_id, bidx) for person_id, kind, own_id, bidx in rows}
    for kind, addresses in batch.addresses.items():
        fresh: list[int] = []
        other: list[int] = []
        for place, at in enumerate(addresses.owners):
            person_id = written.ids[at]
            known = stored.get((person_id, kind))
            if known is None:
                fresh.append(place)
            elif known[1] == addresses.bidx[place]:
                continue
            elif person_id in seen.addresses[kind]:
                title = f"{batch.titles[at]}{ADDRESS_TITLES[kind]}"
                problems.append(Problem(batch.rows[at], title, addresses.values[place], OTHER_ADDRESS, False))
                continue
            else:
                other.append(place)
            if at not in written.new:
                written.moved.append(person_id)
                written.changed.add(at)
        await _insert_addresses(conn, vault, kind, addresses, written.ids, fresh)
        keys = [stored[written.ids[addresses.owners[place]], kind][0] for place in other]
        await _change_addresses(conn, vault, addresses, keys, other)
        seen.addresses[kind].update(written.ids[at] for at in addresses.owners)


async def _insert_addresses(
    conn: Connection,
    vault: Vault,
    kind: str,
    addresses: AddressBatch,
    person_ids: Sequence[int],
    fresh: Sequence[int],
) -> None:
    if not fresh:
        return
    own_ids = await reserve_ids(conn, "address_id", len(fresh))
    values = vault.encrypt_many("address", "value_enc", own_ids, [addresses.values[place] for place in fresh])
    bidx = [addresses.bidx[place] for place in fresh]
    rows = (
        (own_id, person_ids[addresses.owners[place]], kind, value, key, dest)
        for own_id, place, value, key, dest in zip(own_ids, fresh, values, bidx, dests(bidx), strict=True)
    )
    await copy_rows(conn, "address", _ADDRESS_COLUMNS, rows)


async def _change_addresses(
    conn: Connection, vault: Vault, addresses: AddressBatch, own_ids: list[int], places: Sequence[int]
) -> None:
    if not own_ids:
        return
    bidx = [addresses.bidx[place] for place in places]
    texts = [addresses.values[place] for place in places]
    params = {
        "ids": own_ids,
        "values": vault.encrypt_many("address", "value_enc", own_ids, texts),
        "bidx": bidx,
        "dests": dests(bidx),
    }
    await conn.execute(_SQL["change_addresses"], params)


def dests(bidx: Sequence[bytes]) -> list[int]:
    """`Vault.dest` of many blind indexes."""
    numbers: list[int] = np.frombuffer(b"".join(bidx), dtype=">i8")[::2].tolist()
    return numbers


async def write_roles(conn: Connection, roles: Iterable[tuple[int, int, str]]) -> None:
    """Insert roles (taxpayer, person, role) that are known to be new."""
    await copy_rows(conn, "role", _ROLE_COLUMNS, roles)


async def set_roles(
    conn: Connection, wanted: Set[tuple[int, str, int]], exclusive: Set[str]
) -> set[tuple[int, str]]:
    """Make known taxpayers have these roles (taxpayer, role, person).

    In an `exclusive` role the person named takes the place of all others. Returns (taxpayer, role) where
    something changed.
    """
    if not wanted:
        return set()
    spoken_of = {(taxpayer_id, role) for taxpayer_id, role, _ in wanted}
    ids = sorted({taxpayer_id for taxpayer_id, _ in spoken_of})
    rows = await fetch_tuples(conn, _SQL["roles"], {"ids": ids})
    stored = {row for row in rows if row[:2] in spoken_of}
    gone = {row for row in stored - wanted if row[1] in exclusive}
    come = wanted - stored
    if gone:
        taxpayer_ids, roles, person_ids = zip(*gone, strict=True)
        params = {"taxpayers": list(taxpayer_ids), "roles": list(roles), "persons": list(person_ids)}
        await conn.execute(_SQL["end_roles"], params)
    await write_roles(conn, ((taxpayer_id, person, role) for taxpayer_id, role, person in sorted(come)))
    return {row[:2] for row in gone | come}


async def choose_contacts(conn: Connection, taxpayer_ids: Sequence[int], person_ids: Sequence[int]) -> None:
    """Choose anew who is told about these taxpayers, and about all taxpayers of these persons.

    A person with a usable address goes before one without, then the role decides (fields.ROLES).
    """
    if person_ids:
        rows = await fetch_tuples(conn, _SQL["taxpayers_of"], {"ids": list(person_ids)})
        taxpayer_ids = sorted({*taxpayer_ids, *(row[0] for row in rows)})
    if taxpayer_ids:
        await conn.execute(_SQL["choose_contacts"], {"ids": list(taxpayer_ids)})
