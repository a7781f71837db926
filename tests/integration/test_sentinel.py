"""Valkey by its sentinels: the primary dies in the middle of a round, another takes over, the round goes on.

Real servers of the wheel: a primary, a replica, three sentinels.
"""

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from campaigns.rounds import tick
from outreach.config import Settings
from outreach.errors import InvalidInput
from outreach.jobs import open_queue, ring
from outreach.ledger.states import State
from outreach.runtime import Runtime, close_runtime, open_runtime, open_valkey
from tests import town
from tests.hosts.valkey import Place, Quintet
from tests.integration.test_ledger import all_final, assert_sums, until, working
from tests.turnstile import Turnstile

COUNT = 2500
PATIENCE = 300.0
"""A sentinel that has stood still for two seconds does nothing for half a minute more (its TILT mode)."""


@pytest.fixture
def quintet(tmp_path: Path) -> Iterator[Quintet]:
    with town.held_ports(5) as ports:
        five = Quintet(tmp_path, [Place("127.0.0.1", port) for port in ports])
        try:
            five.start()
            yield five
        finally:
            five.stop()


@pytest.mark.slow
async def test_a_round_goes_on_when_the_primary_of_valkey_dies(settings: Settings, quintet: Quintet) -> None:
    rt = await open_runtime(settings.model_copy(update={"redis_url": quintet.url}))
    try:
        await town.settle_town(rt, town.households(COUNT))
        await town.write_templates(rt)
        await town.set_clock(rt, town.START)
        async with town.wired(rt, rate=8) as wire:
            books = wire.simulators["aliyun_sms"].books.entries
            # The account counts requests, of a hundred messages each.
            await rt.db.execute("update gateway set burst = 4")
            turnstile = Turnstile(wire.simulators["aliyun_sms"], COUNT // 3)
            await town.launch(wire.rt, ["sms"])
            async with working(wire.rt):
                await tick(town.ticker(wire.rt))
                await turnstile.crowd(1)
                await until(lambda: _is_known(quintet))
                before = quintet.primary()
                quintet.kill(before)
                turnstile.open()
                assert len(books) < COUNT
                await until(lambda: all_final(rt), PATIENCE)
                await until(lambda: _moved(quintet, before), PATIENCE)
                # The bell works again, by the new primary.
                await until(lambda: _rings(wire.rt))
        counts = Counter(entry.address for entry in books)
        assert (len(counts), max(counts.values())) == (COUNT, 1)
        assert await town.states(rt) == {State.DELIVERED: COUNT}
        await assert_sums(rt)
    finally:
        await close_runtime(rt)
        # arq leaves failed tasks behind when Valkey goes. They are logged with a traceback as they are
        # collected, and Python 3.11 breaks when that happens inside its parser (python/cpython issue 106905).
        gc.collect()


async def _is_known(quintet: Quintet) -> bool:
    try:
        return bool(quintet.primary())
    except RedisError:
        return False


async def _moved(quintet: Quintet, before: Place) -> bool:
    return await _is_known(quintet) and quintet.primary() != before


async def _rings(rt: Runtime) -> bool:
    try:
        return await ring(rt, "bulk", "send_batch", 0, 0, job_id="probe")
    except (RedisError, OSError):
        return False


def test_the_address_is_read_as_it_is_written() -> None:
    client = open_valkey("redis+sentinel://me:p%40ss@one:1,two/main/3?sentinel_password=s")
    pool = client.connection_pool
    assert pool.service_name == "main"
    addresses = [
        (
            sentinel.connection_pool.connection_kwargs["host"],
            sentinel.connection_pool.connection_kwargs["port"],
        )
        for sentinel in pool.sentinel_manager.sentinels
    ]
    assert addresses == [("one", 1), ("two", 26379)]
    asked = {key: pool.connection_kwargs[key] for key in ("username", "password", "db", "socket_timeout")}
    assert asked == {"username": "me", "password": "p@ss", "db": 3, "socket_timeout": 5.0}
    assert pool.sentinel_manager.sentinels[0].connection_pool.connection_kwargs["password"] == "s"
    for wrong in ("redis+sentinel://one:1", "redis+sentinel:///main", "redis+sentinel://one/main/x"):
        with pytest.raises(InvalidInput, match="OUTREACH_REDIS_URL"):
            open_valkey(wrong)


async def test_the_queue_shares_the_connections(settings: Settings) -> None:
    rt = await open_runtime(settings)
    try:
        assert open_queue(rt).connection_pool is rt.redis.connection_pool
    finally:
        await close_runtime(rt)
