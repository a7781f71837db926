"""Plays the rounds: moves the calendar, waits until the ledger is at rest, lets taxpayers act."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

from pyroaring import BitMap
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from outreach.db.sql import load_queries
from outreach.demo.behaviour import who_disputes, who_files, who_refuses
from outreach.demo.season import WAIT, WAVES
from outreach.demo.stage import Stage
from outreach.errors import Unavailable
from outreach.governance.vault import open_vault
from outreach.rehearsal import control_addresses
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_EVENTS_AT_ONCE = 500
_REST_SECONDS = 1.2
_LONGEST_SECONDS = 600.0


async def play_rounds(rt: Runtime, stage: Stage, watch: Any, seed: int, console: Console) -> None:
    """All rounds of the season, each with its second look after the waiting time, and the deeds between."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        for ordinal, (name, _, starts_at, ends_at, _) in enumerate(WAVES, start=1):
            with watch.phase(f"round_{ordinal}"):
                task = bars.add_task(f"      {starts_at:%m-%d} {name}", total=None)
                await set_clock(rt, starts_at)
                await _rest(rt, stage, ordinal, bars, task)
                await set_clock(rt, starts_at + WAIT + timedelta(hours=1))
                await _rest(rt, stage, ordinal, bars, task)
                await _act(rt, stage, ordinal, seed, ends_at)
                await set_clock(rt, ends_at + timedelta(minutes=1))
                await _finished(rt, stage, ordinal)


async def before_season(rt: Runtime) -> None:
    """Business time stands still ten days before the first round."""
    await set_clock(rt, WAVES[0][2] - timedelta(days=10))


async def set_clock(rt: Runtime, moment: datetime) -> None:
    """Stop business time at a moment, for every process at once."""
    await rt.db.execute(SQL["set_clock"], {"at": moment})


async def _rest(rt: Runtime, stage: Stage, ordinal: int, bars: Progress, task: Any) -> None:
    """Wait until nothing of the round moves any more."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    before, since = None, time.monotonic()
    while time.monotonic() < deadline:
        row = await rt.db.fetch_one(SQL["progress"], {"campaign_id": stage.campaign_id, "ordinal": ordinal})
        assert row is not None
        if row["planned"] is not None:
            bars.update(task, completed=row["messages"] - row["waiting"], total=row["messages"])
        if row != before or row["planned"] is None or row["waiting"]:
            before, since = row, time.monotonic()
        elif time.monotonic() - since > _REST_SECONDS:
            return
        await asyncio.sleep(0.1)
    raise Unavailable(f"第 {ordinal} 轮在 {_LONGEST_SECONDS:.0f} 秒内没有结束，请查看日志")


async def _finished(rt: Runtime, stage: Stage, ordinal: int) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    keys = {"campaign_id": stage.campaign_id, "ordinal": ordinal}
    while time.monotonic() < deadline:
        row = await rt.db.fetch_one(SQL["state"], keys)
        if row is not None and row["state"] == "finished":
            return
        await asyncio.sleep(0.1)
    raise Unavailable(f"第 {ordinal} 轮没有按时关闭，请查看日志")


async def _act(rt: Runtime, stage: Stage, ordinal: int, seed: int, at: datetime) -> None:
    """Households file, as the tax systems report over the API; a few persons answer R."""
    keys = {"campaign_id": stage.campaign_id, "ordinal": ordinal}
    row = await rt.db.fetch_one(SQL["audience"], keys)
    reached = await rt.db.fetch_one(SQL["reached"], keys)
    assert row is not None and reached is not None
    households = BitMap.deserialize(bytes(row["data"]))
    filing = who_files(households, set(reached["ids"]), seed, ordinal)
    events = [_event(one, ordinal, "filed", at) for one in filing]
    events += [_event(one, ordinal, "disputed", at) for one in who_disputes(households, seed, ordinal)]
    for start in range(0, len(events), _EVENTS_AT_ONCE):
        await _report(rt, stage, events[start : start + _EVENTS_AT_ONCE])
    await _refuse(rt, stage, ordinal, seed, keys)


def _event(household: int, ordinal: int, kind: str, at: datetime) -> dict[str, Any]:
    key = f"iit-{ordinal}-{kind}-{household}"
    return {"key": key, "taxpayer_id": household, "type": kind, "at": at.isoformat()}


async def _report(rt: Runtime, stage: Stage, events: list[dict[str, Any]]) -> None:
    answer = await rt.http.post(
        f"{rt.settings.base_url}/api/v1/events",
        json={"events": events},
        headers={"authorization": f"Bearer {stage.key}"},
        timeout=60,
    )
    if answer.status_code >= 300:
        raise Unavailable(f"事件接口返回 {answer.status_code}")


async def _refuse(rt: Runtime, stage: Stage, ordinal: int, seed: int, keys: dict[str, Any]) -> None:
    vault = open_vault(rt.settings)
    rows = await rt.db.fetch(SQL["told_by_sms"], keys)
    numbers = [
        (row["person_id"], vault.decrypt("address", "value_enc", row["id"], row["value_enc"])) for row in rows
    ]
    control = control_addresses(stage.plan)["aliyun_sms"]
    for number in who_refuses(numbers, seed, ordinal):
        await rt.http.post(f"{control}/_sim/uplink", json={"address": number, "text": "R"})
