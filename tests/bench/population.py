"""A made-up population, written set by set with COPY: as many households as a bench wants in seconds."""

from collections.abc import Iterator, Mapping, Sequence

from pyroaring import BitMap

from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.governance.vault import Vault, open_vault
from outreach.labels.catalogue import load_builtin
from outreach.labels.keys import CHANNELS, kind_key, label_key, org_key, reach_key
from outreach.labels.sets import change_sets
from outreach.registry.people import ID_NO_PURPOSE, TAX_NO_PURPOSE
from outreach.runtime import Runtime

PROVINCE, CITY = 1, 2
FIRST_GRID = 1000
PER_GRID = 2000
EVERYBODY, PART = "iit.must_file", "iit.booked"
"""Labels of all households, and of the first `part` of them."""

_PIECE = 50_000
_KINDS = ("mobile", "openid", "email")


def mobile(n: int) -> str:
    """The mobile number of person n; none of the simulators' magic numbers is among them."""
    return f"139{n:08d}"


def openid(n: int) -> str:
    """The openid of person n."""
    return f"o{n:027d}"


def email(n: int) -> str:
    """The mailbox of person n."""
    return f"p{n}@example.com"


def grid_of(n: int) -> int:
    """The org unit of household n."""
    return FIRST_GRID + (n - 1) // PER_GRID


async def settle(rt: Runtime, count: int, part: int, more: Mapping[str, int] | None = None) -> None:
    """Households 1 to `count`, each told through a person of her own who has every kind of address; `more`:
    further labels and how many of the first households have them."""
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        await load_builtin(conn)
        await _add_units(conn, grid_of(count))
        for first in range(1, count + 1, _PIECE):
            await _add_people(conn, vault, range(first, min(first + _PIECE, count + 1)))
        everybody = BitMap(range(1, count + 1))
        keys = [label_key(EVERYBODY), kind_key("enterprise"), *map(reach_key, CHANNELS)]
        sets = dict.fromkeys(keys, everybody)
        for label, size in {PART: part, **(more or {})}.items():
            sets[label_key(label)] = BitMap(range(1, size + 1))
        for grid in range(FIRST_GRID, grid_of(count) + 1):
            first = (grid - FIRST_GRID) * PER_GRID + 1
            sets[org_key(grid)] = BitMap(range(first, min(first + PER_GRID, count + 1)))
        await change_sets(conn, {key: (held, BitMap()) for key, held in sets.items()}, source="bench")
    for table in ("taxpayer", "person", "contact", "address", "set_chunk", "org_unit"):
        await rt.db.execute(f"analyze {table}")


async def _add_units(conn: Connection, last_grid: int) -> None:
    line = [(PROVINCE, None, "示例省"), (CITY, PROVINCE, "示例市"), (3, CITY, "示例县"), (4, 3, "第一分局")]
    path = ""
    for level, (unit, parent, name) in enumerate(line, start=1):
        path += f"{unit}."
        await conn.execute(
            "insert into org_unit (id, parent_id, level, code, name, path) values (%s, %s, %s, %s, %s, %s)",
            (unit, parent, level, f"1{unit:08d}", name, path),
        )
    await conn.execute(
        "insert into org_unit (id, parent_id, level, code, name, path)"
        " select n, 4, 5, '1' || n, n || '号网格', %s || n || '.' from generate_series(%s::int, %s::int) n",
        (path, FIRST_GRID, last_grid),
    )


async def _add_people(conn: Connection, vault: Vault, ids: range) -> None:
    numbers = [str(n) for n in ids]
    await copy_rows(
        conn,
        "person",
        [
            ("id", "int4"),
            ("name_enc", "bytea"),
            ("id_no_enc", "bytea"),
            ("id_no_bidx", "bytea"),
            ("digest", "bytea"),
        ],
        zip(
            ids,
            vault.encrypt_many("person", "name_enc", ids, [f"张{n}" for n in ids]),
            vault.encrypt_many("person", "id_no_enc", ids, numbers),
            vault.blind_indexes(ID_NO_PURPOSE, numbers),
            [b""] * len(ids),
            strict=True,
        ),
    )
    await copy_rows(
        conn,
        "taxpayer",
        [
            ("id", "int4"),
            ("kind", "text"),
            ("name", "text"),
            ("tax_no_enc", "bytea"),
            ("tax_no_bidx", "bytea"),
            ("org_id", "int4"),
            ("digest", "bytea"),
        ],
        zip(
            ids,
            ["enterprise"] * len(ids),
            [f"示例企业{n}有限公司" for n in ids],
            vault.encrypt_many("taxpayer", "tax_no_enc", ids, numbers),
            vault.blind_indexes(TAX_NO_PURPOSE, numbers),
            map(grid_of, ids),
            [b""] * len(ids),
            strict=True,
        ),
    )
    pairs = zip(ids, ids, strict=True)
    await copy_rows(conn, "contact", [("taxpayer_id", "int4"), ("person_id", "int4")], pairs)
    for place, (kind, spell) in enumerate(zip(_KINDS, (mobile, openid, email), strict=True)):
        await copy_rows(
            conn,
            "address",
            [
                ("id", "int4"),
                ("person_id", "int4"),
                ("kind", "text"),
                ("value_enc", "bytea"),
                ("bidx", "bytea"),
                ("dest", "int8"),
                ("rcs", "bool"),
            ],
            _addresses(vault, ids, kind, place, [spell(n) for n in ids]),
        )


def _addresses(
    vault: Vault, ids: range, kind: str, place: int, values: Sequence[str]
) -> Iterator[tuple[int, int, str, bytes, bytes, int, bool | None]]:
    own = [n * len(_KINDS) + place for n in ids]
    sealed = vault.encrypt_many("address", "value_enc", own, values)
    indexes = vault.blind_indexes(f"address.{kind}", values)
    rcs = True if kind == "mobile" else None
    for number, n, blob, bidx in zip(own, ids, sealed, indexes, strict=True):
        yield number, n, kind, blob, bidx, vault.dest(bidx), rcs


async def come_to_rest(rt: Runtime) -> None:
    """A registry that was filled long ago: nothing of the load is left to be done beside what is measured."""
    for table in ("taxpayer", "person", "contact", "address", "opt_out", "message"):
        await rt.db.execute(f"vacuum (analyze) {table}")
