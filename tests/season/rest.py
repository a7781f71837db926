"""Waits until the product has done all that it has to do at a moment of business time."""

import asyncio
import time
from typing import Any

from outreach.runtime import Runtime

_POLL, _LONGEST_POLL, _POLL_PER_HOUSEHOLD = 0.02, 0.2, 2e-7
_STALL_SECONDS = 120.0
_PLANNED_PER_SECOND = 5_000

_SEEN = """
select (select at from scheduler_tick) as tick,
       (select count(*)::int from batch where state = 0) as open,
       (select count(*)::int from message where not_before is not null) as resting,
       (select count(*)::int from receipt_inbox
        where (arrived_in, id) > ((select arrived_in from receipt_cursor), (select id from receipt_cursor))
       ) as unmerged,
       (select count(*)::int from receipt_orphan) as orphans,
       (select count(*)::int from gateway_pace where breaker = 'open') as broken,
       (select last_value from receipt_id) as receipts,
       (select coalesce(sum(n), 0)::int from handover_count) as handed,
       (select count(*)::int from work_item where state = 'open') as items,
       (select array_agg(array[state, n] order by state) from (
            select c.state, sum(c.n)::int as n from message_count c join round r on r.id = c.round_id
            where r.state in ('running', 'paused') group by c.state) s) as states,
       (select array_agg(array[id, coalesce(planned, -1), (finished_at is null)::int] order by id)
        from round) as rounds
"""
"""All but the last tick must stand still; what is open, unmerged or resting must be gone, and every account
take messages again: what only a broken one could send has not been cut."""

_WAITING = ("open", "resting", "unmerged", "orphans", "broken")


async def rest(rt: Runtime, households: int, *, quiet: bool = False) -> float:
    """Wait until two whole ticks have changed nothing, and nothing is under way; when anything last moved,
    by the monotonic clock, 0 if nothing did. `quiet`: nothing may leave now, so what stands ready may
    wait. Raises TimeoutError."""
    patience = _STALL_SECONDS + households / _PLANNED_PER_SECOND
    pause = min(_LONGEST_POLL, _POLL + households * _POLL_PER_HOUSEHOLD)
    last: dict[str, Any] | None = None
    looked_at, moved_at, ticks, tick = time.monotonic(), 0.0, 0, None
    while True:
        seen = await rt.db.fetch_one(_SEEN)
        assert seen is not None
        at = seen.pop("tick")
        if seen != last:
            looked_at, ticks, tick = time.monotonic(), 0, at
            moved_at, last = looked_at if last else 0.0, seen
        elif at != tick:
            ticks, tick = ticks + 1, at
        waits = not quiet and any(seen[name] for name in _WAITING)
        # The first tick may have begun before the change; the second mark says that a whole one has ended.
        if ticks >= 2 and not waits:
            return moved_at
        if time.monotonic() - looked_at > patience:
            raise TimeoutError(f"nothing moves for {patience:.0f} s: {seen}")
        await asyncio.sleep(pause)
