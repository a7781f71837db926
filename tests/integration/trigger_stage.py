"""A stage for trigger rounds: a signed rule in a small town, and a tax system that reports."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft, create_campaign
from campaigns.trigger_rounds import answer_events
from campaigns.trigger_rules import Trigger
from campaigns.triggers import Happening, record_events
from outreach.labels.cache import SetCache
from outreach.ledger.gateways import Fleet
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_approval import DRAFT

STAY = Trigger("page_stay", once="session")
ANY_STAY = Trigger("page_stay")
SMS = (StepDraft("sms", "remind"),)


@asynccontextmanager
async def ruled(
    rt: Runtime, trigger: Trigger, people: Sequence[town.Household] = (), **changes: Any
) -> AsyncIterator[town.Wire]:
    """A town of three, simulated gateways, and a signed campaign with one trigger round of nine days."""
    await town.settle_town(rt, people or town.households(3))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await signed(wire.rt, trigger, **changes)
        yield wire


async def signed(rt: Runtime, trigger: Trigger, **changes: Any) -> int:
    """The campaign, approved; its id."""
    campaign = await create_campaign(rt, "maker", drafted(trigger, **changes))
    await submit_campaign(rt, campaign, "maker")
    await approve_campaign(rt, campaign, "checker")
    return campaign


def drafted(trigger: Trigger, *, steps: tuple[StepDraft, ...] = SMS, **changes: Any) -> CampaignDraft:
    """A draft of one trigger round."""
    rule = RoundDraft("操作指引", town.START, town.START + timedelta(days=9), steps, trigger=trigger)
    return replace(DRAFT, **{"segment": "iit.must_file", **changes}, rounds=(rule,))


def stay(
    key: str, seconds: float = 200, *, taxpayer: int = 1, session: str = "s1", at: datetime = town.START
) -> Happening:
    """Somebody stays on a page."""
    return Happening(key, taxpayer, "page_stay", at, {"seconds": seconds, "session": session})


async def record(rt: Runtime, *events: Happening) -> int:
    """The tax system tells; nobody answers yet."""
    return await record_events(rt, events, source="电子税务局", scope_org_id=town.PROVINCE)


async def answer(rt: Runtime) -> int:
    """What a scheduler that has just started does."""
    return await answer_events(rt, SetCache(), Fleet(rt))


async def report(rt: Runtime, *events: Happening) -> int:
    """The tax system tells, and the scheduler answers."""
    new = await record(rt, *events)
    await answer(rt)
    return new


async def outcomes(rt: Runtime) -> list[str | None]:
    """What became of every event that met a condition, in their order."""
    return [row["outcome"] for row in await rt.db.fetch("select outcome from triggered order by event_id")]


async def told(rt: Runtime) -> list[int]:
    """The persons of all messages in the order of their rounds."""
    rows = await rt.db.fetch("select person_id from message order by round_id, person_id")
    return [row["person_id"] for row in rows]


async def laps(rt: Runtime) -> list[tuple[int, int]]:
    """Audience and planned households of every lap."""
    rows = await rt.db.fetch("select audience, planned from round where lap is not null order by id")
    return [(row["audience"], row["planned"]) for row in rows]
