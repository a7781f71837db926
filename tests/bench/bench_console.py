"""Pages of the console over a province's registry and ledger, as the browser of a planner waits for them.

Rounds of the past stand in the ledger as their messages, counts and sets; one is running. Each page is asked
for again and again over one connection, one request at a time; what counts is the time until the whole page
is there. The ceiling is the same process' answer without a page (`/health/live`).

    .venv/bin/python -m tests.bench --only console
"""

import time
from dataclasses import dataclass

import httpx
from pyroaring import BitMap

from campaigns.recipients import keep_set
from outreach.db.sql import load_queries
from outreach.governance.accounts import create_account
from outreach.ledger.reached import fold_reached
from outreach.rehearsal import add_gateways, file_templates, free_ports
from outreach.runtime import Runtime
from tests import town
from tests.bench.population import EVERYBODY, PART, settle
from tests.bench.rows import Row, cost
from tests.bench.stage import ADAPTERS, serving, write_templates

_SQL = load_queries(__file__)
_ROUNDS = 5
_TIMES = 40
_BUDGET = 100.0
_PASSWORD = "xiaoshu chuntian he yanzi"
_EXPRESSION = f"{EVERYBODY} and not {PART} and kind = enterprise"


@dataclass(frozen=True, slots=True)
class _Ids:
    campaign: int
    finished: int
    running: int
    household: int


async def run(rt: Runtime, quick: bool) -> list[Row]:
    """100,000 taxpayers and 500,000 messages when quick, otherwise 10 M and 50 M."""
    count = 100_000 if quick else 10_000_000
    await settle(rt, count, count // 3)
    await town.set_clock(rt, town.START)
    await write_templates(rt)
    gateways = await add_gateways(rt, free_ports(), rate=1_000_000, quiet_seconds=900.0)
    await file_templates(rt, gateways)
    rounds = [await _past(rt, count, number, gateways[ADAPTERS["sms"]]) for number in range(_ROUNDS)]
    for table in ("message", "batch", "message_count", "round_set"):
        await rt.db.execute(f"analyze {table}")
    await fold_reached(rt)
    await create_account(
        rt, "setup", login="planner", display_name="李文静", password=_PASSWORD, org_id=1, roles=["planner"]
    )
    first, last = rounds[0], rounds[-1]
    return await _measure(rt, count, _Ids(first["campaign_id"], first["id"], last["id"], count // 2))


async def _past(rt: Runtime, count: int, number: int, gateway: int) -> dict[str, int]:
    """A round that has sent a message to everybody; the last one still runs."""
    code = f"season-{number}"
    await town.launch(rt, ["sms"], code=code, segment=EVERYBODY)
    row = await rt.db.fetch_one(_SQL["round_of"], {"code": code})
    assert row is not None
    state = "running" if number == _ROUNDS - 1 else "finished"
    keys = {"round_id": row["id"], "period": 202603 + number % 3, "count": count, "gateway_id": gateway}
    everybody = BitMap(range(1, count + 1))
    sets = (("audience", "", everybody), ("exclusion", "no_address", BitMap()), ("planned", "", everybody))
    async with rt.db.begin() as conn:
        await conn.execute("select ensure_period('message', %(period)s)", keys)
        for name in ("batches", "messages", "counts", "reached", "carry", "settle"):
            await conn.execute(_SQL[name], {**keys, "state": state})
        for ordinal, (kind, reason, members) in enumerate(sets):
            await keep_set(conn, row["id"], ordinal, kind, reason, members)
    return row


def _pages(ids: _Ids, count: int) -> dict[str, str]:
    return {
        "home": "/console/",
        "campaigns": "/console/campaigns",
        "campaign": f"/console/campaigns/{ids.campaign}",
        "running round": f"/console/rounds/{ids.running}",
        "households without an address": f"/console/rounds/{ids.finished}/households?set=no_address",
        "unknown messages of a round": f"/console/messages?round={ids.finished}&state=1",
        "taxpayers by name": f"/console/taxpayers?q=示例企业{count // 7}",
        "taxpayers by number": f"/console/taxpayers?q={count // 3}",
        "a household": f"/console/taxpayers/{ids.household}",
        "count of a segment": f"/console/segments?expression={_EXPRESSION}",
        "report of a campaign": f"/console/reports/{ids.campaign}",
        "replies": "/console/service/uplinks",
        "search": f"/console/search?q={count // 5}",
    }


async def _measure(rt: Runtime, count: int, ids: _Ids) -> list[Row]:
    size = f"{count / 1e6:g} M taxpayers, {count * _ROUNDS / 1e6:g} M messages"
    async with serving(rt) as base, httpx.AsyncClient(base_url=base, timeout=60) as client:
        fields = {"login": "planner", "password": _PASSWORD}
        answer = await client.post("/console/login", data=fields, headers={"origin": base})
        assert answer.status_code == 303, answer.text
        bare = await _p95(client, "/health/live")
        figures = {name: await _p95(client, path) for name, path in _pages(ids, count).items()}
    return [
        cost(f"console p95, {name}, {size}", value, unit="ms", budget=_BUDGET, ceiling=bare)
        for name, value in figures.items()
    ]


async def _p95(client: httpx.AsyncClient, path: str) -> float:
    """Milliseconds within which 95 of 100 answers are there. The first is left out: it fills caches."""
    (await client.get(path)).raise_for_status()
    taken = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        answer = await client.get(path)
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, (path, answer.status_code)
    return sorted(taken)[int(_TIMES * 0.95) - 1]
