"""Workers that lack one safeguard of the protocol each. A suite that does not catch them proves nothing.

Each mutant takes words out of the product's own text, and fails loudly when they no longer stand there.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection

from outreach.ledger import protocol

_DURABLE = "set local synchronous_commit = on"


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is taken away, and the plan under which it shows. `kind`: the class that it is played with;
    `alter`: done to every worker; `quiet`: the account's quiet time (seconds) instead of the right one;
    `servers`: parameters of PostgreSQL; `faults`: how the gateway behaves over the class's own way; `blows`:
    what is struck (plan.py), and at which share of the messages; `shows`: the gates (judge.py) one of which
    it must break."""

    name: str
    kind: str
    blows: tuple[tuple[str, float], ...]
    alter: Callable[[], None] = lambda: None
    quiet: float | None = None
    servers: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, Any] = field(default_factory=dict)
    shows: tuple[str, ...] = ("duplicated",)

    def is_caught(self, record: Mapping[str, Any]) -> bool:
        """Whether a run (run.py) has shown what is missing."""
        return any(record[gate] > 0 for gate in self.shows)


def _replace(name: str, old: str, new: str) -> None:
    text = protocol.SQL[name]
    if old not in text:
        raise LookupError(f"the query {name} no longer holds the words that the mutant takes away: {old}")
    protocol.SQL[name] = text.replace(old, new)


def mark_after_send() -> None:
    """A naive lease: a window is sent first and written down afterwards."""
    _replace("open_window", "watermark = %(watermark)s", "watermark = %(settled)s")
    _replace("close_batch", "set settled = %(settled)s", "set settled = %(settled)s, watermark = %(settled)s")


def ignore_watermark() -> None:
    """Whoever takes a batch over sends the window again that its last holder had open."""
    _replace("claim", "b.n, b.watermark, b.settled", "b.n, b.settled as watermark, b.settled")


def commit_later() -> None:
    """No commit waits for the disk, not even that of a window."""
    if _DURABLE not in inspect.getsource(protocol.open_window):
        raise LookupError(f"open_window no longer says: {_DURABLE}")
    original = AsyncConnection.execute

    async def execute(self: Any, query: Any, *arguments: Any, **more: Any) -> Any:
        lax = query.replace("= on", "= off") if query == _DURABLE else query
        return await original(self, lax, *arguments, **more)

    AsyncConnection.execute = execute  # type: ignore[method-assign]


# What a server has not written when it is killed is lost, as with a power cut; these keep it in memory.
_LAZY = {
    "synchronous_commit": "off",
    "wal_writer_delay": "10s",
    "wal_writer_flush_after": "1GB",
    "wal_buffers": "256MB",
    "bgwriter_lru_maxpages": "0",
    "autovacuum": "off",
}
_KILLS = (("kill_holder", 0.02), ("kill_holder", 0.4), ("kill_holder", 0.65))
# A receipt that comes before a batch is taken over would tell the mutant what it has forgotten.
_NO_NEWS = {"silent": 1.0}

MUTANTS = {
    mutant.name: mutant
    for mutant in (
        Mutant("mark_after_send", "B", _KILLS, mark_after_send, faults=_NO_NEWS),
        Mutant("short_quiet", "B1", (), quiet=0.3, faults=_NO_NEWS | {"late": 0.05, "late_seconds": 4.0}),
        Mutant(
            "commit_later",
            "D",
            (("forget_postgres", 0.02),),
            commit_later,
            servers=_LAZY,
            faults=_NO_NEWS,
            # A worker that survives the server goes on from where it was: what was forgotten is then not
            # sent again, it stays planned though the gateway has it.
            shows=("duplicated", "unexpected"),
        ),
        Mutant("no_watermark", "B", _KILLS, ignore_watermark, faults=_NO_NEWS),
    )
}
