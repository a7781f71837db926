"""The raw ceiling of sending: one process that reads the same rows, renders, sends with the same client in
the same batch sizes to the same gateway, and forgets the results. No claim, no window, no settle, no
counters, no receipts."""

import asyncio
import time
from collections.abc import Iterator

from outreach.labels.cache import SetCache
from outreach.ledger.gateways import Fleet
from outreach.ledger.keys import MESSAGES_PER_BATCH
from outreach.ledger.letters import StepContent, load_letters, load_step, write_letter
from tests.bench.stage import ADAPTERS, Stage

_LOOPS = 4
_PIECE = 1000
_OTHER_KEYS = 1 << 40
"""Added to each id: a gateway that knows keys must not take these messages for repetitions."""


async def send_bare(stage: Stage, channel: str, round_id: int, count: int) -> float:
    """Messages a second over the first `count` messages of a round that has been sent."""
    await stage.behave(channel, silent=1.0)
    fleet = Fleet(stage.rt)
    gateway = stage.gateways[ADAPTERS[channel]]
    step = await load_step(stage.rt, round_id, 0, gateway)
    adapter = await fleet.adapter(gateway)
    batches = await stage.rt.db.fetch(
        "select shard, id, period, n from batch where round_id = %(round_id)s order by id limit %(limit)s",
        {"round_id": round_id, "limit": -(-count // _PIECE)},
    )
    work, cache = iter(batches), SetCache()
    began = time.monotonic()
    try:
        await asyncio.gather(*(_loop(stage, adapter, step, cache, work) for _ in range(_LOOPS)))
        return sum(batch["n"] for batch in batches) / (time.monotonic() - began)
    finally:
        await fleet.close()


async def _loop(
    stage: Stage, adapter: object, step: StepContent, cache: SetCache, work: Iterator[dict[str, int]]
) -> None:
    for batch in work:
        first = batch["id"] * MESSAGES_PER_BATCH
        ids = range(first, first + batch["n"])
        letters = await load_letters(stage.rt, cache, step, batch["period"], batch["shard"], ids)
        fresh = (letter._replace(message_id=letter.message_id + _OTHER_KEYS) for letter in letters)
        await adapter.send([write_letter(stage.rt, step, letter, "")[0] for letter in fresh])
