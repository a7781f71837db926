"""Rate limits: what all senders together get in any second, and what urgent ones always find."""

import asyncio
import sys
import time
from bisect import bisect_left
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from redis.asyncio import Redis

from outreach.ledger.limits import Limiter, Rate
from outreach.runtime import Runtime

PATIENCE = 60.0
"""Seconds in which nobody is too late on any machine."""

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
    # A Valkey that stands still in a grant tells of that one later than it dated it.
    assert busiest_second(grants, n) <= per_second * 1.02 + burst + n
    assert len(grants) * n > 2 * burst, "it goes on when the burst is used up"


async def test_urgent_senders_find_tokens_behind_a_bulk_that_takes_all(rt: Runtime) -> None:
    limiter, rate = Limiter(rt.redis), Rate(1, 200.0, 20)
    began = time.monotonic()
    until = began + PATIENCE
    taken, done = 0, asyncio.Event()

    async def bulk() -> None:
        nonlocal taken
        while not done.is_set():
            assert await limiter.take(rate, 10, urgent=False, until=until)
            taken += 10

    async def urgent() -> list[int]:
        passed = []
        for _ in range(28):
            before = taken
            assert await limiter.take(rate, 1, urgent=True, until=until)
            passed.append(taken - before)
            await asyncio.sleep(0.1)
        done.set()
        return passed

    *_, passed = await asyncio.gather(*(bulk() for _ in range(4)), urgent())
    assert taken > 100
    assert taken <= 0.9 * 200 * (time.monotonic() - began) * 1.02 + 20
    # What the bulk takes in a fifth of a second.
    assert sorted(passed)[len(passed) // 2] <= 40, passed


async def test_no_token_after_the_deadline_even_if_there_is_one(rt: Runtime) -> None:
    limiter, rate = Limiter(rt.redis), Rate(2, 1000.0, 100)
    assert not await limiter.take(rate, 1, urgent=True, until=time.monotonic() - 0.001)
    assert await limiter.take(rate, 100, urgent=True, until=time.monotonic() + PATIENCE)


async def test_who_cannot_be_served_in_time_is_told_at_once(rt: Runtime) -> None:
    limiter, rate = Limiter(rt.redis), Rate(3, 0.01, 5)
    assert await limiter.take(rate, 5, urgent=True, until=time.monotonic() + PATIENCE)
    deadline = time.monotonic() + PATIENCE
    assert not await limiter.take(rate, 5, urgent=True, until=deadline)
    assert time.monotonic() < deadline - PATIENCE / 2


async def test_more_than_a_burst_is_refused_and_not_cut_short(rt: Runtime) -> None:
    with pytest.raises(ValueError, match="burst is 5"):
        await Limiter(rt.redis).take(Rate(4, 1.0, 5), 6, urgent=True, until=time.monotonic() + PATIENCE)


async def test_accounts_do_not_share_their_tokens(rt: Runtime) -> None:
    limiter = Limiter(rt.redis)
    until = time.monotonic() + PATIENCE
    assert await limiter.take(Rate(5, 0.01, 1), 1, urgent=True, until=until)
    assert not await limiter.take(Rate(5, 0.01, 1), 1, urgent=True, until=until)
    assert await limiter.take(Rate(6, 0.01, 1), 1, urgent=True, until=until)


async def test_a_valkey_that_forgot_everything_grants_no_more_than_a_burst_on_top(rt: Runtime) -> None:
    limiter, rate = Limiter(rt.redis), Rate(8, 100.0, 20)
    began = time.monotonic()
    taken = 0
    for _ in range(2):
        until = time.monotonic() + 0.5
        while await limiter.take(rate, 5, urgent=True, until=until):
            taken += 5
        await rt.redis.flushall()
    assert taken <= 100 * (time.monotonic() - began) + 2 * 20 + 5


async def test_without_valkey_a_process_goes_on_at_a_tenth_of_the_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr("outreach.ledger.limits.time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr("outreach.ledger.limits.asyncio", SimpleNamespace(sleep=sleep))
    redis = Redis.from_url("redis://127.0.0.1:9", socket_connect_timeout=0.2)
    limiter, rate = Limiter(redis), Rate(9, 200.0, 10)
    taken = 0
    while await limiter.take(rate, 1, urgent=False, until=1002.0):
        taken += 1
    await redis.aclose()
    assert taken == pytest.approx(0.1 * 200 * 2.0, abs=1)
