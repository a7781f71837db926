"""What a round would do: whom it reaches, who is left out, what it costs, how long it takes, what it says.

The sets come from `campaigns.selection` and `campaigns.persons`, the texts from the ledger's own letters:
what is told here is what the round does, as long as nothing changes in between. Nothing is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyroaring import AbstractBitMap

from campaigns.exclusions import Exclusion
from campaigns.filings import Unfiled, find_unfiled
from campaigns.occurrences import whole_season
from campaigns.persons import Persons, find_persons, spots_of
from campaigns.recipients import settle
from campaigns.selection import reach_parameters, select_households
from campaigns.slicing import Slices, cut_slices
from campaigns.templates import SPOKEN
from campaigns.timing import Load, Timing, schedule, schedule_days
from outreach.db.arrays import Ints
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.governance.vault import open_vault
from outreach.labels.cache import SetCache
from outreach.ledger.content import compile_content
from outreach.ledger.kinds import KINDS, Lane
from outreach.ledger.letters import Addressee, Letter, StepContent, letter_values, load_ahead, write_letter
from outreach.runtime import Runtime

SQL = load_queries(__file__)

COUNTED = 20_000
"""Up to so many texts of a rung are written out to count their parts; beyond, as many stand for all."""
SAMPLES = 3
_BULK_SHARE = 0.9
_CENT = Decimal("0.01")


class _Example(NamedTuple):
    """One who stands for others: her rungs, and the one at which she begins."""

    person: Addressee
    reach: int
    first_rung: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What one real person would get: her households and the values of her texts."""

    taxpayer_ids: tuple[int, ...]
    content: Mapping[str, Any]
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rung:
    """A step with those whose ladder begins there. `parts`: what is billed; `is_exact` is false where it was
    reckoned from a sample; `empty`: people for whom a value is missing, who get nothing; `cost` in yuan, None
    where an account has no price."""

    step: int
    channel: str
    households: int
    persons: int
    parts: int
    is_exact: bool
    empty: int
    cost: Decimal | None
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """`audience = planned + sum of exclusions`, in households of the scope; the rest in messages. `slices`:
    who is told on which day, None where all are told at once or a part of the round is out of scope; `waits`:
    the round answers events, so this is who could get it, and nobody knows how many will; `unfiled`: steps
    that no account could send; `by_role`: planned households by the role of whoever is told for them, nothing
    where the register says it."""

    audience: int
    planned: int
    exclusions: tuple[Exclusion, ...]
    rungs: tuple[Rung, ...]
    timing: Timing
    missing_channels: tuple[str, ...]
    slices: Slices | None = None
    waits: bool = False
    unfiled: tuple[Unfiled, ...] = ()
    by_role: Mapping[str, int] = field(default_factory=dict)

    @property
    def persons(self) -> int:
        """Messages of the first pass: one per person."""
        return sum(rung.persons for rung in self.rungs)

    @property
    def parts(self) -> int:
        """What the first pass is billed for."""
        return sum(rung.parts for rung in self.rungs)

    @property
    def cost(self) -> Decimal | None:
        """In yuan, None unless every rung's price is known."""
        costs = [rung.cost for rung in self.rungs if rung.persons]
        known = [cost for cost in costs if cost is not None]
        return sum(known, Decimal(0)) if len(known) == len(costs) else None


async def forecast(
    rt: Runtime,
    conn: Connection,
    cache: SetCache,
    round_id: int,
    *,
    within: AbstractBitMap | None = None,
) -> Forecast:
    """The forecast of a round that has not begun, within a scope. Raises NotFound, ExpressionInvalid."""
    row = await (await conn.execute(SQL["round_ahead"], {"round_id": round_id})).fetchone()
    if row is None:
        raise NotFound("没有这个轮次，请核对编号。")
    row = {**row, "segment": whole_season(row)}
    steps = await (await conn.execute(SQL["contents_ahead"], {"round_id": round_id})).fetchall()
    moment = max(row["now"], row["starts_at"])
    channels = [step["channel"] for step in steps]
    chosen = await select_households(conn, cache, row, channels, moment=moment, within=within)
    persons = await find_persons(conn, reach_parameters(row, steps, chosen))
    written = settle(chosen, persons)
    told = persons.take(np.flatnonzero(persons.reach))
    firsts = told.first_rungs()
    people = _examples(told, firsts)
    accounts = {one["channel"]: one for one in await (await conn.execute(SQL["accounts_ahead"])).fetchall()}
    rungs = tuple(
        [
            await _rung(rt, conn, cache, step, _beginners(told, firsts == step["step"]), people, accounts)
            for step in steps
        ]
    )
    is_whole = len(chosen.audience) == len(chosen.frozen.members)
    slices = await cut_slices(conn, cache, row, chosen, persons, moment=moment) if is_whole else None
    timing = _timing(row, moment, rungs, accounts, slices)
    missing = tuple(rung.channel for rung in rungs if rung.channel not in {*accounts, *SPOKEN})
    sizes = len(chosen.audience), len(written.planned)
    unfiled = tuple(await find_unfiled(conn, round_id=round_id))
    exclusions = tuple(written.exclusions)
    chosen_by = chosen.contacts.by_role if chosen.contacts else {}
    by_role = {
        role: len(members & written.planned)
        for role, members in chosen_by.items()
        if members or role in row["contact_roles"]
    }
    return Forecast(*sizes, exclusions, rungs, timing, missing, slices, row["waits"], unfiled, by_role)


def _beginners(told: Persons, own: NDArray[np.bool_]) -> tuple[int, int]:
    """How many persons and households they are."""
    return int(own.sum()), int(told.counts[own].sum())


def _examples(told: Persons, firsts: Ints) -> list[_Example]:
    """Some for each first rung, spread evenly and always the same: all, where there are not too many."""
    in_order = np.lexsort((told.ids, spots_of(told.ids), firsts))
    own = [in_order[firsts[in_order] == step][:COUNTED] for step in np.unique(firsts)]
    chosen = np.concatenate([in_order[:0], *own])
    some = told.take(chosen)
    households = np.split(some.households, np.cumsum(some.counts)[:-1]) if len(some.ids) else []
    return [
        _Example(Addressee(person, ids.tolist(), org_id), reach, first)
        for person, ids, org_id, reach, first in zip(
            some.ids.tolist(),
            households,
            some.org_ids.tolist(),
            some.reach.tolist(),
            firsts[chosen].tolist(),
            strict=True,
        )
    ]


async def _rung(
    rt: Runtime,
    conn: Connection,
    cache: SetCache,
    step: dict[str, Any],
    counts: tuple[int, int],
    people: Sequence[_Example],
    accounts: Mapping[str, dict[str, Any]],
) -> Rung:
    persons, households = counts
    number, channel = step["step"], step["channel"]
    if step["content"] is None:
        return Rung(number, channel, households, persons, 0, False, 0, None, ())
    fixed = {**step["variables"], "campaign": step["campaign"], "code": step["code"]}
    said = StepContent(compile_content(channel, step["content"]), fixed, "")
    own = [one.person for one in people if one.first_rung == number]
    able = [one.person for one in people if (one.reach >> number) & 1][:SAMPLES]
    letters = await _letters(rt, conn, cache, said, own if channel == "sms" else [])
    shown = await _letters(rt, conn, cache, said, able)
    if channel in SPOKEN:
        told = tuple(_sample(rt, said, letter, step["content"]) for letter in shown)
        return Rung(number, channel, households, persons, 0, True, 0, Decimal(0), told)
    counted = [_parts(rt, said, letter) for letter in letters] if channel == "sms" else [1] * len(own)
    total, empty = sum(counted), counted.count(0)
    is_exact = len(own) == persons
    parts = total if is_exact else round(total * persons / len(own))
    yuan = accounts[channel]["yuan"] if channel in accounts else None
    cost = None if yuan is None else (yuan * parts).quantize(_CENT, ROUND_HALF_UP)
    samples = tuple(_sample(rt, said, letter, step["content"]) for letter in shown)
    return Rung(number, channel, households, persons, parts, is_exact, empty, cost, samples)


async def _letters(
    rt: Runtime, conn: Connection, cache: SetCache, said: StepContent, people: Sequence[Addressee]
) -> list[Letter]:
    if not people:
        return []
    return await load_ahead(conn, open_vault(rt.settings), cache, said, people)


def _parts(rt: Runtime, said: StepContent, letter: Letter) -> int:
    """0 for a person whose text cannot be written."""
    try:
        return write_letter(rt, said, letter, _link(rt))[1]
    except InvalidInput:
        return 0


def _sample(rt: Runtime, said: StepContent, letter: Letter, content: Mapping[str, Any]) -> Sample:
    values = letter_values(said, letter, letter.names, _link(rt), f"{rt.settings.base_url}/u/")
    return Sample(tuple(letter.taxpayer_ids), content, values)


def _link(rt: Runtime) -> str:
    # As long as a real one (eleven characters of base62), so that it is billed alike.
    return f"{rt.settings.base_url}/t/{'x' * 11}"


def _timing(
    row: Mapping[str, Any],
    moment: Any,
    rungs: Sequence[Rung],
    accounts: Mapping[str, dict[str, Any]],
    slices: Slices | None,
) -> Timing:
    bulk = KINDS[row["kind"]].lane in (Lane.REMINDER, Lane.BULK)
    has_begun = row["starts_at"] <= row["now"]
    loads = {
        rung.channel: Load(
            rung.persons - rung.empty,
            accounts[rung.channel]["rate"] * (_BULK_SHARE if bulk else 1.0),
            accounts[rung.channel]["waiting"] if has_begun else 0,
        )
        if rung.channel in accounts
        else Load(rung.persons, 0.0)
        for rung in rungs
        if rung.persons and rung.channel not in SPOKEN
    }
    quiet = (row["quiet_from"], row["quiet_to"]) if row["quiet_from"] is not None else None
    if slices is None:
        return schedule(moment, row["ends_at"], quiet, loads)
    days: dict[Any, int] = {}
    for cell in slices.layout.cells:
        days[slices.opens[cell.day]] = days.get(slices.opens[cell.day], 0) + cell.persons
    total = sum(days.values()) + slices.layout.unplaced
    return schedule_days(row["ends_at"], quiet, loads, days, total)
