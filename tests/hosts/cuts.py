"""Which cables are pulled, which lines go bad, when and for how long: drawn from a seed alone, and done."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

from tests.chaos import mutants
from tests.chaos.ground import Tempo
from tests.chaos.plan import Strike
from tests.chaos.stack import WORKERS, Stack
from tests.chaos.strikes import open_messages, patiently
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
    """Whoever holds most is cut off for so many seconds, while the other goes on."""
    return [Strike("holder", 0.2, None, seconds)]


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
        if one.blow == "primary":
            cable.cut()
            await asyncio.sleep(one.seconds)
            await asyncio.to_thread(self.site.fail_over)
            return
        try:
            cable.cut()
            allowed = await open_messages(self.stack, "")
            event["in_doubt"] = len(allowed)
            booked = await patiently(self.stack.booked, booked)
            await asyncio.sleep(one.seconds)
            if one.blow == "standby":
                left = await patiently(self.stack.booked, booked) - booked
                event["left"] = left
                self.left += max(0, left - len(allowed))
            elif one.blow == "valkey":
                now = await asyncio.to_thread(self.site.quintet.primary)
                event["promoted"] = now.host.name if now.host and now.host.name != cable.target else ""
                self.promotions += bool(event["promoted"])
        finally:
            cable.mend()
            self.down.discard(cable.target)

    async def _choose(self, one: Strike) -> Cable:
        if one.blow == "valkey":
            place = await asyncio.to_thread(self.site.quintet.primary)
            assert place.host is not None
            return _whole(place.host)
        if one.blow == "holder":
            held = [len(await open_messages(self.stack, self.stack.owner(name))) for name in WORKERS]
            return self._cable("worker", held.index(max(held)))
        first, second = (self._cable(one.blow, which) for which in (one.which, 1 - one.which))
        return second if first.target in self.down else first

    def _cable(self, kind: str, which: int) -> Cable:
        hosts = self.site.hosts
        workers = [hosts[HOSTS[name]] for name in WORKERS]
        worker, data, gates = workers[which], hosts["data"], hosts["gates"]
        match kind:
            case "worker":
                return _whole(worker)
            case "primary":
                return _whole(data)
            case "standby" | "office":
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


def _whole(host: Host) -> Cable:
    return Cable(host.name, host.cut, host.mend)


def _names(some: Sequence[Host]) -> str:
    return ", ".join(host.name for host in some)
