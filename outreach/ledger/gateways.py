"""Gateway accounts: an adapter, its credentials and its limits."""

import asyncio
import contextlib
import secrets
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from channels.base import Adapter, Facts
from channels.errors import GatewayError
from channels.registry import ADAPTERS
from channels.tokens import TokenStore
from outreach.config import Settings
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.governance.vault import open_vault
from outreach.ledger.breaker import Breaker
from outreach.ledger.limits import Rate
from outreach.ledger.meter import Meter
from outreach.ledger.token_store import ValkeyTokens
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

ADDRESS_KINDS = {
    "sms": "mobile",
    "rcs": "mobile",
    "wechat": "openid",
    "email": "email",
    "wecom": "wecom_userid",
    "dingtalk": "dingtalk_userid",
}
"""Channel to the kind of address that it reaches."""

CARRIED = {name: adapter for name, adapter in ADAPTERS.items() if adapter.facts.channel in ADDRESS_KINDS}
"""The adapters whose channel the ledger carries."""

FILED_ONLY = sorted(name for name, adapter in ADAPTERS.items() if "filed_template" in adapter.facts.features)
"""The adapters whose provider sends filed texts only."""

_REFRESH_SECONDS = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0
_SEND_TIMEOUTS = 1.5
"""The adapter contract: `send` returns within so many request time-outs."""


@dataclass(frozen=True, slots=True)
class GatewayDraft:
    """What a technician enters. `config` is checked against the adapter's own settings."""

    name: str
    adapter: str
    config: dict[str, Any]
    rate: float
    burst: int
    window_size: int = 200
    quiet_seconds: float = 900.0
    weight: int = 100
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Gateway:
    """An account as the ledger uses it. `quiet_seconds`: how long an unknown outcome rests before it is
    looked into (lease + request time-out + the provider's longest late acceptance + a margin). `weight`: its
    part of the channel's new batches; `open`: in service; `may_probe`: its breaker waits for one message."""

    id: int
    name: str
    channel: str
    adapter: str
    config_enc: bytes
    secret: str
    window_size: int
    quiet_seconds: float
    weight: int
    open: bool
    breaker: Breaker
    may_probe: bool
    rate: Rate

    @property
    def active(self) -> bool:
        """Whether messages may be sent through it freely."""
        return self.open and self.breaker is Breaker.CLOSED

    @property
    def facts(self) -> Facts:
        """What the adapter declares about its provider."""
        return ADAPTERS[self.adapter].facts


async def save_gateway(conn: Connection, settings: Settings, draft: GatewayDraft) -> int:
    """Add an account, or change the one of this name. Raises InvalidInput with the field that is wrong."""
    adapter = CARRIED.get(draft.adapter)
    if adapter is None:
        known = "、".join(sorted(CARRIED))
        raise InvalidInput(f"没有适配器 {draft.adapter}，可用：{known}", field="adapter")
    try:
        adapter.config_type.model_validate(draft.config)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"网关配置项 {field} 有误：{first['msg']}", field=field) from error
    row = await (await conn.execute("select id from gateway where name = %s", (draft.name,))).fetchone()
    if row is None:
        row = await (await conn.execute(SQL["next_gateway_id"])).fetchone()
        query = SQL["add_gateway"]
    else:
        query = SQL["change_gateway"]
    assert row is not None
    gateway_id: int = row["id"]
    await reset_pace(conn, gateway_id)
    text = orjson.dumps(draft.config).decode()
    await conn.execute(
        query,
        {
            "id": gateway_id,
            "name": draft.name,
            "channel": adapter.facts.channel.value,
            "adapter": draft.adapter,
            "config": open_vault(settings).encrypt("gateway", "config_enc", gateway_id, text),
            "secret": draft.secret or secrets.token_urlsafe(24),
            "rate": draft.rate,
            "burst": draft.burst,
            "window": draft.window_size,
            "quiet": draft.quiet_seconds,
            "weight": draft.weight,
        },
    )
    return gateway_id


async def reset_pace(conn: Connection, gateway_id: int) -> None:
    """Somebody has mended the account: it is tried at once, and the weights of its channel hold again."""
    await conn.execute(SQL["reset_pace"], {"id": gateway_id})


async def load_gateways(rt: Runtime) -> dict[int, Gateway]:
    """All accounts by id."""
    rows = await rt.db.fetch(SQL["all_gateways"])
    return {
        row["id"]: Gateway(
            row["id"],
            row["name"],
            row["channel"],
            row["adapter"],
            bytes(row["config_enc"]),
            row["secret"],
            row["window_size"],
            row["quiet_seconds"],
            row["weight"],
            row["state"] == "active",
            Breaker(row["breaker"]),
            row["may_probe"],
            Rate(row["id"], row["rate"], row["burst"]),
        )
        for row in rows
    }


def build_adapter(
    settings: Settings, gateway: Gateway, tokens: TokenStore | None = None
) -> tuple[Adapter, float]:
    """The account's adapter, not yet opened, and the seconds within which its `send` returns. `tokens`: where
    the processes share access tokens; None for an adapter that is never opened."""
    adapter = ADAPTERS[gateway.adapter]
    text = open_vault(settings).decrypt("gateway", "config_enc", gateway.id, gateway.config_enc)
    config = adapter.config_type.model_validate_json(text)
    shared = {"tokens": tokens} if adapter.shares_tokens else {}
    return adapter(config, **shared), config.timeout * _SEND_TIMEOUTS  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Account:
    """An open gateway account: `seconds` is the longest that one of its sends takes."""

    adapter: Adapter
    seconds: float
    config_enc: bytes


@dataclass(frozen=True, slots=True)
class _Failure:
    """An account that could not be opened is left alone until `until` (monotonic)."""

    error: GatewayError
    config_enc: bytes
    pause: float
    until: float


class Fleet:
    """The open accounts of one process; those that were changed are opened anew.

    An account that cannot be opened is tried again with growing pauses, or when its settings change: a
    provider's token desk has its quota too. One that does not answer holds up no other.
    """

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self.meter = Meter()
        self._tokens = ValkeyTokens(rt.redis, open_vault(rt.settings))
        self._gateways: dict[int, Gateway] = {}
        self._loaded_at = -_REFRESH_SECONDS
        self._open: dict[int, Account] = {}
        self._failures: dict[int, _Failure] = {}
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._retired: list[tuple[float, Adapter]] = []

    async def gateways(self) -> dict[int, Gateway]:
        """All accounts, read again every second."""
        asked_at = time.monotonic()
        if asked_at - self._loaded_at > _REFRESH_SECONDS:
            self._gateways = await load_gateways(self._rt)
            self._loaded_at = asked_at
        return self._gateways

    async def gateway(self, gateway_id: int) -> Gateway:
        """One account's settings. Raises KeyError if there is none."""
        known = await self.gateways()
        if gateway_id not in known:
            self._loaded_at = -_REFRESH_SECONDS
            known = await self.gateways()
        return known[gateway_id]

    async def adapter(self, gateway_id: int) -> Adapter:
        """The account's open adapter. Raises GatewayError if it cannot be opened."""
        return (await self.account(gateway_id)).adapter

    def has_opened(self, gateway_id: int) -> bool:
        """Whether this process holds the account open already."""
        return gateway_id in self._open

    async def account(self, gateway_id: int) -> Account:
        """The open account. Raises GatewayError if it cannot be opened, or could not a moment ago."""
        gateway = await self.gateway(gateway_id)
        held = self._open.get(gateway_id)
        if held is not None and held.config_enc == gateway.config_enc:
            return held
        async with self._locks[gateway_id]:
            held = self._open.get(gateway_id)
            if held is None or held.config_enc != gateway.config_enc:
                await self._change(gateway, held)
            return self._open[gateway_id]

    async def _change(self, gateway: Gateway, held: Account | None) -> None:
        failure = self._failures.get(gateway.id)
        if failure is not None and failure.config_enc != gateway.config_enc:
            failure = None
        if failure is not None and time.monotonic() < failure.until:
            self.meter.refuse(gateway.id, failure.error)
            raise GatewayError(failure.error.fault, failure.error.message, failure.error.code)
        adapter, seconds = build_adapter(self._rt.settings, gateway, self._tokens)
        try:
            await adapter.open()
        except GatewayError as error:
            pause = min(_LONGEST_PAUSE, failure.pause * 2) if failure else _FIRST_PAUSE
            until = time.monotonic() + pause
            self._failures[gateway.id] = _Failure(error, gateway.config_enc, pause, until)
            await adapter.close()
            self.meter.refuse(gateway.id, error)
            raise
        self._failures.pop(gateway.id, None)
        await self._retire(held)
        self._open[gateway.id] = Account(adapter, seconds, gateway.config_enc)
        get_log().info("gateway.opened", gateway=gateway.id, adapter=gateway.adapter)

    async def _retire(self, held: Account | None) -> None:
        # A window that is under way ends with the adapter it began with.
        now = time.monotonic()
        if held is not None:
            self._retired.append((now + self._rt.settings.lease_seconds, held.adapter))
        due = [adapter for until, adapter in self._retired if until <= now]
        self._retired = [(until, adapter) for until, adapter in self._retired if until > now]
        for adapter in due:
            await _close(adapter)

    async def close(self) -> None:
        """Close every adapter."""
        for adapter in [*(held.adapter for held in self._open.values()), *(old for _, old in self._retired)]:
            await _close(adapter)
        self._open.clear()
        self._retired.clear()


async def _close(adapter: Adapter) -> None:
    with contextlib.suppress(GatewayError, OSError):
        await adapter.close()
