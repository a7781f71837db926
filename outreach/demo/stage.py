"""Sets the stage: accounts, templates, gateways at the simulators, and the approved campaign."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.campaigns import create_campaign
from outreach.demo.city import City
from outreach.demo.season import draft_season
from outreach.governance.accounts import create_account
from outreach.governance.api_keys import create_key
from outreach.rehearsal import add_gateways, free_ports, plan_rehearsal, write_plan
from outreach.rendering.starters import load_season
from outreach.runtime import Runtime
from outreach.setup import ensure_templates

_FAULTS = {
    "aliyun_sms": {"fail": 0.012, "silent": 0.002, "twice": 0.01, "shuffle": True, "receipt_delay": 0.05},
    "fiveg_bot": {"fail": 0.006, "silent": 0.002, "twice": 0.01, "read": 0.35, "shuffle": True},
    "wechat_official": {"fail": 0.01, "silent": 0.001, "shuffle": True},
    "email_smtp": {"fail": 0.02, "shuffle": False},
}
"""What goes wrong at the gateways of the demo, in shares: as in life, a little of everything."""

_RATE = 20_000.0
_QUIET_SECONDS = 15.0
_CAPABLE = 0.8


@dataclass(frozen=True, slots=True)
class Stage:
    """A set stage. `key` is the API key under which the made-up tax systems report events."""

    city: City
    campaign_id: int
    plan: Path
    login: str
    password: str
    key: str


async def open_stage(rt: Runtime, city: City, plan: Path) -> Stage:
    """Write everything that a bureau would have set up before the season."""
    password = secrets.token_urlsafe(12)
    for login, name, role in (("planner", "统筹岗·示例", "planner"), ("approver", "审批岗·示例", "approver")):
        await create_account(
            rt, "system", login=login, display_name=name, password=password, org_id=city.root, roles=(role,)
        )
    key = await create_key(
        rt, "system", name="演示·税收业务系统", org_id=city.root, permissions=("event.write",), days=30
    )
    await ensure_templates(rt, city.root)
    ports = free_ports()
    ids = await add_gateways(rt, ports, rate=_RATE, quiet_seconds=_QUIET_SECONDS)
    write_plan(await plan_rehearsal(rt, ports, ids, faults=_FAULTS, capable=_CAPABLE), plan)
    draft = draft_season(city.root, load_season().samples)
    campaign_id = await create_campaign(rt, "planner", draft)
    await submit_campaign(rt, campaign_id, "planner")
    await approve_campaign(rt, campaign_id, "approver")
    return Stage(city, campaign_id, plan, "planner", password, key.key)
