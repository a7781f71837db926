"""The send loop of one batch: claim, open, send, settle, until it is done or has to rest.

No transaction is open while we talk to a gateway. Between two requests the loop looks at the clock of the
lease, at the round and at the account's rate; whatever it stops there is certainly unsent.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from channels.errors import GatewayError
from outreach.db.pool import Connection
from outreach.errors import OutreachError
from outreach.ledger.gate import OpenRound, opted_out
from outreach.ledger.gateways import Account, Gateway
from outreach.ledger.letters import SQL, Letter, LinkWish, StepContent, load_letters, load_step
from outreach.ledger.pacing import admit
from outreach.ledger.post import Errand, Sender, post, safe_seconds
from outreach.ledger.protocol import (
    Claim,
    Verdict,
    claim_batch,
    close_batch,
    insist,
    move_destinations,
    open_window,
    settle,
)
from outreach.ledger.states import State
from outreach.logs import get_log
from outreach.runtime import Runtime

_GATEWAY_PAUSE = 10.0
_STAND_STILL_PAUSE = 0.5
_LONGEST_WINDOW_SECONDS = 5.0
_LEASES_PER_DRAIN = 2


@dataclass(slots=True)
class _Drain:
    """A batch in hand: where its next window starts, and what the last one brought. It goes back to the queue
    after `ends_at` (monotonic), so that no job outlives the queue's patience."""

    claim: Claim
    step: StepContent
    letters: Sequence[Letter]
    settled: int
    ends_at: float
    opened_at: datetime | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    pause: float = 0.0

    def stretch(self, end: int) -> Sequence[Letter]:
        """The letters from the settled position to `end`."""
        first = self.claim.watermark
        return self.letters[self.settled - first : end - first]


@dataclass(frozen=True, slots=True)
class _Window:
    """An open window up to the position `end`, with the letters of it that may leave."""

    end: int
    opened_at: datetime
    errand: Errand
    letters: Sequence[Letter]
    verdicts: list[Verdict]


async def drain_batch(sender: Sender, shard: int, batch_id: int) -> int:
    """Send what is left of a batch. Returns how many messages were settled; 0 if another has it."""
    gateway_id = await _gateway_of(sender.rt, shard, batch_id)
    if gateway_id is None:
        return 0
    with sender.at_work():
        gateway = await sender.fleet.gateway(gateway_id)
        claim = await claim_batch(sender.rt, gateway, shard, batch_id, sender.owner)
        return await _drain(sender, claim) if claim else 0


async def _gateway_of(rt: Runtime, shard: int, batch_id: int) -> int | None:
    query = "select gateway_id from batch where shard = %(shard)s and id = %(id)s and state = 0"
    row = await rt.db.fetch_one(query, {"shard": shard, "id": batch_id})
    return row["gateway_id"] if row else None


async def _drain(sender: Sender, claim: Claim) -> int:
    step = await load_step(sender.rt, claim.round_id, claim.step, claim.gateway_id)
    ids = [claim.message_id(position) for position in range(claim.watermark, claim.n)]
    letters = await load_letters(sender.rt, sender.gate.cache, step, claim.period, claim.shard, ids)
    ends_at = time.monotonic() + _LEASES_PER_DRAIN * sender.rt.settings.lease_seconds
    drain = _Drain(claim, step, letters, claim.watermark, ends_at)
    while (window := await _turn(sender, drain)) is not None:
        await _send_window(sender, drain, window)
    count = drain.settled - claim.watermark
    get_log().info(
        "batch.drained", batch=claim.id, round=claim.round_id, gateway=claim.gateway_id, messages=count
    )
    return count


async def _turn(sender: Sender, drain: _Drain) -> _Window | None:
    """Settle the last window and open the next one, in one transaction; None if the batch goes back.

    The batch's row is locked before its messages, as by whoever claims and recovers it.
    """
    claim = drain.claim

    async def turn() -> _Window | None:
        ground = await _ground(sender, drain)
        async with sender.rt.db.begin() as conn:
            begun = time.monotonic()
            opened_at = None
            if ground is not None:
                end = min(drain.settled + _window_size(ground.gateway), claim.n)
                opened_at = await open_window(conn, sender.rt, claim, drain.settled, end)
            if opened_at is None:
                is_done = drain.settled == claim.n
                await close_batch(conn, claim, drain.settled, 0.0 if is_done else drain.pause or _rest(drain))
            await settle(conn, claim.period, claim.shard, drain.verdicts, tried_at=drain.opened_at)
            if opened_at is None or ground is None:
                return None
            return await _prepare(sender, conn, drain, ground, end, opened_at, begun)

    return await insist(turn)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a window needs before it may be opened."""

    gateway: Gateway
    account: Account
    opened: OpenRound


async def _ground(sender: Sender, drain: _Drain) -> _Ground | None:
    claim = drain.claim
    if drain.pause or drain.settled == claim.n or time.monotonic() > drain.ends_at:
        return None
    opened = (await sender.gate.rounds()).get(claim.round_id)
    gateway = await admit(sender.rt, sender.fleet, claim.gateway_id)
    if opened is None or gateway is None:
        return None
    try:
        account = await sender.fleet.account(gateway.id)
        await sender.gate.acted(opened)
        await sender.gate.unverified(opened)
    except GatewayError as error:
        get_log().warning("gateway.closed", gateway=gateway.id, fault=error.fault.value, code=error.code)
    except OutreachError as error:
        get_log().error("round.stuck", round=claim.round_id, error=type(error).__name__)
    else:
        return _Ground(gateway, account, opened)
    drain.pause = _GATEWAY_PAUSE
    return None


def _rest(drain: _Drain) -> float:
    return 0.0 if time.monotonic() > drain.ends_at else _STAND_STILL_PAUSE


def _window_size(gateway: Gateway) -> int:
    # A slow account must not hold its window longer than the lease is good for.
    per_second = gateway.rate.per_second
    if gateway.facts.rate_unit == "request":
        per_second *= gateway.facts.batch_size
    return max(1, min(gateway.window_size, int(per_second * _LONGEST_WINDOW_SECONDS)))


async def _prepare(
    sender: Sender,
    conn: Connection,
    drain: _Drain,
    ground: _Ground,
    end: int,
    opened_at: datetime,
    begun: float,
) -> _Window:
    """With the opening, in its transaction: who refuses, where it goes, which links it carries."""
    stretch, claim = drain.stretch(end), drain.claim
    moved = [letter for letter in stretch if letter.state == State.PLANNED and letter.has_moved]
    may_go = frozenset(letter.message_id for letter in stretch if not letter.has_moved)
    if moved:
        dests = [letter.now_dest or 0 for letter in moved]
        may_go |= await move_destinations(conn, claim, [letter.message_id for letter in moved], dests)
    planned = [letter for letter in stretch if letter.state == State.PLANNED]
    going = [letter for letter in planned if letter.message_id in may_go]
    gone = [
        Verdict(letter.message_id, State.FAILED, code="address_changed", untaken=True)
        for letter in planned
        if letter.message_id not in may_go
    ]
    persons = [letter.person_id for letter in going]
    refusing = await opted_out(conn, ground.opened.kind, drain.step.content.channel, persons)
    links = await make_links(sender, conn, drain.step, ground.opened, going)
    held = safe_seconds(sender.rt.settings.lease_seconds, ground.account.seconds)
    errand = Errand(
        ground.gateway,
        ground.account.adapter,
        drain.step,
        ground.opened,
        claim.lane,
        begun + held,
        refusing,
        links,
        _same_destination_before(stretch) if ground.gateway.facts.batch_size > 1 else {},
    )
    return _Window(end, opened_at, errand, going, gone)


def _same_destination_before(stretch: Sequence[Letter]) -> dict[int, int]:
    before: dict[int, int] = {}
    last: dict[int, int] = {}
    for letter in stretch:
        dest = letter.dest if letter.now_dest is None else letter.now_dest
        if dest in last:
            before[letter.message_id] = last[dest]
        last[letter.dest] = last[dest] = letter.message_id
    return before


async def make_links(
    sender: Sender, conn: Connection, step: StepContent, opened: OpenRound, letters: Sequence[Letter]
) -> dict[int, str]:
    """Locator links by message id, durable with the caller's transaction; none if the content has none."""
    if "link" not in step.content.variables or not letters:
        return {}
    params = {"ends_at": opened.ends_at, "days": sender.rt.settings.link_days}
    row = await (await conn.execute(SQL["link_expiry"], params)).fetchone()
    assert row is not None
    wishes = [
        LinkWish(letter.message_id, opened.id, letter.taxpayer_ids, letter.person_id, row["expires_at"])
        for letter in letters
    ]
    made = await sender.issue_links(conn, wishes)
    return {wish.message_id: link for wish, link in zip(wishes, made, strict=True)}


async def _send_window(sender: Sender, drain: _Drain, window: _Window) -> None:
    posted = await post(sender, window.errand, window.letters)
    drain.pause = _GATEWAY_PAUSE if posted.is_ill else _STAND_STILL_PAUSE if posted.stopped else 0.0
    rest = drain.pause if posted.is_ill else 0.0
    drain.verdicts = [
        *window.verdicts,
        *posted.verdicts,
        *(Verdict(letter.message_id, State.PLANNED, rest=rest, untaken=True) for letter in posted.stopped),
    ]
    drain.settled, drain.opened_at = window.end, window.opened_at
