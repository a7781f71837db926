"""Persons as a file mentions them: pure checks of a block, run in helper processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from outreach.governance.vault import Vault
from outreach.imports import contacts
from outreach.imports.blocks import Problem
from outreach.imports.cells import lost_digits, normalise_all
from outreach.imports.contacts import (
    check_emails,
    check_mobiles,
    check_openids,
    check_userids,
    normal_mobile,
)
from outreach.imports.numbers import FINE, REASONS, check_identities

ID_NO_PURPOSE, TAX_NO_PURPOSE = "id_no", "tax_no"
ADDRESS_TITLES = {
    "mobile": "手机号码",
    "openid": "微信openid",
    "email": "电子邮箱",
    "wecom_userid": "企业微信账号",
    "dingtalk_userid": "钉钉账号",
}
ADDRESS_CHECKS = {
    "mobile": check_mobiles,
    "openid": check_openids,
    "email": check_emails,
    "wecom_userid": check_userids,
    "dingtalk_userid": check_userids,
}
CASELESS_KINDS = frozenset({"email", "wecom_userid"})
"""Addresses whose case says nothing: kept in lower case, so that an answer finds its sender."""

LOST = "数字已被表格软件改成科学计数，末位丢失，请把该列设为文本后重新填写"
NO_ID = "缺少证件号码，该人员未导入"
NO_NAME = "缺少姓名，该人员未导入"
OTHER_NAME = "与前面同一证件号码的姓名不同，按前面的导入"
OTHER_ADDRESS = "与前面同一人的联系方式不同，按前面的导入"
GARBLED = "含有乱码"
TOO_LONG = "过长"
_LONGEST_NAME = 120


@dataclass(slots=True)
class Mentions:
    """Who is named where: one entry per row and role, texts as they stand in the file (stripped). `titles`
    begin the field names of problems; `addresses` hold a text per entry for each kind that the file has."""

    rows: list[int] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    id_nos: list[str] = field(default_factory=list)
    addresses: dict[str, list[str]] = field(default_factory=dict)

    def extend(self, title: str, role: str, entries: Sequence[tuple[int, str, str, str]]) -> None:
        """Add (row, name, id number, mobile) under one role."""
        mobiles = self.addresses.setdefault("mobile", [])
        for row, name, id_no, mobile in entries:
            self.rows.append(row)
            self.names.append(name)
            self.id_nos.append(id_no)
            mobiles.append(mobile)
        self.roles += [role] * len(entries)
        self.titles += [title] * len(entries)


@dataclass(slots=True)
class AddressBatch:
    """Addresses of one kind: index of the person in the batch, the value, its blind index."""

    owners: list[int] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    bidx: list[bytes] = field(default_factory=list)

    def only(self, place: Mapping[int, int]) -> "AddressBatch":
        """Those of the persons that `place` moves to new indexes."""
        kept = [at for at, owner in enumerate(self.owners) if owner in place]
        return AddressBatch(
            [place[self.owners[at]] for at in kept],
            [self.values[at] for at in kept],
            [self.bidx[at] for at in kept],
        )


@dataclass(slots=True)
class PersonBatch:
    """The persons of a block, each once. `languages` and `cares` are None where the file does not say."""

    rows: list[int]
    titles: list[str]
    names: list[str]
    id_nos: list[str]
    bidx: list[bytes]
    digests: list[bytes]
    birth_years: list[int | None]
    addresses: dict[str, AddressBatch]
    languages: list[str | None]
    cares: list[bool | None]

    def only(self, kept: Sequence[int]) -> "PersonBatch":
        """The batch with these persons only, in this order."""
        place = {person: at for at, person in enumerate(kept)}
        return PersonBatch(
            rows=[self.rows[at] for at in kept],
            titles=[self.titles[at] for at in kept],
            names=[self.names[at] for at in kept],
            id_nos=[self.id_nos[at] for at in kept],
            bidx=[self.bidx[at] for at in kept],
            digests=[self.digests[at] for at in kept],
            birth_years=[self.birth_years[at] for at in kept],
            addresses={kind: part.only(place) for kind, part in self.addresses.items()},
            languages=[self.languages[at] for at in kept],
            cares=[self.cares[at] for at in kept],
        )


def no_persons() -> PersonBatch:
    """An empty batch."""
    return PersonBatch([], [], [], [], [], [], [], {}, [], [])


def garbled(text: str) -> bool:
    """Whether a text was destroyed by a wrong encoding before it came to us."""
    return "\ufffd" in text or not text.strip("?？")


def name_fault(name: str) -> str | None:
    """Why this is no name, or None."""
    if not name:
        return "为空"
    if garbled(name):
        return GARBLED
    return TOO_LONG if len(name) > _LONGEST_NAME else None


def name_faults(names: Sequence[str]) -> dict[int, str]:
    """The faults of a column by position; a column without suspicious characters costs next to nothing."""
    joined = "".join(names)
    if (
        all(names)
        and not any(mark in joined for mark in "\ufffd?？")
        and len(max(names, key=len, default="")) <= _LONGEST_NAME
    ):
        return {}
    return {at: fault for at, name in enumerate(names) if (fault := name_fault(name))}


def clean_mobiles(texts: Sequence[str]) -> list[str]:
    """A column of mobile numbers, normalised; only what is not eleven long costs more."""
    return [text if len(text) == 11 else normal_mobile(text) for text in normalise_all(texts)]


def resolve_mentions(
    mentions: Mentions, vault: Vault, today: date, problems: list[Problem], *, refuse: bool = False
) -> tuple[PersonBatch, list[int]]:
    """Persons from mentions, and for each mention the index of its person (-1: not usable, a problem).

    `refuse` says whether a mention without usable name or number refuses its row.
    """
    numbers, names = normalise_all(mentions.id_nos), mentions.names
    unusable = _mention_faults(mentions, numbers, today, refuse)
    problems += unusable.values()
    known: dict[str, int] = {}
    first: list[int] = []
    of_mention: list[int] = []
    for at, number in enumerate(numbers):
        if at in unusable:
            of_mention.append(-1)
            continue
        person = known.setdefault(number, len(first))
        if person == len(first):
            first.append(at)
        elif names[first[person]] != names[at]:
            title = f"{mentions.titles[at]}姓名"
            problems.append(Problem(mentions.rows[at], title, names[at], OTHER_NAME, False))
        of_mention.append(person)
    batch = _batch(mentions, first, numbers, vault)
    for kind in mentions.addresses:
        batch.addresses[kind] = _addresses(kind, mentions, of_mention, vault, problems)
    return batch, of_mention


def _mention_faults(
    mentions: Mentions, numbers: Sequence[str], today: date, refuse: bool
) -> dict[int, Problem]:
    found: dict[int, Problem] = {}
    for at, fault in name_faults(mentions.names).items():
        name, title = mentions.names[at], f"{mentions.titles[at]}姓名"
        found[at] = Problem(mentions.rows[at], title, name, fault if name else NO_NAME, refuse)
    faults = check_identities(numbers, today)
    for at in np.flatnonzero(faults).tolist():
        number, title = numbers[at], f"{mentions.titles[at]}证件号码"
        lost = lost_digits(mentions.id_nos[at])
        reason = LOST if lost else REASONS[faults[at]] if number else NO_ID
        found[at] = Problem(mentions.rows[at], title, number, reason, refuse)
    return found


def _batch(mentions: Mentions, first: list[int], numbers: list[str], vault: Vault) -> PersonBatch:
    names = [mentions.names[at] for at in first]
    id_nos = [numbers[at] for at in first]
    digest = vault.keyed_hash("person").digest
    return PersonBatch(
        rows=[mentions.rows[at] for at in first],
        titles=[mentions.titles[at] for at in first],
        names=names,
        id_nos=id_nos,
        bidx=vault.blind_indexes(ID_NO_PURPOSE, id_nos),
        digests=[digest(name.encode())[:16] for name in names],
        birth_years=[birth_year(number) for number in id_nos],
        addresses={},
        languages=[None] * len(first),
        cares=[None] * len(first),
    )


def birth_year(id_no: str) -> int | None:
    """From an identity card's number; None for other documents."""
    return int(id_no[6:10]) if len(id_no) == 18 and id_no[:17].isdecimal() else None


def _addresses(
    kind: str, mentions: Mentions, of_mention: list[int], vault: Vault, problems: list[Problem]
) -> AddressBatch:
    """The good addresses of one kind; blank cells say nothing, bad ones become problems. A person keeps the
    first address that the block gives."""
    texts = mentions.addresses[kind]
    used = [at for at, person in enumerate(of_mention) if person >= 0 and texts[at]]
    values = _normal(kind, [texts[at] for at in used])
    faults = ADDRESS_CHECKS[kind](values)
    kept: dict[int, str] = {}
    for place, at in enumerate(used):
        value, reason = values[place], ""
        if faults[place] != FINE:
            reason = LOST if lost_digits(texts[at]) else contacts.REASONS[int(faults[place])]
        elif kept.setdefault(of_mention[at], value) != value:
            reason = OTHER_ADDRESS
        if reason:
            title = f"{mentions.titles[at]}{ADDRESS_TITLES[kind]}"
            problems.append(Problem(mentions.rows[at], title, value, reason, False))
    values = list(kept.values())
    return AddressBatch(list(kept), values, vault.blind_indexes(f"address.{kind}", values))


def _normal(kind: str, texts: Sequence[str]) -> list[str]:
    if kind == "mobile":
        return clean_mobiles(texts)
    return [text.lower() for text in texts] if kind in CASELESS_KINDS else list(texts)
