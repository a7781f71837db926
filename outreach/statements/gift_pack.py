"""The gift pack (一户式政策大礼包): every benefit in force that one company has, may claim or is entitled
to, in the order of how it reaches her, each with its document and what to do. One pack, one company."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from outreach.statements.alternatives import has_another
from outreach.statements.benefit_lines import entries_of, said_of
from outreach.statements.benefits import Line
from outreach.statements.content import SCHEMA, computed_lines, credit_of, payer_of
from outreach.statements.due import due_rows
from outreach.statements.entitlements import entitled_codes
from outreach.statements.household import Household
from outreach.statements.how_to import advice_of, told_to_do
from outreach.statements.money import ZERO
from outreach.statements.rules import DELIVERIES, Rule, RuleNotInForce, catalogue, current_rule
from outreach.statements.verified import untold_codes

_RANK = {"unclaimed": 0, "entitled": 1, "enjoyed": 2}
_KINDS = ("enterprise", "individual_business")


def build_gift_pack(
    home: Household, year: int, today: date, entered: Mapping[int, date] | None = None
) -> dict[str, Any] | None:
    """The content without serial, version and time; None for natural persons and when nothing is found.

    What is no longer in force in the pack's month is left out, what has a newer version stands under that
    without the old amount, and of alternatives the household is told the one that she has or can use.
    Raises what `compute_line` raises.
    """
    if home.kind not in _KINDS:
        return None
    month = pack_month(year, today)
    claimed, open_ = computed_lines(home)
    states = _states(home, claimed, open_, month)
    if not states:
        return None
    lines = [_offer(code, state, own) for (code, state), own in states.items()]
    return {
        "schema": SCHEMA,
        "kind": "gift_pack",
        "year": year,
        "month": month,
        "payer": payer_of(home),
        "groups": _groups(lines),
        "count": len({code for code, _ in states}),
        "unclaimed": _unclaimed(lines),
        "credit": credit_of(home),
        "due": due_rows(home.kind, today, entered, claimed),
    }


def pack_month(year: int, today: date) -> int:
    """The month whose rules a pack of a year tells: this one, or the last of a year that has passed."""
    return today.year * 100 + today.month if year >= today.year else year * 100 + 12


def _states(
    home: Household, claimed: Sequence[Line], open_: Sequence[Line], month: int
) -> dict[tuple[str, str], list[Line]]:
    """By code and state the lines whose amounts the pack tells: those of the rule that it names, because no
    amount may stand under another's. A benefit may be enjoyed and open in one year."""
    found: dict[tuple[str, str], list[Line]] = {}
    for state, lines in (("enjoyed", claimed), ("unclaimed", open_)):
        for line in lines:
            rule = _current(line.rule.code, month)
            if rule is not None:
                told = found.setdefault((rule.code, state), [])
                if rule.code == line.rule.code:
                    told.append(line)
    taken = {code for code, _ in found}
    reported = {line.rule.family for line in (*claimed, *open_)}
    untold = untold_codes(home)
    certain = (code for code in entitled_codes(home.kind, home.marks, month) if code not in untold)
    entitled = _by_family(certain, month)
    offered = {
        family: code
        for family, code in entitled.items()
        if not has_another(family, reported, entitled.keys())
    }
    before = _by_family([fact.code for fact in home.earlier if fact.last_year], month)
    known = {
        family: code
        for family, code in before.items()
        if not has_another(family, reported | offered.keys(), offered.keys())
    }
    for state, codes in (("enjoyed", known), ("entitled", offered)):
        for code in codes.values():
            if code not in taken:
                taken.add(code)
                found[code, state] = []
    return found


def _by_family(codes: Iterable[str], month: int) -> dict[str, str]:
    """Family to the code of its rule in the month."""
    rules = (_current(code, month) for code in codes)
    return {rule.family: rule.code for rule in rules if rule is not None}


def _current(code: str, month: int) -> Rule | None:
    try:
        return current_rule(catalogue()[code].family, month)
    except RuleNotInForce:
        return None


def _offer(code: str, state: str, lines: Sequence[Line]) -> dict[str, Any]:
    rule = catalogue()[code]
    if state == "unclaimed" and lines:
        to_do = told_to_do(rule, max(line.month for line in lines))
    else:
        to_do = {"how_to": advice_of(rule).how_to}
    return {
        **_told(rule),
        **to_do,
        "state": state,
        "amount": str(sum([line.amount for line in lines], ZERO)) if lines else None,
        "entries": entries_of(lines),
    }


def _told(rule: Rule) -> dict[str, Any]:
    return {
        **said_of(rule.code),
        "delivery": rule.delivery,
        "effect": rule.effect,
        "eligible": rule.eligible,
        "until": rule.last_month,
    }


def _groups(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    ordered = sorted(
        lines, key=lambda line: (_RANK[line["state"]], -Decimal(line["amount"] or 0), line["code"])
    )
    groups = [
        {"delivery": delivery, "lines": [line for line in ordered if line["delivery"] == delivery]}
        for delivery in DELIVERIES
    ]
    return [group for group in groups if group["lines"]]


def _unclaimed(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What she has not claimed yet; only money counts into the total."""
    waiting = [line for line in lines if line["state"] == "unclaimed"]
    money = [Decimal(line["amount"] or 0) for line in waiting if line["effect"] in ("reduction", "refund")]
    return {"count": len(waiting), "total": str(sum(money, ZERO))}
