"""Single urgent messages, planned one by one as events would plan them, and how long each waits."""

import asyncio
import time

from outreach.runtime import Runtime

_PLAN = """
with one as (select nextval('batch_id') as id), who as (
    select person_id, taxpayer_ids, org_id, dest from message
    where round_id <> %(round_id)s and step = 0 and person_id = %(number)s + 1
), cut as (
    insert into batch (shard, id, period, round_id, step, gateway_id, lane, n)
    select one.id %% 8, one.id, r.period, r.id, 0, %(gateway_id)s, 1, 1
    from one, round r where r.id = %(round_id)s
    returning id
), planned as (
    insert into message (period, shard, id, round_id, step, person_id, org_id, reach, dest, at, taxpayer_ids)
    select r.period, one.id %% 8, one.id * 1000, r.id, 0, who.person_id, who.org_id, 1, who.dest,
           business_now(), who.taxpayer_ids
    from one, who, round r where r.id = %(round_id)s
), counted as (
    insert into message_count (round_id, step, org_id, state, n, households)
    select %(round_id)s, 0, org_id, 0, 1, 1 from who
)
select id from cut
"""


async def plan_one(rt: Runtime, round_id: int, gateway_id: int, number: int) -> int:
    """A batch of one message in lane 1, to a person whom another round tells too; returns its id."""
    row = await rt.db.fetch_one(_PLAN, {"round_id": round_id, "gateway_id": gateway_id, "number": number})
    assert row is not None
    return int(row["id"])


async def waits_of(
    rt: Runtime,
    round_id: int,
    gateway_id: int,
    *,
    count: int,
    apart: float,
    first: int = 0,
    patience: float = 60.0,
) -> list[float]:
    """Plan a message each `apart` seconds, to persons from the `first` on; seconds from each one's commit to
    its settled outcome."""
    planned: dict[int, float] = {}
    waits: dict[int, float] = {}

    async def watch() -> None:
        while len(waits) < count:
            rows = await rt.db.fetch(
                "select id from batch where round_id = %(id)s and state = 1", {"id": round_id}
            )
            now = time.monotonic()
            for row in rows:
                if row["id"] in planned:
                    waits.setdefault(row["id"], now - planned[row["id"]])
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    for number in range(count):
        began = time.monotonic()
        planned[await plan_one(rt, round_id, gateway_id, first + number)] = time.monotonic()
        await asyncio.sleep(max(0.0, apart - (time.monotonic() - began)))
    async with asyncio.timeout(patience):
        await watching
    return list(waits.values())
