"""The gateway's books against the ledger, and what a run must not have done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from outreach.books import Comparison, compare_books
from outreach.ledger.audit import audit_everything
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests.chaos.kinds import Kind

_INVENTED = ("address_changed", "no_address", "missing_value", "too_long")
"""Failures that we declare ourselves, for reasons that do not exist in a run."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a run. `unknown`: messages of which nobody can tell in the end; of these, `unanswered` are
    those that a worker sent without getting a clear answer, and `unexplained` those that neither stood in a
    window of whoever was struck nor are unanswered. `failures`: failed messages by code. `violations`: the
    gates that do not hold."""

    booked: int
    lost: int
    duplicated: int
    unexpected: int
    unknown: int
    unknown_bound: int
    unanswered: int
    unexplained: int
    states: dict[str, int]
    failures: dict[str, int]
    conserved: bool
    violations: list[str] = field(default_factory=list)


async def judge(rt: Runtime, kind: Kind, control: str, count: int, in_doubt: set[int]) -> Verdict:
    """Compare, count, audit."""
    (books,) = await compare_books(rt, {kind.adapter: control})
    rows = await rt.db.fetch("select state, count(*)::int as n from message group by state")
    states = {State(row["state"]).name.lower(): row["n"] for row in rows}
    unsure = await rt.db.fetch("select id, code from message where state = 1")
    unanswered = sum(row["code"] is not None for row in unsure)
    unexplained = sum(row["code"] is None and row["id"] not in in_doubt for row in unsure)
    failed = await rt.db.fetch(
        "select coalesce(code, '') as code, count(*)::int as n from message where state = 4 group by code"
    )
    audits = await audit_everything(rt)
    broken = [check.name for audit in audits for check in audit.checks if not check.agrees]
    conserved = bool(audits) and not broken and sum(states.values()) == count
    failures = {row["code"]: row["n"] for row in failed}
    bound = 0 if kind.resolves else len(in_doubt) + unanswered
    return Verdict(
        books.booked,
        books.lost,
        books.duplicated,
        books.unexpected,
        len(unsure),
        bound,
        unanswered,
        unexplained,
        states,
        failures,
        conserved,
        [
            *violations(books, unsure, bound, conserved, broken),
            *(f"failed for {code}: {failures[code]}" for code in _INVENTED if code in failures),
        ],
    )


def violations(
    books: Comparison, unsure: Sequence[Any], bound: int, conserved: bool, broken: Sequence[str]
) -> list[str]:
    """The gates that do not hold, in words."""
    found = [
        f"{name}: {value}"
        for name, value in (
            ("lost", books.lost),
            ("duplicated", books.duplicated),
            ("unexpected", books.unexpected),
        )
        if value
    ]
    if len(unsure) > bound:
        found.append(f"unknown: {len(unsure)} of at most {bound}")
    if not conserved:
        found.append("the sums do not agree: " + ("; ".join(broken) or "messages are missing"))
    return found
