"""The content of a yearly bill: pure, from facts to a document whose every line names basis and formula.

Amounts are texts with two decimals, so that the canonical JSON (sorted keys, no spaces) and its SHA-256 are
the same on every machine. A part's total is the sum of its lines; `earlier` holds what the families without
a line (nothing this year or last) add to the cumulative figure.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from outreach.statements.benefits import CAVEAT, Line, caveat_of, compute_line, how_to_claim
from outreach.statements.due import Due, next_due_dates
from outreach.statements.money import ZERO
from outreach.statements.rules import Effect, RuleNotInForce, catalogue

SCHEMA = 1
EFFECTS: tuple[Effect, ...] = ("reduction", "refund", "deduction", "timing")
_month_of = attrgetter("month")


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
    claimed: list[Line] = []
    open_: list[Line] = []
    for fact in home.benefits:
        line = compute_line(fact.code, fact.month, fact.inputs, province=home.province)
        (claimed if fact.claimed else open_).append(line)
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
        "enjoyed": _enjoyed(claimed, home.earlier),
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
    return {
        "rows": [
            {
                "tax_type": t.tax_type,
                "declared": str(t.declared),
                "paid": str(t.paid),
                "refunded": str(t.refunded),
                "late_fee": str(t.late_fee),
            }
            for t in rows
        ],
        "total": {
            "declared": str(sum([t.declared for t in rows], ZERO)),
            "paid": str(sum([t.paid for t in rows], ZERO)),
            "refunded": str(sum([t.refunded for t in rows], ZERO)),
            "late_fee": str(sum([t.late_fee for t in rows], ZERO)),
        },
        "last_year": str(sum([t.paid_last_year for t in taxes], ZERO)),
    }


class _Row(NamedTuple):
    """A line of a part with its amounts, so that sorting and adding need not read texts again."""

    amount: Decimal
    last_year: Decimal
    cumulative: Decimal
    drawn: dict[str, Any]


@dataclass(slots=True)
class _History:
    """Of one kind of benefit, by family: last year, all years before, and the code used last year."""

    last: dict[str, Decimal] = field(default_factory=dict)
    before: dict[str, Decimal] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)


def _enjoyed(lines: Iterable[Line], earlier: Sequence[EarlierFact]) -> dict[str, Any]:
    """All four kinds, each on its own: they are never added up."""
    groups: dict[Effect, dict[str, list[Line]]] = {effect: {} for effect in EFFECTS}
    for line in lines:
        groups[line.rule.effect].setdefault(line.rule.code, []).append(line)
    histories = _by_family(earlier)
    return {
        effect: _part(groups[effect], histories.get(effect) or _History())
        if groups[effect] or effect in histories
        else _nothing()
        for effect in EFFECTS
    }


def _nothing() -> dict[str, Any]:
    zero = str(ZERO)
    return {
        "lines": [],
        "count": 0,
        "total": zero,
        "last_year": zero,
        "cumulative": zero,
        "earlier": zero,
    }


def _part(by_code: Mapping[str, list[Line]], history: _History) -> dict[str, Any]:
    """One kind of benefit: lines by rule, with last year and all years compared by family."""
    rows = [_line(grouped, history) for grouped in by_code.values()]
    rows += [_ended(history.codes[family], history) for family, total in history.last.items() if total]
    if len(rows) > 1:
        rows.sort(key=lambda row: (-row.amount, -row.last_year, row.drawn["code"]))
    rest = sum(history.before.values(), ZERO)
    return {
        "lines": [row.drawn for row in rows],
        "count": sum([row.drawn["count"] for row in rows]),
        "total": str(sum([row.amount for row in rows], ZERO)),
        "last_year": str(sum([row.last_year for row in rows], ZERO)),
        "cumulative": str(sum([row.cumulative for row in rows], ZERO) + rest),
        "earlier": str(rest),
    }


def _by_family(earlier: Sequence[EarlierFact]) -> dict[Effect, _History]:
    histories: dict[Effect, _History] = {}
    rules = catalogue()
    for fact in earlier:
        rule = rules[fact.code]
        history = histories.get(rule.effect)
        if history is None:
            history = histories[rule.effect] = _History()
        family = rule.family
        history.last[family] = history.last.get(family, ZERO) + fact.last_year
        history.before[family] = history.before.get(family, ZERO) + fact.before
        if fact.last_year:
            history.codes[family] = fact.code
    return histories


@cache
def _said_of(code: str) -> Mapping[str, str]:
    """What every line of a rule says, whatever its amounts."""
    rule = catalogue()[code]
    return {
        "code": rule.code,
        "name": rule.name,
        "tax_type": rule.tax_type,
        "basis": rule.basis,
        "mode": rule.delivery_mode,
        "caveat": caveat_of(rule),
    }


def _line(lines: Sequence[Line], history: _History) -> _Row:
    rule = lines[0].rule
    amount = lines[0].amount if len(lines) == 1 else sum([line.amount for line in lines], ZERO)
    # Taken out, so that two versions of one family within a year do not both show its history.
    last_year = history.last.pop(rule.family, ZERO)
    cumulative = amount + history.before.pop(rule.family, ZERO)
    drawn = {
        **_said_of(rule.code),
        "amount": str(amount),
        "count": len(lines),
        "last_year": str(last_year),
        "cumulative": str(cumulative),
        "entries": _entries(lines),
    }
    return _Row(amount, last_year, cumulative, drawn)


def _ended(code: str, history: _History) -> _Row:
    """Enjoyed last year, not this year: the comparison would not add up without it."""
    family = catalogue()[code].family
    last_year, cumulative = history.last[family], history.before.pop(family)
    drawn = {
        **_said_of(code),
        "amount": str(ZERO),
        "count": 0,
        "last_year": str(last_year),
        "cumulative": str(cumulative),
        "caveat": CAVEAT,
        "entries": [],
    }
    return _Row(ZERO, last_year, cumulative, drawn)


def _entries(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Months that have the same figures share one entry."""
    if len(lines) == 1:
        line = lines[0]
        return [{"months": [line.month], "formula": line.formula, "amount": str(line.amount)}]
    same: dict[tuple[str, str], list[int]] = {}
    for line in sorted(lines, key=_month_of):
        same.setdefault((line.formula, str(line.amount)), []).append(line.month)
    return [
        {"months": months, "formula": formula, "amount": amount} for (formula, amount), months in same.items()
    ]


def _group(lines: Iterable[Line]) -> Iterable[list[Line]]:
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.rule.code, []).append(line)
    return groups.values()


def _unclaimed(lines: Sequence[Line]) -> dict[str, Any]:
    """What may still be claimed; only money counts into the total, deductions and timing do not."""
    if not lines:
        return {"lines": [], "total": str(ZERO)}
    drawn: list[dict[str, Any]] = []
    for grouped in _group(lines):
        rule = grouped[0].rule
        drawn.append(
            {
                **_said_of(rule.code),
                "effect": rule.effect,
                "amount": str(sum([line.amount for line in grouped], ZERO)),
                "count": len(grouped),
                "how_to": how_to_claim(rule),
                "entries": _entries(grouped),
            }
        )
    drawn.sort(key=lambda line: (-Decimal(line["amount"]), line["code"]))
    money = [Decimal(line["amount"]) for line in drawn if line["effect"] in ("reduction", "refund")]
    return {"lines": drawn, "total": str(sum(money, ZERO))}


def _due(
    kind: str, today: date, entered: Mapping[int, date] | None, lines: Sequence[Line]
) -> Sequence[Mapping[str, Any]]:
    matured = [due for line in lines if "matures" in line.figures for due in _matures(line, today)]
    known = tuple(entered.items()) if entered else ()
    if not matured:
        return _usual_dues(kind, today, known)
    return _drawn_dues([*next_due_dates(kind, today, entered), *matured])


@lru_cache(maxsize=64)
def _usual_dues(kind: str, today: date, known: tuple[tuple[int, date], ...]) -> list[dict[str, Any]]:
    return _drawn_dues(next_due_dates(kind, today, dict(known)))


def _matures(line: Line, today: date) -> list[Due]:
    month = int(line.figures["matures"])
    if month < today.year * 100 + today.month:
        return []
    return [Due(f"缓缴到期：{line.rule.name} {line.amount:,} 元", month // 100, month % 100, None)]


def _drawn_dues(dues: Iterable[Due]) -> list[dict[str, Any]]:
    return [
        {
            "what": due.what,
            "month": due.year * 100 + due.month,
            "day": due.day.isoformat() if due.day else None,
        }
        for due in sorted(dues, key=lambda due: (due.year, due.month))
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
