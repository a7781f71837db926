"""A round over CMPP end to end: texts out, reports and replies in on the same connections, the sums agree."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from campaigns.rounds import tick
from channels.gateways.base import Faults
from outreach.ledger.parts import mark_parts, outcome_of
from outreach.ledger.states import State
from outreach.processes import environment
from outreach.runtime import Runtime
from tests import town
from tests.integration.line_stage import LONG, counts, line_town
from tests.integration.test_ledger import all_final, assert_sums, until, working


@pytest.mark.parametrize("version", ["2.0", "3.0"])
async def test_a_round_reaches_everybody_once(rt: Runtime, version: str) -> None:
    async with line_town(rt, 300, config={"version": version}) as stage:
        await town.launch(rt, ["sms"])
        async with working(rt):
            assert await tick(town.ticker(rt)) == 300
            await until(lambda: all_final(rt))
        assert len(set(stage.booked())) == len(stage.booked()) == 300
    assert await counts(rt) == {State.DELIVERED: 300}
    await assert_sums(rt)


async def test_a_text_in_parts_has_arrived_when_all_parts_have(rt: Runtime) -> None:
    # The simulator reports the last part of every fourth number or so as failed, all others as delivered.
    # They come over two seconds, so that first parts are told long before last ones.
    faults = Faults(fail=0.25, shuffle=True, twice=0.2, seed=5, receipt_delay=0.5)
    async with line_town(rt, 60, text=LONG, faults=faults) as stage:
        await town.launch(rt, ["sms"])
        async with working(rt):
            await tick(town.ticker(rt))
            await until(lambda: all_final(rt))
        assert {entry.parts for entry in stage.simulator.books.entries} == {3}
        books = stage.simulator.books.totals()
    assert books["failed"] > 5
    assert await counts(rt) == {State.DELIVERED: books["delivered"], State.FAILED: books["failed"]}
    rows = await rt.db.fetch("select distinct code from message where state = 4")
    assert [row["code"] for row in rows] == ["UNDELIV"]
    await assert_sums(rt)


async def test_reports_that_come_before_the_answer_find_their_messages(rt: Runtime) -> None:
    async with line_town(rt, 20, text=LONG, faults=Faults(receipts_before_answer=True)):
        await town.launch(rt, ["sms"])
        async with working(rt):
            await tick(town.ticker(rt))
            await until(lambda: all_final(rt))
    assert await counts(rt) == {State.DELIVERED: 20}
    assert await rt.db.fetch("select 1 as one from receipt_orphan") == []


async def test_a_worker_with_nothing_to_send_takes_reports_and_replies(rt: Runtime) -> None:
    faults = Faults(receipt_delay=1.5)
    async with line_town(rt, 3, faults=faults) as stage:
        await town.launch(rt, ["sms"])
        async with working(rt):
            await tick(town.ticker(rt))
            await until(lambda: booked(stage, 3))
        async with working(rt):
            await until(lambda: all_final(rt))
            stage.simulator.uplink({"address": town.mobile(2), "text": "ＴＤ"})
            await until(lambda: opted_out(rt))
    assert await counts(rt) == {State.DELIVERED: 3}
    rows = await rt.db.fetch("select person_id, action from inbound")
    assert [(row["person_id"], row["action"]) for row in rows] == [(2, "opt_out")]


async def test_a_repeated_reply_is_kept_once_and_a_long_one_whole(rt: Runtime) -> None:
    async with line_town(rt, 1, answer_timeout=0.2) as stage, working(rt):
        await until(lambda: connected(stage))
        stage.simulator.uplink({"address": town.mobile(1), "text": "请问如何办理" * 20})
        await until(lambda: inbound(rt, 1))
        stage.simulator.order("cut")
        stage.simulator.uplink({"address": f"86{town.mobile(1)}", "text": "谢谢", "fmt": 15})
        await until(lambda: inbound(rt, 2))
    rows = await rt.db.fetch("select person_id from inbound")
    assert [row["person_id"] for row in rows] == [1, 1]


@contextmanager
def worker(rt: Runtime) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "outreach.cli", "worker"],
        env={**os.environ, **environment(rt.settings), "OUTREACH_LOG_LEVEL": "WARNING"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
async def test_a_killed_worker_sends_nothing_twice_and_the_unknown_are_listed(rt: Runtime) -> None:
    settings = rt.settings.model_copy(update={"lease_seconds": 4.0, "pool_size": 6})
    short = Runtime(settings, rt.db, rt.redis, rt.http)
    async with line_town(rt, 1500, rate=800, config={"timeout": 1.0}, answer_delay=0.02) as stage:
        await town.launch(short, ["sms"])
        await tick(town.ticker(short))
        for share in (300, 700):
            with worker(short):
                await until(lambda share=share: booked(stage, share))
                # What it asks from now on gets no answer: it is killed in the middle of a window.
                stage.simulator.answer_delay = 3600.0
                await asyncio.sleep(0.1)
                await until(lambda: asked(stage))
            stage.simulator.answer_delay = 0.02
        with worker(short):
            await until(lambda: settled(rt), 180)
        numbers = Counter(stage.booked())
    found = await counts(rt)
    assert max(numbers.values()) == 1
    assert set(found) == {State.DELIVERED, State.UNKNOWN}
    assert 0 < found[State.UNKNOWN] <= 2 * 4 * 200
    assert found[State.DELIVERED] + found[State.UNKNOWN] == 1500
    assert found[State.DELIVERED] <= len(numbers) <= 1500
    await assert_sums(rt)


def test_marks_climb_only() -> None:
    ref = mark_parts("11+2d+3f", [("2d", State.DELIVERED), ("99", State.FAILED)])
    assert (ref, outcome_of(ref)) == ("11+2d=+3f", None)
    failed = mark_parts(ref, [("3f", State.FAILED), ("2d", State.FAILED), ("11", State.ACCEPTED)])
    assert (failed, outcome_of(failed)) == ("11+2d=+3f!", State.FAILED)
    whole = mark_parts(failed, [("11", State.DELIVERED), ("3f", State.DELIVERED)])
    assert (whole, outcome_of(whole)) == ("11=+2d=+3f=", State.DELIVERED)


async def booked(stage, count: int) -> bool:
    return len(stage.booked()) >= count


async def asked(stage) -> bool:
    return any(session.waiting for session in stage.simulator.sessions)


async def connected(stage) -> bool:
    return any(session.version for session in stage.simulator.sessions)


async def opted_out(rt: Runtime) -> bool:
    return bool(await rt.db.fetch("select 1 as one from inbound where action = 'opt_out'"))


async def inbound(rt: Runtime, count: int) -> bool:
    return len(await rt.db.fetch("select 1 as one from inbound")) >= count


async def settled(rt: Runtime) -> bool:
    open_batches = await rt.db.fetch("select 1 as one from batch where state = 0 limit 1")
    found = await counts(rt)
    await asyncio.sleep(0.2)
    return not open_batches and not found.keys() & {State.PLANNED, State.ACCEPTED}
