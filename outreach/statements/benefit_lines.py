"""Lines of benefits as documents show them: grouped by rule, compared with last year and all years, each with
its formula, document and caveat. A part's total is the sum of its lines."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

from outreach.statements.benefits import CAVEAT, Line, caveat_of, how_to_claim
from outreach.statements.household import EarlierFact
from outreach.statements.money import ZERO
from outreach.statements.rules import Effect, Rule, catalogue

EFFECTS: tuple[Effect, ...] = ("reduction", "refund", "deduction", "timing")
_month_of = attrgetter("month")


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


def parts_by(
    names: Sequence[str],
    name_of: Callable[[Rule], str],
    lines: Iterable[Line],
    earlier: Sequence[EarlierFact],
) -> dict[str, Any]:
    """Lines in kinds (what `name_of` says of their rules), each on its own: they are never added up."""
    groups: dict[str, dict[str, list[Line]]] = {name: {} for name in names}
    for line in lines:
        groups[name_of(line.rule)].setdefault(line.rule.code, []).append(line)
    histories = _histories(earlier, name_of)
    return {
        name: _part(groups[name], histories.get(name) or _History())
        if groups[name] or name in histories
        else _NOTHING
        for name in names
    }


def effect_of(rule: Rule) -> str:
    """The kind of benefit in the yearly bill."""
    return rule.effect


_ZERO = str(ZERO)
_NOTHING: Mapping[str, Any] = {
    "lines": [],
    "count": 0,
    "total": _ZERO,
    "last_year": _ZERO,
    "cumulative": _ZERO,
    "earlier": _ZERO,
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


def _histories(earlier: Sequence[EarlierFact], name_of: Callable[[Rule], str]) -> dict[str, _History]:
    histories: dict[str, _History] = {}
    rules = catalogue()
    for fact in earlier:
        rule = rules[fact.code]
        name = name_of(rule)
        history = histories.get(name)
        if history is None:
            history = histories[name] = _History()
        family = rule.family
        history.last[family] = history.last.get(family, ZERO) + fact.last_year
        history.before[family] = history.before.get(family, ZERO) + fact.before
        if fact.last_year:
            history.codes[family] = fact.code
    return histories


@cache
def said_of(code: str) -> Mapping[str, str]:
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
        **said_of(rule.code),
        "amount": str(amount),
        "count": len(lines),
        "last_year": str(last_year),
        "cumulative": str(cumulative),
        "entries": entries_of(lines),
    }
    return _Row(amount, last_year, cumulative, drawn)


def _ended(code: str, history: _History) -> _Row:
    """Enjoyed last year, not this year: the comparison would not add up without it."""
    family = catalogue()[code].family
    last_year, cumulative = history.last[family], history.before.pop(family)
    drawn = {
        **said_of(code),
        "amount": str(ZERO),
        "count": 0,
        "last_year": str(last_year),
        "cumulative": str(cumulative),
        "caveat": CAVEAT,
        "entries": [],
    }
    return _Row(ZERO, last_year, cumulative, drawn)


def entries_of(lines: Sequence[Line]) -> list[dict[str, Any]]:
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


def grouped_by_rule(lines: Iterable[Line]) -> Iterable[list[Line]]:
    """Lines of one rule together, in the order of their first appearance."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.rule.code, []).append(line)
    return groups.values()


def unclaimed_part(lines: Sequence[Line]) -> dict[str, Any]:
    """What may still be claimed; only money counts into the total, deductions and timing do not."""
    if not lines:
        return {"lines": [], "total": str(ZERO)}
    drawn: list[dict[str, Any]] = []
    for grouped in grouped_by_rule(lines):
        rule = grouped[0].rule
        drawn.append(
            {
                **said_of(rule.code),
                "effect": rule.effect,
                "amount": str(sum([line.amount for line in grouped], ZERO)),
                "count": len(grouped),
                "how_to": how_to_claim(rule),
                "entries": entries_of(grouped),
            }
        )
    drawn.sort(key=lambda line: (-Decimal(line["amount"]), line["code"]))
    money = [Decimal(line["amount"]) for line in drawn if line["effect"] in ("reduction", "refund")]
    return {"lines": drawn, "total": str(sum(money, ZERO))}
