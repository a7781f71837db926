"""What to do about messages that rest: try the unsent again, look into the unknown, never guess.

By delivery class: A sends again with the same key while the provider remembers it; B asks, and sends again
only what the provider has never seen; C and D send only what was certainly not accepted, and leave the
unknown to a receipt or to a person.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from channels.base import Adapter, DeliveryClass, Outcome, Query, QueryResult
from channels.errors import GatewayError
from outreach.clock import utc_now
from outreach.db.sql import load_queries
from outreach.ledger.gate import opted_out
from outreach.ledger.gateways import Gateway
from outreach.ledger.keys import MESSAGES_PER_BATCH, encode_key
from outreach.ledger.letters import Letter, LinkWish, StepContent, load_letters, load_step, write_letter
from outreach.ledger.protocol import Verdict, classify, quiet, settle
from outreach.ledger.send import Sender, safe_seconds, sort_out
from outreach.ledger.states import OF_DELIVERY, State

SQL = load_queries(__file__)

_AT_ONCE = 500
_MEMORY_MARGIN = timedelta(seconds=60)
_ASK_AGAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Group:
    """Resting messages of one batch; `was` holds the state of each before this try."""

    period: int
    shard: int
    round_id: int
    step: int
    was: Mapping[int, int]

    @property
    def ids(self) -> list[int]:
        """In the order in which they travel."""
        return sorted(self.was)


async def reconcile_gateway(sender: Sender, gateway: Gateway) -> int:
    """Look after the resting messages of one account; returns how many were taken up."""
    try:
        adapter = await sender.fleet.adapter(gateway.id)
    except GatewayError:
        return 0
    hold = max(quiet(gateway), sender.rt.settings.lease_seconds)
    begun = time.monotonic()
    groups = await _take(sender, gateway, hold)
    safe_until = begun + safe_seconds(hold, await sender.fleet.timeout(gateway.id))
    for group in groups:
        await _reconcile_group(sender, gateway, adapter, group, safe_until)
    return sum(len(group.was) for group in groups)


async def _take(sender: Sender, gateway: Gateway, hold: float) -> list[_Group]:
    rounds = list(await sender.gate.rounds())
    async with sender.rt.db.begin() as conn:
        await conn.execute("set local synchronous_commit = on")
        cursor = await conn.execute(
            SQL["take_resting"],
            {
                "rounds": rounds,
                "gateway_id": gateway.id,
                "limit": _AT_ONCE,
                "queryable": gateway.facts.queryable,
            },
        )
        found: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        for row in await cursor.fetchall():
            batch = row["id"] // MESSAGES_PER_BATCH
            place = (row["period"], row["shard"], row["round_id"], row["step"], batch)
            found[place][row["id"]] = row["state"]
        groups = [_Group(place[0], place[1], place[2], place[3], was) for place, was in found.items()]
        for group in groups:
            keys = {"period": group.period, "shard": group.shard, "ids": group.ids, "quiet": hold}
            await conn.execute(SQL["begin_try"], keys)
    return groups


async def _reconcile_group(
    sender: Sender, gateway: Gateway, adapter: Adapter, group: _Group, safe_until: float
) -> None:
    step = await load_step(sender.rt, group.round_id, group.step, gateway.id)
    letters = await load_letters(sender.rt, sender.gate.cache, step, group.period, group.shard, group.ids)
    unsent = [letter for letter in letters if group.was[letter.message_id] == State.PLANNED]
    doubtful = [letter for letter in letters if group.was[letter.message_id] == State.UNKNOWN]
    verdicts: list[Verdict] = []
    again: list[Letter] = []
    match gateway.facts.delivery_class:
        case DeliveryClass.IDEMPOTENT:
            again, late = _remembered(gateway, doubtful)
            verdicts += [Verdict(letter.message_id, State.UNKNOWN) for letter in late]
        case DeliveryClass.QUERYABLE:
            asked, absent = await _ask(sender, adapter, group, doubtful)
            verdicts += asked
            unsent += absent
        case _:
            verdicts += [Verdict(letter.message_id, State.UNKNOWN) for letter in doubtful]
    verdicts += await _send(
        sender, gateway, adapter, step, group, sorted(unsent, key=_by_id), safe_until, True
    )
    verdicts += await _send(sender, gateway, adapter, step, group, again, safe_until, False)
    async with sender.rt.db.begin() as conn:
        await settle(conn, group.period, group.shard, verdicts)


def _by_id(letter: Letter) -> int:
    return letter.message_id


def _remembered(gateway: Gateway, letters: Sequence[Letter]) -> tuple[list[Letter], list[Letter]]:
    window = (gateway.facts.idempotent_for or timedelta()) - _MEMORY_MARGIN
    limit = utc_now() - window
    fresh = [letter for letter in letters if letter.tried_at is not None and letter.tried_at > limit]
    return fresh, [letter for letter in letters if letter not in fresh]


async def _ask(
    sender: Sender, adapter: Adapter, group: _Group, letters: Sequence[Letter]
) -> tuple[list[Verdict], list[Letter]]:
    """What the provider says: verdicts on what it knows, and the letters that it has never seen."""
    if not letters:
        return [], []
    ids = [letter.message_id for letter in letters]
    rows = await sender.rt.db.fetch(
        SQL["same_destination_before"], {"period": group.period, "shard": group.shard, "ids": ids}
    )
    before = {row["id"]: row["before"] for row in rows}
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
    answers = await adapter.query(questions)
    verdicts = [
        _found(letter, answer)
        for letter, answer in zip(letters, answers, strict=True)
        if answer.found is not False
    ]
    return verdicts, [
        letter for letter, answer in zip(letters, answers, strict=True) if answer.found is False
    ]


def _found(letter: Letter, answer: QueryResult) -> Verdict:
    if answer.found is None:
        return Verdict(letter.message_id, State.UNKNOWN, code=answer.code or None, rest=_ASK_AGAIN_SECONDS)
    state = OF_DELIVERY[answer.state] if answer.state else State.ACCEPTED
    return Verdict(letter.message_id, state, answer.ref or None, answer.code or None)


async def _send(
    sender: Sender,
    gateway: Gateway,
    adapter: Adapter,
    step: StepContent,
    group: _Group,
    letters: Sequence[Letter],
    safe_until: float,
    certainly_unsent: bool,
) -> list[Verdict]:
    if not letters:
        return []
    opened = (await sender.gate.rounds()).get(group.round_id)
    if opened is None or not await sender.limiter.take(
        gateway.rate, len(letters), urgent=False, until=safe_until
    ):
        state = State.PLANNED if certainly_unsent else State.UNKNOWN
        return [Verdict(letter.message_id, state, rest=1.0, lower=certainly_unsent) for letter in letters]
    acted = await sender.gate.acted(opened)
    async with sender.rt.db.begin() as conn:
        persons = [letter.person_id for letter in letters]
        refusing = await opted_out(conn, opened.kind, step.content.channel, persons)
        wishes = [
            LinkWish(letter.message_id, opened.id, letter.taxpayer_ids, letter.person_id, opened.ends_at)
            for letter in letters
        ]
        links = (
            await sender.issue_links(conn, wishes)
            if "link" in step.content.variables
            else [""] * len(letters)
        )
    linked = {letter.message_id: link for letter, link in zip(letters, links, strict=True)}
    planned = [replace(letter, state=State.PLANNED) for letter in letters]
    withheld, ready = sort_out(planned, refusing, acted)
    if not certainly_unsent:
        ready, withheld = planned, []
    written = [
        write_letter(sender.rt, step, letter, linked[letter.message_id], acted if certainly_unsent else ())
        for letter in ready
    ]
    results = await adapter.send([message for message, _ in written])
    verdicts = [replace(verdict, lower=True) for verdict in withheld]
    for letter, result, (_, parts) in zip(ready, results, written, strict=True):
        verdict = classify(gateway, letter.message_id, result, parts, letter.tries)
        if result.outcome is Outcome.REFUSED:
            verdict = _refused_again(verdict, certainly_unsent)
        verdicts.append(verdict)
    return verdicts


def _refused_again(verdict: Verdict, certainly_unsent: bool) -> Verdict:
    if certainly_unsent:
        return replace(verdict, lower=True)
    # The provider may hold an earlier try of the same key: a refusal now proves nothing about that one.
    return replace(verdict, state=State.UNKNOWN) if verdict.state is State.PLANNED else verdict
