"""Lines of benefits as documents show them: grouped by rule, compared with last year and all years, each with
its formula, document and caveat. A part's total is the sum of its lines.

What a line says whatever its amounts is most of its text: it is written once per rule, as canonical JSON with
places for the figures.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from outreach.statements.benefits import CAVEAT, Line, caveat_of, how_to_claim
from outreach.statements.canonical import canonical
from outreach.statements.household import EarlierFact
from outreach.statements.money import ZERO
from outreach.statements.rules import Effect, Rule, catalogue

EFFECTS: tuple[Effect, ...] = ("reduction", "refund", "deduction", "timing")
effect_of: Callable[[Rule], str] = attrgetter("effect")
"""The kind of benefit in the yearly bill."""
_month_of = attrgetter("month")
_code_of = attrgetter("code")
_amounts_of = attrgetter("amount", "last_year")


class _Row(NamedTuple):
    """A line of a part with its figures, for sorting and adding; the text is its canonical JSON."""

    amount: Decimal
    last_year: Decimal
    cumulative: Decimal
    code: str
    benefits: int
    text: str


class _Past(NamedTuple):
    """Of one family of benefits: the sum of last year, of all years before, and the code used last year."""

    last_year: Decimal
    before: Decimal
    code: str


_History = dict[str, _Past]


def parts_by(
    names: Sequence[str],
    name_of: Callable[[Rule], str],
    lines: Iterable[Line],
    earlier: Sequence[EarlierFact],
) -> dict[str, Any]:
    """Lines in kinds (what `name_of` says of their rules), each on its own: they are never added up. Lines
    are fragments of canonical JSON."""
    groups: dict[str, dict[str, list[Line]]] = {}
    for line in lines:
        rule = line.rule
        groups.setdefault(name_of(rule), {}).setdefault(rule.code, []).append(line)
    histories = _histories(earlier, name_of)
    return {
        name: _part(groups.get(name, {}), histories.get(name, {}))
        if name in groups or name in histories
        else _NOTHING
        for name in names
    }


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
    rows += [_ended(past) for past in history.values() if past.last_year]
    if len(rows) > 1:
        rows.sort(key=_code_of)
        rows.sort(key=_amounts_of, reverse=True)
    rest = sum([past.before for past in history.values() if not past.last_year], ZERO)
    amount, last_year, cumulative, count = ZERO, ZERO, rest, 0
    for row in rows:
        amount += row.amount
        last_year += row.last_year
        cumulative += row.cumulative
        count += row.benefits
    return {
        "lines": [orjson.Fragment(row.text) for row in rows],
        "count": count,
        "total": str(amount),
        "last_year": str(last_year),
        "cumulative": str(cumulative),
        "earlier": str(rest),
    }


def _histories(earlier: Sequence[EarlierFact], name_of: Callable[[Rule], str]) -> dict[str, _History]:
    histories: dict[str, _History] = {}
    rules = catalogue()
    for code, last_year, before in earlier:
        rule = rules[code]
        history = histories.setdefault(name_of(rule), {})
        known = history.get(rule.family)
        if known is not None:
            code = code if last_year else known.code
            last_year, before = known.last_year + last_year, known.before + before
        history[rule.family] = _Past(last_year, before, code)
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


@cache
def _form(code: str, caveat: str) -> str:
    """A line of a rule as canonical JSON, with places for amount, count, cumulative sum, entries and last
    year's sum in this order, which is that of their names."""
    text, other = orjson.Fragment(b'"\0"'), orjson.Fragment(b"\0")
    figures = {"amount": text, "count": other, "cumulative": text, "entries": other, "last_year": text}
    return canonical({**said_of(code), "caveat": caveat, **figures}).replace("%", "%%").replace("\0", "%s")


_NO_PAST = _Past(ZERO, ZERO, "")


def _line(lines: Sequence[Line], history: _History) -> _Row:
    rule, count = lines[0].rule, len(lines)
    amount = lines[0].amount if count == 1 else sum([line.amount for line in lines], ZERO)
    # Taken out, so that two versions of one family within a year do not both show its history.
    past = history.pop(rule.family, _NO_PAST)
    cumulative = amount + past.before
    figures = amount, count, cumulative, canonical(entries_of(lines)), past.last_year
    text = _form(rule.code, said_of(rule.code)["caveat"]) % figures
    return _Row(amount, past.last_year, cumulative, rule.code, count, text)


def _ended(past: _Past) -> _Row:
    """Enjoyed last year, not this year: the comparison would not add up without it."""
    text = _form(past.code, CAVEAT) % (ZERO, 0, past.before, "[]", past.last_year)
    return _Row(ZERO, past.last_year, past.before, past.code, 0, text)


def entries_of(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Months that have the same figures share one entry."""
    if _are_alike(lines):
        months = [line.month for line in lines]
        months.sort()
        return [{"months": months, "formula": lines[0].formula, "amount": str(lines[0].amount)}]
    same: dict[tuple[str, str], list[int]] = {}
    for line in sorted(lines, key=_month_of):
        same.setdefault((line.formula, str(line.amount)), []).append(line.month)
    return [
        {"months": months, "formula": formula, "amount": amount} for (formula, amount), months in same.items()
    ]


def _are_alike(lines: Sequence[Line]) -> bool:
    """The usual case: one line, or every month the same."""
    if len(lines) < 2:
        return bool(lines)
    _, _, amount, formula, _ = lines[0]
    return all(line.formula == formula and line.amount == amount for line in lines)


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
