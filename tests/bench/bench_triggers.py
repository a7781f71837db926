"""Triggers: from the POST of an event to the gateway's books while a bulk round runs through the account.

One event each 20 milliseconds over the real API, each of a household of its own; the clock of an event
starts before its request and ends when the gateway's books show its message (asked each 10 milliseconds).
The floor is the same while the bulk round stands, in the same run. The account's rate leaves the worker's
processor room, as in bench_lanes: what is measured is the way of an event, not a full event loop, in which
every sender waits alike.

    .venv/bin/python -m tests.bench --only triggers
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import httpx

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft, create_campaign
from campaigns.trigger_rules import Trigger
from outreach.governance.api_keys import create_key
from outreach.rehearsal import HOST
from outreach.runtime import Runtime
from tests import town
from tests.bench.population import EVERYBODY, PART, PROVINCE, openid, settle
from tests.bench.rows import Row, cost
from tests.bench.stage import ADAPTERS, Stage, staged, working

_RATE, _BURST = 1000.0, 200
_APART = 0.02
_LOOK = 0.01
_BUDGET = 2.0
_PATIENCE = 60.0


async def run(rt: Runtime, quick: bool) -> list[Row]:
    """40,000 households and twice 200 events when quick; otherwise 400,000 and twice 1,000."""
    people, events = (40_000, 200) if quick else (400_000, 1_000)
    await settle(rt, people + 2 * events, people)
    async with staged(rt, ("wechat",)) as stage, working(stage, 1):
        keys = {"rate": _RATE, "burst": _BURST, "id": stage.gateways[ADAPTERS["wechat"]]}
        await rt.db.execute("update gateway set rate = %(rate)s, burst = %(burst)s where id = %(id)s", keys)
        await town.launch(stage.rt, ["wechat"], code="bulk", kind="policy_push", segment=PART)
        await _rule(stage.rt)
        made = await create_key(
            rt, "system", name="events", org_id=PROVINCE, permissions=["event.write"], days=1
        )
        async with asyncio.timeout(_PATIENCE):
            while not await _is_cut(stage, people):
                await asyncio.sleep(0.1)
        await rt.db.execute("update round set state = 'paused' where id = 1")
        idle = await _waits_of(stage, made.key, range(people + 1, people + events + 1))
        await rt.db.execute("update round set state = 'running' where id = 1")
        busy = await _waits_of(stage, made.key, range(people + events + 1, people + 2 * events + 1))
        left = await _left(stage)
    return [
        cost("event to gateway, bulk stands: median", _at(idle, 0.5), unit="s"),
        cost("event to gateway, bulk stands: p99", _at(idle, 0.99), unit="s"),
        cost("event to gateway, bulk runs: median", _at(busy, 0.5), unit="s"),
        cost("event to gateway, bulk runs: p99", _at(busy, 0.99), unit="s", budget=_BUDGET),
        cost("bulk messages still waiting at the end", float(left), unit="messages"),
    ]


async def _rule(rt: Runtime) -> None:
    ends_at = town.START + timedelta(days=9)
    rule = RoundDraft(
        "指引", town.START, ends_at, (StepDraft("wechat", "remind"),), trigger=Trigger("page_stay", "session")
    )
    draft = CampaignDraft(
        "rule", "操作指引", "停留过久的给指引", "do_it_reminder", "征管法", PROVINCE, EVERYBODY, (rule,),
        done_segment="iit.filed", quota_messages=5, quota_days=7, variables={"tax_year": "2025"},
    )  # fmt: skip
    campaign = await create_campaign(rt, "maker", draft)
    await submit_campaign(rt, campaign, "maker")
    await approve_campaign(rt, campaign, "checker")


async def _waits_of(stage: Stage, key: str, households: range) -> list[float]:
    """Seconds from each event's POST to the books."""
    asked: dict[str, float] = {}
    booked: dict[str, float] = {}
    control = stage.controls[ADAPTERS["wechat"]]
    totals = (await stage.rt.http.get(f"{control}/_sim/totals")).json()
    watching = asyncio.create_task(_watch(stage, totals["accepted"], booked, {openid(n) for n in households}))
    address = f"http://{HOST}:{stage.rt.settings.port}/api/v1/events"
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {key}"}) as client:
        for number in households:
            began = asked[openid(number)] = time.monotonic()
            event = {
                "key": f"k{number}", "taxpayer_id": number, "type": "page_stay", "at": town.START.isoformat(),
                "details": {"seconds": 180.5, "session": f"s{number}"},
            }  # fmt: skip
            (await client.post(address, json={"events": [event]})).raise_for_status()
            await asyncio.sleep(max(0.0, _APART - (time.monotonic() - began)))
    async with asyncio.timeout(_PATIENCE):
        await watching
    return [booked[one] - asked[one] for one in asked]


async def _watch(stage: Stage, after: int, booked: dict[str, float], wanted: set[str]) -> None:
    control = stage.controls[ADAPTERS["wechat"]]
    while len(booked) < len(wanted):
        answer = (await stage.rt.http.get(f"{control}/_sim/books", params={"after": after})).json()
        now, after = time.monotonic(), answer["next"]
        for entry in answer["entries"]:
            if entry["address"] in wanted:
                booked.setdefault(entry["address"], now)
        await asyncio.sleep(_LOOK)


async def _is_cut(stage: Stage, people: int) -> bool:
    """Whether a good part of the bulk is cut."""
    row = await stage.rt.db.fetch_one("select count(*)::int as n from message where round_id = 1")
    return row is not None and row["n"] >= min(people, 20_000)


async def _left(stage: Stage) -> int:
    row = await stage.rt.db.fetch_one("select sum(n - settled)::int as n from batch where round_id = 1")
    assert row is not None
    return int(row["n"] or 0)


def _at(waits: Sequence[float], share: float) -> float:
    return sorted(waits)[min(len(waits) - 1, int(len(waits) * share))]
