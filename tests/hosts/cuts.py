"""Which cables are pulled, which lines go bad, when and for how long: drawn from a seed alone, and done."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import product
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from outreach.clock import utc_now
from tests.chaos import mutants
from tests.chaos.ground import Tempo
from tests.chaos.plan import Strike
from tests.chaos.stack import WORKERS, Stack, insist
from tests.chaos.strikes import (
    FORGOTTEN,
    OPEN_BATCHES,
    OPEN_WINDOWS,
    PAUSE,
    SECOND_LOOK,
    has_sent,
    message_ids,
    open_messages,
    patiently,
)
from tests.hosts.doubled import HOSTS, Doubled
from tests.hosts.net import Host

CUTS = (
    "standby",
    "valkey",
    "worker",
    "worker_postgres",
    "to_postgres",
    "from_postgres",
    "worker_valkey",
    "worker_gateways",
    "gateways",
    "to_gateways",
    "from_gateways",
    "office",
    "lossy",
    "narrow",
)
_ALWAYS = ("standby", "valkey")
MUTANTS = {name: mutants.MUTANTS[name] for name in ("mark_after_send", "no_watermark")}
"""Those that show when a cable is cut."""
_EARLY = 0.1
_LOST_SHARE = 0.05
_KILOBITS, _QUEUE_MILLISECONDS = 512, 300
_SENTINELS_SECONDS, _PATIENCE_SECONDS = 3.0, 60.0
_HELD_SINCE = "select id from message where state = 1 and not_before > %(since)s"
_RECEIVED = """
select pg_last_wal_receive_lsn()::text as received,
       pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn() as is_all
"""


@dataclass(frozen=True, slots=True)
class Cable:
    """What is cut, by name, and how."""

    target: str
    cut: Callable[[], None]
    mend: Callable[[], None]


def make_plan(seed: int, number: int, longest: float) -> list[Strike]:
    """So many cuts of 1 to `longest` seconds; those between the doubled servers are always among them."""
    chance = random.Random(f"hosts:{seed}")
    kinds = [*_ALWAYS, *chance.sample([kind for kind in CUTS if kind not in _ALWAYS], len(CUTS) - 2)]
    kinds = kinds[:number] + chance.choices(CUTS, k=max(0, number - len(kinds)))
    chance.shuffle(kinds)
    return [_cut(kind, chance, longest) for kind in kinds]


def mutant_plan(seconds: float) -> list[Strike]:
    """Whoever has sent what it has not written down is cut off, until the other has taken it over and sent it
    again; at most for so many seconds after that."""
    return [Strike("holder", 0.05, None, seconds)]


def _cut(kind: str, chance: random.Random, longest: float) -> Strike:
    soon = chance.random() < _EARLY
    after = chance.uniform(0.0, 4.0) if soon else None
    share = None if soon else chance.uniform(0.02, 0.97)
    return Strike(kind, share, after, chance.uniform(1.0, longest), chance.randrange(2))


@dataclass(slots=True)
class Cables:
    """Cuts one after another or at once, never the same cable twice. `events` is what happened; `left`: the
    messages that left while the standby was away, beyond those that were allowed to before; `promotions`:
    how often the sentinels chose another primary; `severed`: by how many cuts a way is cut."""

    site: Doubled
    stack: Stack
    began: float
    events: list[dict[str, Any]] = field(default_factory=list)
    in_doubt: set[int] = field(default_factory=set)
    kills: int = 0
    late_stops: int = 0
    left: int = 0
    promotions: int = 0
    down: set[str] = field(default_factory=set)
    severed: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def tempo(self) -> Tempo:
        """How fast all of it goes."""
        return self.site.tempo

    async def strike(self, one: Strike, booked: int) -> None:
        """Cut and mend; skipped if it is cut already."""
        cable = await self._choose(one)
        event = {
            "at": round(time.monotonic() - self.began, 2),
            "booked": booked,
            "blow": one.blow,
            "target": cable.target,
            "cut": round(one.seconds, 1),
        }
        self.events.append(event)
        if cable.target in self.down:
            event["skipped"] = True
            return
        self.down.add(cable.target)
        try:
            if one.blow == "holder":
                await self._cut_holder(one, event)
                return
            since = utc_now()
            cable.cut()
            if one.blow in ("standby", "behind"):
                await self._stand_alone(one, event, since)
                return
            event["in_doubt"] = len(await open_messages(self.stack, ""))
            await asyncio.sleep(one.seconds)
            if one.blow == "valkey":
                event["promoted"] = await self._promoted(one, cable.target)
                self.promotions += bool(event["promoted"])
        finally:
            cable.mend()
            self.down.discard(cable.target)

    async def _stand_alone(self, one: Strike, event: dict[str, Any], since: datetime) -> None:
        """The standby is away: only what it knows of may leave. `behind`: once more than that has left, or
        nothing has for so many seconds, the primary's host is lost, and it takes its place as it is."""
        allowed = await asyncio.to_thread(self._known_to_standby, since)
        event["in_doubt"] = len(allowed)
        before = booked = await insist(self.stack.booked)
        moved_at = time.monotonic()
        while time.monotonic() - moved_at < one.seconds:
            if one.blow == "behind":
                if (now := await patiently(self.stack.booked, booked)) > booked:
                    booked, moved_at = now, time.monotonic()
                if booked - before >= len(allowed) + FORGOTTEN:
                    break
            await asyncio.sleep(PAUSE)
        left = await insist(self.stack.booked) - before
        event["left"] = left
        self.left += max(0, left - len(allowed))
        if one.blow == "behind":
            event["booked"] = before + left
            self.site.hosts["data"].cut()
            await asyncio.to_thread(self.site.fail_over)

    def _known_to_standby(self, since: datetime) -> set[int]:
        """What stood in windows and second tries by all that came to the standby before it was cut off. The
        primary cannot tell: a commit may still be waiting to hear that the standby has got it."""
        settings = self.stack.rt.settings
        database = str(conninfo_to_dict(settings.database_url)["dbname"])
        dsn = self.site.standby.dsn("postgres", database)
        with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as standby:
            before: object = None
            while (seen := standby.execute(_RECEIVED).fetchone()) != before or not (seen and seen["is_all"]):
                before = seen
                time.sleep(SECOND_LOOK)
            windows = standby.execute(OPEN_WINDOWS, {"owner": ""}).fetchall()
            held = standby.execute(_HELD_SINCE, {"since": since}).fetchall()
        return message_ids(windows, held)

    async def _promoted(self, one: Strike, name: str) -> str:
        """The host of Valkey's new primary; a cut that is long enough for the sentinels waits for them."""
        deadline = time.monotonic() + (_PATIENCE_SECONDS if one.seconds > _SENTINELS_SECONDS else 0.0)
        while True:
            now = await asyncio.to_thread(self.site.quintet.primary)
            if now.host is not None and now.host.name != name:
                return now.host.name
            if time.monotonic() >= deadline:
                return ""
            await asyncio.sleep(PAUSE)

    async def _cut_holder(self, one: Strike, event: dict[str, Any]) -> None:
        """Whoever has sent what the ledger does not know of yet loses its cable, until the other has taken
        that over and sent it again, or so many seconds longer."""
        while (name := await self._holder()) is None:
            if not await self.stack.ask(OPEN_BATCHES):
                return
            await asyncio.sleep(PAUSE)
        host = self.site.hosts[HOSTS[name]]
        event["target"] = host.name
        patient_until = time.monotonic() + _PATIENCE_SECONDS
        try:
            while await has_sent(self.stack, name) and time.monotonic() < patient_until:
                await asyncio.sleep(PAUSE)
            ends_at = time.monotonic() + one.seconds
            while time.monotonic() < ends_at and not await self.stack.is_caught():
                await asyncio.sleep(PAUSE)
        finally:
            host.mend()

    async def _holder(self) -> str | None:
        """Such a worker, cut off."""
        for name in WORKERS:
            if not await has_sent(self.stack, name):
                continue
            host = self.site.hosts[HOSTS[name]]
            host.cut()
            # It may have been about to write it down.
            await asyncio.sleep(SECOND_LOOK)
            if await has_sent(self.stack, name):
                return name
            host.mend()
        return None

    async def _choose(self, one: Strike) -> Cable:
        if one.blow == "valkey":
            place = await asyncio.to_thread(self.site.quintet.primary)
            assert place.host is not None
            return _whole(place.host)
        if one.blow == "holder":
            return Cable("holder", _nothing, _nothing)
        first, second = (self._cable(one.blow, which) for which in (one.which, 1 - one.which))
        return second if first.target in self.down else first

    def _cable(self, kind: str, which: int) -> Cable:
        hosts = self.site.hosts
        workers = [hosts[HOSTS[name]] for name in WORKERS]
        worker, data, gates = workers[which], hosts["data"], hosts["gates"]
        match kind:
            case "worker":
                return _whole(worker)
            case "standby" | "behind":
                return _whole(hosts["standby"])
            case "office":
                return _whole(hosts[kind])
            case "worker_postgres":
                return self._between([worker], [data])
            case "to_postgres":
                return self._one_way([worker], [data])
            case "from_postgres":
                return self._one_way([data], [worker])
            case "worker_valkey":
                return self._between([worker], self.site.valkeys())
            case "worker_gateways":
                return self._between([worker], [gates])
            case "gateways":
                return self._between(workers, [gates])
            case "to_gateways":
                return self._one_way(workers, [gates])
            case "from_gateways":
                return self._one_way([gates], workers)
            case "lossy":
                return Cable(f"{worker.name}, lossy", partial(worker.drop, _LOST_SHARE), worker.drop_nothing)
        narrow = partial(worker.narrow, _KILOBITS, _QUEUE_MILLISECONDS)
        return Cable(f"{worker.name}, narrow", narrow, worker.widen)

    def _between(self, some: Sequence[Host], others: Sequence[Host]) -> Cable:
        ways = [*product(some, others), *product(others, some)]
        return Cable(
            f"{_names(some)} - {_names(others)}", partial(self._lose, ways), partial(self._regain, ways)
        )

    def _one_way(self, some: Sequence[Host], others: Sequence[Host]) -> Cable:
        ways = [*product(some, others)]
        return Cable(
            f"{_names(some)} > {_names(others)}", partial(self._lose, ways), partial(self._regain, ways)
        )

    def _lose(self, ways: Sequence[tuple[Host, Host]]) -> None:
        for sender, listener in ways:
            self.severed[sender.name, listener.name] += 1
            sender.lose([listener])

    def _regain(self, ways: Sequence[tuple[Host, Host]]) -> None:
        # Two cuts may have a way in common: the later end counts.
        for sender, listener in ways:
            self.severed[sender.name, listener.name] -= 1
            if not self.severed[sender.name, listener.name]:
                sender.regain([listener])


def _nothing() -> None:
    """Which cable it is turns out when it is looked for."""


def _whole(host: Host) -> Cable:
    return Cable(host.name, host.cut, host.mend)


def _names(some: Sequence[Host]) -> str:
    return ", ".join(host.name for host in some)
