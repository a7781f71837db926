"""What to do about messages that rest: try the unsent again, look into the unknown, never guess.

By delivery class: A sends again with the same key while the provider remembers it; B asks, and sends again
only what the provider has never seen; C and D send only what was certainly not accepted, and leave the
unknown to a receipt, or to two persons who decide to send it once more.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from channels.base import Adapter, DeliveryClass, Query, QueryResult
from channels.errors import GatewayError
from outreach.clock import utc_now
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.ledger.codes import fit_code, fit_ref
from outreach.ledger.gate import OpenRound, opted_out
from outreach.ledger.gateways import Account, Gateway
from outreach.ledger.keys import MESSAGES_PER_BATCH, encode_key
from outreach.ledger.letters import Letter, StepContent, load_letters, load_step
from outreach.ledger.pacing import admit
from outreach.ledger.post import Errand, Posted, Sender, post, safe_seconds
from outreach.ledger.protocol import Verdict, insist, may_ask, quiet, settle
from outreach.ledger.second_sends import begin_second_sends, not_begun
from outreach.ledger.send import make_links
from outreach.ledger.states import OF_DELIVERY, State
from outreach.logs import get_log

SQL = load_queries(__file__)

_AT_ONCE = 500
_MEMORY_MARGIN = timedelta(seconds=60)
_ASK_AGAIN_SECONDS = 30.0


@dataclass(slots=True)
class _Group:
    """Resting messages of one batch, taken under the token `held`. `unsent` were certainly not accepted so
    far; of the `unknown`, the provider still knows the key of those that are `remembered`, and two persons
    have decided to repeat those that are `granted`."""

    period: int
    shard: int
    round_id: int
    step: int
    lane: int
    held: datetime
    unsent: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    remembered: set[int] = field(default_factory=set)
    granted: set[int] = field(default_factory=set)

    @property
    def ids(self) -> list[int]:
        """In the order in which they travel."""
        return sorted(self.unsent | self.unknown)

    @property
    def keys(self) -> dict[str, Any]:
        """Where their rows lie."""
        return {"period": self.period, "shard": self.shard}


@dataclass(frozen=True, slots=True)
class _Try:
    """What the second tries of one group are made with. `hold`: seconds that an unknown outcome rests."""

    sender: Sender
    gateway: Gateway
    account: Account
    step: StepContent
    group: _Group
    hold: float


async def reconcile_all(sender: Sender) -> int:
    """Look after the resting messages of every account; returns how many were taken up."""
    gateways = (await sender.fleet.gateways()).values()
    counts = await asyncio.gather(*(reconcile_gateway(sender, gateway) for gateway in gateways))
    return sum(counts)


async def reconcile_gateway(sender: Sender, gateway: Gateway) -> int:
    """Look after the resting messages of one account; returns how many were taken up."""
    try:
        account = await sender.fleet.account(gateway.id)
    except GatewayError:
        return 0
    hold = max(quiet(gateway), sender.rt.settings.lease_seconds)
    with sender.at_work():
        groups = await _take(sender, gateway, hold)
        for group in groups:
            try:
                await _reconcile_group(sender, gateway, account, group, hold)
            except Exception as error:
                # One group that cannot be worked on must not keep the others from their turn.
                get_log().error("group.stuck", round=group.round_id, error=type(error).__name__)
    return sum(len(group.ids) for group in groups)


async def _take(sender: Sender, gateway: Gateway, hold: float) -> list[_Group]:
    rounds = list(await sender.gate.rounds()) if gateway.active or gateway.may_probe else []
    keys = {
        "rounds": rounds,
        "gateway_id": gateway.id,
        "limit": _at_once(gateway),
        "queryable": gateway.facts.queryable,
        "memory": _memory(gateway, hold),
        "hold": hold,
    }
    async with sender.rt.db.begin() as conn:
        await conn.execute("set local synchronous_commit = on")
        groups: dict[int, _Group] = {}
        for row in await (await conn.execute(SQL["take_resting"], keys)).fetchall():
            batch = row["id"] // MESSAGES_PER_BATCH
            place = (row["period"], row["shard"], row["round_id"], row["step"], row["lane"], row["held"])
            group = groups.setdefault(batch, _Group(*place))
            (group.unsent if row["state"] == State.PLANNED else group.unknown).add(row["id"])
            if row["is_remembered"]:
                group.remembered.add(row["id"])
            if row["is_granted"]:
                group.granted.add(row["id"])
        for group in groups.values():
            await conn.execute(SQL["begin_try"], {**group.keys, "ids": group.ids, "held": group.held})
    return list(groups.values())


def _at_once(gateway: Gateway) -> int:
    if gateway.may_probe:
        return 1
    return _AT_ONCE if may_ask(gateway) else min(_AT_ONCE, gateway.window_size)


def _memory(gateway: Gateway, hold: float) -> float:
    """Seconds after the first try within which a repetition still meets the provider's memory: it is begun
    while the message is held, and ends within as much again. 0 if the provider has none."""
    remembers = gateway.facts.idempotent_for
    return max(0.0, (remembers - _MEMORY_MARGIN).total_seconds() - 2 * hold) if remembers else 0.0


async def _reconcile_group(
    sender: Sender, gateway: Gateway, account: Account, group: _Group, hold: float
) -> None:
    step = await load_step(sender.rt, group.round_id, group.step, gateway.id)
    letters = await load_letters(sender.rt, sender.gate.cache, step, group.period, group.shard, group.ids)
    attempt = _Try(sender, gateway, account, step, group, hold)
    unsent = [letter for letter in letters if letter.message_id in group.unsent]
    await _repeat(attempt, [letter for letter in letters if letter.message_id in group.granted])
    doubtful = [letter for letter in letters if letter.message_id in group.unknown - group.granted]
    match gateway.facts.delivery_class:
        case DeliveryClass.IDEMPOTENT:
            again = [letter for letter in doubtful if letter.message_id in group.remembered]
            late = [letter for letter in doubtful if letter.message_id not in group.remembered]
            await _settle(attempt, [_left(letter) for letter in late])
            await _try(attempt, again, again=True)
        case DeliveryClass.QUERYABLE:
            unsent = sorted([*unsent, *await _ask(attempt, doubtful)], key=lambda letter: letter.message_id)
        case _:
            await _settle(attempt, [_left(letter) for letter in doubtful])
    await _try(attempt, unsent, again=False)


async def _repeat(attempt: _Try, letters: Sequence[Letter]) -> None:
    """What two persons have decided: once, and not after the round's end."""
    if not letters:
        return
    if attempt.group.round_id in await attempt.sender.gate.rounds():
        await _try(attempt, letters, again=True)
        return
    row = await attempt.sender.rt.db.fetch_one(SQL["is_paused"], {"round_id": attempt.group.round_id})
    rest = _ASK_AGAIN_SECONDS if row and row["paused"] else None
    await _settle(attempt, [_left(letter)._replace(rest=rest) for letter in letters])


def _left(letter: Letter, code: str | None = None) -> Verdict:
    """Unknown, and nothing more that we may do about it."""
    return Verdict(letter.message_id, State.UNKNOWN, code=code)


async def _settle(attempt: _Try, verdicts: Sequence[Verdict], held: datetime | None = None) -> None:
    group = attempt.group

    async def write() -> None:
        async with attempt.sender.rt.db.begin() as conn:
            await settle(conn, group.period, group.shard, verdicts, held=held or group.held)

    if verdicts:
        await insist(write)


async def _ask(attempt: _Try, letters: Sequence[Letter]) -> list[Letter]:
    """Ask the provider and write down what it knows; returns the letters that it has never seen."""
    # The number that a message went to is not kept: where it has changed there is nothing to ask with.
    there = [letter for letter in letters if letter.address and not letter.has_moved]
    lost = [letter for letter in letters if not letter.address or letter.has_moved]
    answers = await _answers(attempt, attempt.account.adapter, there)
    known = [
        _found(letter, answer)
        for letter, answer in zip(there, answers, strict=True)
        if answer.found is not False
    ]
    await _settle(attempt, [*known, *(_left(letter, "address_changed") for letter in lost)])
    return [letter for letter, answer in zip(there, answers, strict=True) if answer.found is False]


async def _answers(attempt: _Try, adapter: Adapter, letters: Sequence[Letter]) -> list[QueryResult]:
    if not letters:
        return []
    before = await _same_destination_before(attempt, letters)
    questions = [
        Query(
            letter.key,
            letter.address,
            letter.tried_at or utc_now(),
            letter.ref,
            tuple(encode_key(n) for n in range(before[letter.message_id] + 1, letter.message_id + 1)),
        )
        for letter in letters
    ]
    return await adapter.query(questions)


async def _same_destination_before(attempt: _Try, letters: Sequence[Letter]) -> dict[int, int]:
    keys = {**attempt.group.keys, "ids": [letter.message_id for letter in letters]}
    rows = await attempt.sender.rt.db.fetch(SQL["same_destination_before"], keys)
    return {row["id"]: row["before"] for row in rows}


def _found(letter: Letter, answer: QueryResult) -> Verdict:
    code = fit_code(answer.code)
    if answer.found is None:
        return Verdict(letter.message_id, State.UNKNOWN, code=code, rest=_ASK_AGAIN_SECONDS)
    state = OF_DELIVERY[answer.state] if answer.state else State.ACCEPTED
    return Verdict(letter.message_id, state, fit_ref(answer.ref), code)


async def _try(attempt: _Try, letters: Sequence[Letter], *, again: bool) -> None:
    """Send letters that were certainly not accepted; or, `again`, repeat unknown ones under the same key."""
    if not letters:
        return
    opened = (await attempt.sender.gate.rounds()).get(attempt.group.round_id)
    if opened is None or await admit(attempt.sender.rt, attempt.sender.fleet, attempt.gateway.id) is None:
        await _settle(attempt, [_stopped(letter, again) for letter in letters])
        return
    moved = [letter for letter in letters if again and letter.has_moved]
    await _settle(attempt, [_left(letter, "address_changed") for letter in moved])
    going = [letter for letter in letters if not (again and letter.has_moved)]
    if not going:
        return
    errand, held, free = await _hold_on(attempt, opened, going, again)
    gone = [
        Verdict(message_id, State.FAILED, code="address_changed", untaken=True)
        for message_id, is_free in free.items()
        if not is_free
    ]
    await _settle(attempt, [] if again else gone)
    # Whoever is not among them has outlived the hold, and is taken up again.
    ready = [letter._replace(state=State.PLANNED) for letter in going if free.get(letter.message_id)]
    posted = await post(attempt.sender, errand, ready)
    if unmade := attempt.group.granted.intersection(letter.message_id for letter in posted.stopped):
        async with attempt.sender.rt.db.begin() as conn:
            await not_begun(conn, list(unmade))
    await _settle(attempt, _verdicts(posted, again), held)


async def _hold_on(
    attempt: _Try, opened: OpenRound, letters: Sequence[Letter], again: bool
) -> tuple[Errand, datetime | None, dict[int, bool]]:
    sender, begun = attempt.sender, time.monotonic()
    async with sender.rt.db.begin() as conn:
        await conn.execute("set local synchronous_commit = on")
        rows = await _write_down(conn, attempt, letters, again)
        if granted := attempt.group.granted.intersection(letter.message_id for letter in letters):
            await begin_second_sends(conn, list(granted))
        persons = [letter.person_id for letter in letters]
        refusing = await opted_out(conn, opened.kind, attempt.step.content.channel, persons)
        links = await make_links(sender, conn, attempt.step, opened, letters)
    before = {}
    if attempt.gateway.facts.batch_size > 1:
        before = await _same_destination_before(attempt, letters)
    safe_until = begun + safe_seconds(sender.rt.settings.lease_seconds, attempt.account.seconds)
    errand = Errand(
        attempt.gateway,
        attempt.account.adapter,
        attempt.step,
        opened,
        attempt.group.lane,
        safe_until,
        refusing,
        links,
        before,
    )
    return errand, rows[0]["held"] if rows else None, {row["id"]: row["free"] for row in rows}


async def _write_down(
    conn: Connection, attempt: _Try, letters: Sequence[Letter], again: bool
) -> list[dict[str, Any]]:
    keys = {
        **attempt.group.keys,
        "ids": [letter.message_id for letter in letters],
        "dests": [letter.dest if letter.now_dest is None else letter.now_dest for letter in letters],
        "again": again,
        "hold": attempt.hold,
        "held": attempt.group.held,
    }
    return await (await conn.execute(SQL["hold_on"], keys)).fetchall()


def _verdicts(posted: Posted, again: bool) -> list[Verdict]:
    stopped = [_stopped(letter, again) for letter in posted.stopped]
    return [*(map(_doubted, posted.verdicts) if again else posted.verdicts), *stopped]


def _stopped(letter: Letter, again: bool) -> Verdict:
    state = State.UNKNOWN if again else State.PLANNED
    return Verdict(letter.message_id, state, rest=1.0, untaken=not again)


def _doubted(verdict: Verdict) -> Verdict:
    # The provider may hold an earlier try of the same key: a refusal now proves nothing about that one.
    return verdict._replace(state=State.UNKNOWN, untaken=False) if verdict.untaken else verdict
