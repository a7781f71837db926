"""A block of a taxpayers file, checked: pure computation, run in helper processes.

A row is refused when the household itself is unclear (number, name, kind, tax office). A wrong date, code
or contact is left out and reported, and the household is kept: it must not vanish because of a typo.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt

from outreach.config import Settings
from outreach.governance.vault import Vault, open_vault
from outreach.imports.blocks import Layout, Problem, Table
from outreach.imports.cells import lost_digits, normalise_all
from outreach.imports.numbers import (
    CHECK_DIGIT,
    EMPTY,
    FINE,
    KIND_CONFLICT,
    REASONS,
    TAX_LENGTH,
    check_credit_codes,
    check_identities,
    lengths,
)
from outreach.imports.values import DATE_FORMAT, parse_all, parse_date
from outreach.registry.fields import KIND_OF_WORD, ROLES, ROLES_IN_ROW
from outreach.registry.people import (
    LOST,
    TAX_NO_PURPOSE,
    Mentions,
    PersonBatch,
    name_faults,
    no_persons,
    resolve_mentions,
)

KINDS = ("enterprise", "individual_business", "natural_person")
NUMBER_KINDS = ("credit_code", "identity_card", "legacy", "other")
_ENTERPRISE, _INDIVIDUAL, _NATURAL = range(3)
_CODE_OF_KIND = {word: KINDS.index(kind) for word, kind in KIND_OF_WORD.items()}
_FIRST_DAY = date(1949, 10, 1)

DUPLICATE = "与本文件前面的行重复，以前面的为准"
UNKNOWN_ORG = "没有这个税务机关代码，请先导入机构或更正代码"
OUTSIDE = "该机构不在您的数据范围内"
UNKNOWN_KIND = "应为企业、个体工商户或自然人"
INDUSTRY_FORMAT = "不是国民经济行业代码（GB/T 4754，如F52、5211）"
DATE_RANGE = "日期不在合理范围内"
WHOSE_MOBILE = "单位的手机号码应写在法定代表人、财务负责人或办税员的列中"

_IndexArray = npt.NDArray[np.int64]


@dataclass(slots=True)
class TaxpayerRows:
    """The good rows as columns, and the persons that they name: `links` are (person, row, role), where row
    counts in these columns."""

    rows: list[int] = field(default_factory=list)
    bidx: list[bytes] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    tax_nos: list[str] = field(default_factory=list)
    number_kinds: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    org_ids: list[int] = field(default_factory=list)
    industries: list[str] = field(default_factory=list)
    dates: list[date | None] = field(default_factory=list)
    persons: PersonBatch = field(default_factory=no_persons)
    links: list[tuple[int, int, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CheckTaxpayers:
    """Checks blocks of one file. `org_ids` are the units in scope by code, `outside` codes of others."""

    settings: Settings
    org_ids: Mapping[str, int]
    outside: frozenset[str]
    today: date

    def __call__(self, table: Table, layout: Layout) -> TaxpayerRows:
        """The good rows; `problems` holds what is wrong with the others."""
        return _BlockCheck(self, table, layout).run()


class _BlockCheck:
    def __init__(self, given: CheckTaxpayers, table: Table, layout: Layout) -> None:
        self.given, self.table, self.layout = given, table, layout
        self.vault: Vault = open_vault(given.settings)
        self.problems: list[Problem] = []
        self.refused = np.zeros(len(table), dtype=bool)
        self.numbers = normalise_all(table.column("tax_no"))

    def run(self) -> TaxpayerRows:
        kinds, number_kinds = self.check_numbers()
        org_ids = self.check_orgs()
        self.check_names()
        bidx = self.vault.blind_indexes(TAX_NO_PURPOSE, self.numbers)
        self.check_duplicates(bidx)
        kept = np.flatnonzero(~self.refused).tolist()
        out = TaxpayerRows(problems=self.problems)
        out.rows = [self.table.rows[at] for at in kept]
        out.bidx = [bidx[at] for at in kept]
        out.tax_nos = [self.numbers[at] for at in kept]
        out.kinds = [KINDS[kinds[at]] for at in kept]
        out.number_kinds = [NUMBER_KINDS[number_kinds[at]] for at in kept]
        names = self.table.column("name")
        out.names = [None if kinds[at] == _NATURAL else names[at] for at in kept]
        out.org_ids = [org_ids[at] for at in kept]
        industries, dates = self.industries(), self.dates()
        out.industries = [industries[at] for at in kept]
        out.dates = [dates[at] for at in kept]
        out.digests = self.digests(out)
        self.people(kept, kinds, out)
        return out

    def check_numbers(self) -> tuple[list[int], list[int]]:
        numbers = self.numbers
        size = lengths(numbers)
        credit, card = check_credit_codes(numbers), check_identities(numbers, self.given.today)
        # One card in thirty passes the check of credit codes by chance; the reverse needs a valid birthday
        # and is taken for a card, unless the number begins as those of companies do.
        company = np.fromiter((number.startswith("9") for number in numbers), bool, len(numbers))
        is_card = (card == FINE) & ~(company & (credit == FINE))
        is_credit = (credit == FINE) & ~is_card
        kinds = self.kinds(is_card | ((card == CHECK_DIGIT) & ~company))
        legacy = np.isin(size, (15, 20)) & np.fromiter(
            (number.isascii() and number.isalnum() for number in numbers), bool, len(numbers)
        )
        number_kinds = np.where(is_credit, 0, np.where(is_card & (size == 18), 1, np.where(legacy, 2, 3)))
        number_kinds[(kinds == _NATURAL) & (size != 18)] = 3
        unit_fault = np.where((size == 18) | (size == 0), credit, np.where(legacy, FINE, TAX_LENGTH))
        owner_fault = np.where(is_card & (size == 18), FINE, unit_fault)
        unit_fault[is_card & (size == 18)] = KIND_CONFLICT
        card[is_credit & company & (kinds == _NATURAL)] = KIND_CONFLICT
        faults = np.choose(np.maximum(kinds, 0), (unit_fault, owner_fault, card))
        faults[kinds < 0] = FINE
        for at in np.flatnonzero(faults).tolist():
            reason = LOST if lost_digits(self.table.column("tax_no")[at]) else REASONS[faults[at]]
            self.refuse(at, "tax_no", numbers[at], reason)
        return kinds.tolist(), number_kinds.tolist()

    def kinds(self, like_card: npt.NDArray[np.bool_]) -> _IndexArray:
        individual = np.fromiter(
            (number.startswith("92") for number in self.numbers), bool, len(self.numbers)
        )
        derived = np.where(like_card, _NATURAL, np.where(individual, _INDIVIDUAL, _ENTERPRISE))
        if "kind" not in self.layout.columns:
            return derived
        words = self.table.column("kind")
        codes = {word: _CODE_OF_KIND.get(word, -1) for word in set(words)}
        given = np.fromiter((codes[word] for word in words), np.int64, len(words))
        blank = np.fromiter((not word for word in words), bool, len(words))
        for at in np.flatnonzero((given < 0) & ~blank).tolist():
            self.refuse(at, "kind", words[at], UNKNOWN_KIND)
        return np.where(blank, derived, given)

    def check_orgs(self) -> list[int]:
        codes = normalise_all(self.table.column("org_code"))
        org_ids = [self.given.org_ids.get(code, 0) for code in codes]
        for at, org_id in enumerate(org_ids):
            if not org_id:
                code = codes[at]
                outside = code in self.given.outside
                reason = OUTSIDE if outside else UNKNOWN_ORG if code else REASONS[EMPTY]
                self.refuse(at, "org_code", code, reason)
        return org_ids

    def check_names(self) -> None:
        names = self.table.column("name")
        for at, fault in name_faults(names).items():
            self.refuse(at, "name", names[at], fault)

    def check_duplicates(self, bidx: list[bytes]) -> None:
        if len(set(bidx)) == len(bidx):
            return
        known: set[bytes] = set()
        for at, key in enumerate(bidx):
            if self.refused[at]:
                continue
            if key in known:
                self.refuse(at, "tax_no", self.numbers[at], DUPLICATE)
            known.add(key)

    def industries(self) -> list[str]:
        texts = normalise_all(self.table.column("industry"))
        fine = {text: is_industry(text) for text in set(texts)}
        for at, text in enumerate(texts):
            if not fine[text] and not self.refused[at]:
                self.leave_out(at, "industry", text, INDUSTRY_FORMAT)
        return [text if fine[text] else "" for text in texts]

    def dates(self) -> list[date | None]:
        texts = self.table.column("registered_on")
        dates = parse_all(parse_date, texts)
        for at, found in enumerate(dates):
            if found is None and texts[at] and not self.refused[at]:
                self.leave_out(at, "registered_on", texts[at], DATE_FORMAT)
            elif found is not None and not _FIRST_DAY <= found <= self.given.today:
                dates[at] = None
                if not self.refused[at]:
                    self.leave_out(at, "registered_on", texts[at], DATE_RANGE)
        return dates

    def digests(self, out: TaxpayerRows) -> list[bytes]:
        digest = self.vault.keyed_hash("taxpayer").digest
        rows = zip(out.kinds, out.names, out.org_ids, out.industries, out.dates, strict=True)
        return [
            digest(f"{kind}\x1f{name}\x1f{org_id}\x1f{industry}\x1f{opened}".encode())[:16]
            for kind, name, org_id, industry, opened in rows
        ]

    def people(self, kept: list[int], kinds: list[int], out: TaxpayerRows) -> None:
        mentions = Mentions()
        self.mention_selves(kept, kinds, mentions)
        for role in ROLES_IN_ROW:
            self.mention_role(role, kept, mentions)
        out.persons, of_mention = resolve_mentions(mentions, self.vault, self.given.today, self.problems)
        place = {row: at for at, row in enumerate(out.rows)}
        out.links = [
            (person, place[mentions.rows[at]], mentions.roles[at])
            for at, person in enumerate(of_mention)
            if person >= 0
        ]

    def mention_selves(self, kept: list[int], kinds: list[int], mentions: Mentions) -> None:
        names, mobiles, rows = self.table.column("name"), self.table.column("mobile"), self.table.rows
        selves = [at for at in kept if kinds[at] == _NATURAL]
        mentions.extend("", "self", [(rows[at], names[at], self.numbers[at], mobiles[at]) for at in selves])
        if "mobile" in self.layout.columns:
            for at in kept:
                if kinds[at] != _NATURAL and mobiles[at]:
                    self.leave_out(at, "mobile", mobiles[at], WHOSE_MOBILE)

    def mention_role(self, role: str, kept: list[int], mentions: Mentions) -> None:
        names, id_nos, mobiles = (self.table.column(f"{role}_{part}") for part in ("name", "id_no", "mobile"))
        rows = self.table.rows
        entries = [
            (rows[at], names[at], id_nos[at], mobiles[at])
            for at in kept
            if names[at] or id_nos[at] or mobiles[at]
        ]
        mentions.extend(ROLES[role], role, entries)

    def refuse(self, at: int, name: str, value: str, reason: str) -> None:
        self.refused[at] = True
        self.problems.append(Problem(self.table.rows[at], self.layout.header_of(name), value, reason, True))

    def leave_out(self, at: int, name: str, value: str, reason: str) -> None:
        self.problems.append(Problem(self.table.rows[at], self.layout.header_of(name), value, reason, False))


def is_industry(code: str) -> bool:
    """A code of GB/T 4754: a letter A to T, two to four digits, or both; or nothing."""
    digits = code[1:] if "A" <= code[:1] <= "T" else code
    return not code or (digits.isdecimal() and 2 <= len(digits) <= 4) or (not digits and len(code) == 1)
