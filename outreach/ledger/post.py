"""The hand that posts letters: gate, tokens, gate again, pen, wire; what it stops is certainly unsent.

Windows (send.py) and second tries (reconcile.py) use the same hand. No transaction is open while it speaks
with a gateway.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from psycopg import OperationalError
from pyroaring import AbstractBitMap

from channels.base import Adapter, Outbound, SendResult, unknown
from outreach.errors import OutreachError
from outreach.ledger.gate import Gate, OpenRound, opted_out
from outreach.ledger.gateways import Fleet, Gateway
from outreach.ledger.letters import IssueLinks, Letter, StepContent, write_letter
from outreach.ledger.limits import Limiter
from outreach.ledger.pacing import give_probe_back
from outreach.ledger.protocol import Verdict, classify
from outreach.ledger.sent_texts import KEPT_KINDS, keep_sent_texts
from outreach.ledger.states import State
from outreach.logs import get_log
from outreach.rendering.errors import TemplateInvalid
from outreach.runtime import Runtime

_LEASE_MARGIN = 2.0
_SLICE = 100
_REQUESTS_AT_ONCE = 5
_FRESH_SECONDS = 1.0
URGENT_LANES = 2
"""Lanes 1 and 2 have senders and tokens of their own."""

Written = tuple[Letter, Outbound, int]


@dataclass(frozen=True, slots=True)
class Sender:
    """What the send loops of one process hold. `busy` has an entry for each piece of work under way."""

    rt: Runtime
    fleet: Fleet
    gate: Gate
    limiter: Limiter
    issue_links: IssueLinks
    owner: str
    busy: set[object] = field(default_factory=set)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """A stopping process waits until nobody is at work."""
        mark = object()
        self.busy.add(mark)
        try:
            yield
        finally:
            self.busy.discard(mark)


@dataclass(frozen=True, slots=True)
class Errand:
    """A stretch of one batch to be posted. `refusing`: persons who refused, as of the transaction that opened
    it; `links` and `before` go by message id: its locator link, and the last message of the batch before it
    that goes to the same destination. No request begins after `safe_until` (monotonic)."""

    gateway: Gateway
    adapter: Adapter
    step: StepContent
    opened: OpenRound
    lane: int
    safe_until: float
    refusing: frozenset[int]
    links: Mapping[int, str]
    before: Mapping[int, int]


@dataclass(slots=True)
class Posted:
    """What came of an errand: verdicts, the letters that were stopped in time, whether the gateway refuses
    everything for reasons of its own, and whether it was given anything at all."""

    verdicts: list[Verdict]
    stopped: Sequence[Letter] = ()
    is_ill: bool = False
    is_tried: bool = False


def safe_seconds(held: float, longest: float) -> float:
    """How long a send may still be begun under a lease of `held` seconds, so that it has ended, which takes
    at most `longest`, before anybody else may look into it."""
    return held - longest - min(_LEASE_MARGIN, held / 10)


def piece_size(gateway: Gateway) -> int:
    """How many messages are handed to the adapter at once: no more than one burst of the account allows."""
    facts, burst = gateway.facts, gateway.rate.burst
    size = max(_SLICE, facts.batch_size * _REQUESTS_AT_ONCE)
    return min(size, burst if facts.rate_unit == "message" else burst * facts.batch_size)


@dataclass(slots=True)
class _Gatekeeper:
    """Who needs nothing more, asked again when the last answer is older than a second."""

    sender: Sender
    errand: Errand
    refusing: frozenset[int]
    asked_at: float

    @property
    def is_stale(self) -> bool:
        """Whether somebody may have acted or refused since the last look."""
        return time.monotonic() - self.asked_at > _FRESH_SECONDS

    async def part(self, letters: Sequence[Letter]) -> tuple[list[Letter], AbstractBitMap, list[Verdict]]:
        """Those who are still to be written to, the households that no message may name any more, verdicts on
        the others."""
        if self.is_stale:
            self.refusing = await self._refusing(letters)
        self.asked_at = time.monotonic()
        acted = await self.sender.gate.acted(self.errand.opened)
        unverified = await self.sender.gate.unverified(self.errand.opened)
        verdicts, ready = sort_out(letters, self.refusing, acted, unverified)
        return ready, acted | unverified if unverified else acted, verdicts

    async def _refusing(self, letters: Sequence[Letter]) -> frozenset[int]:
        async with self.sender.rt.db.begin() as conn:
            persons = [letter.person_id for letter in letters]
            return await opted_out(conn, self.errand.opened.kind, self.errand.step.content.channel, persons)


async def post(sender: Sender, errand: Errand, letters: Sequence[Letter]) -> Posted:
    """Send planned letters of one batch, in the order of their ids, piece by piece. What it learns is never
    lost to an error: where the gate or the database gives no answer, the rest is stopped."""
    posted = Posted([])
    gatekeeper = _Gatekeeper(sender, errand, errand.refusing, time.monotonic())
    size = piece_size(errand.gateway)
    for start in range(0, len(letters), size):
        piece = letters[start : start + size]
        try:
            admitted = await _admit(sender, errand, gatekeeper, piece, posted)
        except (OperationalError, OutreachError) as error:
            get_log().warning("gate.silent", round=errand.opened.id, error=type(error).__name__)
            posted.stopped, admitted = piece, None
        if admitted is not None:
            await _post_piece(sender, errand, *admitted, posted)
        if posted.stopped or posted.is_ill:
            posted.stopped = [*posted.stopped, *letters[start + size :]]
            break
    if errand.gateway.may_probe and not posted.is_tried:
        # Only a matter of seconds: without an answer the probe is free again by itself.
        with suppress(OperationalError):
            await give_probe_back(sender.rt, errand.gateway.id)
    return posted


async def _admit(
    sender: Sender, errand: Errand, gatekeeper: _Gatekeeper, piece: Sequence[Letter], posted: Posted
) -> tuple[list[Letter], AbstractBitMap] | None:
    ready, acted, verdicts = await gatekeeper.part(piece)
    if ready and not await _may_send(sender, errand, len(ready)):
        posted.stopped = ready
        posted.verdicts += verdicts
        return None
    if gatekeeper.is_stale:
        ready, acted, late = await gatekeeper.part(ready)
        verdicts += late
    posted.verdicts += verdicts
    return ready, acted


def sort_out(
    letters: Sequence[Letter], refusing: frozenset[int], acted: AbstractBitMap, unverified: AbstractBitMap
) -> tuple[list[Verdict], list[Letter]]:
    """Part those who need nothing more, or cannot be reached, from those who are to be written to."""
    verdicts: list[Verdict] = []
    ready: list[Letter] = []
    for letter in letters:
        if all(taxpayer in acted for taxpayer in letter.taxpayer_ids):
            verdicts.append(Verdict(letter.message_id, State.WITHHELD, code="acted", untaken=True))
        elif all(taxpayer in acted or taxpayer in unverified for taxpayer in letter.taxpayer_ids):
            verdicts.append(Verdict(letter.message_id, State.WITHHELD, code="unverified", untaken=True))
        elif letter.person_id in refusing:
            verdicts.append(Verdict(letter.message_id, State.WITHHELD, code="opted_out", untaken=True))
        elif not (letter.address and letter.usable):
            verdicts.append(Verdict(letter.message_id, State.FAILED, code="no_address", untaken=True))
        else:
            ready.append(letter)
    return verdicts, ready


async def _may_send(sender: Sender, errand: Errand, messages: int) -> bool:
    facts, round_id = errand.gateway.facts, errand.opened.id
    units = messages if facts.rate_unit == "message" else -(-messages // facts.batch_size)
    if round_id not in await sender.gate.rounds():
        return False
    urgent = errand.lane <= URGENT_LANES
    if not await sender.limiter.take(errand.gateway.rate, units, urgent=urgent, until=errand.safe_until):
        return False
    return round_id in await sender.gate.rounds()


async def _post_piece(
    sender: Sender, errand: Errand, ready: Sequence[Letter], acted: AbstractBitMap, posted: Posted
) -> None:
    written: list[Written] = []
    for letter in ready:
        link = errand.links.get(letter.message_id, "")
        try:
            written.append((letter, *write_letter(sender.rt, errand.step, letter, link, acted)))
        except TemplateInvalid as error:
            code = "too_long" if "limit" in error.details else "missing_value"
            posted.verdicts.append(Verdict(letter.message_id, State.FAILED, code=code, untaken=True))
    if errand.opened.kind in KEPT_KINDS and not await _kept(sender, written, acted):
        posted.stopped = [letter for letter, _, _ in written]
        return
    runs = cut_runs(written, errand.before)
    for number, run in enumerate(runs):
        if time.monotonic() >= errand.safe_until:
            posted.stopped = [letter for later in runs[number:] for letter, _, _ in later]
            return
        posted.is_tried = True
        results = await _hand_over(errand.adapter, [message for _, message, _ in run])
        sender.fleet.meter.note(errand.gateway.id, results)
        posted.verdicts += [
            classify(errand.gateway, letter.message_id, result, parts, letter.tries)
            for (letter, _, parts), result in zip(run, results, strict=True)
        ]
        posted.is_ill = posted.is_ill or _is_ill(results)


async def _kept(sender: Sender, written: Sequence[Written], acted: AbstractBitMap) -> bool:
    # What is to be answered by words leaves only once its words are kept.
    try:
        await keep_sent_texts(sender.rt, written, acted)
    except (OperationalError, OutreachError) as error:
        get_log().warning("words.unkept", error=type(error).__name__)
        return False
    return True


def cut_runs(written: Sequence[Written], before: Mapping[int, int]) -> list[list[Written]]:
    """Parts in which the key of a request's first message and a destination tell one message of the batch: no
    message goes where another one goes that lies between the two and is not of the part."""
    runs: list[list[Written]] = []
    members: set[int] = set()
    for item in written:
        message_id = item[0].message_id
        earlier = before.get(message_id, -1)
        if not runs or (earlier >= runs[-1][0][0].message_id and earlier not in members):
            runs.append([])
            members = set()
        runs[-1].append(item)
        members.add(message_id)
    return runs


async def _hand_over(adapter: Adapter, messages: Sequence[Outbound]) -> Sequence[SendResult]:
    try:
        results = await adapter.send(messages)
        if len(results) == len(messages):
            return results
        broken = "results do not fit"
    except Exception as error:
        broken = type(error).__name__
    # An adapter that breaks its contract: whatever it did, it may have sent.
    get_log().error("adapter.broken", adapter=adapter.name, error=broken)
    return [unknown(message.key, "adapter_error") for message in messages]


def _is_ill(results: Sequence[SendResult]) -> bool:
    # A whole piece refused for reasons of the account: more of the batch would only queue up behind it.
    return bool(results) and all(
        result.fault is not None and result.fault.touches == "gateway" for result in results
    )
