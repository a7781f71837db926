"""Rate limits: what all senders together get in any second, and what urgent ones always find."""

import asyncio
import sys
import time
from bisect import bisect_left
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from outreach.ledger.limits import Limiter, Rate
from outreach.runtime import Runtime

_TAKER = """
import asyncio, sys, time
from redis.asyncio import Redis
from outreach.ledger.limits import Limiter, Rate

async def main(url, per_second, burst, n, seconds):
    limiter, rate = Limiter(Redis.from_url(url)), Rate(7, per_second, burst)
    until = time.monotonic() + seconds
    async def take():
        while await limiter.take(rate, n, urgent=True, until=until):
            pass
    await asyncio.gather(*(take() for _ in range(3)))

asyncio.run(main(sys.argv[1], float(sys.argv[2]), *map(int, sys.argv[3:5]), float(sys.argv[5])))
"""


def busiest_second(moments: Sequence[float], n: int) -> int:
    """The most units that were granted, n at each moment, within any one second."""
    return n * max(bisect_left(moments, moment + 1.0) - at for at, moment in enumerate(moments))


async def watch(rt: Runtime, grants: list[float]) -> None:
    """Note when Valkey, by its own clock, granted something: clients learn of it later."""
    async with Redis.from_url(rt.settings.redis_url).monitor() as monitor:
        async for command in monitor.listen():
            if command["client_type"] == "lua" and command["command"].startswith("SET limit:7 "):
                grants.append(command["time"])


@pytest.mark.parametrize(("per_second", "burst", "n"), [(100.0, 10, 1), (5000.0, 250, 50)])
async def test_several_processes_together_stay_below_the_limit(
    rt: Runtime, per_second: float, burst: int, n: int
) -> None:
    grants: list[float] = []
    watching = asyncio.create_task(watch(rt, grants))
    command = [sys.executable, "-c", _TAKER, rt.settings.redis_url, str(per_second), str(burst), str(n), "4"]
    processes = [await asyncio.create_subprocess_exec(*command) for _ in range(4)]
    assert await asyncio.gather(*(process.wait() for process in processes)) == [0] * 4
    watching.cancel()
    assert busiest_second(grants, n) <= per_second * 1.02 + burst
    assert len(grants) * n >= 0.8 * per_second * (grants[-1] - grants[0])


async def test_urgent_senders_find_tokens_behind_a_bulk_that_takes_all(rt: Runtime) -> None:
    limiter, rate = Limiter(rt.redis), Rate(1, 200.0, 10)
    until = time.monotonic() + 3

    async def bulk() -> int:
        taken = 0
        while await limiter.take(rate, 10, urgent=False, until=until):
            taken += 10
        return taken

    async def urgent() -> list[float]:
        waits = []
        while time.monotonic() < until - 0.5:
            began = time.monotonic()
            assert await limiter.take(rate, 1, urgent=True, until=until)
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.1)
        return waits

    *taken, waits = await asyncio.gather(*(bulk() for _ in range(4)), urgent())
    assert sum(taken) <= 0.9 * 200 * 3 * 1.02 + 10
    assert sorted(waits)[len(waits) // 2] < 0.2
    assert len(waits) > 8


async def test_no_token_after_the_deadline_even_if_there_is_one(rt: Runtime) -> None:
    limiter, rate = Limiter(rt.redis), Rate(2, 1000.0, 100)
    assert not await limiter.take(rate, 1, urgent=True, until=time.monotonic() - 0.001)
    assert await limiter.take(rate, 100, urgent=True, until=time.monotonic() + 1)


async def test_who_cannot_be_served_in_time_is_told_at_once(rt: Runtime) -> None:
    limiter, rate = Limiter(rt.redis), Rate(3, 1.0, 5)
    assert await limiter.take(rate, 5, urgent=True, until=time.monotonic() + 1)
    began = time.monotonic()
    assert not await limiter.take(rate, 5, urgent=True, until=time.monotonic() + 2)
    assert time.monotonic() - began < 0.5


async def test_more_than_a_burst_is_refused_and_not_cut_short(rt: Runtime) -> None:
    with pytest.raises(ValueError, match="burst is 5"):
        await Limiter(rt.redis).take(Rate(4, 1.0, 5), 6, urgent=True, until=time.monotonic() + 1)


async def test_accounts_do_not_share_their_tokens(rt: Runtime) -> None:
    limiter = Limiter(rt.redis)
    until = time.monotonic() + 1
    assert await limiter.take(Rate(5, 0.1, 1), 1, urgent=True, until=until)
    assert not await limiter.take(Rate(5, 0.1, 1), 1, urgent=True, until=until)
    assert await limiter.take(Rate(6, 0.1, 1), 1, urgent=True, until=until)


async def test_a_valkey_that_forgot_everything_grants_no_more_than_a_burst_on_top(rt: Runtime) -> None:
    limiter, rate = Limiter(rt.redis), Rate(8, 100.0, 20)
    until = time.monotonic() + 0.5
    taken = 0
    while await limiter.take(rate, 5, urgent=True, until=until):
        taken += 5
    await rt.redis.flushall()
    until = time.monotonic() + 0.5
    while await limiter.take(rate, 5, urgent=True, until=until):
        taken += 5
    assert taken <= 100 + 2 * 20 + 5


async def test_without_valkey_a_process_goes_on_at_a_tenth_of_the_rate() -> None:
    redis = Redis.from_url("redis://127.0.0.1:9", socket_connect_timeout=0.2)
    limiter, rate = Limiter(redis), Rate(9, 200.0, 10)
    until = time.monotonic() + 2.0
    taken = 0
    while await limiter.take(rate, 1, urgent=False, until=until):
        taken += 1
    await redis.aclose()
    assert 0.1 * 200 * 2.0 * 0.6 <= taken <= 0.1 * 200 * 2.0 * 1.1 + 1
