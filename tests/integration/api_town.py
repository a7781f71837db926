"""A town for the tests of the API: two counties side by side, a key for every unit, and a client."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from pyroaring import BitMap

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.rounds import tick
from outreach.governance.api_keys import create_key
from outreach.governance.permissions import PERMISSIONS
from outreach.governance.vault import open_vault
from outreach.labels.keys import org_key
from outreach.labels.sets import change_sets
from outreach.registry.people import TAX_NO_PURPOSE
from outreach.rehearsal import add_gateways, free_ports, plan_rehearsal
from outreach.runtime import Runtime
from outreach.web.app import close_app, create_app
from tests.town import (
    BRANCH,
    CITY,
    COUNTY,
    GRID,
    PROVINCE,
    START,
    Household,
    households,
    set_clock,
    settle_town,
    ticker,
    write_templates,
)

SISTER, SISTER_BRANCH = 6, 7
UNITS = {
    "province": PROVINCE,
    "city": CITY,
    "county": COUNTY,
    "branch": BRANCH,
    "grid": GRID,
    "sister": SISTER,
    "sister_branch": SISTER_BRANCH,
}
NOT_FOR_KEYS = frozenset(
    {
        "role.assign",
        "account.write",
        "key.write",
        "campaign.approve",
        "campaign.emergency",
        "visit.approve",
        "audit.read",
        "finding.verify",
    }
)
FOR_KEYS = sorted(PERMISSIONS.keys() - NOT_FOR_KEYS)

CAMPAIGN: dict[str, Any] = {
    "code": "c",
    "name": "汇算提醒",
    "purpose": "提醒未办理的纳税人",
    "kind": "statutory_deadline",
    "legal_basis": "国家税务总局令第57号",
    "segment": "iit.must_file",
    "done_segment": "iit.filed",
    "variables": {"tax_year": "2025"},
    "rounds": [
        {
            "name": "第一轮",
            "starts_at": START.isoformat(),
            "ends_at": (START + timedelta(days=9)).isoformat(),
            "steps": [{"channel": "sms", "template": "remind"}],
        }
    ],
}


@dataclass(frozen=True)
class Town:
    """The application over the test's database. `in_county` live in the county's grid, `in_sister` in the
    sister's branch; `keys` hold every permission that a key may hold, by unit."""

    rt: Runtime
    app: FastAPI
    client: httpx.AsyncClient
    keys: dict[int, str]
    in_county: tuple[int, ...]
    in_sister: tuple[int, ...]

    def tax_no(self, taxpayer_id: int) -> str:
        """The number of a household as it stands in the tax system."""
        return f"91330100MA2TEST{taxpayer_id:03d}"

    async def ask(
        self, method: str, path: str, *, unit: int = PROVINCE, key: str | None = None, **options: Any
    ) -> httpx.Response:
        """Call the API with the key of a unit, or with another key."""
        headers = {"authorization": f"Bearer {key or self.keys[unit]}", **options.pop("headers", {})}
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **options)

    async def get(self, path: str, *, unit: int = PROVINCE, **options: Any) -> httpx.Response:
        """GET with the key of a unit."""
        return await self.ask("GET", path, unit=unit, **options)

    async def post(
        self, path: str, json: Any = None, *, unit: int = PROVINCE, **options: Any
    ) -> httpx.Response:
        """POST with the key of a unit."""
        return await self.ask("POST", path, unit=unit, json=json, **options)

    async def key_with(self, *permissions: str, unit: int = PROVINCE) -> str:
        """A key that holds these permissions only."""
        return (
            await create_key(self.rt, "system", name="test", org_id=unit, permissions=permissions, days=1)
        ).key

    async def campaign(self, unit: int, **fields: Any) -> int:
        """Draft a campaign of a unit over the API; returns its id."""
        answer = await self.post("/campaigns", {**CAMPAIGN, "code": f"c{unit}", **fields}, unit=unit)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    async def running_round(self, unit: int, channels: Sequence[str] = ("sms",)) -> tuple[int, int]:
        """A campaign of a unit whose round has planned its messages; ids of campaign and round."""
        await set_clock(self.rt, START)
        ports = free_ports()
        ids = await add_gateways(self.rt, ports, rate=1_000, quiet_seconds=60)
        await plan_rehearsal(self.rt, ports, ids, faults={}, capable=1.0)
        steps = [{"channel": channel, "template": "remind"} for channel in channels]
        campaign = await self.campaign(unit, rounds=[{**CAMPAIGN["rounds"][0], "steps": steps}])
        await submit_campaign(self.rt, campaign, "maker")
        await approve_campaign(self.rt, campaign, "checker")
        await tick(ticker(self.rt))
        row = await self.rt.db.fetch_one("select id from round where campaign_id = %(id)s", {"id": campaign})
        assert row is not None
        return campaign, row["id"]


@asynccontextmanager
async def open_town(rt: Runtime, *, count: int = 8) -> AsyncIterator[Town]:
    """Settle the town, issue the keys and start the application."""
    people = households(count)
    await settle_town(rt, people)
    half = [one.taxpayer for one in people[count // 2 :]]
    await _settle_sister(rt, people, half)
    await write_templates(rt)
    keys = {unit: await _key(rt, unit) for unit in UNITS.values()}
    app = create_app(rt)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        county = tuple(one.taxpayer for one in people[: count // 2])
        yield Town(rt, app, client, keys, county, tuple(half))
    await close_app(app)


async def _settle_sister(rt: Runtime, people: Sequence[Household], moved: Sequence[int]) -> None:
    vault = open_vault(rt.settings)
    units = ((SISTER, CITY, 3, "相邻县", "1.2.6."), (SISTER_BRANCH, SISTER, 4, "相邻分局", "1.2.6.7."))
    async with rt.db.begin() as conn:
        for unit, parent, level, name, path in units:
            await conn.execute(
                "insert into org_unit (id, parent_id, level, code, name, path)"
                " values (%s, %s, %s, %s, %s, %s)",
                (unit, parent, level, f"1{unit:08d}", name, path),
            )
        await conn.execute("update taxpayer set org_id = %s where id = any(%s)", (SISTER_BRANCH, list(moved)))
        changes = {
            org_key(GRID): (BitMap(), BitMap(moved)),
            org_key(SISTER_BRANCH): (BitMap(moved), BitMap()),
        }
        await change_sets(conn, changes, source="town")
        for one in people:
            number = f"91330100MA2TEST{one.taxpayer:03d}"
            sealed = vault.encrypt("taxpayer", "tax_no_enc", one.taxpayer, number)
            index = vault.blind_index(TAX_NO_PURPOSE, number)
            await conn.execute(
                "update taxpayer set tax_no_enc = %s, tax_no_bidx = %s where id = %s",
                (sealed, index, one.taxpayer),
            )


async def _key(rt: Runtime, unit: int) -> str:
    return (await create_key(rt, "system", name="test", org_id=unit, permissions=FOR_KEYS, days=1)).key
