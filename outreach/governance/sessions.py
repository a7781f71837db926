"""Sessions of the console: random 256-bit tokens, stored as SHA-256; idle 30 minutes, absolute 12 hours."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from outreach.db.sql import load_queries
from outreach.errors import NotAuthenticated
from outreach.governance.actor import Actor
from outreach.governance.attempts import forget_attempts, note_attempt
from outreach.governance.audit import append_audit
from outreach.governance.passwords import verify_password
from outreach.governance.permissions import needs_second_factor, permissions_of
from outreach.governance.scope import check_home
from outreach.governance.totp import use_code
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=12)
_REFUSED = "登录名、密码或验证码不对。请检查大小写；已开通一次性验证码的账号需要同时填写。"


@dataclass(frozen=True, slots=True)
class Session:
    """A live session. `must_enrol`: policy asks for a second factor that is not set up yet, so nothing but
    setting it up is allowed."""

    actor: Actor
    csrf_token: str
    org_name: str
    must_enrol: bool
    second_factor: bool
    roles: tuple[str, ...]
    expires_at: datetime


async def log_in(rt: Runtime, *, login: str, password: str, code: str, remote: str) -> str:
    """Check who it is and return a new session token for the cookie.

    Raises NotAuthenticated with one sentence for every cause, and TooMany after too many tries.
    """
    await note_attempt(rt, login, remote)
    row = await rt.db.fetch_one(_SQL["account"], {"login": login.strip().lower()})
    right = await verify_password(row["password_hash"] if row else None, password)
    if row is None or not right or row["state"] != "active" or not await _second_factor(rt, row, code):
        await _audit_refusal(rt, row, remote)
        raise NotAuthenticated(_REFUSED)
    await forget_attempts(rt, login, remote)
    return await _open(rt, row, remote)


async def resume_session(rt: Runtime, token: str, *, touch: bool = True) -> Session | None:
    """The session behind a cookie, or None. `touch` False leaves the idle clock alone (live fragments)."""
    row = await rt.db.fetch_one(_SQL["resume"], {"hash": _hash(token), "idle": IDLE, "touch": touch})
    return None if row is None else _session_of(row)


async def end_session(rt: Runtime, token: str) -> None:
    """Log out."""
    await rt.db.execute(_SQL["end"], {"hash": _hash(token)})


async def switch_scope(rt: Runtime, actor: Actor, token: str, org_id: int) -> None:
    """Act for another org unit of one's own subtree from now on. Raises NotAllowed."""
    async with rt.db.begin() as conn:
        await check_home(conn, actor, org_id)
        await conn.execute(_SQL["switch"], {"hash": _hash(token), "org_id": org_id})
        await append_audit(conn, actor, "session.scope", f"org:{org_id}")


async def _open(rt: Runtime, account: dict[str, Any], remote: str) -> str:
    token = secrets.token_urlsafe(32)
    params = {
        "hash": _hash(token),
        "id": account["id"],
        "csrf": secrets.token_urlsafe(24),
        "org_id": account["org_id"],
        "second_factor": account["totp_confirmed_at"] is not None,
        "absolute": ABSOLUTE,
    }
    async with rt.db.begin() as conn:
        await conn.execute(_SQL["clean"], {"idle": IDLE})
        await conn.execute(_SQL["open"], params)
        await append_audit(
            conn, account["login"], "session.open", f"account:{account['id']}", {"remote": remote}
        )
    return token


async def _second_factor(rt: Runtime, account: dict[str, Any], code: str) -> bool:
    return account["totp_confirmed_at"] is None or await use_code(rt, account["id"], code)


async def _audit_refusal(rt: Runtime, account: dict[str, Any] | None, remote: str) -> None:
    object = f"account:{account['id']}" if account else "account:unknown"
    async with rt.db.begin() as conn:
        await append_audit(conn, "anonymous", "session.refused", object, {"remote": remote})


def _session_of(row: dict[str, Any]) -> Session:
    enrolled = row["totp_confirmed_at"] is not None
    actor = Actor(
        id=row["account_id"],
        name=row["login"],
        display_name=row["display_name"],
        permissions=permissions_of(row["roles"]),
        org_id=row["scope_org_id"],
        org_path=row["scope_path"],
        home_org_id=row["org_id"],
        home_org_path=row["home_path"],
    )
    return Session(
        actor,
        row["csrf_token"],
        row["scope_name"],
        needs_second_factor(row["roles"]) and not enrolled,
        row["second_factor"],
        tuple(row["roles"]),
        row["expires_at"],
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
