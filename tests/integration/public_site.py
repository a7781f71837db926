"""The taxpayers' pages on a database of their own, with what they ask of other areas kept for the tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from outreach.runtime import Runtime
from outreach.statements.bill import issue_yearly_bills
from outreach.web.explanations import explain_link
from outreach.web.public import PublicDeps, make_public_router
from outreach.web.public_types import Explanation, MessageProof, Rating
from tests.integration.statement_samples import make_city, one_link

AT = datetime.fromisoformat("2026-01-20T09:30:00+08:00")


@dataclass
class Site:
    """The pages on a database of their own, and what they asked others to do."""

    rt: Runtime
    http: httpx.AsyncClient
    app: FastAPI
    codes: list[str] = field(default_factory=list)
    sent_to: list[int] = field(default_factory=list)
    stopped: list[tuple[str, str]] = field(default_factory=list)
    ratings: list[Rating] = field(default_factory=list)
    gateway_down: bool = False

    async def send_code(self, person_id: int, code: str, expires_at: datetime) -> None:
        """Stands where the gateway of one-time codes is wired."""
        if self.gateway_down:
            raise ConnectionError("no gateway")
        self.codes.append(code)
        self.sent_to.append(person_id)

    async def check(self, code: str) -> MessageProof | None:
        """One message is known."""
        return MessageProof("示例市税务局", "汇算提醒", AT) if code == "K7M2QX" else None

    async def explain(self, code: str) -> Explanation | None:
        """The same message."""
        return Explanation("示例市税务局", "提醒", "征管法", "您有应办事项", AT) if code == "K7M2QX" else None

    async def stop(self, token: str, source: str) -> None:
        """Keeps what would be recorded as an opt-out."""
        self.stopped.append((token, source))

    async def rate(self, rating: Rating) -> None:
        """Keeps what would go to the service desk."""
        self.ratings.append(rating)

    async def open(self, **link: Any) -> None:
        """Verify with a fresh link."""
        token = await one_link(self.rt, **link)
        await self.http.post(f"/t/{token}/code")
        answer = await self.http.post(f"/t/{token}/verify", data={"code": self.codes[-1]})
        assert answer.headers["location"] == "/statement"


@asynccontextmanager
async def open_site(rt: Runtime, folder: Path, remote: str = "203.0.113.7") -> AsyncIterator[Site]:
    """A made-up city with its bills of 2025, and a visitor."""
    await make_city(rt, folder)
    await issue_yearly_bills(rt, 2025, scope_org_id=1)
    app = FastAPI()
    async with visitor(app, remote) as http:
        made = Site(rt, http, app)
        deps = PublicDeps(
            rt, made.send_code, made.check, made.explain, made.stop, made.rate,
            explain_visit=partial(explain_link, rt),
        )  # fmt: skip
        app.include_router(make_public_router(deps))
        yield made


def visitor(app: FastAPI, remote: str) -> httpx.AsyncClient:
    """A browser somewhere."""
    transport = httpx.ASGITransport(app, client=(remote, 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://t.example.gov.cn")


def shape(answer: httpx.Response, token: str) -> tuple[int, str, list[tuple[str, str]]]:
    """What somebody without the code can see of an answer, the token put aside."""
    headers = [(name, value.replace(token, "T")) for name, value in answer.headers.items()]
    return answer.status_code, answer.text.replace(token, "T"), sorted(headers)
