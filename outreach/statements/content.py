"""The content of a yearly bill: pure, from facts to a document whose every line names basis and formula.

Amounts are texts with two decimals, so that the canonical JSON (sorted keys, no spaces) and its SHA-256 are
the same on every machine. A part's total is the sum of its lines; `earlier` holds what the families without
a line (nothing this year or last) add to the cumulative figure.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from outreach.statements.benefits import CAVEAT, Line, compute_line, how_to_claim
from outreach.statements.due import Due, next_due_dates
from outreach.statements.money import ZERO
from outreach.statements.rules import Effect, Rule, RuleNotInForce, catalogue

SCHEMA = 1
EFFECTS: tuple[Effect, ...] = ("reduction", "refund", "deduction", "timing")
_MONEY_COLUMNS = ("declared", "paid", "refunded", "late_fee")


@dataclass(frozen=True, slots=True)
class TaxFact:
    """One tax type in the year, in yuan, and what was paid in the year before."""

    tax_type: str
    declared: Decimal
    paid: Decimal
    refunded: Decimal
    late_fee: Decimal
    paid_last_year: Decimal


@dataclass(frozen=True, slots=True)
class BenefitFact:
    """One reported benefit of the year."""

    month: int
    code: str
    claimed: bool
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EarlierFact:
    """A benefit code's sums over time: last year, and all years up to the end of the bill's year."""

    code: str
    last_year: Decimal
    before: Decimal


@dataclass(frozen=True, slots=True)
class AnnualFact:
    """Facts of the whole year."""

    credit_grade: str | None = None
    income: Decimal | None = None
    prepaid: Decimal | None = None
    tax_due: Decimal | None = None


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

    @property
    def is_empty(self) -> bool:
        """Nothing was reported for the year, so there is nothing to tell."""
        return not (self.taxes or self.benefits) and self.annual == AnnualFact()


def mask_tax_no(number: str) -> str:
    """First four and last four characters; enough to recognise, not to use."""
    return number[:4] + "*" * max(len(number) - 8, 4) + number[-4:] if len(number) > 8 else "*" * len(number)


def build_bill(
    home: Household, year: int, today: date, entered: Mapping[int, date] | None = None
) -> dict[str, Any]:
    """The facts of the bill, without serial, version and time. Raises what `compute_line` raises."""
    claimed = [
        compute_line(f.code, f.month, f.inputs, province=home.province) for f in home.benefits if f.claimed
    ]
    open_ = [
        compute_line(f.code, f.month, f.inputs, province=home.province)
        for f in home.benefits
        if not f.claimed
    ]
    return {
        "schema": SCHEMA,
        "kind": "yearly_bill",
        "year": year,
        "payer": {
            "kind": home.kind,
            "name": home.name,
            "tax_no": home.masked_tax_no,
            "authority": home.authority,
        },
        "paid": _paid(home.taxes),
        "enjoyed": {effect: _part(effect, claimed, home.earlier) for effect in EFFECTS},
        "unclaimed": _unclaimed(open_),
        "credit": {"grade": home.annual.credit_grade, "last_grade": home.last_grade},
        "due": _due(home.kind, today, entered, claimed),
        "person": _person(home, year),
    }


def canonical(content: Mapping[str, Any]) -> str:
    """The one text of a content: what is hashed and what is sealed."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()


def lasting(content: Mapping[str, Any]) -> str:
    """The canonical text of what decides about a new version: due dates move by themselves and do not."""
    return canonical({name: part for name, part in content.items() if name != "due"})


def content_hash(text: str) -> bytes:
    """SHA-256 of the canonical text."""
    return hashlib.sha256(text.encode()).digest()


def _paid(taxes: Sequence[TaxFact]) -> dict[str, Any]:
    rows = sorted(
        (t for t in taxes if t.declared or t.paid or t.refunded or t.late_fee),
        key=lambda t: (-t.paid, t.tax_type),
    )
    total = {name: str(sum((getattr(t, name) for t in rows), ZERO)) for name in _MONEY_COLUMNS}
    return {
        "rows": [
            {"tax_type": t.tax_type, **{name: str(getattr(t, name)) for name in _MONEY_COLUMNS}} for t in rows
        ],
        "total": total,
        "last_year": str(sum((t.paid_last_year for t in taxes), ZERO)),
    }


def _part(effect: Effect, lines: Sequence[Line], earlier: Sequence[EarlierFact]) -> dict[str, Any]:
    """One kind of benefit: lines by rule, with last year and all years compared by family."""
    by_code = _group(line for line in lines if line.rule.effect == effect)
    last, before = _by_family(effect, earlier)
    drawn = [_line(rule, grouped, last, before) for rule, grouped in by_code.items()]
    ended = {catalogue()[fact.code].family: fact.code for fact in earlier if fact.last_year}
    drawn += [_ended(ended[family], last, before) for family, total in last.items() if total]
    drawn.sort(key=lambda line: (-Decimal(line["amount"]), -Decimal(line["last_year"]), line["code"]))
    rest = sum(before.values(), ZERO)
    totals = {
        name: sum((Decimal(line[name]) for line in drawn), ZERO)
        for name in ("amount", "last_year", "cumulative")
    }
    return {
        "lines": drawn,
        "count": sum(line["count"] for line in drawn),
        "total": str(totals["amount"]),
        "last_year": str(totals["last_year"]),
        "cumulative": str(totals["cumulative"] + rest),
        "earlier": str(rest),
    }


def _group(lines: Iterable[Line]) -> dict[Rule, list[Line]]:
    groups: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        groups[line.rule.code].append(line)
    return {grouped[0].rule: grouped for grouped in groups.values()}


def _by_family(
    effect: Effect, earlier: Sequence[EarlierFact]
) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    last: dict[str, Decimal] = defaultdict(lambda: ZERO)
    before: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for fact in earlier:
        rule = catalogue()[fact.code]
        if rule.effect == effect:
            last[rule.family] += fact.last_year
            before[rule.family] += fact.before
    return last, before


def _line(
    rule: Rule, lines: Sequence[Line], last: dict[str, Decimal], before: dict[str, Decimal]
) -> dict[str, Any]:
    amount = sum((line.amount for line in lines), ZERO)
    # Taken out, so that two versions of one family within a year do not both show its history.
    last_year, earlier = last.pop(rule.family, ZERO), before.pop(rule.family, ZERO)
    return {
        "code": rule.code,
        "name": rule.name,
        "tax_type": rule.tax_type,
        "amount": str(amount),
        "count": len(lines),
        "last_year": str(last_year),
        "cumulative": str(amount + earlier),
        "basis": rule.basis,
        "mode": rule.delivery_mode,
        "caveat": lines[0].caveat,
        "entries": _entries(lines),
    }


def _ended(code: str, last: dict[str, Decimal], before: dict[str, Decimal]) -> dict[str, Any]:
    """Enjoyed last year, not this year: the comparison would not add up without it."""
    rule = catalogue()[code]
    return {
        "code": rule.code,
        "name": rule.name,
        "tax_type": rule.tax_type,
        "amount": str(ZERO),
        "count": 0,
        "last_year": str(last[rule.family]),
        "cumulative": str(before.pop(rule.family)),
        "basis": rule.basis,
        "mode": rule.delivery_mode,
        "caveat": CAVEAT,
        "entries": [],
    }


def _entries(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Months that have the same figures share one entry."""
    same: dict[tuple[str, Decimal], list[int]] = {}
    for line in sorted(lines, key=lambda line: line.month):
        same.setdefault((line.formula, line.amount), []).append(line.month)
    return [
        {"months": months, "formula": formula, "amount": str(amount)}
        for (formula, amount), months in same.items()
    ]


def _unclaimed(lines: Sequence[Line]) -> dict[str, Any]:
    """What may still be claimed; only money counts into the total, deductions and timing do not."""
    drawn: list[dict[str, Any]] = [
        {
            "code": rule.code,
            "name": rule.name,
            "tax_type": rule.tax_type,
            "effect": rule.effect,
            "amount": str(sum((line.amount for line in grouped), ZERO)),
            "count": len(grouped),
            "basis": rule.basis,
            "mode": rule.delivery_mode,
            "caveat": grouped[0].caveat,
            "how_to": how_to_claim(rule),
            "entries": _entries(grouped),
        }
        for rule, grouped in _group(lines).items()
    ]
    drawn.sort(key=lambda line: (-Decimal(line["amount"]), line["code"]))
    money = [Decimal(line["amount"]) for line in drawn if line["effect"] in ("reduction", "refund")]
    return {"lines": drawn, "total": str(sum(money, ZERO))}


def _due(
    kind: str, today: date, entered: Mapping[int, date] | None, lines: Sequence[Line]
) -> list[dict[str, Any]]:
    dues = next_due_dates(kind, today, entered)
    for line in lines:
        matures = int(line.figures["matures"]) if "matures" in line.figures else 0
        if matures >= today.year * 100 + today.month:
            dues.append(
                Due(f"缓缴到期：{line.rule.name} {line.amount:,} 元", matures // 100, matures % 100, None)
            )
    dues.sort(key=lambda due: (due.year, due.month))
    return [
        {
            "what": due.what,
            "month": due.year * 100 + due.month,
            "day": due.day.isoformat() if due.day else None,
        }
        for due in dues
    ]


def _person(home: Household, year: int) -> dict[str, Any] | None:
    """Natural persons: income, prepaid, tax, and what comes of it."""
    annual = home.annual
    if annual.income is None or annual.prepaid is None or annual.tax_due is None:
        return None
    balance = annual.prepaid - annual.tax_due
    outcome = "refund" if balance > 0 else "even" if balance == 0 else _owed(annual.income, -balance, year)
    return {
        "income": str(annual.income),
        "prepaid": str(annual.prepaid),
        "tax_due": str(annual.tax_due),
        "balance": str(abs(balance)),
        "outcome": outcome,
    }


def _owed(income: Decimal, owed: Decimal, year: int) -> str:
    inputs = {"annual_income": str(income), "top_up": str(owed)}
    try:
        line = compute_line("IIT_RECON_EXEMPT", year * 100 + 12, inputs)
    except RuleNotInForce:
        return "top_up"
    return "exempt" if line.figures["payable"] == 0 else "top_up"
