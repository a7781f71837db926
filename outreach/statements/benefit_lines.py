"""Lines of benefits as documents show them: grouped by rule, compared with last year and all years, each with
its formula, document and caveat. A part's total is the sum of its lines.

What a line says whatever its amounts is most of its text: it is written once per rule, as canonical JSON with
places for the figures.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

from orjson import Fragment, dumps

from outreach.statements.benefits import CAVEAT, Line, caveat_of
from outreach.statements.canonical import TEXT, VALUE, form_of
from outreach.statements.household import EarlierFact
from outreach.statements.how_to import told_to_do
from outreach.statements.money import ZERO
from outreach.statements.rules import Effect, Rule, catalogue

EFFECTS: tuple[Effect, ...] = ("reduction", "refund", "deduction", "timing")
effect_of: Callable[[Rule], str] = attrgetter("effect")
"""The kind of benefit in the yearly bill."""
_month_of = attrgetter("month")

# Plain tuples, because there are many of them: one with names takes several times as long to make.
_Row = tuple[Decimal, Decimal, Decimal, str, int, Fragment]
"""A line of a part: amount, last year, all years, code, benefits, canonical JSON."""
_amounts_of, _code_of = itemgetter(0, 1), itemgetter(3)

_Past = tuple[Decimal, Decimal, str]
"""Of one family of benefits: the sum of last year, of all years before, and the code used last year."""
_NO_PAST: _Past = (ZERO, ZERO, "")


def parts_by(
    names: Sequence[str],
    name_of: Callable[[Rule], str],
    lines: Iterable[Line],
    earlier: Sequence[EarlierFact],
) -> dict[str, Any]:
    """Lines in kinds (what `name_of` says of their rules), each on its own: they are never added up. Lines
    are fragments of canonical JSON."""
    return parts_of_many(names, name_of, [lines], [earlier])[0]


def parts_of_many(
    names: Sequence[str],
    name_of: Callable[[Rule], str],
    lines: Sequence[Iterable[Line]],
    earlier: Sequence[Sequence[EarlierFact]],
) -> list[dict[str, Any]]:
    """As `parts_by`, of many households in order: step by step (see `content.build_bills`)."""
    pasts = [_pasts(facts, name_of) for facts in earlier]
    groups = [grouped_by_rule(own) for own in lines]
    rows = [_rows(grouped, own, name_of) for grouped, own in zip(groups, pasts, strict=True)]
    return [_parts(names, own, rests) for own, rests in rows]


def _rows(
    groups: Iterable[Sequence[Line]], pasts: dict[tuple[str, str], _Past], name_of: Callable[[Rule], str]
) -> tuple[dict[str, list[_Row]], dict[str, Decimal]]:
    """By kind of benefit its lines, and the sum of what was enjoyed only before last year."""
    rows: dict[str, list[_Row]] = {}
    for lines in groups:
        rule = lines[0].rule
        name = name_of(rule)
        # Taken out, so that two versions of one family within a year do not both show its history.
        row = _line(rule, lines, pasts.pop((name, rule.family), _NO_PAST))
        rows.setdefault(name, []).append(row)
    rests: dict[str, Decimal] = {}
    for (name, _), past in pasts.items():
        if past[0]:
            rows.setdefault(name, []).append(_ended(past))
        else:
            rests[name] = rests.get(name, ZERO) + past[1]
    return rows, rests


def _parts(
    names: Sequence[str], rows: Mapping[str, list[_Row]], rests: Mapping[str, Decimal]
) -> dict[str, Any]:
    return {
        name: _part(rows.get(name, []), rests.get(name, ZERO)) if name in rows or name in rests else _NOTHING
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


def _part(rows: list[_Row], rest: Decimal) -> dict[str, Any]:
    """One kind of benefit: its lines, the largest first, and their sums; `rest` was enjoyed long ago only."""
    if len(rows) > 1:
        rows.sort(key=_code_of)
        rows.sort(key=_amounts_of, reverse=True)
    total, last_years, cumulatives, count = ZERO, ZERO, rest, 0
    for amount, last_year, cumulative, _, benefits, _ in rows:
        total += amount
        last_years += last_year
        cumulatives += cumulative
        count += benefits
    return {
        "lines": [row[-1] for row in rows],
        "count": count,
        "total": str(total),
        "last_year": str(last_years),
        "cumulative": str(cumulatives),
        "earlier": str(rest),
    }


def _pasts(earlier: Sequence[EarlierFact], name_of: Callable[[Rule], str]) -> dict[tuple[str, str], _Past]:
    """By kind of benefit and family: versions that follow each other are one."""
    pasts: dict[tuple[str, str], _Past] = {}
    rules = catalogue()
    for code, last_year, before in earlier:
        rule = rules[code]
        family = name_of(rule), rule.family
        known = pasts.get(family)
        if known is not None:
            code = code if last_year else known[2]
            last_year, before = known[0] + last_year, known[1] + before
        pasts[family] = last_year, before, code
    return pasts


@cache
def said_of(code: str) -> Mapping[str, str]:
    """What every line of a rule says, whatever its amounts."""
    rule = catalogue()[code]
    return {
        "code": rule.code,
        "name": rule.name,
        "tax_type": rule.tax_type,
        "basis": rule.basis,
        "mode": rule.mode,
        "caveat": caveat_of(rule),
    }


_FIGURES = {"amount": TEXT, "count": VALUE, "cumulative": TEXT, "entries": [VALUE], "last_year": TEXT}
_ENTRY = form_of({"amount": TEXT, "formula": VALUE, "months": [VALUE]})


@cache
def _form(code: str) -> str:
    """A line of a rule."""
    return form_of({**said_of(code), **_FIGURES})


@cache
def _form_of_ended(code: str) -> str:
    return form_of({**said_of(code), "caveat": CAVEAT, **_FIGURES})


def _line(rule: Rule, lines: Sequence[Line], past: _Past) -> _Row:
    last_year, before, _ = past
    if len(lines) == 1:
        _, month, amount, formula, _ = lines[0]
        entries = _ENTRY % (amount, dumps(formula).decode(), month)
    else:
        amount, entries = _sum_of(lines), _entries(lines)
    cumulative, count, code = amount + before, len(lines), rule.code
    text = _form(code) % (amount, count, cumulative, entries, last_year)
    return amount, last_year, cumulative, code, count, Fragment(text)


def _ended(past: _Past) -> _Row:
    """Enjoyed last year, not this year: the comparison would not add up without it."""
    last_year, before, code = past
    text = _form_of_ended(code) % (ZERO, 0, before, "", last_year)
    return ZERO, last_year, before, code, 0, Fragment(text)


def _sum_of(lines: Iterable[Line]) -> Decimal:
    return sum([line.amount for line in lines], ZERO)


def _entries(lines: Sequence[Line]) -> str:
    """The canonical texts of `entries_of`."""
    return ",".join(
        [
            _ENTRY % (amount, dumps(formula).decode(), ",".join(map(str, months)))
            for months, formula, amount in _alike(lines)
        ]
    )


def entries_of(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Months that have the same figures share one entry."""
    return [
        {"months": months, "formula": formula, "amount": amount} for months, formula, amount in _alike(lines)
    ]


def _alike(lines: Sequence[Line]) -> Iterable[tuple[list[int], str, str]]:
    """Months in order, formula and amount of the lines that say the same."""
    same: dict[tuple[str, str], list[int]] = {}
    for _, month, amount, formula, _ in sorted(lines, key=_month_of):
        same.setdefault((formula, str(amount)), []).append(month)
    return [(months, formula, amount) for (formula, amount), months in same.items()]


def grouped_by_rule(lines: Iterable[Line]) -> Iterable[list[Line]]:
    """Lines of one rule together, in the order of their first appearance."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        code = line.rule.code
        if code in groups:
            groups[code].append(line)
        else:
            groups[code] = [line]
    return groups.values()


def unclaimed_part(lines: Sequence[Line]) -> dict[str, Any]:
    """What may still be claimed, and how; only money counts into the total, deductions and timing do not."""
    if not lines:
        return {"lines": [], "total": str(ZERO)}
    drawn: list[dict[str, Any]] = []
    for grouped in grouped_by_rule(lines):
        rule = grouped[0].rule
        drawn.append(
            {
                **said_of(rule.code),
                "effect": rule.effect,
                "amount": str(_sum_of(grouped)),
                "count": len(grouped),
                "eligible": rule.eligible,
                **told_to_do(rule, max(map(_month_of, grouped))),
                "entries": entries_of(grouped),
            }
        )
    drawn.sort(key=lambda line: (-Decimal(line["amount"]), line["code"]))
    money = [Decimal(line["amount"]) for line in drawn if line["effect"] in ("reduction", "refund")]
    return {"lines": drawn, "total": str(sum(money, ZERO))}
