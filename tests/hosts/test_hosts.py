"""Workers on hosts of their own: one is cut off in the middle of a round and comes back, one loses Valkey.

Nothing is lost, nothing is sent twice, and the round ends. The gateway's books are the judge.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from httpx import HTTPError

from outreach import rehearsal
from outreach.books import Comparison, compare_books, read_books
from outreach.db.migrate import migrate
from outreach.ledger.keys import decode_key
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.chaos.strikes import SECOND_LOOK
from tests.hosts.needed import hosts_needed
from tests.hosts.net import Host
from tests.hosts.site import WEB_PORT, Site, site
from tests.integration.test_ledger import assert_sums

COUNT = 2000
PATIENCE_SECONDS = 60.0

pytestmark = [pytest.mark.slow, hosts_needed]


async def prepare(rt: Runtime, plan: Path) -> None:
    """Households, templates, an account at the gateway host, a round that is due."""
    await migrate(rt.settings.database_url)
    await town.settle_town(rt, town.households(COUNT))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    ports = {name: 9000 + number for number, name in enumerate(rehearsal.NAMES)}
    # The account counts requests, of a hundred messages each.
    ids = await rehearsal.add_gateways(rt, ports, rate=3, quiet_seconds=7.0, timeout=1.0)
    # So slow that much is left to be sent whenever the test acts.
    await rt.db.execute("update gateway set burst = 3, window_size = 100")
    # Accepted, and answered late: that is when a cable is pulled here. Receipts come later still, or they
    # would tell whoever takes over what the ledger must know by itself.
    faults = {"aliyun_sms": {"slow": 1.0, "slow_seconds": 0.6, "receipt_delay": 6.0}}
    made = await rehearsal.plan_rehearsal(rt, ports, ids, faults=faults, capable=1.0)
    rehearsal.write_plan(made, plan)
    await town.launch(rt, ["sms"])


async def booked(rt: Runtime) -> int:
    (control,) = CONTROLS.values()
    return len(await read_books(rt, control))


async def is_open(rt: Runtime) -> bool:
    try:
        return await booked(rt) == 0
    except HTTPError:
        return False


async def fences(rt: Runtime, pid: int) -> dict[int, int]:
    """The batches that a worker holds inside an open window, and under which fence."""
    rows = await rt.db.fetch(
        "select id, fence from batch where owner like %(owner)s and state = 0 and settled < watermark",
        {"owner": f"%:{pid}"},
    )
    return {row["id"]: row["fence"] for row in rows}


async def holds_what_has_left(rt: Runtime, pid: int) -> bool:
    """Whether the gateway has accepted messages of a window that this worker has not settled."""
    (control,) = CONTROLS.values()
    taken = Counter((decode_key(entry["key"]) or 0) // 1000 for entry in await read_books(rt, control))
    rows = await rt.db.fetch("select id, settled from batch")
    settled = {row["id"]: row["settled"] for row in rows}
    return any(taken[batch] > settled[batch] for batch in await fences(rt, pid))


async def at_rest(rt: Runtime) -> bool:
    row = await rt.db.fetch_one(
        "select (select count(*) from batch where state = 0) + (select count(*) from message"
        " where state in (0, 2) or not_before is not null) as n, (select count(*) from message) as all"
    )
    assert row is not None
    return row["n"] == 0 and row["all"] == COUNT


async def wait(running: Site, condition: Callable[[Runtime], Awaitable[bool]], times: int = 1) -> None:
    """Until it holds, at most for a minute or so many of them."""

    async def until(rt: Runtime) -> bool:
        deadline = time.monotonic() + times * PATIENCE_SECONDS
        while not await condition(rt):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.1)
        return True

    assert await running.at("data", until), running.logs()


async def cut_holding(running: Site, host: Host, pid: int) -> dict[int, int]:
    """Cut a worker off while it holds what has left: what it holds, and under which fence."""
    while True:
        await wait(running, lambda rt: holds_what_has_left(rt, pid))
        host.cut()
        # It may have been about to write it down.
        await asyncio.sleep(SECOND_LOOK)
        if await running.at("data", lambda rt: holds_what_has_left(rt, pid)):
            return await running.at("data", lambda rt: fences(rt, pid))
        host.mend()


CONTROLS = {"aliyun_sms": "http://10.77.0.12:9000"}


async def test_a_host_that_is_cut_off_and_one_that_loses_valkey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site(tmp_path) as running:
        monkeypatch.setattr(rehearsal, "HOST", running.hosts["gates"].address)
        await running.at("data", lambda rt: prepare(rt, running.plan))
        running.start("gates", "gateways")
        running.start("data", "web", port=WEB_PORT)
        # Whoever finds no gateway at first sends slowly for a while.
        await wait(running, is_open)
        running.start("data", "scheduler")
        # The first host takes every batch; the second is there when it has lost its cable.
        worker = running.start("one", "worker")
        first, second = running.hosts["one"], running.hosts["two"]

        held = await cut_holding(running, first, worker.pid)
        running.start("two", "worker")

        async def is_taken_over(rt: Runtime) -> bool:
            rows = await rt.db.fetch("select id, fence from batch")
            now = {row["id"]: row["fence"] for row in rows}
            return all(now[batch] > fence for batch, fence in held.items())

        await wait(running, is_taken_over)
        first.mend()
        second.lose_way(running.hosts["data"].addresses[1])
        assert await running.at("data", booked) < COUNT

        await wait(running, at_rest, 2)

        async def judge(rt: Runtime) -> list[Comparison]:
            await assert_sums(rt)
            assert await town.states(rt) == {State.DELIVERED: COUNT}
            return await compare_books(rt, CONTROLS)

        (comparison,) = await running.at("data", judge)
        assert (comparison.lost, comparison.duplicated, comparison.unexpected) == (0, 0, 0)
        assert comparison.booked == COUNT
