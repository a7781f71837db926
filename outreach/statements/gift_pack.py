"""The gift pack (一户式政策大礼包): every benefit in force that one company has, may claim or is entitled
to, in the order of how it reaches her, each with its document and what to do. One pack, one company."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from outreach.statements.benefit_lines import entries_of, grouped_by_rule, said_of
from outreach.statements.benefits import Line, how_to_claim
from outreach.statements.content import SCHEMA, computed_lines, credit_of, payer_of
from outreach.statements.due import due_rows
from outreach.statements.entitlements import entitled_codes
from outreach.statements.household import Household
from outreach.statements.money import ZERO
from outreach.statements.rules import DELIVERIES, Rule, RuleNotInForce, catalogue, current_rule

_RANK = {"unclaimed": 0, "entitled": 1, "enjoyed": 2}
_KINDS = ("enterprise", "individual_business")


def build_gift_pack(
    home: Household, year: int, today: date, entered: Mapping[int, date] | None = None
) -> dict[str, Any] | None:
    """The content without serial, version and time; None for natural persons and when nothing is found.

    What is no longer in force in the pack's month is left out, what has a newer version stands under that.
    Raises what `compute_line` raises.
    """
    if home.kind not in _KINDS:
        return None
    month = pack_month(year, today)
    claimed, open_ = computed_lines(home)
    found: dict[str, dict[str, Any]] = {}
    for code in entitled_codes(home.kind, home.marks, month):
        _add(found, code, "entitled", (), month)
    for fact in home.earlier:
        if fact.last_year:
            _add(found, fact.code, "enjoyed", (), month)
    for lines in grouped_by_rule(claimed):
        _add(found, lines[0].rule.code, "enjoyed", lines, month)
    for lines in grouped_by_rule(open_):
        _add(found, lines[0].rule.code, "unclaimed", lines, month)
    if not found:
        return None
    return {
        "schema": SCHEMA,
        "kind": "gift_pack",
        "year": year,
        "month": month,
        "payer": payer_of(home),
        "groups": _groups(list(found.values())),
        "count": len(found),
        "unclaimed": _unclaimed(list(found.values())),
        "credit": credit_of(home),
        "due": due_rows(home.kind, today, entered, claimed),
    }


def pack_month(year: int, today: date) -> int:
    """The month whose rules a pack of a year tells: this one, or the last of a year that has passed."""
    return today.year * 100 + today.month if year >= today.year else year * 100 + 12


def _add(found: dict[str, dict[str, Any]], code: str, state: str, lines: Sequence[Line], month: int) -> None:
    try:
        rule = current_rule(catalogue()[code].family, month)
    except RuleNotInForce:
        return
    amount = sum([line.amount for line in lines], ZERO)
    found[rule.code] = {
        **_told(rule),
        "state": state,
        "amount": str(amount) if lines else None,
        "entries": entries_of(lines),
    }


def _told(rule: Rule) -> dict[str, Any]:
    return {
        **said_of(rule.code),
        "delivery": rule.delivery,
        "effect": rule.effect,
        "eligible": rule.eligible,
        "how_to": how_to_claim(rule),
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
    money = [Decimal(line["amount"]) for line in waiting if line["effect"] in ("reduction", "refund")]
    return {"count": len(waiting), "total": str(sum(money, ZERO))}
