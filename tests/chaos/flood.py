"""Receipts in a flood while whoever takes them is killed: is one that was acknowledged ever lost?

    python -m tests.chaos.flood [--seconds 600] [--rate 10000] [--every 20] [--count 50000]

A provider pushes `--rate` receipts a second in pushes of 500 to the real address, and repeats a push until it
is acknowledged; the web process is killed (SIGKILL) every so many seconds. Every receipt has a reference of
its own, so that afterwards each acknowledged one is looked for in the database. Meanwhile two workers merge.
The exit code tells whether the gates hold (gate R6 of docs/chaos.md).
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import quantiles

import orjson
import psycopg
import uvloop
from psycopg_pool import PoolTimeout
from rich.console import Console

from channels.http import Http, MaybeSent, NotSent
from outreach.ledger.keys import encode_key
from outreach.logs import configure_logs
from outreach.runtime import Runtime, close_runtime, open_runtime
from tests import town
from tests.bench.population import mobile
from tests.chaos.ground import Tempo, prepared
from tests.chaos.kinds import B
from tests.chaos.stack import Stack, staged

_PUSH = 500
_LANES = 16
_JSON = {"content-type": "application/json; charset=utf-8"}
_ACK_SECONDS, _LAG_SECONDS = 0.5, 10.0
_ANSWER_SECONDS = 10.0
_REPEAT_PAUSE = 0.2

_LAG = """
select coalesce((
    select extract(epoch from clock_timestamp() - arrived_at) from receipt_inbox
    where (arrived_in, id) > ((select arrived_in from receipt_cursor), (select id from receipt_cursor))
    order by receipt_inbox.arrived_in, id limit 1
), 0)::float8 as lag
"""
_KEPT = """
select split_part(ref, '^', 1)::int as push, count(distinct ref)::int as n from receipt_inbox
where ref is not null group by 1
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """For how long, how many receipts a second, how many seconds between two kills, for how many messages;
    the last push waits until so many `kills` have fallen."""

    seconds: float = 600.0
    rate: float = 10_000.0
    every: float = 20.0
    count: int = 50_000
    kills: int = 0


@dataclass(slots=True)
class Flood:
    """What the provider knows: pushes acknowledged, seconds of each acknowledgement, pushes repeated, and the
    longest that a receipt waited for its merge. `lost`: acknowledged, and not in the database."""

    acknowledged: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    repeated: int = 0
    kills: int = 0
    lag: float = 0.0
    lost: int = 0


def main() -> int:
    """Play it; returns the exit code."""
    plan = _options()
    configure_logs("ERROR", as_json=False)
    with tempfile.TemporaryDirectory(prefix="flood-") as folder:
        flood = uvloop.run(play(Path(folder), plan))
    late = quantiles(flood.seconds, n=100)[98]
    Console(width=160, highlight=False).print(
        f"{len(flood.acknowledged) * _PUSH:,} receipts in {plan.seconds:.0f} s, web killed {flood.kills}"
        f" times, pushes repeated {flood.repeated}, acknowledged and lost {flood.lost}, acknowledged within"
        f" {late * 1000:.0f} ms (p99), merged within {flood.lag:.1f} s"
    )
    return 1 if flood.lost or late > _ACK_SECONDS or flood.lag > _LAG_SECONDS else 0


def _options() -> Plan:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.flood")
    usual = Plan()
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="how long")
    parser.add_argument("--rate", type=float, default=usual.rate, help="receipts a second")
    parser.add_argument("--every", type=float, default=usual.every, help="seconds between two kills")
    parser.add_argument("--count", type=int, default=usual.count, help="messages that the receipts are for")
    return Plan(**vars(parser.parse_args()))


async def play(folder: Path, plan: Plan) -> Flood:
    """Pour, kill, merge, and look for each acknowledged receipt."""
    quiet = replace(B, faults={"silent": 1.0})
    async with (
        prepared(folder, plan.count, Tempo()) as ground,
        ground.database("flood") as settings,
    ):
        rt = await open_runtime(settings, name="provider")
        try:
            await rt.redis.flushall()
            async with staged(rt, quiet, plan.count, None, ground.tempo, 0.0) as stack:
                await town.launch(rt, [quiet.channel], kind="do_it_reminder", code="flood")
                await _all_accepted(rt, plan.count)
                flood = await _pour(stack, rt, plan)
                await _merged(rt)
            kept = {row["push"]: row["n"] for row in await rt.db.fetch(_KEPT)}
        finally:
            await close_runtime(rt)
    flood.lost = sum(_PUSH - kept.get(number, 0) for number in flood.acknowledged)
    return flood


async def _all_accepted(rt: Runtime, count: int) -> None:
    async with asyncio.timeout(300):
        query = "select count(*)::int as n from message where state = 2"
        while await rt.db.fetch_one(query) != {"n": count}:
            await asyncio.sleep(0.5)


async def _pour(stack: Stack, rt: Runtime, plan: Plan) -> Flood:
    messages = await rt.db.fetch("select id, person_id from message order by id")
    row = await rt.db.fetch_one("select id, secret from gateway where state = 'active'")
    assert row is not None
    url = f"{rt.settings.base_url}/hooks/{row['id']}/{row['secret']}/report"
    flood, http = Flood(), Http(_ANSWER_SECONDS, _LANES)
    pushes = int(plan.seconds * plan.rate / _PUSH)
    began = time.monotonic()
    following = iter(range(pushes))

    async def lane() -> None:
        for number in following:
            await asyncio.sleep(max(0.0, began + number * _PUSH / plan.rate - time.monotonic()))
            while number == pushes - 1 and flood.kills < plan.kills:
                await asyncio.sleep(0.1)
            await _push(http, url, _body(messages, number), number, flood)

    async with asyncio.TaskGroup() as group:
        others = [
            group.create_task(_kill(stack, flood, plan.every)),
            group.create_task(_watch(rt, flood)),
        ]
        lanes = [asyncio.create_task(lane()) for _ in range(_LANES)]
        await asyncio.gather(*lanes)
        for task in others:
            task.cancel()
    await http.close()
    return flood


async def _push(http: Http, url: str, body: bytes, number: int, flood: Flood) -> None:
    while True:
        began = time.monotonic()
        try:
            answer = await http.request("POST", url, headers=_JSON, body=body)
        except (NotSent, MaybeSent):
            answer = None
        if answer is not None and answer.status == 200:
            flood.acknowledged.append(number)
            flood.seconds.append(time.monotonic() - began)
            return
        flood.repeated += 1
        await asyncio.sleep(_REPEAT_PAUSE)


def _body(messages: Sequence[Mapping[str, int]], number: int) -> bytes:
    first = number * _PUSH
    return orjson.dumps(
        [
            {
                "phone_number": mobile(one["person_id"]),
                "send_time": "2026-03-16 09:00:00",
                "report_time": "2026-03-16 09:00:05",
                "success": True,
                "err_code": "DELIVERED",
                "err_msg": "用户接收成功",
                "sms_size": "1",
                "biz_id": f"{number}^{place}",
                "out_id": encode_key(one["id"]),
            }
            for place in range(_PUSH)
            for one in (messages[(first + place) % len(messages)],)
        ]
    )


async def _kill(stack: Stack, flood: Flood, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        stack.down.add("web")
        stack.signal("web", signal.SIGKILL)
        await stack.ended("web")
        stack.start("web")
        stack.down.discard("web")
        flood.kills += 1


async def _watch(rt: Runtime, flood: Flood) -> None:
    while True:
        await asyncio.sleep(1.0)
        try:
            row = await rt.db.fetch_one(_LAG)
        except (psycopg.Error, PoolTimeout):
            continue
        flood.lag = max(flood.lag, row["lag"] if row else 0.0)


async def _merged(rt: Runtime) -> None:
    async with asyncio.timeout(300):
        while (row := await rt.db.fetch_one(_LAG)) and row["lag"] > 0:
            await asyncio.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
