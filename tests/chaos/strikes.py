"""The blows themselves, and what of the campaign was in doubt when they fell."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
from redis.exceptions import RedisError

from tests.chaos.ground import Ground, Tempo
from tests.chaos.plan import Strike
from tests.chaos.stack import WORKERS, Stack

# The second look also sees a commit that its dead client had already asked for.
_SECOND_LOOK = 0.25

_OPEN_WINDOWS = """
select id, settled, watermark from batch
where state = 0 and settled < watermark and (owner = %(owner)s or %(owner)s = '')
"""
_HELD = "select id from message where state = 1 and not_before > now()"


@dataclass(slots=True)
class Arm:
    """Strikes one after another or at once, never two at the same process. `in_doubt`: messages that stood in
    windows, or in second tries, of whoever was struck; `events` is what happened."""

    ground: Ground
    stack: Stack
    began: float
    events: list[dict[str, Any]] = field(default_factory=list)
    in_doubt: set[int] = field(default_factory=set)
    kills: int = 0
    late_stops: int = 0

    @property
    def tempo(self) -> Tempo:
        """How fast all of it goes."""
        return self.ground.tempo

    async def strike(self, one: Strike, booked: int) -> None:
        """Let a blow fall and mend it; skipped if what it would hit is down already."""
        role = one.blow.partition("_")[2] or "gateways"
        target = WORKERS[one.which] if role == "worker" else role
        if target in self.stack.down:
            target = WORKERS[1 - one.which] if role == "worker" else target
        if target in self.stack.down:
            return self._note(one, booked, target, skipped=True)
        self.stack.down.add(target)
        event = self._note(one, booked, target)
        try:
            blow: Callable[[Strike, str], Awaitable[int]] = getattr(self, f"_{one.blow}")
            event["in_doubt"] = await blow(one, target)
        finally:
            self.stack.down.discard(target)
        return None

    def _note(self, one: Strike, booked: int, target: str, **more: Any) -> Any:
        at = round(time.monotonic() - self.began, 2)
        event = {"at": at, "booked": booked, "blow": one.blow, "target": target, **more}
        if one.faults:
            event["faults"] = dict(one.faults)
        self.events.append(event)
        return event

    async def _kill_worker(self, one: Strike, name: str) -> int:
        owner = self.stack.owner(name)
        self.stack.signal(name, signal.SIGKILL)
        self.kills += 1
        doubt = await self._look(owner)
        await asyncio.sleep(one.seconds)
        self.stack.start(name)
        return doubt

    async def _freeze_worker(self, one: Strike, name: str) -> int:
        self.stack.signal(name, signal.SIGSTOP)
        self.kills += 1
        doubt = await self._look(self.stack.owner(name))
        await asyncio.sleep(one.seconds)
        self.stack.signal(name, signal.SIGCONT)
        return doubt

    async def _stop_worker(self, one: Strike, name: str) -> int:
        return await self._restart(one, name)

    async def _kill_web(self, one: Strike, name: str) -> int:
        return await self._kill_service(one, name)

    async def _kill_scheduler(self, one: Strike, name: str) -> int:
        return await self._kill_service(one, name)

    async def _stop_web(self, one: Strike, name: str) -> int:
        return await self._restart(one, name)

    async def _stop_scheduler(self, one: Strike, name: str) -> int:
        return await self._restart(one, name)

    async def _kill_service(self, one: Strike, name: str) -> int:
        self.stack.signal(name, signal.SIGKILL)
        await asyncio.sleep(one.seconds)
        self.stack.start(name)
        return 0

    async def _restart(self, one: Strike, name: str) -> int:
        owner = self.stack.owner(name)
        self.stack.signal(name, signal.SIGTERM)
        if not await self.stack.ended(name):
            self.late_stops += 1
            await self._look(owner)
        await asyncio.sleep(one.seconds / 3)
        self.stack.start(name)
        return 0

    async def _kill_valkey(self, one: Strike, _: str) -> int:
        self.ground.kill_valkey()
        await asyncio.sleep(one.seconds)
        await asyncio.to_thread(self.ground.servers.valkey.start)
        return 0

    async def _fill_valkey(self, one: Strike, _: str) -> int:
        """It answers and takes nothing more, as with a full disk."""
        await self.stack.rt.redis.config_set("maxmemory", 1)
        await asyncio.sleep(one.seconds)
        await self.stack.rt.redis.config_set("maxmemory", 0)
        return 0

    async def _flush_valkey(self, _: Strike, __: str) -> int:
        try:
            await self.stack.rt.redis.flushall()
        except (RedisError, OSError):
            return 0
        return 0

    async def _kill_postgres(self, one: Strike, _: str) -> int:
        self.kills += 1
        before = len(self.in_doubt)
        await self._look("")
        self.ground.kill_postgres()
        await asyncio.sleep(one.seconds)
        await asyncio.to_thread(self.ground.servers.postgres.start)
        await self._look("")
        return len(self.in_doubt) - before

    async def _write_postgres(self, _: Strike, __: str) -> int:
        """So that a server that writes late has the campaign itself on its disk."""
        with psycopg.connect(self.ground.servers.postgres.admin_dsn, autocommit=True) as connection:
            connection.execute("checkpoint")
        return 0

    async def _storm(self, one: Strike, _: str) -> int:
        try:
            await self.stack.behave(**one.faults)
            await asyncio.sleep(one.seconds)
        finally:
            await self.stack.behave()
        return 0

    async def _look(self, owner: str) -> int:
        """Whatever a dead or sleeping owner (all of them: empty) has open now; returns how many."""
        seen = await open_messages(self.stack, owner)
        await asyncio.sleep(_SECOND_LOOK)
        seen |= await open_messages(self.stack, owner)
        self.in_doubt |= seen
        return len(seen)


async def open_messages(stack: Stack, owner: str) -> set[int]:
    """What stands in the open windows of an owner (all of them: empty), or is being tried again."""
    seen: set[int] = set()
    for row in await stack.ask(_OPEN_WINDOWS, {"owner": owner}):
        seen.update(range(row["id"] * 1000 + row["settled"], row["id"] * 1000 + row["watermark"]))
    seen.update(row["id"] for row in await stack.ask(_HELD))
    return seen


async def patiently(question: Callable[[], Awaitable[int]], before: int) -> int:
    """Ask the gateway; its last answer if it has no time now."""
    try:
        return await question()
    except httpx.HTTPError:
        return before
