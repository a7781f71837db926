"""Gateway accounts: an adapter, its credentials and its limits."""

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from channels.base import Adapter, Facts
from channels.errors import GatewayError
from channels.registry import ADAPTERS
from outreach.config import Settings
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.governance.vault import open_vault
from outreach.ledger.limits import Rate
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_REFRESH_SECONDS = 5.0
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
    looked into (lease + request time-out + the provider's longest late acceptance + a margin)."""

    id: int
    name: str
    channel: str
    adapter: str
    config_enc: bytes
    secret: str
    window_size: int
    quiet_seconds: float
    receipt_seconds: float
    weight: int
    active: bool
    rate: Rate

    @property
    def facts(self) -> Facts:
        """What the adapter declares about its provider."""
        return ADAPTERS[self.adapter].facts


async def save_gateway(conn: Connection, settings: Settings, draft: GatewayDraft) -> int:
    """Add an account, or change the one of this name. Raises InvalidInput with the field that is wrong."""
    adapter = ADAPTERS.get(draft.adapter)
    if adapter is None:
        known = "、".join(sorted(ADAPTERS))
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


async def load_gateways(rt: Runtime) -> dict[int, Gateway]:
    """All accounts by id."""
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
            row["receipt_seconds"],
            row["weight"],
            row["state"] == "active",
            Rate(row["id"], row["rate"], row["burst"]),
        )
        for row in await rt.db.fetch(SQL["all_gateways"])
    }


def build_adapter(settings: Settings, gateway: Gateway) -> tuple[Adapter, float]:
    """The account's adapter, not yet opened, and the seconds within which its `send` returns."""
    adapter = ADAPTERS[gateway.adapter]
    text = open_vault(settings).decrypt("gateway", "config_enc", gateway.id, gateway.config_enc)
    config = adapter.config_type.model_validate_json(text)
    return adapter(config), config.timeout * _SEND_TIMEOUTS  # type: ignore[call-arg]


class Fleet:
    """The open adapters of one process; accounts that were changed are opened anew."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self._gateways: dict[int, Gateway] = {}
        self._loaded_at = -_REFRESH_SECONDS
        self._open: dict[int, tuple[bytes, Adapter, float]] = {}
        self._lock = asyncio.Lock()

    async def gateways(self) -> dict[int, Gateway]:
        """All accounts, read again every few seconds."""
        if time.monotonic() - self._loaded_at > _REFRESH_SECONDS:
            self._gateways = await load_gateways(self._rt)
            self._loaded_at = time.monotonic()
        return self._gateways

    async def gateway(self, gateway_id: int) -> Gateway:
        """One account. Raises KeyError if there is none."""
        known = await self.gateways()
        if gateway_id not in known:
            self._loaded_at = -_REFRESH_SECONDS
            known = await self.gateways()
        return known[gateway_id]

    async def adapter(self, gateway_id: int) -> Adapter:
        """The account's open adapter. Raises GatewayError if it cannot be opened."""
        return (await self._held(gateway_id))[1]

    async def timeout(self, gateway_id: int) -> float:
        """Seconds within which a `send` of the account returns. Raises GatewayError like `adapter`."""
        return (await self._held(gateway_id))[2]

    async def _held(self, gateway_id: int) -> tuple[bytes, Adapter, float]:
        gateway = await self.gateway(gateway_id)
        async with self._lock:
            held = self._open.get(gateway_id)
            if held is not None and held[0] == gateway.config_enc:
                return held
            adapter, timeout = build_adapter(self._rt.settings, gateway)
            await adapter.open()
            if held is not None:
                await held[1].close()
            self._open[gateway_id] = (gateway.config_enc, adapter, timeout)
            get_log().info("gateway.opened", gateway=gateway.id, adapter=gateway.adapter)
            return self._open[gateway_id]

    async def close(self) -> None:
        """Close every adapter."""
        for _, adapter, _timeout in self._open.values():
            with contextlib.suppress(GatewayError, OSError):
                await adapter.close()
        self._open.clear()
