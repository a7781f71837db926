"""The blows themselves, and what of the campaign was in doubt when they fell."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
from redis.exceptions import RedisError

from outreach.books import plain_key
from outreach.ledger.keys import MESSAGES_PER_BATCH, decode_key
from tests.chaos.ground import Ground, Tempo
from tests.chaos.plan import Strike
from tests.chaos.stack import WORKERS, Stack

# The second look also sees a commit that its dead client had already asked for.
SECOND_LOOK = 0.25

OPEN_WINDOWS = """
select id, settled, watermark from batch
where state = 0 and settled < watermark and (owner = %(owner)s or %(owner)s = '')
"""
HELD = "select id from message where state = 1 and not_before > now()"
_BATCHES = "select id, settled from batch where owner = %(owner)s and state = 0"
OPEN_BATCHES = "select from batch where state = 0 limit 1"
_WAL_WRITER = "select pid from pg_stat_activity where backend_type = 'walwriter'"
FORGOTTEN = 200
PAUSE = 0.05


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
        while one.waits and target in self.stack.down:
            await asyncio.sleep(PAUSE)
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
        await self._look(owner)
        self.stack.start(name)
        return doubt

    async def _kill_holder(self, one: Strike, _: str) -> int:
        """Whoever has sent what the ledger does not know of yet; looked for until there is one, or nothing
        is left to be sent."""
        while (name := await self._holder()) is None:
            if not await self.stack.ask(OPEN_BATCHES):
                return 0
            await asyncio.sleep(PAUSE)
        try:
            return await self._kill_worker(one, name)
        finally:
            self.stack.down.discard(name)

    async def _holder(self) -> str | None:
        """Such a worker, stopped and held down."""
        for name in WORKERS:
            if name in self.stack.down or not await has_sent(self.stack, name):
                continue
            self.stack.down.add(name)
            self.stack.signal(name, signal.SIGSTOP)
            # It may have been about to write it down.
            await asyncio.sleep(SECOND_LOOK)
            if await has_sent(self.stack, name):
                return name
            self.stack.signal(name, signal.SIGCONT)
            self.stack.down.discard(name)
        return None

    async def _freeze_worker(self, one: Strike, name: str) -> int:
        owner, began = self.stack.owner(name), time.monotonic()
        self.stack.signal(name, signal.SIGSTOP)
        self.kills += 1
        doubt = await self._look(owner)
        await asyncio.sleep(one.seconds)
        await self._look(owner)
        # Where the machine stood still as well, it slept longer than the protocol promises to survive: such a
        # one does not wake.
        if time.monotonic() - began > self.tempo.sleep:
            self.stack.signal(name, signal.SIGKILL)
            await self.stack.ended(name)
            self.stack.start(name)
        else:
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

    async def _forget_postgres(self, one: Strike, _: str) -> int:
        """A server that writes late has the campaign itself on its disk, and dies with all that came after,
        when enough has left. Its own writer sleeps: only a commit that insists gets anything to the disk."""
        with psycopg.connect(self.ground.servers.postgres.admin_dsn, autocommit=True) as connection:
            writer = connection.execute(_WAL_WRITER).fetchone()
            assert writer is not None
            os.kill(writer[0], signal.SIGSTOP)
            connection.execute("checkpoint")
        first = booked = await self.stack.booked()
        while booked < first + FORGOTTEN and await self.stack.ask(OPEN_BATCHES):
            await asyncio.sleep(PAUSE)
            booked = await patiently(self.stack.booked, booked)
        return await self._kill_postgres(one, "")

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
        await asyncio.sleep(SECOND_LOOK)
        seen |= await open_messages(self.stack, owner)
        self.in_doubt |= seen
        return len(seen)


async def open_messages(stack: Stack, owner: str) -> set[int]:
    """What stands in the open windows of an owner (all of them: empty), or is being tried again."""
    return message_ids(await stack.ask(OPEN_WINDOWS, {"owner": owner}), await stack.ask(HELD))


def message_ids(windows: Iterable[Mapping[str, int]], held: Iterable[Mapping[str, int]]) -> set[int]:
    """What OPEN_WINDOWS and HELD have found."""
    seen = {row["id"] for row in held}
    for row in windows:
        first = row["id"] * MESSAGES_PER_BATCH
        seen.update(range(first + row["settled"], first + row["watermark"]))
    return seen


async def has_sent(stack: Stack, name: str) -> bool:
    """Whether the gateway has accepted messages of a worker's batch that the worker has not settled."""
    rows = await stack.ask(_BATCHES, {"owner": stack.owner(name)})
    taken = Counter(
        (decode_key(plain_key(entry["key"])) or 0) // MESSAGES_PER_BATCH for entry in await stack.books()
    )
    return any(taken[row["id"]] > row["settled"] for row in rows)


async def patiently(question: Callable[[], Awaitable[int]], before: int) -> int:
    """Ask the gateway; its last answer if it has no time now."""
    try:
        return await question()
    except httpx.HTTPError:
        return before
