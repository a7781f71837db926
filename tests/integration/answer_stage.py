"""A stage for answers: the taxpayers' pages over the sample households, a campaign that asks to confirm."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from fastapi import FastAPI

from outreach.governance.actor import Actor
from outreach.governance.permissions import permissions_of
from outreach.labels.catalogue import load_builtin
from outreach.labels.derived import refresh_derived
from outreach.runtime import Runtime
from outreach.service.confirmations import publish_matter
from outreach.web.public import PublicDeps, make_public_router
from outreach.web.public_types import Explanation, MessageProof, Rating
from tests.integration.statement_samples import one_link, seed

BODY = "您单位符合小型微利企业普惠性减免条件，系统将自动为您办理，无需申请。"
LABELS = ("iit.unit_confirmed", "iit.waived")


@dataclass
class Visitor:
    """The public pages and one visitor's browser."""

    rt: Runtime
    http: httpx.AsyncClient
    codes: list[str] = field(default_factory=list)

    async def enter(self, **link: Any) -> str:
        """Verify with a fresh link; returns where she lands."""
        token = await one_link(self.rt, **link)
        await self.http.post(f"/t/{token}/code")
        answer = await self.http.post(f"/t/{token}/verify", data={"code": self.codes[-1]})
        return answer.headers["location"]


def staff(org_id: int, path: str, *, name: str = "officer", roles: tuple[str, ...] = ("planner",)) -> Actor:
    """Somebody of a unit."""
    return Actor(1, name, name, permissions_of(roles), org_id, path, org_id, path)


CITY = staff(2, "1.2.")
DISTRICT = staff(3, "1.2.3.", name="district")
NEIGHBOUR = staff(4, "1.2.4.", name="neighbour")


@asynccontextmanager
async def visiting(rt: Runtime) -> AsyncIterator[Visitor]:
    """Settle the sample households and open the pages."""
    await seed(rt)
    async with rt.db.begin() as conn:
        await load_builtin(conn)
        await refresh_derived(conn, source="登记")
    app = FastAPI()
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://t.example.gov.cn") as http:
        made = Visitor(rt, http)
        app.include_router(make_public_router(_deps(rt, made)))
        yield made


def _deps(rt: Runtime, visitor: Visitor) -> PublicDeps:
    async def send_code(person_id: int, code: str, expires_at: datetime) -> None:
        visitor.codes.append(code)

    async def nothing_known(code: str) -> MessageProof | None:
        return None

    async def not_explained(code: str) -> Explanation | None:
        return None

    async def ignore(token: str, how: str) -> None:
        return None

    async def unrated(rating: Rating) -> None:
        return None

    return PublicDeps(rt, send_code, nothing_known, not_explained, ignore, unrated)


async def ask_to_confirm(rt: Runtime, *, kind: str = "confirmation") -> tuple[int, int]:
    """A campaign with one round, and its question where it is one; ids of campaign and round."""
    async with rt.db.begin() as conn:
        campaign = await (
            await conn.execute(
                "insert into campaign (code, name, purpose, kind, legal_basis, org_id, segment, created_by,"
                " state) values ('k', '免申请享受', '确认', %s, '示例依据', 2, 'all', 'maker', 'running')"
                " returning id",
                (kind,),
            )
        ).fetchone()
        assert campaign is not None
        made = await (
            await conn.execute(
                "insert into round (campaign_id, ordinal, name, starts_at, ends_at, segment, state, period)"
                " values (%s, 1, '一', now() - interval '1 day', now() + interval '9 days', '', 'running',"
                " 202601) returning id",
                (campaign["id"],),
            )
        ).fetchone()
        assert made is not None
        if kind == "confirmation":
            await publish_matter(conn, campaign["id"], "maker", title="减免确认", body=BODY, labels=LABELS)
    return int(campaign["id"]), int(made["id"])
