"""The product's own processes: gateways, web, scheduler, workers; and both campaigns, signed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.campaigns import CampaignDraft, create_campaign
from campaigns.templates import save_template
from outreach.ports import unused_port
from outreach.rehearsal import add_gateways, control_addresses, free_ports, plan_rehearsal, write_plan
from outreach.runtime import Runtime
from outreach.setup import ensure_templates
from tests import town
from tests.bench.stage import ADAPTERS, all_at_work, listens, process
from tests.season.people import PROVINCE, People
from tests.season.plan import SPOKEN, WAVES, draft_overdue, draft_season
from tests.season.together import all_in_one

SILENT = 0.002
"""Messages that are accepted, and of which nothing is ever reported."""
_FAULTS: dict[str, dict[str, Any]] = {
    "aliyun_sms": {"fail": 0.012, "silent": SILENT, "twice": 0.01, "shuffle": True, "receipt_delay": 0.02},
    "fiveg_bot": {"fail": 0.006, "silent": SILENT, "twice": 0.01, "read": 0.35, "shuffle": True},
    "wechat_official": {"fail": 0.01, "shuffle": True, "receipt_delay": 0.02},
    "email_smtp": {"fail": 0.02, "shuffle": True, "receipt_delay": 0.02, "unread": 0.98},
}
"""In shares: as in life, a little of everything."""

_CAPABLE = 0.9
_RATE, _QUIET_SECONDS = 1_000_000, 15.0
_START_SECONDS = 180.0
_SCRIPT = "您好，这里是税务局。您尚未办理{{ tax_year }}年度汇算，请在个人所得税APP办理，可拨打12366核实。"


@dataclass(frozen=True, slots=True)
class Stage:
    """`controls`: where each channel's gateway shows its books."""

    rt: Runtime
    controls: Mapping[str, str]
    season_id: int
    overdue_id: int


@asynccontextmanager
async def staged(rt: Runtime, people: People, seed: int, *, workers: int) -> AsyncIterator[Stage]:
    """Everything runs, nothing is due yet; the people must have been written before. Without `workers` one
    process is all of it."""
    await town.set_clock(rt, WAVES[0].starts_at - timedelta(days=10))
    await _write_templates(rt)
    ports, port = free_ports(), unused_port()
    own = replace(rt, settings=rt.settings.model_copy(update={"port": port, "log_level": "ERROR"}))
    ids = await add_gateways(own, ports, rate=_RATE, quiet_seconds=_QUIET_SECONDS)
    plan_file = rt.settings.var / "rehearsal.json"
    write_plan(await plan_rehearsal(own, ports, ids, faults=_FAULTS, capable=_CAPABLE), plan_file)
    season = draft_season(people, seed)
    season_id = await _sign(own, season)
    overdue_id = await _sign(own, draft_overdue(people, season))
    with ExitStack() as stack:
        if workers:
            names: dict[str, tuple[str, ...]] = {
                "gateways": ("gateways", str(plan_file), ",".join(ADAPTERS.values())),
                "web": ("web",),
                "scheduler": ("scheduler",),
                **{f"worker-{number + 1}": ("worker",) for number in range(workers)},
            }
            for name, command in names.items():
                stack.enter_context(process(own, name, *command))
        else:
            stack.enter_context(all_in_one(own, plan_file))
        await _come_up(own, max(workers, 1), port, lambda: bool(control_addresses(plan_file)))
        known = control_addresses(plan_file)
        controls = {channel: known[adapter] for channel, adapter in ADAPTERS.items()}
        yield Stage(own, controls, season_id, overdue_id)


async def _write_templates(rt: Runtime) -> None:
    await ensure_templates(rt, PROVINCE)
    for wave in WAVES:
        for channel in SPOKEN if wave.spoken else ():
            await save_template(
                rt,
                "editor",
                code=f"iit_{wave.stage}",
                name="话术",
                channel=channel,
                content={"text": _SCRIPT},
                org_id=PROVINCE,
                own_variables=frozenset({"tax_year"}),
            )


async def _sign(rt: Runtime, draft: CampaignDraft) -> int:
    campaign_id = await create_campaign(rt, "planner", draft)
    await submit_campaign(rt, campaign_id, "planner")
    await approve_campaign(rt, campaign_id, "approver")
    return campaign_id


async def _come_up(rt: Runtime, workers: int, port: int, listening: Any) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while not (listening() and listens(port)):
            await asyncio.sleep(0.05)
        await all_at_work(rt, workers)
