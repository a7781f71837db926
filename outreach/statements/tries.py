"""What issuing would do, without writing anything: for the look before an order, and for samples."""

import hmac
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.statements.drawing import Drawn
from outreach.statements.freezing import Latest, issues_of
from outreach.statements.issue import draw_aside, label_of, made_of, prepare_run, read_block

Outcome = Literal["first", "correction", "withdrawal", "unchanged", "empty"]
_EVERY_ID = (-1, 2**31 - 1)


@dataclass(frozen=True, slots=True)
class Tried:
    """What would become of one household, and how many benefit lines her document would hold."""

    taxpayer_id: int
    outcome: Outcome
    benefits: int


@dataclass(frozen=True, slots=True)
class Counted:
    """Households by outcome: tried = first + corrections + withdrawals + unchanged + empty; benefit lines
    of the first two."""

    tried: int
    first: int
    corrections: int
    withdrawals: int
    unchanged: int
    empty: int
    benefits: int

    @property
    def documents(self) -> int:
        """How many would be written."""
        return self.first + self.corrections + self.withdrawals


async def try_documents(
    rt: Runtime, kind: str, year: int, *, scope_org_id: int, taxpayer_ids: Sequence[int]
) -> list[Tried]:
    """What would become of some households of a unit, at most a block of them (2,000), in order of their ids;
    those outside the unit are left out. Raises as `issue_documents`."""
    run = await prepare_run(rt, kind, year, scope_org_id, taxpayer_ids)
    async with rt.db.begin() as conn:
        facts, latest = await read_block(rt, conn, run, _EVERY_ID)
    drawn = await draw_aside(facts, run.task)
    tag = open_vault(rt.settings).keyed_hash("statement.facts").digest

    def outcome(one: Drawn | None, old: Latest | None) -> Outcome:
        if one is None:
            return "empty"
        if old is None:
            return "first"
        if hmac.compare_digest(old.facts_tag, tag(one.lasting())):
            return "unchanged"
        return "withdrawal" if one.withdrawn else "correction"

    tried = []
    for home, one in zip(facts.homes, drawn, strict=True):
        old = latest.get(home[0])
        made = made_of(run, home, one, old)
        tried.append(Tried(home[0], outcome(made, old), made.benefits if made else 0))
    return tried


def counted(tried: Sequence[Tried]) -> Counted:
    """The sums of some tries."""
    n = Counter(one.outcome for one in tried)
    benefits = sum(one.benefits for one in tried if one.outcome in ("first", "correction"))
    return Counted(
        len(tried), n["first"], n["correction"], n["withdrawal"], n["unchanged"], n["empty"], benefits
    )


async def try_content(
    rt: Runtime, kind: str, year: int, *, scope_org_id: int, taxpayer_id: int, reason: str = ""
) -> dict[str, Any] | None:
    """The content of the document that a household would get now, as the number 0; None where there is
    nothing to tell her, or where she is not of the unit. Raises as `issue_documents`."""
    run = await prepare_run(rt, kind, year, scope_org_id, [taxpayer_id], reason)
    async with rt.db.begin() as conn:
        facts, latest = await read_block(rt, conn, run, _EVERY_ID)
    if not facts.homes:
        return None
    (drawn,), old = await draw_aside(facts, run.task), latest.get(taxpayer_id)
    one = made_of(run, facts.homes[0], drawn, old)
    if one is None:
        return None
    (issue,) = issues_of(label_of(run), [0], [old])
    content: dict[str, Any] = orjson.loads(one.text(issue))
    return content
