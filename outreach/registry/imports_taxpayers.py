"""Import of taxpayers, with the persons that their rows name (outreach/registry/taxpayer_rows.py)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outreach.clock import in_beijing
from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.vault import Vault, open_vault
from outreach.imports.blocks import Problem
from outreach.imports.mapping import choose_mapping
from outreach.imports.pipeline import checked_blocks
from outreach.imports.report import ImportReport, Progress, open_run
from outreach.imports.source import open_source_apart
from outreach.registry.fields import ROLES, TAXPAYER_FIELDS
from outreach.registry.people import PersonBatch
from outreach.registry.taxpayer_rows import DUPLICATE, CheckTaxpayers, TaxpayerRows
from outreach.registry.units import OrgScope, load_scope
from outreach.registry.writing import (
    LOCK_GROUP,
    Seen,
    choose_contacts,
    fetch_tuples,
    reserve_ids,
    set_roles,
    write_persons,
    write_roles,
)
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
_EXCLUSIVE = frozenset(ROLES)
ELSEWHERE = "该户现由您数据范围以外的机构主管，请由上级税务机关导入"
_COLUMNS = [
    ("id", "int4"), ("kind", "text"), ("name", "text"), ("tax_no_enc", "bytea"), ("tax_no_bidx", "bytea"),
    ("number_kind", "text"), ("org_id", "int4"), ("industry", "text"), ("registered_on", "date"),
    ("digest", "bytea"),
]  # fmt: skip


async def import_taxpayers(
    rt: Runtime,
    path: Path,
    *,
    name: str,
    by: str,
    scope_org_id: int | None,
    mapping: Mapping[str, str] | str | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import a taxpayers file; `name` is what staff called it, `by` the actor's name for the books.

    `scope_org_id` bounds what may be written (None: the whole tenant), `mapping` is {field: header} or the
    name of a remembered one. What a file does not say stays as it is: no taxpayer, person or address is
    removed. In the roles that a row names, its person takes the place of the former one. Raises
    InvalidInput if the file cannot be read or lacks a column, Conflict while another import runs.
    """
    explicit, mapping_name = await choose_mapping(rt, "taxpayers", mapping)
    source = await open_source_apart(path, TAXPAYER_FIELDS, explicit)
    async with rt.db.begin() as conn:
        scope = await load_scope(conn, scope_org_id)
    today = in_beijing(await rt.now()).date()
    check = CheckTaxpayers(rt.settings, scope.ids, scope.outside, today)
    async with open_run(
        rt, "taxpayers", source, group=LOCK_GROUP, name=name, by=by, org_id=scope_org_id,
        mapping=mapping_name, progress=progress,
    ) as run:  # fmt: skip
        writer = _Writer(run.conn, open_vault(rt.settings), scope, Seen())
        async for block in checked_blocks(source, check):
            new, changed = await writer.write(block.value)
            await run.commit_block(block, block.value.problems, new, changed)
    return await run.report()


@dataclass(slots=True)
class _Writer:
    conn: Connection
    vault: Vault
    scope: OrgScope
    seen: Seen

    async def write(self, rows: TaxpayerRows) -> tuple[int, int]:
        """Write one block; numbers of new and changed rows. Adds to the problems of the block."""
        ids, found, dropped = await self._identify(rows)
        fresh = [at for at, own_id in enumerate(ids) if not own_id and at not in dropped]
        for at, own_id in zip(fresh, await reserve_ids(self.conn, "taxpayer_id", len(fresh)), strict=True):
            ids[at] = own_id
        self.seen.taxpayers.update(own_id for own_id in ids if own_id)
        changed = {
            at
            for at, key in enumerate(rows.bidx)
            if key in found and at not in dropped and found[key][1] != rows.digests[at]
        }
        await self._insert(rows, ids, fresh)
        await self._change(rows, ids, sorted(changed))
        touched = await self._write_people(rows, ids, set(fresh), dropped, changed)
        await choose_contacts(self.conn, [ids[at] for at in fresh] + touched[0], touched[1])
        return len(fresh), len(changed)

    async def _identify(self, rows: TaxpayerRows) -> tuple[list[int], dict[bytes, tuple[Any, ...]], set[int]]:
        # Known taxpayers by number; rows that repeat an earlier block or belong to others are dropped.
        tuples = await fetch_tuples(self.conn, _SQL["find"], {"keys": b"".join(rows.bidx)})
        found = {row[0]: row[1:] for row in tuples}
        dropped: set[int] = set()
        ids = [found[key][0] if key in found else 0 for key in rows.bidx]
        for at, own_id in enumerate(ids):
            if not own_id:
                continue
            outside = not self.scope.covers(found[rows.bidx[at]][2])
            if outside or own_id in self.seen.taxpayers:
                reason = ELSEWHERE if outside else DUPLICATE
                rows.problems.append(Problem(rows.rows[at], "纳税人识别号", rows.tax_nos[at], reason, True))
                dropped.add(at)
        return ids, found, dropped

    async def _insert(self, rows: TaxpayerRows, ids: list[int], fresh: list[int]) -> None:
        own_ids = [ids[at] for at in fresh]
        numbers = self.vault.encrypt_many(
            "taxpayer", "tax_no_enc", own_ids, [rows.tax_nos[at] for at in fresh]
        )
        values = (
            (
                own_id, rows.kinds[at], rows.names[at], number, rows.bidx[at], rows.number_kinds[at],
                rows.org_ids[at], rows.industries[at], rows.dates[at], rows.digests[at],
            )
            for own_id, number, at in zip(own_ids, numbers, fresh, strict=True)
        )  # fmt: skip
        await copy_rows(self.conn, "taxpayer", _COLUMNS, values)

    async def _change(self, rows: TaxpayerRows, ids: list[int], changed: list[int]) -> None:
        if not changed:
            return
        params = {
            "ids": [ids[at] for at in changed],
            "kinds": [rows.kinds[at] for at in changed],
            "names": [rows.names[at] for at in changed],
            "org_ids": [rows.org_ids[at] for at in changed],
            "industries": [rows.industries[at] for at in changed],
            "dates": [rows.dates[at] for at in changed],
            "digests": [rows.digests[at] for at in changed],
        }
        await self.conn.execute(_SQL["change"], params)

    async def _write_people(
        self, rows: TaxpayerRows, ids: list[int], fresh: set[int], dropped: set[int], changed: set[int]
    ) -> tuple[list[int], list[int]]:
        """Persons and roles; ids of known taxpayers whose roles, of persons whose addresses changed."""
        batch, links = _without_dropped(rows, dropped)
        if not links:
            return [], []
        written = await write_persons(self.conn, self.vault, self.seen, batch, rows.problems)
        roles = {(ids[row], role, written.ids[person]) for person, row, role in links if row in fresh}
        await write_roles(self.conn, ((taxpayer, person, role) for taxpayer, role, person in roles))
        known = {
            (ids[row], role, written.ids[person]): row for person, row, role in links if row not in fresh
        }
        moved = {taxpayer_id for taxpayer_id, _ in await set_roles(self.conn, known.keys(), _EXCLUSIVE)}
        changed.update(row for person, row, _ in links if person in written.changed and row not in fresh)
        changed.update(row for (taxpayer_id, _, _), row in known.items() if taxpayer_id in moved)
        return sorted(moved), written.moved


def _without_dropped(rows: TaxpayerRows, dropped: set[int]) -> tuple[PersonBatch, list[tuple[int, int, str]]]:
    # Whoever is named by dropped rows only must not be touched either.
    if not dropped:
        return rows.persons, rows.links
    links = [link for link in rows.links if link[1] not in dropped]
    kept = sorted({person for person, _, _ in links})
    place = {person: at for at, person in enumerate(kept)}
    return rows.persons.only(kept), [(place[person], row, role) for person, row, role in links]
