"""Simulated gateways as accounts of ours: for the demo, for training, for tests.

Ports and secrets are chosen here, so that both sides know them: the ledger's gateway rows, and the
simulators that a process of their own runs.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from campaigns.templates import file_template
from channels.gateways.aliyun_rcs import AliyunRcsSimulator
from channels.gateways.aliyun_sms.server import AliyunSmsSimulator
from channels.gateways.base import Faults, Simulator
from channels.gateways.cmpp import CmppSimulator
from channels.gateways.dingtalk import DingtalkSimulator
from channels.gateways.email_smtp.simulator import EmailSmtpSimulator
from channels.gateways.fiveg_bot.accounts import Account as BotAccount
from channels.gateways.fiveg_bot.server import FivegBotGateway
from channels.gateways.fiveg_maap import FivegMaapSimulator
from channels.gateways.smpp import SmppSimulator
from channels.gateways.tencent_sms import TencentSmsSimulator
from channels.gateways.wechat_official.simulator import Account as WechatAccount
from channels.gateways.wechat_official.simulator import WechatOfficialSimulator
from channels.gateways.wecom import WecomSimulator
from outreach.collector import calm_collector
from outreach.errors import InvalidInput
from outreach.ledger.content import file_text
from outreach.ledger.gateways import GatewayDraft, save_gateway
from outreach.ports import unused_ports
from outreach.runtime import Runtime

HOST = "127.0.0.1"
NAMES = ("aliyun_sms", "fiveg_bot", "wechat_official", "email_smtp")

_ADDRESSES = "gateways.addresses.json"
_BOT = BotAccount()
_OFFICIAL = WechatAccount()
_ACCESS = ("rehearsal", "rehearsal-secret")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Where each simulator listens, what it pushes to, and how it behaves. `rates`: messages a second that
    each account allows. `capable`: the share of phones that show 5G messages."""

    ports: dict[str, int]
    callbacks: dict[str, str]
    signature: str
    templates: dict[str, str] = field(default_factory=dict)
    official_templates: dict[str, list[str]] = field(default_factory=dict)
    faults: dict[str, dict[str, Any]] = field(default_factory=dict)
    capable: float = 1.0


def free_ports() -> dict[str, int]:
    """A free loopback port for each simulator."""
    return dict(zip(NAMES, unused_ports(len(NAMES), HOST), strict=True))


async def add_gateways(
    rt: Runtime,
    ports: dict[str, int],
    *,
    rate: float,
    quiet_seconds: float,
    timeout: float = 10.0,
    sms_fallback: bool = False,
) -> dict[str, int]:
    """The accounts at the simulators; returns their ids by name. `rate` is each one's messages a second."""
    ids = {}
    async with rt.db.begin() as conn:
        for name in NAMES:
            secret = secrets.token_hex(24)
            config = _config(name, ports[name], secret, rt.settings.signature, sms_fallback)
            config["timeout"] = timeout
            draft = GatewayDraft(
                f"演练·{_TITLES[name]}",
                name,
                config,
                rate,
                max(1000, int(rate / 4)),
                window_size=_WINDOWS[name],
                quiet_seconds=quiet_seconds,
                secret=secret,
            )
            ids[name] = await save_gateway(conn, rt.settings, draft)
    return ids


_TITLES = {
    "aliyun_sms": "短信",
    "fiveg_bot": "5G消息",
    "wechat_official": "微信公众号",
    "email_smtp": "电子邮件",
}
_WINDOWS = {"aliyun_sms": 500, "fiveg_bot": 200, "wechat_official": 200, "email_smtp": 200}


def _config(name: str, port: int, secret: str, signature: str, sms_fallback: bool) -> dict[str, Any]:
    url = f"http://{HOST}:{port}"
    match name:
        case "aliyun_sms":
            return {
                "endpoint": url,
                "access_key_id": _ACCESS[0],
                "access_key_secret": _ACCESS[1],
                "sign_name": signature,
                "callback_secret": secret,
            }
        case "fiveg_bot":
            return {
                "server_root": url,
                "chatbot_id": _BOT.chatbot_id,
                "app_id": _BOT.app_id,
                "app_key": _BOT.app_key,
                "callback_token": _BOT.callback_token,
                "sms_fallback": sms_fallback,
            }
        case "wechat_official":
            return {
                "api_base": url,
                "app_id": _OFFICIAL.app_id,
                "app_secret": _OFFICIAL.app_secret,
                "callback_token": _OFFICIAL.callback_token,
                "encoding_aes_key": _OFFICIAL.encoding_aes_key,
            }
    return {
        "host": HOST,
        "port": port,
        "tls": "none",
        "from_address": "notice@tax.example.com",
        "from_name": signature,
        "envelope_domain": "bounce.tax.example.com",
        "callback_secret": secret,
        "delivery_receipts": True,
    }


async def plan_rehearsal(
    rt: Runtime,
    ports: dict[str, int],
    ids: dict[str, int],
    *,
    faults: dict[str, dict[str, Any]],
    capable: float,
) -> Rehearsal:
    """File every template with the accounts that want it, and say where to push."""
    texts, official = await file_templates(rt, ids)
    rows = await rt.db.fetch("select id, secret from gateway")
    secret_of = {row["id"]: row["secret"] for row in rows}
    callbacks = {name: f"{rt.settings.base_url}/hooks/{ids[name]}/{secret_of[ids[name]]}" for name in NAMES}
    return Rehearsal(ports, callbacks, rt.settings.signature, texts, official, faults, capable)


async def file_templates(rt: Runtime, ids: Mapping[str, int]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """File every template with the accounts that send nothing else: by code the texts, and the fields, that
    the providers of SMS and of the official account then know. What cannot be filed is left out."""
    texts: dict[str, str] = {}
    official: dict[str, list[str]] = {}
    async with rt.db.begin() as conn:
        cursor = await conn.execute(
            "select v.id, v.content, t.channel from template_version v"
            " join template t on t.id = v.template_id"
        )
        for row in await cursor.fetchall():
            if row["channel"] == "sms":
                try:
                    filed = file_text(row["content"]["text"])
                except InvalidInput:
                    continue
                code = f"SMS_{100_000_000 + row['id']}"
                texts[code] = filed.body
                await file_template(conn, row["id"], ids["aliyun_sms"], code)
            elif row["channel"] == "wechat":
                code = f"TM{row['id']:041d}"
                official[code] = list(row["content"]["fields"])
                await file_template(conn, row["id"], ids["wechat_official"], code)
    return texts, official


def build_simulators(plan: Rehearsal) -> dict[str, Simulator]:
    """The simulators of a plan, not yet listening."""
    faults = {name: Faults(**plan.faults.get(name, {})) for name in NAMES}
    templates = {code: tuple(keys) for code, keys in plan.official_templates.items()}
    official = WechatAccount(templates=templates, daily_quota=10_000_000)
    return {
        "aliyun_sms": AliyunSmsSimulator(
            faults["aliyun_sms"],
            accounts=dict([_ACCESS]),
            signatures=[plan.signature],
            templates=plan.templates,
            report_url=f"{plan.callbacks['aliyun_sms']}/report",
            uplink_url=f"{plan.callbacks['aliyun_sms']}/up",
        ),
        "fiveg_bot": FivegBotGateway(
            faults["fiveg_bot"],
            account=_BOT,
            callback_url=plan.callbacks["fiveg_bot"],
            capable=plan.capable,
            status_batch=100,
        ),
        "wechat_official": WechatOfficialSimulator(
            faults["wechat_official"], official, plan.callbacks["wechat_official"]
        ),
        "email_smtp": EmailSmtpSimulator(faults["email_smtp"], plan.callbacks["email_smtp"]),
    }


ALONE: dict[str, Callable[[], Simulator]] = {
    CmppSimulator.name: CmppSimulator,
    SmppSimulator.name: SmppSimulator,
    TencentSmsSimulator.name: TencentSmsSimulator,
    WecomSimulator.name: WecomSimulator,
    DingtalkSimulator.name: DingtalkSimulator,
    FivegMaapSimulator.name: FivegMaapSimulator,
    AliyunRcsSimulator.name: AliyunRcsSimulator,
}
"""Simulators that need no plan: what they report goes down the connection of whoever has logged in, or to
where their control interface has been told to."""


async def run_alone(name: str, port: int, stop: asyncio.Event, tell: Callable[[str], None]) -> None:
    """Run one simulator at a port until `stop`; `tell` gets the addresses. Raises InvalidInput."""
    if name not in ALONE:
        raise InvalidInput(f"单独启动的仿真网关只有：{'、'.join(ALONE)}", field="only")
    simulator: Simulator = ALONE[name]()
    address = await simulator.start(HOST, port)
    tell(f"{name} {address}，控制 {getattr(simulator, 'control_url', address)}")
    await stop.wait()
    await simulator.stop()


def write_plan(plan: Rehearsal, path: Path) -> None:
    """For the process that runs the simulators."""
    path.write_bytes(orjson.dumps(asdict(plan)))


async def run_simulators(path: Path, stop: asyncio.Event, only: tuple[str, ...] = NAMES) -> None:
    """Run the simulators of a plan until `stop`; their control addresses go to a file beside the plan."""
    plan = Rehearsal(**orjson.loads(path.read_bytes()))
    chosen = {name: simulator for name, simulator in build_simulators(plan).items() if name in only}
    controls = {}
    for name, simulator in chosen.items():
        address = await simulator.start(HOST, plan.ports[name])
        controls[name] = getattr(simulator, "control_url", "") or address
    # Whoever waits for the file must never read half of it.
    draft = path.with_name(f"{_ADDRESSES}.draft")
    draft.write_bytes(orjson.dumps(controls))
    draft.replace(path.with_name(_ADDRESSES))
    calm_collector()
    await stop.wait()
    for simulator in chosen.values():
        await simulator.stop()


def control_addresses(path: Path) -> dict[str, str]:
    """Where the simulators of a plan are controlled; empty until they listen."""
    beside = path.with_name(_ADDRESSES)
    return orjson.loads(beside.read_bytes()) if beside.exists() else {}
