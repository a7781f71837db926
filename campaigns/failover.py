"""After a fail-over that may have lost commits: what was due is planned, what may have left is unknown."""

from collections.abc import Sequence

from campaigns.planning import start_due_rounds
from outreach.labels.cache import SetCache
from outreach.ledger.quarantine import LostTime, Quarantined, quarantine
from outreach.runtime import Runtime


async def recover_lost_time(rt: Runtime, lost: LostTime, *, spared: Sequence[int], by: str) -> Quarantined:
    """Quarantine what may have been sent in the lost time; also of rounds that began in it.

    Their plan is lost with it. It is made again first, from the same sets and in the same order of
    recipients, so that those who came first can be told.
    """
    await start_due_rounds(rt, SetCache())
    return await quarantine(rt, lost, spared=spared, by=by)
