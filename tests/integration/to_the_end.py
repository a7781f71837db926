"""A staged round sent to its end, however the machine stands still meanwhile."""

from tests.integration.ledger_stage import Stage
from tests.integration.test_ledger import all_final, until


async def send_to_the_end(stage: Stage) -> None:
    """Send, look into what rests and apply the receipts until no message is open: a request that took too
    long, or a receipt that came after the look for receipts, belongs to the next turn."""

    async def turn() -> bool:
        await stage.drain()
        await stage.end_rest()
        await stage.reconcile()
        await stage.merge()
        return await all_final(stage.rt)

    await until(turn)
