"""The send loop of one batch: claim, open, send, settle, until it is done or has to rest.

No transaction is open while we talk to a gateway. Between two requests the loop looks at the clock of the
lease, at the round and at the account's rate; whatever it stops there is certainly unsent.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from channels.base import Adapter, SendResult
from channels.errors import GatewayError
from outreach.ledger.gate import Gate, OpenRound, opted_out
from outreach.ledger.gateways import Fleet, Gateway
from outreach.ledger.letters import (
    IssueLinks,
    Letter,
    LinkWish,
    StepContent,
    load_letters,
    load_step,
    write_letter,
)
from outreach.ledger.limits import Limiter
from outreach.ledger.protocol import (
    Claim,
    Verdict,
    claim_batch,
    classify,
    close_batch,
    open_window,
    settle,
)
from outreach.ledger.states import State
from outreach.logs import get_log
from outreach.runtime import Runtime

_LEASE_MARGIN = 2.0
_GATEWAY_PAUSE = 10.0
_STAND_STILL_PAUSE = 0.5
_SLICE = 100


@dataclass(frozen=True, slots=True)
class Sender:
    """What the send loop of one process holds."""

    rt: Runtime
    fleet: Fleet
    gate: Gate
    limiter: Limiter
    issue_links: IssueLinks
    owner: str


@dataclass(slots=True)
class _Window:
    """An open window: from `start` to `end`, safe to send in until `safe_until` (monotonic)."""

    start: int
    end: int
    safe_until: float
    refusing: frozenset[int]
    acted: object
    links: dict[int, str]


async def drain_batch(sender: Sender, shard: int, batch_id: int) -> int:
    """Send what is left of a batch. Returns how many messages were settled; 0 if another has it."""
    gateway_id = await _gateway_of(sender.rt, shard, batch_id)
    if gateway_id is None:
        return 0
    gateway = await sender.fleet.gateway(gateway_id)
    claim = await claim_batch(sender.rt, gateway, shard, batch_id, sender.owner)
    if claim is None:
        return 0
    try:
        adapter = await sender.fleet.adapter(gateway.id)
    except GatewayError as error:
        get_log().warning("gateway.closed", gateway=gateway.id, fault=error.fault.value, code=error.code)
        async with sender.rt.db.begin() as conn:
            await close_batch(conn, claim, claim.watermark, _GATEWAY_PAUSE)
        return 0
    return await _drain(sender, gateway, adapter, claim)


async def _gateway_of(rt: Runtime, shard: int, batch_id: int) -> int | None:
    query = "select gateway_id from batch where shard = %(shard)s and id = %(id)s and state = 0"
    row = await rt.db.fetch_one(query, {"shard": shard, "id": batch_id})
    return row["gateway_id"] if row else None


async def _drain(sender: Sender, gateway: Gateway, adapter: Adapter, claim: Claim) -> int:
    step = await load_step(sender.rt, claim.round_id, claim.step, gateway.id)
    ids = [claim.message_id(position) for position in range(claim.watermark, claim.n)]
    letters = await load_letters(sender.rt, sender.gate.cache, step, claim.period, claim.shard, ids)
    settled, verdicts, pause = claim.watermark, list[Verdict](), 0.0
    while True:
        window = await _turn(sender, gateway, step, claim, letters, settled, verdicts, pause)
        if window is None:
            break
        offset = window.start - claim.watermark
        stretch = letters[offset : offset + window.end - window.start]
        verdicts, pause = await _send_window(sender, gateway, adapter, claim, step, stretch, window)
        settled = window.end
    count = settled - claim.watermark
    get_log().info("batch.drained", batch=claim.id, round=claim.round_id, gateway=gateway.id, messages=count)
    return count


async def _turn(
    sender: Sender,
    gateway: Gateway,
    step: StepContent,
    claim: Claim,
    letters: Sequence[Letter],
    settled: int,
    verdicts: Sequence[Verdict],
    pause: float,
) -> _Window | None:
    """Settle the last window and open the next one, in one transaction; None if the batch goes back."""
    opened = (await sender.gate.rounds()).get(claim.round_id)
    acted = await sender.gate.acted(opened) if opened else ()
    begun = time.monotonic()
    end = min(settled + gateway.window_size, claim.n)
    offset = settled - claim.watermark
    stretch = letters[offset : offset + end - settled]
    async with sender.rt.db.begin() as conn:
        await settle(conn, claim.period, claim.shard, verdicts)
        if opened is None or pause or end == settled:
            rest = pause or (0.0 if end == settled else _STAND_STILL_PAUSE)
            await close_batch(conn, claim, settled, rest)
            return None
        if not await open_window(conn, sender.rt, claim, settled, end):
            await close_batch(conn, claim, settled, _STAND_STILL_PAUSE)
            return None
        persons = [letter.person_id for letter in stretch]
        refusing = await opted_out(conn, opened.kind, step.content.channel, persons)
        links = await _links(sender, conn, step, opened, stretch)
    held = safe_seconds(sender.rt.settings.lease_seconds, await sender.fleet.timeout(gateway.id))
    return _Window(settled, end, begun + held, refusing, acted, links)


def safe_seconds(held: float, timeout: float) -> float:
    """How long a request may still be begun under a lease or a rest of `held` seconds, so that it has ended,
    or timed out, before anybody else may look into it."""
    return held - timeout - min(_LEASE_MARGIN, held / 10)


async def _links(
    sender: Sender, conn: object, step: StepContent, opened: OpenRound, stretch: Sequence[Letter]
) -> dict[int, str]:
    if "link" not in step.content.variables or not stretch:
        return {}
    wishes = [
        LinkWish(letter.message_id, opened.id, letter.taxpayer_ids, letter.person_id, opened.ends_at)
        for letter in stretch
    ]
    made = await sender.issue_links(conn, wishes)  # type: ignore[arg-type]
    return {wish.message_id: link for wish, link in zip(wishes, made, strict=True)}


async def _send_window(
    sender: Sender,
    gateway: Gateway,
    adapter: Adapter,
    claim: Claim,
    step: StepContent,
    stretch: Sequence[Letter],
    window: _Window,
) -> tuple[list[Verdict], float]:
    """Send a window's messages, slice by slice. Returns the verdicts and a pause if the gateway is ill."""
    verdicts, ready = sort_out(stretch, window.refusing, window.acted)
    size = max(_SLICE, adapter.facts.batch_size)
    for start in range(0, len(ready), size):
        piece = ready[start : start + size]
        if not await _may_send(sender, gateway, adapter, claim, len(piece), window.safe_until):
            return verdicts + _stopped(ready[start:], 0.0), _STAND_STILL_PAUSE
        written = [
            write_letter(sender.rt, step, letter, window.links.get(letter.message_id, ""), window.acted)  # type: ignore[arg-type]
            for letter in piece
        ]
        results = await adapter.send([message for message, _ in written])
        verdicts += [
            classify(gateway, letter.message_id, result, parts, letter.tries)
            for letter, result, (_, parts) in zip(piece, results, written, strict=True)
        ]
        if _is_ill(results):
            return verdicts + _stopped(ready[start + size :], _GATEWAY_PAUSE), _GATEWAY_PAUSE
    return verdicts, 0.0


def sort_out(
    stretch: Sequence[Letter], refusing: frozenset[int], acted: object
) -> tuple[list[Verdict], list[Letter]]:
    """Part those who need nothing more, or cannot be reached, from those who are to be written to."""
    verdicts: list[Verdict] = []
    ready: list[Letter] = []
    for letter in stretch:
        if letter.state != State.PLANNED:
            continue
        if all(taxpayer in acted for taxpayer in letter.taxpayer_ids):  # type: ignore[operator]
            verdicts.append(Verdict(letter.message_id, State.WITHHELD, code="acted"))
        elif letter.person_id in refusing:
            verdicts.append(Verdict(letter.message_id, State.WITHHELD, code="opted_out"))
        elif not letter.address:
            verdicts.append(Verdict(letter.message_id, State.FAILED, code="no_address"))
        else:
            ready.append(letter)
    return verdicts, ready


async def _may_send(
    sender: Sender, gateway: Gateway, adapter: Adapter, claim: Claim, messages: int, safe_until: float
) -> bool:
    if claim.round_id not in await sender.gate.rounds():
        return False
    units = messages if adapter.facts.rate_unit == "message" else -(-messages // adapter.facts.batch_size)
    if not await sender.limiter.take(gateway.rate, units, urgent=claim.lane <= 2, until=safe_until):
        return False
    return time.monotonic() < safe_until and claim.round_id in await sender.gate.rounds()


def _stopped(letters: Sequence[Letter], rest: float) -> list[Verdict]:
    return [Verdict(letter.message_id, State.PLANNED, rest=rest) for letter in letters]


def _is_ill(results: Sequence[SendResult]) -> bool:
    # A whole slice refused for reasons of the account: more of the batch would only queue up behind it.
    return bool(results) and all(
        result.fault is not None and result.fault.touches == "gateway" for result in results
    )
