"""Receipts in by webhook: verified, parsed and durable before the answer, then merged into messages.

The pushes go to the product's web process over HTTP and are answered by it; this process is the provider.
`CPU of bench` is what the provider's side costs here. The ceiling of the pushes is a bare COPY of the same
rows, that of the merge one bare UPDATE per 10,000 rows, matching nothing and counting nothing.

    .venv/bin/python -m tests.bench --only receipts
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from channels.http import Http
from outreach.db.copy import copy_rows
from outreach.ledger.keys import encode_key
from outreach.ledger.merge import merge_receipts
from outreach.runtime import Runtime
from tests import town
from tests.bench.meters import between, read
from tests.bench.population import EVERYBODY, mobile, settle
from tests.bench.rows import Row, cost, rate
from tests.bench.stage import ADAPTERS, Stage, staged

_REQUEST = 100
_PUSH = 500
_MERGED_AT_ONCE = 10_000
_JSON = {"content-type": "application/json; charset=utf-8"}
_COLUMNS = (
    ("period", "int4"),
    ("gateway_id", "int2"),
    ("message_id", "int8"),
    ("whole_request", "bool"),
    ("dest", "int8"),
    ("ref", "text"),
    ("state", "int2"),
    ("code", "text"),
    ("fallback", "bool"),
    ("at", "timestamptz"),
)

Message = Mapping[str, Any]


async def run(rt: Runtime, quick: bool) -> list[Row]:
    """40,000 receipts in batches and 6,000 one by one when quick, otherwise 400,000 and 60,000. The requests
    of the first half of those in batches carried a hundred messages each, the others one."""
    count, singles = (40_000, 6_000) if quick else (400_000, 60_000)
    await settle(rt, count, 1)
    async with staged(rt, ("sms",)) as stage:
        messages = await _planned(stage, count)
        url = await _address(stage)
        half = count // 2
        batches = [_body(messages[first : first + _PUSH]) for first in range(0, half, _PUSH)]
        in_batches = await _pushed(stage, url, batches, 16, half)
        merged = await _merged(rt)
        batches = [_body(messages[first : first + _PUSH], request=1) for first in range(half, count, _PUSH)]
        await _pushed(stage, url, batches, 16, half)
        alone, statements = await _merged(rt), await _bare_updates(rt, messages)
        one_by_one = await _pushed(stage, url, [_body([one]) for one in messages[:singles]], 64, singles)
        copied = await _bare_copy(rt, stage, messages)
    return [
        *_rows("receipts in pushes of 500", "receipts/s", in_batches, 10_000, copied),
        *_rows("receipts one by one", "requests/s", one_by_one, 3_000, copied),
        rate("receipts merged into messages", merged, unit="receipts/s", ceiling=statements),
        rate("the same, requests of one message", alone, unit="receipts/s", ceiling=statements),
    ]


async def _planned(stage: Stage, count: int) -> list[Message]:
    await town.launch(stage.rt, ["sms"], code="receipts", segment=EVERYBODY)
    async with asyncio.timeout(120):
        while await stage.rt.db.fetch_one("select sum(n)::int as n from batch") != {"n": count}:
            await asyncio.sleep(0.2)
    return await stage.rt.db.fetch("select period, shard, id, person_id, dest from message order by id")


async def _address(stage: Stage) -> str:
    gateway = stage.gateways[ADAPTERS["sms"]]
    row = await stage.rt.db.fetch_one("select secret from gateway where id = %(id)s", {"id": gateway})
    assert row is not None
    return f"{stage.rt.settings.base_url}/hooks/{gateway}/{row['secret']}/report"


def _body(messages: Sequence[Message], request: int = _REQUEST) -> bytes:
    """An SmsReport push (Aliyun's HTTP batch push): a JSON array, one item a message. `request`: how many
    messages one carried."""
    return orjson.dumps(
        [
            {
                "phone_number": mobile(message["person_id"]),
                "send_time": "2026-03-16 09:00:00",
                "report_time": "2026-03-16 09:00:05",
                "success": True,
                "err_code": "DELIVERED",
                "err_msg": "用户接收成功",
                "sms_size": "1",
                "biz_id": "900619746936498440^0",
                "out_id": encode_key(message["id"] // request * request),
            }
            for message in messages
        ]
    )


async def _pushed(
    stage: Stage, url: str, bodies: Sequence[bytes], lanes: int, count: int
) -> tuple[float, dict[str, float]]:
    """Receipts a second, and microseconds of CPU a receipt by process."""
    http, work = Http(30.0, lanes), iter(bodies)

    async def lane(bodies: Iterator[bytes]) -> None:
        for body in bodies:
            answer = await http.request("POST", url, headers=_JSON, body=body)
            assert answer.status == 200, answer

    before = read(stage.pids)
    await asyncio.gather(*(lane(work) for _ in range(lanes)))
    split = between(before, read(stage.pids))
    await http.close()
    return count / split.seconds, {name: split.micros(name, count) for name in split.cpu}


async def _merged(rt: Runtime) -> float:
    began, count = time.monotonic(), 0
    while found := await merge_receipts(rt):
        count += found
    return count / (time.monotonic() - began)


async def _bare_updates(rt: Runtime, messages: Sequence[Message]) -> float:
    await rt.db.execute("create table bare_message (like message including all) with (fillfactor = 60)")
    await rt.db.execute("insert into bare_message select * from message")
    await rt.db.execute("analyze bare_message")
    began = time.monotonic()
    for first in range(0, len(messages), _MERGED_AT_ONCE):
        part = messages[first : first + _MERGED_AT_ONCE]
        keys = {"shards": [one["shard"] for one in part], "ids": [one["id"] for one in part]}
        await rt.db.execute(
            "update bare_message m set state = 3, at = now()"
            " from unnest(%(shards)s::smallint[], %(ids)s::bigint[]) as n (shard, id)"
            " where m.period = %(period)s and m.shard = n.shard and m.id = n.id",
            {**keys, "period": part[0]["period"]},
        )
    return len(messages) / (time.monotonic() - began)


async def _bare_copy(rt: Runtime, stage: Stage, messages: Sequence[Message]) -> float:
    gateway, at = stage.gateways[ADAPTERS["sms"]], datetime(2026, 3, 16, 9, tzinfo=town.START.tzinfo)
    await rt.db.execute("create table bare_inbox (like receipt_inbox including all)")
    began = time.monotonic()
    for first in range(0, len(messages), _PUSH):
        rows = [
            (one["period"], gateway, one["id"], True, one["dest"], "900619746936498440^0", 3, "", False, at)
            for one in messages[first : first + _PUSH]
        ]
        async with rt.db.begin() as conn:
            await copy_rows(conn, "bare_inbox", _COLUMNS, rows)
    return len(messages) / (time.monotonic() - began)


def _rows(
    title: str, unit: str, pushed: tuple[float, dict[str, float]], budget: float, ceiling: float
) -> Iterator[Row]:
    speed, cpu = pushed
    yield rate(f"{title}, durable before the answer", speed, unit=unit, budget=budget, ceiling=ceiling)
    for name in ("bench", "postgres", "web"):
        yield cost(f"{title}: CPU of {name}", cpu[name], unit="us/receipt")
