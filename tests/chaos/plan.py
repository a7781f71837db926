"""What is struck in a run and when, drawn from a seed alone."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.kinds import Kind
from tests.chaos.mutants import Mutant

BLOWS = (
    "kill_worker",
    "stop_worker",
    "freeze_worker",
    "kill_postgres",
    "kill_valkey",
    "flush_valkey",
    "kill_web",
    "stop_web",
    "kill_scheduler",
    "stop_scheduler",
    "storm",
)
_OFTEN = ("kill_worker", "kill_worker", "kill_worker", "stop_worker", "storm", "storm")
_MESSAGES_PER_STRIKE = 1500
_FEWEST = 5
_EARLY = 0.25


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow. It falls when the gateway holds `share` of the messages, or `after` so many seconds.
    `seconds`: how long what was struck stays down, asleep or in disorder; `which` worker; `faults` of a
    storm; `waits`: until what it hits is up again, instead of being skipped."""

    blow: str
    share: float | None
    after: float | None
    seconds: float
    which: int = 0
    faults: Mapping[str, Any] = field(default_factory=dict)
    waits: bool = False


def make_plan(kind: Kind, seed: int, count: int, lease: float) -> list[Strike]:
    """The strikes of a run: a long one sees every kind of blow, a short one some of them."""
    chance = random.Random(f"{kind.name}:{seed}")
    number = max(_FEWEST, count // _MESSAGES_PER_STRIKE)
    blows = chance.sample(BLOWS, min(number, len(BLOWS)))
    if number <= len(BLOWS) and "kill_worker" not in blows:
        blows[0] = "kill_worker"
    blows += chance.choices(BLOWS + _OFTEN, k=number - len(blows))
    chance.shuffle(blows)
    return [_strike(kind, blow, chance, lease, _EARLY) for blow in blows]


def soak_plan(kind: Kind, seed: int, number: int, lease: float) -> list[Strike]:
    """So many strikes of every kind, spread over the whole of a long run."""
    chance = random.Random(f"soak:{kind.name}:{seed}")
    blows = chance.choices(BLOWS + _OFTEN, k=number)
    return [_strike(kind, blow, chance, lease, early=0.0) for blow in blows]


def clock_off(kind: Kind, seed: int) -> float:
    """Seconds by which the second worker's clock is wrong; right in half of the runs."""
    return random.Random(f"clock:{kind.name}:{seed}").choice((0.0, 0.0, 600.0, -600.0))


def mutant_plan(mutant: Mutant) -> list[Strike]:
    """The strikes under which a mutant shows."""
    return [Strike(blow, share, None, 0.1, number % 2) for number, (blow, share) in enumerate(mutant.blows)]


def _strike(kind: Kind, blow: str, chance: random.Random, lease: float, early: float) -> Strike:
    """`early`: the share of strikes that fall in the first seconds, whatever has been sent by then."""
    soon = chance.random() < early
    after = chance.uniform(0.0, 4.0) if soon else None
    share = None if soon else chance.uniform(0.02, 0.97)
    # A worker asleep for longer than its lease is overtaken; longer than that and the quiet time together is
    # more than the protocol promises to survive (docs/delivery.md, what is assumed).
    seconds = lease * chance.uniform(1.1, 1.5) if blow == "freeze_worker" else chance.uniform(0.05, 1.5)
    faults: Mapping[str, Any] = {}
    if blow == "storm":
        seconds, faults = chance.uniform(0.5, 2.5), chance.choice(kind.storms)
    return Strike(blow, share, after, seconds, chance.randrange(2), faults)
