"""Issuing documents, as the console and the API do it: the check of scope, a look before, the order, and
its line in the audit chain."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyroaring import AbstractBitMap, FrozenBitMap

from campaigns.wording_guard import check_content
from outreach.clock import in_beijing
from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.scope import require_scope
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_text, scope_set
from outreach.runtime import Runtime
from outreach.statements.kinds import DOCUMENT_KINDS, document_kind
from outreach.statements.orders import Order, order_run, resume_run, stop_run
from outreach.statements.tries import Counted, Tried, counted, try_documents

EVERYONE = "everyone"
LONGEST_REASON = 200
TYPED_ABOVE = 10_000
"""Households above which their number is typed to confirm."""
_TRIED = 1_000
_SHOWN = 3
_ABOVE = "这次出具由上级机构安排，在这里只能查看。"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to issue; `expression` tells whom of the unit."""

    kind: str
    year: int
    org_id: int
    expression: str = EVERYONE
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What would happen: `wanted` households, of whom `counted` were tried (all of them if `is_whole`, else
    drawn by chance), and up to three of these that would get a document."""

    wish: Wish
    wanted: int
    counted: Counted
    samples: list[Tried]

    @property
    def is_whole(self) -> bool:
        """All households were tried, so the figures are no estimate."""
        return self.counted.tried >= self.wanted

    def estimated(self, tried: int) -> int:
        """What a figure of the tried households comes to for all of them."""
        return round(tried * self.wanted / self.counted.tried) if self.counted.tried else 0


async def look_before(rt: Runtime, cache: SetCache, actor: Actor, wish: Wish) -> Look:
    """Count whom a wish concerns and try it out, without writing. Raises InvalidInput with the field,
    NotFound outside the scope."""
    members, _ = await _whom(rt, cache, actor, wish)
    tried = await try_documents(
        rt, wish.kind, wish.year, scope_org_id=wish.org_id, taxpayer_ids=drawn_by_chance(members, _TRIED)
    )
    with_document = [one for one in tried if one.outcome in ("first", "correction", "withdrawal")]
    shown = random.sample(with_document, min(_SHOWN, len(with_document)))
    return Look(wish, len(members), counted(tried), shown)


async def order_documents(rt: Runtime, cache: SetCache, actor: Actor, wish: Wish, expected: int) -> int:
    """Order what was looked at: `expected` is the number of households that was shown. The number of the
    run. Raises InvalidInput, NotFound, Conflict when it is another number now, or nobody."""
    members, text = await _whom(rt, cache, actor, wish)
    if len(members) != expected:
        raise Conflict(f"范围内现在是 {len(members):,} 户，与预览时的 {expected:,} 户不同，请重新核对。")
    if not members:
        raise InvalidInput("范围内没有户，不需要出具。", field="expression")
    chosen = None if text == EVERYONE else members
    order = Order(wish.kind, wish.year, wish.org_id, wish.reason, text, chosen, len(members))
    async with rt.db.begin() as conn:
        run_id = await order_run(conn, actor.name, order)
        detail: dict[str, Any] = {
            "kind": wish.kind,
            "year": wish.year,
            "scope": wish.org_id,
            "households": len(members),
            "expression": text,
            "reason": wish.reason,
        }
        await append_audit(conn, actor, "statement.order", f"statement_run:{run_id}", detail)
    return run_id


async def stop_issuing(rt: Runtime, actor: Actor, run: Mapping[str, Any]) -> None:
    """Stop a run as `find_run` returns it. Raises NotAllowed for one of a unit above, Conflict."""
    if not run["is_own"]:
        raise NotAllowed(_ABOVE)
    async with rt.db.begin() as conn:
        await stop_run(conn, run["id"])
        await append_audit(conn, actor, "statement.stop", f"statement_run:{run['id']}")


async def resume_issuing(rt: Runtime, actor: Actor, run: Mapping[str, Any]) -> None:
    """Let the rest of a run be done. Raises as `stop_issuing`."""
    if not run["is_own"]:
        raise NotAllowed(_ABOVE)
    async with rt.db.begin() as conn:
        await resume_run(conn, run["id"])
        await append_audit(conn, actor, "statement.resume", f"statement_run:{run['id']}")


def drawn_by_chance(members: AbstractBitMap, most: int) -> list[int]:
    """All members, or so many of them, in order."""
    if len(members) <= most:
        return list(members)
    return sorted(members[place] for place in random.sample(range(len(members)), most))


async def _whom(rt: Runtime, cache: SetCache, actor: Actor, wish: Wish) -> tuple[FrozenBitMap, str]:
    """The households and the expression in codes."""
    document_kind(wish.kind)
    await _check_year(rt, wish)
    _check_reason(wish.reason)
    async with rt.db.begin() as conn:
        try:
            await require_scope(conn, actor, wish.org_id)
        except NotFound as error:
            raise InvalidInput(error.message, field="org_id") from error
        if wish.expression in ("", EVERYONE):
            return await scope_set(conn, cache, wish.org_id), EVERYONE
        found = await evaluate_text(conn, cache, wish.expression, wish.org_id)
    return found.members, found.text


async def _check_year(rt: Runtime, wish: Wish) -> None:
    latest = in_beijing(await rt.now()).year
    if not 2000 <= wish.year <= latest:
        title = DOCUMENT_KINDS[wish.kind].title
        raise InvalidInput(f"{wish.year} {title}还不能出具，请选择已开始的年度。", field="year")


def _check_reason(reason: str) -> None:
    """It is printed on documents: what may not be said in a letter may not be said here."""
    if len(reason) > LONGEST_REASON or any(character < " " for character in reason):
        raise InvalidInput(f"更正原因最多 {LONGEST_REASON} 字，写成一行。", field="reason")
    faults = [one for one in check_content("email", {"text": reason}, kind="bill") if one.is_error]
    if faults:
        raise InvalidInput(faults[0].sentence, field="reason")
