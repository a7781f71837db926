"""A town for tests: a few made-up households, and simulated gateways over their real protocols."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pyroaring import BitMap

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft, create_campaign
from campaigns.rounds import Ticker
from campaigns.templates import save_template
from campaigns.wording_guard import ALLOWABLE
from channels.base import WebhookRequest
from channels.gateways.base import Simulator
from channels.gateways.http_server import HttpServer
from outreach.clock import BEIJING
from outreach.governance.vault import open_vault
from outreach.labels.cache import SetCache
from outreach.labels.catalogue import load_builtin
from outreach.labels.keys import kind_key, label_key, org_key, reach_key
from outreach.labels.sets import change_sets
from outreach.ledger.gateways import Fleet
from outreach.ledger.kinds import KINDS, Lane
from outreach.ledger.receipts import ReceiptDesk, accept_push
from outreach.registry.people import ADDRESS_TITLES, TAX_NO_PURPOSE
from outreach.rehearsal import HOST, NAMES, add_gateways, build_simulators, plan_rehearsal
from outreach.rendering.guard import OPT_OUT
from outreach.runtime import Runtime

PROVINCE, CITY, COUNTY, BRANCH, GRID = 1, 2, 3, 4, 5
START = datetime(2026, 3, 16, 9, 0, tzinfo=BEIJING)


@dataclass(frozen=True)
class Household:
    """One taxpayer row of the town: its id, its contact's id, and the contact's addresses."""

    taxpayer: int
    person: int
    mobile: str | None = None
    openid: str | None = None
    email: str | None = None
    rcs: bool | None = False
    wecom: str | None = None
    dingtalk: str | None = None


def mobile(number: int) -> str:
    """The n-th ordinary mobile number of the town."""
    return f"1391{number:07d}"


def households(count: int, **extra: Any) -> list[Household]:
    """`count` households of one person each, with mobile numbers."""
    return [Household(n, n, mobile(n), **extra) for n in range(1, count + 1)]


async def settle_town(rt: Runtime, people: Sequence[Household]) -> None:
    """Write five levels of organisation and the households, all in one grid."""
    vault = open_vault(rt.settings)
    ids = BitMap([one.taxpayer for one in people])
    persons = {one.person: one for one in people}
    async with rt.db.begin() as conn:
        path = ""
        for level, name in enumerate(("示例省", "示例市", "示例县", "第一分局", "一网格"), start=1):
            path += f"{level}."
            await conn.execute(
                "insert into org_unit (id, parent_id, level, code, name, path)"
                " values (%s, %s, %s, %s, %s, %s)",
                (level, level - 1 or None, level, f"1{level:08d}", name, path),
            )
        await load_builtin(conn)
        async with conn.cursor() as cursor:
            await cursor.executemany(
                "insert into person (id, name_enc, id_no_enc, id_no_bidx, digest)"
                " values (%s, %s, %s, %s, '')",
                [
                    (
                        n,
                        vault.encrypt("person", "name_enc", n, f"张{n}"),
                        vault.encrypt("person", "id_no_enc", n, str(n)),
                        vault.blind_index("person.id_no", str(n)),
                    )
                    for n in persons
                ],
            )
            await cursor.executemany(
                "insert into taxpayer (id, kind, name, tax_no_enc, tax_no_bidx, org_id, digest)"
                " values (%s, 'enterprise', %s, %s, %s, %s, '')",
                [
                    (
                        one.taxpayer,
                        f"示例企业{one.taxpayer}",
                        vault.encrypt("taxpayer", "tax_no_enc", one.taxpayer, str(one.taxpayer)),
                        vault.blind_index(TAX_NO_PURPOSE, str(one.taxpayer)),
                        GRID,
                    )
                    for one in people
                ],
            )
            await cursor.executemany(
                "insert into contact (taxpayer_id, person_id) values (%s, %s)",
                [(one.taxpayer, one.person) for one in people],
            )
            await cursor.executemany(
                "insert into role (taxpayer_id, person_id, role) values (%s, %s, 'tax_filer')",
                [(one.taxpayer, one.person) for one in people],
            )
        await _addresses(conn, vault, persons)
        reach = {
            reach_key("sms"): BitMap([o.taxpayer for o in people if persons[o.person].mobile]),
            reach_key("rcs"): BitMap(
                [
                    o.taxpayer
                    for o in people
                    if persons[o.person].mobile and persons[o.person].rcs is not False
                ]
            ),
            reach_key("wechat"): BitMap([o.taxpayer for o in people if persons[o.person].openid]),
            reach_key("email"): BitMap([o.taxpayer for o in people if persons[o.person].email]),
            reach_key("wecom"): BitMap([o.taxpayer for o in people if persons[o.person].wecom]),
            reach_key("dingtalk"): BitMap([o.taxpayer for o in people if persons[o.person].dingtalk]),
        }
        everyone = {org_key(GRID): ids, kind_key("enterprise"): ids, label_key("iit.must_file"): ids}
        changes = {key: (members, BitMap()) for key, members in (everyone | reach).items()}
        await change_sets(conn, changes, source="town")


async def _addresses(conn: Any, vault: Any, persons: dict[int, Household]) -> None:
    rows = []
    for number, one in persons.items():
        values = (one.mobile, one.openid, one.email, one.wecom, one.dingtalk)
        for place, (kind, value) in enumerate(zip(ADDRESS_TITLES, values, strict=True)):
            if value is None:
                continue
            address = number * 8 + place
            bidx = vault.blind_index(f"address.{kind}", value)
            encrypted = vault.encrypt("address", "value_enc", address, value)
            rcs = one.rcs if kind == "mobile" else None
            rows.append((address, number, kind, encrypted, bidx, vault.dest(bidx), rcs))
    async with conn.cursor() as cursor:
        await cursor.executemany(
            "insert into address (id, person_id, kind, value_enc, bidx, dest, rcs)"
            " values (%s, %s, %s, %s, %s, %s, %s)",
            rows,
        )


async def add_label(rt: Runtime, code: str, taxpayers: Sequence[int]) -> None:
    """Give households a label, as an event or an import would."""
    async with rt.db.begin() as conn:
        await change_sets(conn, {label_key(code): (BitMap(taxpayers), BitMap())}, source="test")


async def set_clock(rt: Runtime, moment: datetime) -> None:
    """Stop business time at a moment."""
    await rt.db.execute(
        "insert into business_clock (real_at, business_at, speed) values (now(), %(at)s, 0)"
        " on conflict (only_row) do update set real_at = now(), business_at = excluded.business_at",
        {"at": moment},
    )


CONTENT: dict[str, dict[str, Any]] = {
    "sms": {"text": "{{ taxpayers|list(3) }}：{{ tax_year }}年度汇算尚未办理，请登录个人所得税APP办理。"},
    "rcs": {
        "text": "{{ tax_year }}年度汇算尚未办理，请登录个人所得税APP办理。",
        "title": "个税汇算提醒",
        "body": "{{ taxpayers|list(3) }}：{{ tax_year }}年度汇算尚未办理。",
        "actions": [{"kind": "dial", "label": "咨询12366", "value": "12366"}],
        "chips": [{"kind": "reply", "label": "退订"}],
    },
    "wechat": {"fields": {"thing1": "个税汇算提醒", "thing2": "{{ tax_year }}年度汇算尚未办理"}, "url": ""},
    "email": {
        "subject": "{{ tax_year }}年度汇算提醒",
        "html": "<p>{{ taxpayers|list(3) }}：{{ tax_year }}年度汇算尚未办理。</p>",
        "text": "{{ taxpayers|list(3) }}：{{ tax_year }}年度汇算尚未办理。",
    },
    "wecom": {
        "title": "汇算办理提醒",
        "text": "{{ taxpayers|list(3) }}：{{ tax_year }}年度汇算尚未办理。",
        "url": "https://etax.chinatax.gov.cn/",
    },
    "dingtalk": {"text": "{{ taxpayers|list(3) }}：{{ tax_year }}年度汇算尚未办理。"},
}


async def write_templates(rt: Runtime) -> None:
    """One template of code `remind` per channel, owned by the province, and `publicity`: an SMS that
    tells how to refuse."""
    for channel, content in CONTENT.items():
        await save_template(
            rt, "editor", code="remind", name="提醒", channel=channel, content=content, org_id=PROVINCE
        )
    hinted = {"text": f"{CONTENT['sms']['text']}{OPT_OUT}"}
    await save_template(
        rt, "editor", code="publicity", name="宣传", channel="sms", content=hinted, org_id=PROVINCE
    )


async def launch(
    rt: Runtime,
    channels: Sequence[str],
    *,
    code: str = "test",
    kind: str = "statutory_deadline",
    segment: str = "iit.must_file",
    starts_at: datetime = START,
    rounds: int = 1,
    wait: timedelta = timedelta(days=2),
    **extra: Any,
) -> int:
    """Draft and approve a campaign whose rounds start ten days apart; returns its id."""
    publicity = KINDS[kind].lane is Lane.BULK
    steps = tuple(
        StepDraft(channel, "publicity" if publicity and channel == "sms" else "remind", wait)
        for channel in channels
    )
    waves = tuple(
        RoundDraft(
            f"第{n + 1}轮", starts_at + timedelta(days=10 * n), starts_at + timedelta(days=10 * n + 9), steps
        )
        for n in range(rounds)
    )
    draft = CampaignDraft(
        code,
        "汇算提醒",
        "提醒未办理的纳税人",
        kind,
        "国家税务总局令第57号",
        CITY,
        segment,
        waves,
        done_segment="iit.filed",
        variables={"tax_year": "2025"},
        allowances=tuple(ALLOWABLE),
        **extra,
    )
    campaign_id = await create_campaign(rt, "maker", draft)
    await submit_campaign(rt, campaign_id, "maker")
    await approve_campaign(rt, campaign_id, "checker")
    return campaign_id


_QUIET_TURNS = 10


@dataclass
class Wire:
    """Running simulators and the web address that takes their pushes; `pushes` are those under way."""

    rt: Runtime
    ids: dict[str, int]
    simulators: dict[str, Simulator]
    desk: ReceiptDesk
    pushes: set[object]

    async def quiesce(self) -> None:
        """Wait until no simulator accepts or reports anything more. Turns without news are counted, and not
        seconds, in which a machine that stands still has no news either; nor while a push is under way."""
        before: Any = None
        turns = 0
        while turns < _QUIET_TURNS:
            await asyncio.sleep(0.03)
            totals = [(s.books.totals(), len(s.books.entries)) for s in self.simulators.values()]
            row = await self.rt.db.fetch_one("select count(*) as n from receipt_inbox")
            turns = turns + 1 if (totals, row) == before and not self.pushes else 0
            before = (totals, row)


@asynccontextmanager
async def wired(
    rt: Runtime,
    *,
    quiet_seconds: float = 1.0,
    rate: float = 100_000,
    faults: dict[str, dict[str, Any]] | None = None,
    capable: float = 1.0,
    timeout: float = 20.0,
) -> AsyncIterator[Wire]:
    """Gateways of every channel at simulators in this process; templates must have been written before. An
    answer may take longer than any machine stands still, and shorter than a lease."""
    desk = ReceiptDesk(rt, Fleet(rt))
    pushes: set[object] = set()
    hooks = HttpServer(_hook(desk, pushes))
    base = await hooks.start("127.0.0.1", 0)
    settings = rt.settings.model_copy(update={"public_url": base})
    own = Runtime(settings, rt.db, rt.redis, rt.http)
    with held_ports(len(NAMES)) as held:
        ports = dict(zip(NAMES, held, strict=True))
        ids = await add_gateways(own, ports, rate=rate, quiet_seconds=quiet_seconds, timeout=timeout)
        plan = await plan_rehearsal(own, ports, ids, faults=faults or {}, capable=capable)
        simulators = build_simulators(plan)
        for name in NAMES:
            await simulators[name].start(HOST, ports[name])
    try:
        yield Wire(own, ids, simulators, desk, pushes)
    finally:
        for simulator in simulators.values():
            await simulator.stop()
        await desk.close()
        await hooks.stop()


@contextmanager
def held_ports(count: int) -> Iterator[list[int]]:
    """Ports that nobody else is given meanwhile, because they are bound; who asks for one of them by its
    number may listen there all the same."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((HOST, 0))
        yield [one.getsockname()[1] for one in held]


def _hook(desk: ReceiptDesk, pushes: set[object]) -> Any:
    async def serve(scope: Any, receive: Any, send: Any) -> None:
        push = object()
        pushes.add(push)
        try:
            await take(scope, receive, send)
        finally:
            pushes.discard(push)

    async def take(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        _, _, gateway_id, secret, *_ = scope["path"].split("/")
        pairs = [part.partition("=") for part in scope["query_string"].decode().split("&") if part]
        request = WebhookRequest(
            scope["method"],
            scope["path"],
            {key: value for key, _, value in pairs},
            {name.decode().lower(): value.decode() for name, value in scope["headers"]},
            body,
            "127.0.0.1",
        )
        reply = await accept_push(desk, int(gateway_id), secret, request)
        headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    return serve


def ticker(rt: Runtime) -> Ticker:
    """A scheduler's memory for tests that tick by hand."""
    return Ticker(rt, Fleet(rt), SetCache())


async def states(rt: Runtime) -> dict[int, int]:
    """Messages by state, over all rounds."""
    rows = await rt.db.fetch("select state, count(*)::int as n from message group by state")
    return {row["state"]: row["n"] for row in rows}
