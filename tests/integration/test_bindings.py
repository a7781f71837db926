"""A taxpayer who has proved herself binds her openid: over the pages and the platform's login, she alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI

from channels.gateways.wechat_official.simulator import Account, WechatOfficialSimulator
from outreach.governance.vault import open_vault
from outreach.labels.cache import SetCache
from outreach.ledger.bindings import begin_binding, confirm_binding, take_binding
from outreach.ledger.gateways import Fleet, GatewayDraft, save_gateway
from outreach.runtime import Runtime
from outreach.statements.bill import issue_yearly_bills
from outreach.web.public import PublicDeps, make_public_router
from outreach.web.public_binding import BACK
from outreach.web.public_types import Binding
from tests.integration.statement_samples import COMPANY, make_city, one_link

OPENID = "oVisitor000000000000000000001"
HOST = "http://t.example.gov.cn"


@dataclass
class Stage:
    """The pages, the simulated platform and a visitor's phone."""

    rt: Runtime
    fleet: Fleet
    platform: WechatOfficialSimulator
    app: FastAPI
    phone: httpx.AsyncClient
    codes: list[str] = field(default_factory=list)

    def another_phone(self) -> httpx.AsyncClient:
        """A browser without her cookie."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=HOST)

    async def prove(self, phone: httpx.AsyncClient) -> None:
        """Open a statement with the one-time code."""
        token = await one_link(self.rt)
        await phone.post(f"/t/{token}/code")
        answer = await phone.post(f"/t/{token}/verify", data={"code": self.codes[-1]})
        assert answer.headers["location"] == "/statement"

    async def return_address(self) -> str:
        """Begin, and let the platform send her back."""
        begun = await self.phone.get("/wechat/begin")
        assert begun.status_code == 303
        async with httpx.AsyncClient(timeout=60) as browser:
            return str((await browser.get(begun.headers["location"])).headers["location"])

    async def bound(self) -> dict[int, str]:
        """Openids by person."""
        vault = open_vault(self.rt.settings)
        rows = await self.rt.db.fetch("select id, person_id, value_enc from address where kind = 'openid'")
        return {
            row["person_id"]: vault.decrypt("address", "value_enc", row["id"], row["value_enc"])
            for row in rows
        }


@pytest.fixture
async def stage(rt: Runtime, tmp_path: Path) -> AsyncIterator[Stage]:
    await make_city(rt, tmp_path)
    await issue_yearly_bills(rt, 2025, scope_org_id=1)
    platform = WechatOfficialSimulator(account=Account())
    base = await platform.start()
    platform.logins.visitor = OPENID
    own = platform.account
    config = {
        "api_base": base,
        "login_base": base,
        "app_id": own.app_id,
        "app_secret": own.app_secret,
        "callback_token": own.callback_token,
        "encoding_aes_key": own.encoding_aes_key,
        "timeout": 30,
    }
    async with rt.db.begin() as conn:
        await save_gateway(conn, rt.settings, GatewayDraft("公众号", "wechat_official", config, 100, 100))
    fleet, app = Fleet(rt), FastAPI()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOST) as phone:
        made = Stage(rt, fleet, platform, app, phone)

        async def send_code(_person: int, code: str, _until: datetime) -> None:
            made.codes.append(code)

        async def nothing(*_: object) -> None:
            return None

        binding = Binding(
            partial(begin_binding, rt, fleet, back=f"{HOST}{BACK}"),
            partial(take_binding, rt, fleet),
            partial(confirm_binding, rt),
        )
        deps = PublicDeps(rt, send_code, nothing, nothing, nothing, nothing, binding)
        app.include_router(make_public_router(deps))
        yield made
    await fleet.close()
    await platform.stop()


async def test_who_proved_herself_binds_her_openid_and_is_reached(stage: Stage) -> None:
    await stage.prove(stage.phone)
    assert (await stage.phone.get("/wechat")).status_code == 200
    back = await stage.return_address()
    # The visit from WeChat comes without the strict cookie.
    async with stage.another_phone() as foreign:
        kept = await foreign.get(back)
    assert kept.headers["location"].startswith("/wechat/confirm?state=")
    assert await stage.bound() == {}
    shown = await stage.phone.get(kept.headers["location"])
    (state,) = parse_qs(urlsplit(kept.headers["location"]).query)["state"]
    assert state in shown.text
    done = await stage.phone.post("/wechat/confirm", data={"state": state})
    assert done.headers["location"] == "/wechat/done"
    contact = await stage.rt.db.fetch_one(
        "select person_id from contact where taxpayer_id = %(id)s", {"id": COMPANY.id}
    )
    assert contact is not None
    assert await stage.bound() == {contact["person_id"]: OPENID}
    row = await stage.rt.db.fetch_one("select usable, verified_at from address where kind = 'openid'")
    assert row is not None and row["usable"] and row["verified_at"] is not None
    assert COMPANY.id in (await SetCache().load(stage.rt, ["reach:wechat"]))["reach:wechat"]
    held = await stage.rt.db.fetch_one("select value_enc from address_binding")
    assert held == {"value_enc": None}


async def test_a_state_serves_once_and_only_the_visit_that_began(stage: Stage) -> None:
    await stage.prove(stage.phone)
    back = await stage.return_address()
    (state,) = parse_qs(urlsplit(back).query)["state"]
    assert (await stage.phone.post("/wechat/confirm", data={"state": state})).status_code == 400
    assert (await stage.phone.get(back)).status_code == 303
    fresh = parse_qs(urlsplit(await stage.return_address()).query)["code"][0]
    assert (await stage.phone.get(BACK, params={"state": state, "code": fresh})).status_code == 400
    async with stage.another_phone() as other:
        assert (await other.post("/wechat/confirm", data={"state": state})).status_code == 401
        await stage.prove(other)
        assert (await other.post("/wechat/confirm", data={"state": state})).status_code == 400
    assert await stage.bound() == {}
    assert (await stage.phone.post("/wechat/confirm", data={"state": state})).status_code == 303
    assert (await stage.phone.post("/wechat/confirm", data={"state": state})).status_code == 400


async def test_forged_old_and_foreign_states_and_used_codes_bind_nothing(stage: Stage) -> None:
    await stage.prove(stage.phone)
    first = parse_qs(urlsplit(await stage.return_address()).query)
    forged = first["state"][0][:-1] + ("0" if first["state"][0][-1] != "0" else "1")
    for state in (forged, "", "é" * 64, "0" * 64):
        answer = await stage.phone.get(BACK, params={"state": state, "code": first["code"][0]})
        assert answer.status_code == 400
    assert (
        await stage.phone.get(BACK, params={"state": first["state"][0], "code": "nothing"})
    ).status_code == 400
    back = await stage.return_address()
    await stage.rt.db.execute("update address_binding set expires_at = now()")
    assert (await stage.phone.get(back)).status_code == 400
    assert await stage.bound() == {}


async def test_without_a_verified_visit_nothing_begins(stage: Stage) -> None:
    for path in ("/wechat", "/wechat/begin"):
        assert (await stage.phone.get(path)).status_code == 401
    assert await stage.rt.db.fetch("select 1 as one from address_binding") == []
