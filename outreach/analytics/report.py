"""The report of a campaign: targeted, excluded by reason, planned, what became of the messages, who acted.

Households (户) and household-times (户次) are never mixed: a household that two rounds told counts once in
the first and twice in the second. Every figure is cut to the scope of whoever asks.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pyroaring import AbstractBitMap, BitMap

from outreach.analytics.fallen_back import FellBack, fallen_back
from outreach.analytics.opened import LinksOpened, links_opened
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_text, scope_set
from outreach.ledger.opened import opened_households
from outreach.ledger.reached import reached_households
from outreach.ledger.states import State
from outreach.runtime import Runtime

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class StepReport:
    """A rung: messages and household-times by state."""

    step: int
    channel: str
    messages: dict[State, int]
    household_times: dict[State, int]

    @property
    def total(self) -> int:
        """All messages of the rung."""
        return sum(self.messages.values())


@dataclass(frozen=True, slots=True)
class HandedReport:
    """A rung of calls or visits, in households: handed over = open + done + given up."""

    step: int
    channel: str
    open: int
    done: int
    given_up: int

    @property
    def total(self) -> int:
        """All households that the rung has handed to staff."""
        return self.open + self.done + self.given_up


@dataclass(frozen=True, slots=True)
class RoundReport:
    """A round in households, its rungs in messages. `reached`: distinct households with a delivery;
    `acted`: planned households that have acted since; `held_out_acted` for comparison. `handed`:
    what its rungs gave to staff; `detours`: planned households that took another way, by reason."""

    id: int
    ordinal: int
    name: str
    state: str
    starts_at: datetime
    ends_at: datetime
    audience: int
    exclusions: dict[str, int]
    planned: int
    steps: tuple[StepReport, ...]
    reached: int
    acted: int
    held_out_acted: int
    fell_back: FellBack
    handed: tuple[HandedReport, ...] = ()
    detours: dict[str, int] = field(default_factory=dict)
    links: LinksOpened = field(default_factory=LinksOpened)

    @property
    def outcomes(self) -> dict[State, int]:
        """Messages of all rungs by state."""
        sums = dict.fromkeys(State, 0)
        for step in self.steps:
            for state, count in step.messages.items():
                sums[state] += count
        return {state: count for state, count in sums.items() if count}

    @property
    def messages(self) -> int:
        """All messages of the round."""
        return sum(step.total for step in self.steps)

    @property
    def household_times(self) -> int:
        """Household-times that were delivered or read."""
        return sum(
            step.household_times.get(state, 0)
            for step in self.steps
            for state in (State.DELIVERED, State.READ)
        )

    @property
    def gap(self) -> int:
        """Zero, or the sums do not agree and the balance bar shows it."""
        return self.audience - self.planned - sum(self.exclusions.values())


@dataclass(frozen=True, slots=True)
class OrgReport:
    """One unit below the scope: messages and household-times by state."""

    org_id: int
    name: str
    messages: dict[State, int]
    household_times: dict[State, int]


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """A campaign within a scope."""

    id: int
    code: str
    name: str
    kind: str
    state: str
    at: datetime
    rounds: tuple[RoundReport, ...]
    channels: dict[str, dict[State, int]]
    orgs: tuple[OrgReport, ...]
    households_targeted: int
    households_reached: int
    household_times_reached: int
    acted: int
    opted_out: int
    links: LinksOpened = field(default_factory=LinksOpened)

    @property
    def has_fallen_back(self) -> bool:
        """Whether 5G messages became SMS, or may have in a round whose rows have left."""
        return any(part.fell_back != FellBack() for part in self.rounds)


async def campaign_report(
    rt: Runtime, cache: SetCache, campaign_id: int, scope_org_id: int
) -> CampaignReport:
    """Everything a report shows, in one snapshot. Raises NotFound outside the scope."""
    async with rt.db.begin() as conn:
        keys = {"campaign_id": campaign_id, "scope": scope_org_id}
        head = await (await conn.execute(SQL["campaign_of"], keys)).fetchone()
        if head is None:
            raise NotFound("没有这个活动")
        scope = await scope_set(conn, cache, scope_org_id)
        done = (await evaluate_text(conn, cache, head["done_segment"], scope_org_id)).members
        sets = await _sets(conn, keys, scope)
        states = await (await conn.execute(SQL["states_of"], keys)).fetchall()
        reached = await _reached(conn, keys, scope)
        fallen = await fallen_back(conn, campaign_id, scope_org_id)
        handed = await _handed(conn, keys)
        opened = await opened_households(conn, campaign_id)
        rounds = tuple(
            replace(
                _round(row, sets.get(row["id"], {}), states, reached.get(row["id"], BitMap()), done, fallen),
                handed=tuple(handed.get(row["id"], ())),
                links=links_opened([opened.get(row["id"], {})], scope),
            )
            for row in await (await conn.execute(SQL["rounds_of"], keys)).fetchall()
        )
        orgs = _orgs(await (await conn.execute(SQL["states_by_org"], keys)).fetchall())
        refusals = await (await conn.execute(SQL["opted_out_since"], keys)).fetchone()
    assert refusals is not None
    targeted, told = BitMap(), BitMap()
    for members in sets.values():
        targeted |= members["audience", ""]
    for households in reached.values():
        told |= households
    return CampaignReport(
        head["id"],
        head["code"],
        head["name"],
        head["kind"],
        head["state"],
        head["now"],
        rounds,
        _channels(states),
        orgs,
        len(targeted),
        len(told),
        sum(part.household_times for part in rounds),
        len(targeted & done),
        refusals["n"],
        links_opened(list(opened.values()), scope),
    )


Sets = dict[tuple[str, str], BitMap]


async def _sets(conn: Connection, keys: dict[str, Any], scope: AbstractBitMap) -> dict[int, Sets]:
    found: dict[int, Sets] = {}
    for row in await (await conn.execute(SQL["sets_of"], keys)).fetchall():
        members = BitMap.deserialize(bytes(row["data"])) & scope
        found.setdefault(row["round_id"], {})[row["kind"], row["reason"]] = BitMap(members)
    return found


async def _reached(conn: Connection, keys: dict[str, Any], scope: AbstractBitMap) -> dict[int, BitMap]:
    reached = await reached_households(conn, keys["campaign_id"])
    return {round_id: BitMap(households & scope) for round_id, households in reached.items()}


def _round(
    row: dict[str, Any],
    sets: Sets,
    states: list[dict[str, Any]],
    reached: BitMap,
    done: AbstractBitMap,
    fallen: dict[int, FellBack],
) -> RoundReport:
    planned = sets.get(("planned", ""), BitMap())
    return RoundReport(
        row["id"],
        row["ordinal"],
        row["name"],
        row["state"],
        row["starts_at"],
        row["ends_at"],
        len(sets.get(("audience", ""), BitMap())),
        {reason: len(members) for (kind, reason), members in sets.items() if kind == "exclusion"},
        len(planned),
        _steps([item for item in states if item["round_id"] == row["id"]]),
        len(reached),
        len(planned & done),
        len(sets.get(("exclusion", "held_out"), BitMap()) & done),
        fallen.get(row["id"], FellBack()),
        detours={reason: len(members) for (kind, reason), members in sets.items() if kind == "detour"},
    )


async def _handed(conn: Connection, keys: dict[str, Any]) -> dict[int, list[HandedReport]]:
    found: dict[int, list[HandedReport]] = {}
    for row in await (await conn.execute(SQL["handed_of"], keys)).fetchall():
        part = HandedReport(row["step"], row["channel"], row["open"], row["done"], row["given_up"])
        found.setdefault(row["round_id"], []).append(part)
    return found


def _steps(rows: list[dict[str, Any]]) -> tuple[StepReport, ...]:
    steps: dict[int, StepReport] = {}
    for row in rows:
        step = steps.setdefault(row["step"], StepReport(row["step"], row["channel"], {}, {}))
        step.messages[State(row["state"])] = row["messages"]
        step.household_times[State(row["state"])] = row["households"]
    return tuple(steps[number] for number in sorted(steps))


def _channels(rows: list[dict[str, Any]]) -> dict[str, dict[State, int]]:
    channels: dict[str, dict[State, int]] = {}
    for row in rows:
        counts = channels.setdefault(row["channel"], {})
        state = State(row["state"])
        counts[state] = counts.get(state, 0) + row["messages"]
    return channels


def _orgs(rows: list[dict[str, Any]]) -> tuple[OrgReport, ...]:
    orgs: dict[int, OrgReport] = {}
    for row in rows:
        org = orgs.setdefault(row["org_id"], OrgReport(row["org_id"], row["name"], {}, {}))
        org.messages[State(row["state"])] = row["messages"]
        org.household_times[State(row["state"])] = row["households"]
    return tuple(orgs.values())
