"""Writes the city into an empty database, set by set with COPY."""

from collections.abc import Iterator, Sequence

import numpy as np
from pyroaring import BitMap

from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.governance.vault import Vault, open_vault
from outreach.labels.catalogue import load_builtin
from outreach.labels.sets import change_sets
from outreach.runtime import Runtime
from tests.bench.population import email, mobile, openid
from tests.season.people import People, units

_PIECE = 50_000
_KINDS = (("mobile", mobile), ("openid", openid), ("email", email))
_TABLES = ("taxpayer", "person", "contact", "address", "set_chunk", "org_unit")


async def settle(rt: Runtime, people: People) -> None:
    """Units, persons, households, addresses, labels."""
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        await load_builtin(conn)
        columns = [
            ("id", "int4"),
            ("parent_id", "int4"),
            ("level", "int2"),
            ("name", "text"),
            ("path", "text"),
        ]
        rows = ((*row, f"1{row[0]:08d}") for row in units(people))
        await copy_rows(conn, "org_unit", [*columns, ("code", "text")], rows)
        for first in range(1, people.count + 1, _PIECE):
            await _add(conn, vault, people, np.arange(first, min(first + _PIECE, people.count + 1)))
        refusing = np.unique(people.person[people.opted_out])
        await conn.execute(
            "insert into opt_out (person_id, channel, at, source)"
            " select id, 'all', now(), 'season' from unnest(%s::int[]) as id",
            (refusing.tolist(),),
        )
        sets = {key: (held, BitMap()) for key, held in people.sets().items()}
        await change_sets(conn, sets, source="season")
    for table in _TABLES:
        await rt.db.execute(f"analyze {table}")


async def _add(conn: Connection, vault: Vault, people: People, ids: np.ndarray) -> None:
    persons: list[int] = ids[people.person[ids] == ids].tolist()
    numbers = [str(n) for n in persons]
    await copy_rows(
        conn,
        "person",
        [("id", "int4"), *((name, "bytea") for name in ("name_enc", "id_no_enc", "id_no_bidx", "digest"))],
        zip(
            persons,
            vault.encrypt_many("person", "name_enc", persons, [f"张{n}" for n in persons]),
            vault.encrypt_many("person", "id_no_enc", persons, numbers),
            vault.blind_indexes("person.id_no", numbers),
            [b""] * len(persons),
            strict=True,
        ),
    )
    households: list[int] = ids.tolist()
    numbers = [str(n) for n in households]
    await copy_rows(
        conn,
        "taxpayer",
        [
            ("id", "int4"),
            ("kind", "text"),
            ("number_kind", "text"),
            ("tax_no_enc", "bytea"),
            ("tax_no_bidx", "bytea"),
            ("org_id", "int4"),
            ("digest", "bytea"),
        ],
        zip(
            households,
            ["natural_person"] * len(households),
            ["identity_card"] * len(households),
            vault.encrypt_many("taxpayer", "tax_no_enc", households, numbers),
            vault.blind_indexes("taxpayer.tax_no", numbers),
            people.grid[ids].tolist(),
            [b""] * len(households),
            strict=True,
        ),
    )
    pairs = zip(households, people.person[ids].tolist(), strict=True)
    await copy_rows(conn, "contact", [("taxpayer_id", "int4"), ("person_id", "int4")], pairs)
    await _add_addresses(conn, vault, people, np.array(persons))


async def _add_addresses(conn: Connection, vault: Vault, people: People, persons: np.ndarray) -> None:
    columns = [
        ("id", "int4"),
        ("person_id", "int4"),
        ("kind", "text"),
        ("value_enc", "bytea"),
        ("bidx", "bytea"),
    ]
    for place, (kind, spell) in enumerate(_KINDS):
        having: list[int] = persons[getattr(people, kind)[persons]].tolist()
        shows = people.rcs[having].tolist() if kind == "mobile" else [None] * len(having)
        rows = _addresses(vault, having, kind, place, [spell(n) for n in having], shows)
        await copy_rows(conn, "address", [*columns, ("dest", "int8"), ("rcs", "bool")], rows)


def _addresses(
    vault: Vault,
    persons: Sequence[int],
    kind: str,
    place: int,
    values: Sequence[str],
    shows: Sequence[bool | None],
) -> Iterator[tuple[int, int, str, bytes, bytes, int, bool | None]]:
    own = [n * len(_KINDS) + place for n in persons]
    sealed = vault.encrypt_many("address", "value_enc", own, values)
    indexes = vault.blind_indexes(f"address.{kind}", values)
    for number, n, blob, bidx, rcs in zip(own, persons, sealed, indexes, shows, strict=True):
        yield number, n, kind, blob, bidx, vault.dest(bidx), rcs
