"""One-time codes as second factor (RFC 6238: SHA-1, 30 s, 6 digits, one step of drift either way)."""

import hmac
import time

import pyotp

from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput
from outreach.governance.accounts import find_account
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.vault import open_vault
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
_STEP = 30
ISSUER = "税务触达平台"


async def begin_enrolment(rt: Runtime, actor: Actor) -> str:
    """Make (or repeat, until confirmed) the account's secret; returns the `otpauth://` address for a QR code.

    Raises Conflict when a second factor is already set up.
    """
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        row = await (await conn.execute(_SQL["lock"], {"id": actor.id})).fetchone()
        assert row is not None
        if row["totp_confirmed_at"] is not None:
            raise Conflict("一次性验证码已经开通。更换设备请联系系统管理员重置。")
        if row["totp_secret_enc"] is None:
            secret = pyotp.random_base32()
            sealed = vault.encrypt("account", "totp_secret", actor.id, secret)
            await conn.execute(_SQL["store"], {"id": actor.id, "secret": sealed})
        else:
            secret = vault.decrypt("account", "totp_secret", actor.id, bytes(row["totp_secret_enc"]))
    return pyotp.TOTP(secret).provisioning_uri(name=actor.name, issuer_name=ISSUER)


async def confirm_enrolment(rt: Runtime, actor: Actor, code: str) -> None:
    """Turn the second factor on once the first code is right. Raises InvalidInput."""
    if not await use_code(rt, actor.id, code):
        raise InvalidInput("验证码不对。请核对手机时间，输入当前显示的 6 位数字。", field="code")
    async with rt.db.begin() as conn:
        await conn.execute(_SQL["confirm"], {"id": actor.id})
        await append_audit(conn, actor, "account.second_factor", f"account:{actor.id}", {"on": True})


async def use_code(rt: Runtime, account_id: int, code: str) -> bool:
    """Whether the code is right now and was never used before; a right code is spent by asking."""
    row = await rt.db.fetch_one(_SQL["secret"], {"id": account_id})
    if row is None or row["totp_secret_enc"] is None:
        return False
    secret = open_vault(rt.settings).decrypt(
        "account", "totp_secret", account_id, bytes(row["totp_secret_enc"])
    )
    step = _matching_step(pyotp.TOTP(secret), code.strip(), int(time.time()) // _STEP)
    return step is not None and await rt.db.execute(_SQL["spend"], {"id": account_id, "step": step}) == 1


async def reset_second_factor(rt: Runtime, actor: Actor, account_id: int) -> None:
    """Take an account's second factor away (lost device); its sessions end."""
    if actor.id == account_id:
        raise Conflict("不能重置自己的一次性验证码，请由另一位系统管理员办理。")
    async with rt.db.begin() as conn:
        await find_account(conn, actor, account_id)
        await conn.execute(_SQL["reset"], {"id": account_id})
        await append_audit(conn, actor, "account.second_factor", f"account:{account_id}", {"on": False})


def _matching_step(totp: pyotp.TOTP, code: str, now: int) -> int | None:
    # All three are compared, so the answer takes the same time whichever fits.
    fits = [step for step in (now - 1, now, now + 1) if hmac.compare_digest(totp.generate_otp(step), code)]
    return fits[-1] if fits else None
