"""The last gate before a message leaves: does the round still send, has she acted, has she opted out, is the
finding that she is told of still confirmed?

Asked again for every window, and for the round's state before every request, so that whoever acted or
pressed pause a second ago gets what she expects.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pyroaring import AbstractBitMap, BitMap, FrozenBitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.bitmaps import EMPTY
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_text
from outreach.labels.keys import label_key
from outreach.ledger.kinds import KINDS
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_FRESH_SECONDS = 0.3
_FINDING = re.compile(r"finding(?:\.[a-z0-9_]+)+")


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A round that may send now. `found_by`: the expression of its audience if it names findings, else ''."""

    id: int
    period: int
    ends_at: datetime
    kind: str
    org_id: int
    done_segment: str
    dispute_segment: str
    found_by: str

    @property
    def stop_expression(self) -> str:
        """Whoever matches gets nothing more of this round."""
        return f"({self.done_segment}) or ({self.dispute_segment})"


class Gate:
    """What one process knows of the rounds, never older than a third of a second."""

    def __init__(self, rt: Runtime, cache: SetCache) -> None:
        self._rt, self.cache = rt, cache
        self._rounds: dict[int, OpenRound] = {}
        self._rounds_at = -1.0
        self._acted: dict[int, tuple[float, AbstractBitMap]] = {}
        self._unverified: dict[int, tuple[float, AbstractBitMap]] = {}
        self._lock = asyncio.Lock()
        self._closed = False

    def close(self) -> None:
        """This process stops: no round may send here any more."""
        self._closed = True

    async def rounds(self) -> dict[int, OpenRound]:
        """The rounds that may send now, by id."""
        if self._closed:
            return {}
        called_at = time.monotonic()
        async with self._lock:
            asked_at = time.monotonic()
            # A look that began while this one waited for its turn is as good as its own.
            if self._rounds_at < called_at and asked_at - self._rounds_at > _FRESH_SECONDS:
                rows = await self._rt.db.fetch(SQL["open_rounds"])
                self._rounds = {row["id"]: OpenRound(**row) for row in rows}
                # As old as the question: the answer may have been long on its way.
                self._rounds_at = asked_at
            return self._rounds

    async def acted(self, opened: OpenRound) -> AbstractBitMap:
        """Taxpayers who need nothing more of this round: they acted, or their dispute is open."""
        held = self._acted.get(opened.id)
        if held is not None and time.monotonic() - held[0] < _FRESH_SECONDS:
            return held[1]
        asked_at = time.monotonic()
        frozen = await evaluate_text(self._rt, self.cache, opened.stop_expression, opened.org_id)
        self._acted[opened.id] = (asked_at, frozen.members)
        return frozen.members

    async def unverified(self, opened: OpenRound) -> AbstractBitMap:
        """Taxpayers who were in this round's audience for a finding that is not confirmed any more."""
        if not opened.found_by:
            return EMPTY
        held = self._unverified.get(opened.id)
        if held is not None and time.monotonic() - held[0] < _FRESH_SECONDS:
            return held[1]
        asked_at = time.monotonic()
        keys = [label_key(code) for code in _FINDING.findall(opened.found_by)]
        rows = await self._rt.db.fetch(SQL["findings_lost"], {"round_id": opened.id, "keys": keys})
        lost = BitMap.union(BitMap(), *(FrozenBitMap.deserialize(row["removed"]) for row in rows))
        if lost:
            lost -= (await evaluate_text(self._rt, self.cache, opened.found_by, opened.org_id)).members
        self._unverified[opened.id] = (asked_at, lost)
        return lost


async def opted_out(conn: Connection, kind: str, channel: str, persons: Sequence[int]) -> frozenset[int]:
    """Which of these persons want no message of this kind on this channel, or none on its topic."""
    topic = KINDS[kind].topic
    if not topic:
        return frozenset()
    keys = {"persons": list(persons), "channel": channel, "topic": topic}
    cursor = await conn.execute(SQL["opted_out"], keys)
    return frozenset(row["person_id"] for row in await cursor.fetchall())
