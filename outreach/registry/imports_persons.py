"""Import of persons with their addresses, and of their roles for taxpayers that are known already."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from outreach.clock import in_beijing
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.vault import Vault, open_vault
from outreach.imports.blocks import Problem
from outreach.imports.mapping import choose_mapping
from outreach.imports.pipeline import checked_blocks
from outreach.imports.report import ImportReport, Progress, open_run
from outreach.imports.source import open_source_apart
from outreach.registry.fields import PERSON_FIELDS
from outreach.registry.person_rows import CheckPersons, Link, PersonRows
from outreach.registry.units import OrgScope, load_scope
from outreach.registry.writing import (
    LOCK_GROUP,
    Seen,
    choose_contacts,
    fetch_tuples,
    set_roles,
    write_persons,
)
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
UNKNOWN_TAXPAYER = "没有这个纳税人识别号的户，请先导入纳税人"
OUTSIDE = "该户不在您的数据范围内"
NO_TAXPAYER = "没有找到该人员对应的纳税人，请填写范围内已导入户的纳税人识别号和身份"
_EXCLUSIVE = frozenset({"legal_representative", "finance_head"})
"""Roles that one person holds; of the others a taxpayer may have several."""


async def import_persons(
    rt: Runtime,
    path: Path,
    *,
    name: str,
    by: str,
    scope_org_id: int | None,
    mapping: Mapping[str, str] | str | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import a persons file; arguments and errors as in `import_taxpayers`.

    A row needs a household within the scope: one that it names, one that the person has a role for already,
    or her own (a natural person whose tax number is her identity number). Blank cells say nothing.
    """
    explicit, mapping_name = await choose_mapping(rt, "persons", mapping)
    source = await open_source_apart(path, PERSON_FIELDS, explicit)
    async with rt.db.begin() as conn:
        scope = await load_scope(conn, scope_org_id)
    check = CheckPersons(rt.settings, in_beijing(await rt.now()).date())
    async with open_run(
        rt, "persons", source, group=LOCK_GROUP, name=name, by=by, org_id=scope_org_id,
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

    async def write(self, rows: PersonRows) -> tuple[int, int]:
        """Write one block; numbers of new and changed rows. Adds to the problems of the block."""
        known = await self._taxpayers(rows)
        links = self._reachable_links(rows, known)
        kept = await self._persons_in_scope(rows, known, links)
        place = {person: at for at, person in enumerate(kept)}
        batch = rows.persons.only(kept)
        written = await write_persons(self.conn, self.vault, self.seen, batch, rows.problems)
        wanted = {
            (known[link.bidx], link.role, written.ids[place[link.person]])
            for link in links
            if link.person in place
        }
        wanted |= {
            (known[rows.selves[person]], "self", written.ids[at])
            for person, at in place.items()
            if rows.selves[person] in known
        }
        moved = await set_roles(self.conn, wanted, _EXCLUSIVE)
        await choose_contacts(self.conn, sorted({taxpayer_id for taxpayer_id, _ in moved}), written.moved)
        touched = {kept[at] for at in written.changed} | {
            link.person for link in links if (known[link.bidx], link.role) in moved
        }
        touched |= {person for person in kept if (known.get(rows.selves[person]), "self") in moved}
        return self._count(rows, {kept[at] for at in written.new}, touched)

    def _count(self, rows: PersonRows, new: set[int], touched: set[int]) -> tuple[int, int]:
        # A new person is new in her first row; in further rows only what they add counts.
        first = {person: row for row, person in reversed(rows.of_row)}
        new_rows = {row for row, person in rows.of_row if person in new and first[person] == row}
        changed = {row for row, person in rows.of_row if person in touched and row not in new_rows}
        return len(new_rows), len(changed)

    async def _taxpayers(self, rows: PersonRows) -> dict[bytes, int]:
        """Ids of taxpayers in scope by blind index; -1 for those outside."""
        keys = b"".join({*rows.selves, *(link.bidx for link in rows.links)})
        tuples = await fetch_tuples(self.conn, _SQL["taxpayers"], {"keys": keys})
        return {bidx: own_id if self.scope.covers(org_id) else -1 for bidx, own_id, org_id in tuples}

    def _reachable_links(self, rows: PersonRows, known: dict[bytes, int]) -> list[Link]:
        links = []
        for link in rows.links:
            taxpayer_id = known.get(link.bidx, 0)
            if taxpayer_id > 0:
                links.append(link)
                continue
            reason = OUTSIDE if taxpayer_id else UNKNOWN_TAXPAYER
            rows.problems.append(Problem(link.row, "纳税人识别号", link.number, reason, False))
        for bidx in [key for key, taxpayer_id in known.items() if taxpayer_id < 0]:
            del known[bidx]
        return links

    async def _persons_in_scope(
        self, rows: PersonRows, known: dict[bytes, int], links: list[Link]
    ) -> list[int]:
        """Persons whom the block may write; the rows of the others are refused."""
        allowed = {link.person for link in links}
        allowed |= {person for person, bidx in enumerate(rows.selves) if bidx in known}
        doubtful = [person for person in range(len(rows.selves)) if person not in allowed]
        params = {
            "keys": b"".join(rows.persons.bidx[person] for person in doubtful),
            "org_ids": sorted(self.scope.members),
        }
        tuples = await fetch_tuples(self.conn, _SQL["in_scope"], params) if doubtful else []
        in_scope = {row[0] for row in tuples}
        allowed |= {person for person in doubtful if rows.persons.bidx[person] in in_scope}
        for row, person in rows.of_row:
            if person not in allowed:
                number = rows.persons.id_nos[person]
                rows.problems.append(Problem(row, "证件号码", number, NO_TAXPAYER, True))
        return sorted(allowed)
