"""One run: a campaign while cables are pulled, then rest, then the judgement of the chaos suite."""

import time
from dataclasses import replace

from outreach.runtime import close_runtime, open_runtime
from tests.chaos import kinds
from tests.chaos.mutants import Mutant
from tests.chaos.plan import Strike
from tests.chaos.run import Record, campaign, run_name
from tests.chaos.stack import staged
from tests.hosts.cuts import Cables
from tests.hosts.doubled import GATEWAY_PORTS, Doubled

# Accepted, and answered late: that is when a cable is pulled. Receipts come later still, or they would tell
# whoever takes over what the ledger must know by itself.
KIND = replace(
    kinds.B,
    window=200,
    faults={
        "slow": 1.0,
        "slow_seconds": 0.5,
        "fail": 0.01,
        "twice": 0.1,
        "shuffle": True,
        "receipt_delay": 2.0,
    },
)


async def run(
    site: Doubled,
    seed: int,
    count: int,
    cuts: list[Strike],
    mutant: Mutant | None = None,
    *,
    until_caught: bool = False,
) -> Record:
    """Play a run and judge it. `until_caught`: it ends as soon as something was sent twice."""
    began = time.monotonic()
    async with site.database(run_name("hosts", seed, mutant)) as settings:
        rt = await open_runtime(settings, name="judge")
        try:
            await rt.redis.flushall()
            async with staged(
                rt, KIND, count, mutant, site.tempo, 0.0, launch=site.launch, ports=GATEWAY_PORTS
            ) as stack:
                cables = Cables(site, stack, time.monotonic())
                record = await campaign(cables, cuts, seed, count, until_caught=until_caught)
        finally:
            await close_runtime(rt)
    if cables.left and not mutant:
        record["violations"].append(f"left while the standby was away: {cables.left}")
    return {
        **record,
        "cuts": len(cuts),
        "left": cables.left,
        "promotions": cables.promotions,
        "seconds": round(time.monotonic() - began, 1),
    }
