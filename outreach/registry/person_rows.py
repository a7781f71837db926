"""A block of a persons file, checked: pure computation, run in helper processes.

A row is refused when the person is unclear (name, number); a wrong address, language or role is left out
and reported.
"""

import re
from dataclasses import dataclass, field
from datetime import date

from outreach.config import Settings
from outreach.governance.vault import open_vault
from outreach.imports.blocks import Layout, Problem, Table
from outreach.imports.cells import normalise_all
from outreach.imports.values import FLAG_FORMAT, parse_flag
from outreach.registry.fields import LANGUAGE_OF_WORD, ROLE_OF_WORD
from outreach.registry.people import (
    ADDRESS_TITLES,
    TAX_NO_PURPOSE,
    Mentions,
    PersonBatch,
    no_persons,
    resolve_mentions,
)

NOT_A_CARD = "居民身份证号应为18位"
UNKNOWN_LANGUAGE = "语言应为汉语、蒙古语或英语"
UNKNOWN_ROLE = "身份应为本人、法定代表人、财务负责人、办税员、领票人或涉税代理人"
NO_ROLE = "填写了纳税人识别号时必须填写身份"
_CARDS = frozenset({"居民身份证", "身份证"})
_BETWEEN_NUMBERS = re.compile(r"[,，、;；/|\s]+")


@dataclass(frozen=True, slots=True)
class Link:
    """A role of a person for a taxpayer, who is known by the blind index of the number."""

    person: int
    row: int
    role: str
    bidx: bytes
    number: str


@dataclass(slots=True)
class PersonRows:
    """Persons of a block; `of_row` gives the person of each good row, `selves` the blind index of each
    person's own number as a tax number, `links` the roles that rows state."""

    persons: PersonBatch = field(default_factory=no_persons)
    of_row: list[tuple[int, int]] = field(default_factory=list)
    selves: list[bytes] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CheckPersons:
    """Checks blocks of one file."""

    settings: Settings
    today: date

    def __call__(self, table: Table, layout: Layout) -> PersonRows:
        """The persons; `problems` holds what is wrong."""
        vault = open_vault(self.settings)
        out = PersonRows()
        kept = _readable(table, layout, out.problems)
        mentions = _mentions(table, layout, kept)
        out.persons, of_mention = resolve_mentions(mentions, vault, self.today, out.problems, refuse=True)
        usable = [(at, person) for at, person in zip(kept, of_mention, strict=True) if person >= 0]
        out.of_row = [(table.rows[at], person) for at, person in usable]
        out.selves = vault.blind_indexes(TAX_NO_PURPOSE, out.persons.id_nos)
        _add_traits(table, layout, usable, out)
        _add_links(table, layout, usable, out)
        indexes = vault.blind_indexes(TAX_NO_PURPOSE, [link.number for link in out.links])
        out.links = [
            Link(link.person, link.row, link.role, bidx, link.number)
            for link, bidx in zip(out.links, indexes, strict=True)
        ]
        return out


def _readable(table: Table, layout: Layout, problems: list[Problem]) -> list[int]:
    kinds, numbers = table.column("id_kind"), normalise_all(table.column("id_no"))
    kept = []
    for at in range(len(table)):
        if kinds[at] in _CARDS and numbers[at] and len(numbers[at]) != 18:
            header = layout.header_of("id_no")
            problems.append(Problem(table.rows[at], header, numbers[at], NOT_A_CARD, True))
        else:
            kept.append(at)
    return kept


def _mentions(table: Table, layout: Layout, kept: list[int]) -> Mentions:
    names, id_nos = table.column("name"), table.column("id_no")
    addresses = {}
    for kind in ADDRESS_TITLES:
        if kind in layout.columns:
            column = table.column(kind)
            addresses[kind] = [column[at] for at in kept]
    return Mentions(
        rows=[table.rows[at] for at in kept],
        roles=["self"] * len(kept),
        titles=[""] * len(kept),
        names=[names[at] for at in kept],
        id_nos=[id_nos[at] for at in kept],
        addresses=addresses,
    )


def _add_traits(table: Table, layout: Layout, usable: list[tuple[int, int]], out: PersonRows) -> None:
    languages, cares = table.column("language"), table.column("special_care")
    for at, person in usable:
        if word := languages[at]:
            language = LANGUAGE_OF_WORD.get(word.lower())
            out.persons.languages[person] = language or out.persons.languages[person]
            if language is None:
                _leave_out(out, table, layout, at, "language", word, UNKNOWN_LANGUAGE)
        if word := cares[at]:
            care = parse_flag(word)
            out.persons.cares[person] = out.persons.cares[person] if care is None else care
            if care is None:
                _leave_out(out, table, layout, at, "special_care", word, FLAG_FORMAT)


def _add_links(table: Table, layout: Layout, usable: list[tuple[int, int]], out: PersonRows) -> None:
    """Links without their blind index yet."""
    tax_nos, roles = table.column("tax_no"), table.column("role")
    for at, person in usable:
        word = roles[at]
        role = ROLE_OF_WORD.get(normalise_all([word])[0].lower()) if word else None
        numbers = [number for number in _BETWEEN_NUMBERS.split(tax_nos[at]) if number]
        if word and role is None:
            _leave_out(out, table, layout, at, "role", word, UNKNOWN_ROLE)
            continue
        for number in normalise_all(numbers):
            if number == out.persons.id_nos[person]:
                continue
            if role is None:
                _leave_out(out, table, layout, at, "role", word, NO_ROLE)
                break
            out.links.append(Link(person, table.rows[at], role, b"", number))


def _leave_out(
    out: PersonRows, table: Table, layout: Layout, at: int, name: str, value: str, reason: str
) -> None:
    out.problems.append(Problem(table.rows[at], layout.header_of(name), value, reason, False))
