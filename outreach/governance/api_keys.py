"""API keys for the machines of other systems: `ok_` + 8 characters of prefix + `_` + 160 random bits.

Only the SHA-256 of the secret part is stored; the whole key is shown once.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotAuthenticated, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.permissions import check_permissions
from outreach.governance.scope import require_scope
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
MAX_DAYS = 366
PERSONS_ONLY = frozenset(
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
"""Powers that no key may hold: a person stands behind them, with a session."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the only moment when it can be read."""

    id: int
    key: str


async def create_key(
    rt: Runtime, actor: Actor | str, *, name: str, org_id: int, permissions: Iterable[str], days: int
) -> NewKey:
    """Issue a key for an org unit in the actor's scope. Raises InvalidInput, NotFound."""
    wanted = check_permissions(permissions)
    if forbidden := sorted(PERSONS_ONLY.intersection(wanted)):
        raise InvalidInput(f"接口密钥不能持有这些权限：{'、'.join(forbidden)}。", field="permissions")
    if not 1 <= days <= MAX_DAYS:
        raise InvalidInput(f"有效期为 1 到 {MAX_DAYS} 天。", field="days")
    if not name.strip():
        raise InvalidInput("请写明这把密钥给哪个系统使用。", field="name")
    prefix, secret = secrets.token_hex(4), secrets.token_hex(20)
    params = {"prefix": prefix, "hash": _hash(secret), "name": name.strip(), "org_id": org_id, "days": days}
    by = actor.name if isinstance(actor, Actor) else actor
    async with rt.db.begin() as conn:
        if isinstance(actor, Actor):
            await require_scope(conn, actor, org_id)
        row = await (
            await conn.execute(_SQL["create"], {**params, "permissions": wanted, "by": by})
        ).fetchone()
        assert row is not None
        detail = {"org": org_id, "permissions": wanted, "days": days}
        await append_audit(conn, actor, "key.create", f"key:{row['id']}", detail)
    return NewKey(row["id"], f"ok_{prefix}_{secret}")


async def resolve_key(rt: Runtime, key: str) -> Actor:
    """The actor behind a key. Raises NotAuthenticated if it is unknown, revoked or expired."""
    kind, _, rest = key.partition("_")
    prefix, _, secret = rest.partition("_")
    row = await rt.db.fetch_one(_SQL["find"], {"prefix": prefix}) if kind == "ok" else None
    stored = bytes(row["key_hash"]) if row else b""
    if not hmac.compare_digest(stored, _hash(secret)) or row is None:
        raise NotAuthenticated("接口密钥无效、已吊销或已过期。请联系安全管理员换发。")
    return Actor(
        id=0,
        name=f"key:{prefix}",
        display_name=row["name"],
        permissions=frozenset(row["permissions"]),
        org_id=row["org_id"],
        org_path=row["path"],
        home_org_id=row["org_id"],
        home_org_path=row["path"],
    )


async def revoke_key(rt: Runtime, actor: Actor, key_id: int) -> None:
    """End a key at once. Raises NotFound outside the actor's scope."""
    async with rt.db.begin() as conn:
        row = await (await conn.execute(_SQL["revoke"], {"id": key_id, "path": actor.org_path})).fetchone()
        if row is None:
            raise NotFound("没有这把密钥，或者它不在您的数据范围内。")
        await append_audit(conn, actor, "key.revoke", f"key:{key_id}")


async def list_keys(conn: Connection, actor: Actor) -> list[dict[str, Any]]:
    """Keys of the org units in scope, newest first."""
    return await (await conn.execute(_SQL["list"], {"path": actor.org_path})).fetchall()


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
