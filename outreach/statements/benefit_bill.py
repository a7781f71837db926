"""The benefit bill (红利账单): what came back, what was waived, what was cut, what may be paid later, each
with its amount, and for every deferral the month in which it is to be paid."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from outreach.statements.benefit_lines import parts_by
from outreach.statements.benefits import Line
from outreach.statements.content import SCHEMA, computed_lines, payer_of
from outreach.statements.due import due_rows
from outreach.statements.household import Household
from outreach.statements.money import ZERO
from outreach.statements.rules import Rule, Treatment

TREATMENTS: tuple[Treatment, ...] = ("refund", "exemption", "reduction", "deferral", "timing", "deduction")


def build_benefit_bill(
    home: Household, year: int, today: date, entered: Mapping[int, date] | None = None
) -> dict[str, Any] | None:
    """The content without serial, version and time; None when nothing was enjoyed and nothing paid back.

    Raises what `compute_line` raises.
    """
    claimed, _ = computed_lines(home)
    refunded = sum([tax.refunded for tax in home.taxes], ZERO)
    if not claimed and not refunded:
        return None
    return {
        "schema": SCHEMA,
        "kind": "benefit_bill",
        "year": year,
        "payer": payer_of(home),
        "parts": parts_by(TREATMENTS, _treatment_of, claimed, home.earlier),
        "refunded": str(refunded),
        "deferrals": _deferrals(claimed),
        "due": due_rows(home.kind, today, entered, claimed),
    }


def _treatment_of(rule: Rule) -> str:
    return rule.treatment


def _deferrals(lines: list[Line]) -> list[dict[str, Any]]:
    """Every deferral by itself: it has a day of its own."""
    rows = [
        {
            "code": line.rule.code,
            "name": line.rule.name,
            "period": line.month,
            "amount": str(line.amount),
            "matures": int(line.figures["matures"]),
        }
        for line in lines
        if "matures" in line.figures
    ]
    return sorted(rows, key=lambda row: (row["matures"], row["period"], row["code"]))
