"""What is known of one household for one year, as the documents are built from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple


class TaxFact(NamedTuple):
    """One tax type in the year, in yuan, and what was paid in the year before."""

    tax_type: str
    declared: Decimal
    paid: Decimal
    refunded: Decimal
    late_fee: Decimal
    paid_last_year: Decimal


class BenefitFact(NamedTuple):
    """One reported benefit of the year."""

    month: int
    code: str
    claimed: bool
    inputs: Mapping[str, str]


class EarlierFact(NamedTuple):
    """A benefit code's sums over time: last year, and all years up to the end of the bill's year."""

    code: str
    last_year: Decimal
    before: Decimal


class FindingFact(NamedTuple):
    """A finding of a scan: `unclaimed`, `wrong` or `cliff`, whether somebody has confirmed it, and what it
    rests on (of confirmed ones only: month, amount if known, formula)."""

    code: str
    direction: str
    confirmed: bool
    entries: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class AnnualFact:
    """Facts of the whole year; `withheld`: whether payers withheld tax as the law asks, None when unknown."""

    credit_grade: str | None = None
    income: Decimal | None = None
    prepaid: Decimal | None = None
    tax_due: Decimal | None = None
    withheld: bool | None = None


@dataclass(slots=True)
class Household:
    """All facts of one taxpayer for one year."""

    taxpayer_id: int
    kind: str
    name: str
    masked_tax_no: str
    authority: str
    province: str
    taxes: list[TaxFact] = field(default_factory=list)
    benefits: list[BenefitFact] = field(default_factory=list)
    earlier: list[EarlierFact] = field(default_factory=list)
    annual: AnnualFact = AnnualFact()
    last_grade: str | None = None
    last_annual: AnnualFact = AnnualFact()
    findings: list[FindingFact] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    """Labels and attributes that a kind of document asks for (marks.py): name to value, '' for a label."""

    @property
    def is_empty(self) -> bool:
        """Nothing was reported for the year, so there is nothing to tell."""
        return not (self.taxes or self.benefits) and self.annual == AnnualFact()


def mask_tax_no(number: str) -> str:
    """First four and last four characters; enough to recognise, not to use."""
    return number[:4] + "*" * max(len(number) - 8, 4) + number[-4:] if len(number) > 8 else "*" * len(number)
