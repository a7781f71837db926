"""A town with an account on every channel: `town.wired` and the accounts that rehearsals do not have."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from campaigns.templates import file_template
from channels.gateways.base import Faults, Simulator
from channels.gateways.cmpp import CmppSimulator
from channels.gateways.dingtalk import DingtalkSimulator
from channels.gateways.dingtalk.simulator import Account as DingtalkAccount
from channels.gateways.smpp import SmppSimulator
from channels.gateways.tencent_sms import TencentSmsSimulator
from channels.gateways.wecom import WecomSimulator
from channels.gateways.wecom.simulator import Account as WecomAccount
from outreach.governance.vault import open_vault
from outreach.ledger.content import file_text
from outreach.ledger.gateways import ADDRESS_KINDS, GatewayDraft, load_gateways, save_gateway
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.line_stage import CREDENTIALS

_SECRET = "s3cr3tPathSegment0001"
_WECOM, _DINGTALK = WecomAccount(), DingtalkAccount()
WORK_CREDENTIALS: dict[str, dict[str, Any]] = {
    "wecom": {
        "corp_id": _WECOM.corp_id,
        "corp_secret": _WECOM.corp_secret,
        "agent_id": _WECOM.agent_id,
        "callback_token": _WECOM.callback_token,
        "encoding_aes_key": _WECOM.encoding_aes_key,
    },
    "dingtalk": {
        "app_key": _DINGTALK.app_key,
        "app_secret": _DINGTALK.app_secret,
        "agent_id": _DINGTALK.agent_id,
        "callback_token": _DINGTALK.callback_token,
        "encoding_aes_key": _DINGTALK.encoding_aes_key,
    },
}


@dataclass
class EveryChannel:
    """All accounts: ids and simulators by adapter."""

    rt: Runtime
    wire: town.Wire
    ids: dict[str, int]
    simulators: dict[str, Simulator]


@dataclass(frozen=True)
class Sums:
    """One account's books against the ledger, destination by destination."""

    booked: int
    lost: int
    twice: int
    unexpected: int


@asynccontextmanager
async def every_channel(
    rt: Runtime, people: Sequence[town.Household], faults: dict[str, dict[str, Any]] | None = None
) -> AsyncIterator[EveryChannel]:
    """The households, a template per channel, and nine accounts at their simulators."""
    told = faults or {}
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt, faults=told) as wire, AsyncExitStack() as stack:
        stage = EveryChannel(wire.rt, wire, dict(wire.ids), dict(wire.simulators))
        for name in ("tencent_sms", "cmpp", "smpp", "wecom", "dingtalk"):
            simulator = _simulator(name, Faults(**told.get(name, {})))
            where = await simulator.start()
            stack.push_async_callback(simulator.stop)
            stage.simulators[name] = simulator
            stage.ids[name] = await _add(stage, name, where)
        await _file_with_tencent(stage)
        yield stage


def _simulator(name: str, faults: Faults) -> Simulator:
    match name:
        case "tencent_sms":
            return TencentSmsSimulator(faults)
        case "cmpp":
            return CmppSimulator(faults)
        case "smpp":
            return SmppSimulator(faults)
        case "wecom":
            return WecomSimulator(faults)
    return DingtalkSimulator(faults)


async def _add(stage: EveryChannel, name: str, where: str) -> int:
    config: dict[str, Any] = {"timeout": 20.0}
    if name in WORK_CREDENTIALS:
        config |= {"api_base": where, **WORK_CREDENTIALS[name]}
    elif name == "tencent_sms":
        config |= {
            "endpoint": where,
            "secret_id": "testId",
            "secret_key": "testSecret",
            "sdk_app_id": "1400000000",
            "sign_name": stage.rt.settings.signature,
            "callback_secret": _SECRET,
        }
    else:
        config |= {"host": "127.0.0.1", "port": int(where.rpartition(":")[2]), "connections": 2}
        config |= CREDENTIALS[name]
    draft = GatewayDraft(f"演练·{name}", name, config, 100_000, 1000, quiet_seconds=1.0, secret=_SECRET)
    async with stage.rt.db.begin() as conn:
        gateway_id = await save_gateway(conn, stage.rt.settings, draft)
    hook = f"{stage.rt.settings.base_url}/hooks/{gateway_id}/{_SECRET}"
    simulator = stage.simulators[name]
    if isinstance(simulator, TencentSmsSimulator):
        simulator.report_url, simulator.reply_url = f"{hook}/report", f"{hook}/reply"
        simulator.catalogue.signatures.add(stage.rt.settings.signature)
    elif isinstance(simulator, WecomSimulator | DingtalkSimulator):
        simulator.pusher.url = hook
    return gateway_id


async def _file_with_tencent(stage: EveryChannel) -> None:
    row = await stage.rt.db.fetch_one(
        "select v.id from template_version v join template t on t.id = v.template_id where t.channel = 'sms'"
        " and t.code = 'remind'"
    )
    simulator = stage.simulators["tencent_sms"]
    assert row is not None and isinstance(simulator, TencentSmsSimulator)
    places = iter(range(1, 100))
    filed = file_text(town.CONTENT["sms"]["text"]).body
    simulator.catalogue.approve("777", re.sub(r"\$\{\w+\}", lambda _: f"{{{next(places)}}}", filed))
    async with stage.rt.db.begin() as conn:
        await file_template(conn, row["id"], stage.ids["tencent_sms"], "777")


async def compare(stage: EveryChannel) -> dict[str, Sums]:
    """Every account's books against the messages of its batches, by where they went: a person has one
    address of a kind, and CMPP and SMPP carry no key of ours."""
    vault = open_vault(stage.rt.settings)
    sums = {}
    for gateway in (await load_gateways(stage.rt)).values():
        rows = await stage.rt.db.fetch(
            "select m.dest, m.state, m.ref is not null as referred from batch b"
            " join message m on m.period = b.period and m.shard = b.shard"
            " and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000 where b.gateway_id = %(id)s",
            {"id": gateway.id},
        )
        kind = f"address.{ADDRESS_KINDS[gateway.channel]}"
        booked = Counter(
            vault.dest(vault.blind_index(kind, entry.address))
            for entry in stage.simulators[gateway.adapter].books.entries
        )
        sent = {State.ACCEPTED, State.DELIVERED, State.READ}
        held = {row["dest"] for row in rows if row["state"] in sent or row["referred"]}
        doubtful = {row["dest"] for row in rows if row["state"] in (State.UNKNOWN, State.FAILED)}
        sums[gateway.adapter] = Sums(
            booked.total(),
            len(held - booked.keys()),
            sum(count - 1 for count in booked.values()),
            len(booked.keys() - held - doubtful),
        )
    return sums
