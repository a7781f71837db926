"""Back-off for log-in tries, per account and remote address; a wait, never a permanent lock.

A try is written before the password is looked at, under a lock of its account, so a hundred guesses at the
same moment count as a hundred.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from outreach.db.sql import load_queries
from outreach.errors import TooMany
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
FREE_TRIES = 5
HOURLY_TRIES = 20
HOURLY_TRIES_REMOTE = 200
LOCK = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Tries:
    """Failed tries of the last hour: of this account from this address, and of this address altogether."""

    account: int
    remote: int
    last: datetime | None
    now: datetime


def wait_for(tries: Tries) -> timedelta:
    """How long the next try must wait: nothing, then 2, 4, 8 … seconds, then 15 minutes."""
    if tries.last is None:
        return timedelta(0)
    if tries.account >= HOURLY_TRIES or tries.remote >= HOURLY_TRIES_REMOTE:
        pause = LOCK
    elif tries.account >= FREE_TRIES:
        pause = min(LOCK, timedelta(seconds=2 ** (tries.account - FREE_TRIES + 1)))
    else:
        return timedelta(0)
    return max(timedelta(0), tries.last + pause - tries.now)


async def note_attempt(rt: Runtime, login: str, remote: str) -> None:
    """Write down a try. Raises TooMany, with `seconds` to wait, before anything is compared."""
    params = {"login": _hash(login), "remote": remote}
    async with rt.db.begin() as conn:
        await conn.execute(_SQL["lock"], params)
        row = await (await conn.execute(_SQL["tries"], params)).fetchone()
        assert row is not None
        wait = wait_for(Tries(row["account"], row["remote"], row["last"], row["now"]))
        if wait > timedelta(0):
            seconds = int(wait.total_seconds()) + 1
            raise TooMany(
                f"尝试次数过多，请 {_spoken(seconds)}后再试。忘记密码请联系系统管理员。", seconds=seconds
            )
        await conn.execute(_SQL["note"], params)


async def forget_attempts(rt: Runtime, login: str, remote: str) -> None:
    """After a success: this account starts afresh from this address."""
    await rt.db.execute(_SQL["forget"], {"login": _hash(login), "remote": remote})


def _hash(login: str) -> bytes:
    # People type passwords into the wrong field: what was typed is not kept.
    return hashlib.sha256(login.strip().lower().encode()).digest()


def _spoken(seconds: int) -> str:
    return f"{seconds} 秒" if seconds < 120 else f"{(seconds + 59) // 60} 分钟"
