"""Trigger rounds: events become single messages, through the same sets, gate and ledger as any round.

A rule (a round with a `trigger`) never sends itself. The first event of a day opens a lap, a round that
grows: whoever is judged joins its sets and its recipients at the next positions, in one transaction on the
locked rule. A person stands in a round once, so whoever has had her message today stands in the next lap.
What waits stands in `triggered`; any process may judge it at any time (docs/decisions/0014-triggers.md).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pyroaring import BitMap

from campaigns.approval import still_binds
from campaigns.exclusions import Exclusion
from campaigns.persons import LOW, find_persons
from campaigns.recipients import append_recipients, keep_set, settle
from campaigns.selection import Selection, choose_contacts, reach_parameters, select_households
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import OutreachError
from outreach.labels.cache import SetCache
from outreach.ledger.gateways import Fleet
from outreach.ledger.materialise import materialise_step
from outreach.ledger.reasons import DETOURS, REASONS
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

OUTCOMES = {
    "planned": "列入发送",
    **REASONS,
    "repeated": "重复，已发过",
    "not_in_segment": "不在人群内",
    "too_late": "报来太晚",
    "too_often": "当天次数过多",
}
"""What became of an event that met a rule's condition, and what staff read."""

_TOO_LATE = timedelta(days=3)
"""What happened longer ago is not answered any more."""
_AT_ONCE = 500
_MOST_LAPS = 10
"""Messages of one rule to one person on one day; a source that reports more is at fault."""
_SETS = [("audience", ""), *(("exclusion", reason) for reason in REASONS), ("planned", "")]
_SETS += [("detour", reason) for reason in DETOURS]


async def answer_events(rt: Runtime, cache: SetCache, fleet: Fleet) -> int:
    """Judge what waits and cut its messages; how many events were judged. Idempotent, by any process."""
    judged = 0
    for row in await rt.db.fetch(SQL["rules_waiting"]):
        judged += await _judge_all(rt, cache, row["id"])
    for row in await rt.db.fetch(SQL["uncut_steps"]):
        await materialise_step(rt, fleet, row["round_id"], row["step"], fallers=False)
    return judged


async def give_up_waiting(rt: Runtime) -> None:
    """What waits for a rule that is over, was cancelled, or is not signed again in time comes too late."""
    await rt.db.execute(SQL["give_up"], {"too_late": _TOO_LATE})


async def _judge_all(rt: Runtime, cache: SetCache, rule_id: int) -> int:
    judged = 0
    try:
        while found := await _judge(rt, cache, rule_id):
            judged += found
    except OutreachError as error:
        await rt.db.execute(SQL["rule_is_stuck"], {"round_id": rule_id, "reason": error.message})
        get_log().error("trigger.stuck", round=rule_id, error=type(error).__name__)
    return judged


async def _judge(rt: Runtime, cache: SetCache, rule_id: int) -> int:
    """Some of what waits for a rule; 0 if nothing does, if it may not send, or if another is at it."""
    async with rt.db.begin() as conn:
        # Of one moment: who is told for a household is the same when laps and when recipients are looked up.
        await conn.execute("set transaction isolation level repeatable read")
        rule = await (await conn.execute(SQL["lock_rule"], {"round_id": rule_id})).fetchone()
        if rule is None or not await still_binds(conn, rule["campaign_id"]):
            return 0
        keys = {"round_id": rule_id, "day": rule["day"], "now": rule["now"], "limit": _AT_ONCE}
        keys |= {"too_late": _TOO_LATE, **await _told(conn, rule)}
        waiting = await (await conn.execute(SQL["take_waiting"], keys)).fetchall()
        laps: dict[int, list[dict[str, Any]]] = defaultdict(list)
        dropped: list[tuple[dict[str, Any], str]] = []
        for row in waiting:
            if row["is_late"] or row["lap"] > _MOST_LAPS:
                dropped.append((row, "too_late" if row["is_late"] else "too_often"))
            else:
                laps[row["lap"]].append(row)
        await _tell(conn, rule_id, None, dropped)
        for lap, rows in sorted(laps.items()):
            await _join(conn, cache, rule, lap, rows)
        await conn.execute(SQL["rule_moves"], {"round_id": rule_id})
    return len(waiting)


async def _told(conn: Connection, rule: Mapping[str, Any]) -> dict[str, Any]:
    """Who is told for the households that wait, in two arrays, where the campaign has chosen roles."""
    if not rule["contact_roles"]:
        return {"as_registered": True, "households": [], "persons": []}
    keys = {"round_id": rule["id"], "limit": _AT_ONCE}
    waiting = await (await conn.execute(SQL["households_waiting"], keys)).fetchall()
    steps = await (await conn.execute(SQL["ladder"], {"round_id": rule["id"]})).fetchall()
    channels = [step["channel"] for step in steps]
    found = await choose_contacts(conn, rule, channels, BitMap([row["taxpayer_id"] for row in waiting]))
    return {"as_registered": False, "households": found.told & LOW, "persons": found.told >> 32}


async def _join(
    conn: Connection, cache: SetCache, rule: Mapping[str, Any], lap: int, rows: Sequence[dict[str, Any]]
) -> None:
    """Take households into the lap of the rule's day, each planned or excluded for one reason."""
    steps = await (await conn.execute(SQL["ladder"], {"round_id": rule["id"]})).fetchall()
    channels = [step["channel"] for step in steps]
    within = BitMap([row["taxpayer_id"] for row in rows])
    chosen = await select_households(conn, cache, rule, channels, moment=rule["now"], within=within, few=True)
    occurrence = None
    outcomes = dict.fromkeys(within - chosen.audience, "not_in_segment")
    if chosen.audience:
        occurrence = await _lap(conn, rule, lap)
        sets = await _fill(conn, occurrence, rule, steps, chosen)
        await _grow(conn, occurrence["id"], chosen, sets)
        excluded = ((reason, members) for (kind, reason), members in sets.items() if kind == "exclusion")
        outcomes |= {taxpayer: reason for reason, members in excluded for taxpayer in members}
        outcomes |= dict.fromkeys(sets["planned", ""], "planned")
    told = [(row, outcomes[row["taxpayer_id"]]) for row in rows]
    await _tell(conn, rule["id"], occurrence["id"] if occurrence else None, told)


async def _lap(conn: Connection, rule: Mapping[str, Any], lap: int) -> dict[str, Any]:
    """The lap, opened by whoever needs it first."""
    keys = {"rule_id": rule["id"], "day": rule["day"], "lap": lap}
    row = await (await conn.execute(SQL["find_lap"], keys)).fetchone()
    if row is not None:
        return row
    await conn.execute("select ensure_period('message', %s)", (rule["period"],))
    await conn.execute("select ensure_period('recipient', %s)", (rule["period"],))
    name = f"{rule['name']} {rule['day']:%m-%d}" + (f" 第 {lap} 份" if lap > 1 else "")
    row = await (await conn.execute(SQL["open_lap"], {**keys, "name": name})).fetchone()
    assert row is not None
    return row


async def _fill(
    conn: Connection,
    occurrence: Mapping[str, Any],
    rule: Mapping[str, Any],
    steps: Sequence[dict[str, Any]],
    chosen: Selection,
) -> dict[tuple[str, str], BitMap]:
    """Write the recipients at the next positions; the members of every set that the lap gains."""
    persons = await find_persons(conn, reach_parameters(rule, steps, chosen))
    await append_recipients(conn, occurrence["period"], occurrence["id"], persons)
    written = settle(chosen, persons)
    sets = {("audience", ""): chosen.audience, ("planned", ""): written.planned}
    return sets | _as_sets("exclusion", written.exclusions) | _as_sets("detour", written.detours)


def _as_sets(kind: str, items: Sequence[Exclusion]) -> dict[tuple[str, str], BitMap]:
    return {(kind, item.reason): BitMap(item.members) for item in items}


async def _grow(
    conn: Connection, round_id: int, chosen: Selection, gained: Mapping[tuple[str, str], BitMap]
) -> None:
    rows = await (await conn.execute(SQL["sets_of_lap"], {"round_id": round_id})).fetchall()
    held = {(row["kind"], row["reason"]): BitMap.deserialize(bytes(row["data"])) for row in rows}
    for ordinal, place, members in _changed(held, gained):
        kind, reason = place
        frozen = chosen.frozen if kind == "audience" else None
        await keep_set(conn, round_id, ordinal, kind, reason, members, frozen)
    sizes = {"audience": len(gained["audience", ""]), "planned": len(gained["planned", ""])}
    await conn.execute(SQL["grow_lap"], {"round_id": round_id, **sizes})


def _changed(
    held: Mapping[tuple[str, str], BitMap], gained: Mapping[tuple[str, str], BitMap]
) -> Iterator[tuple[int, tuple[str, str], BitMap]]:
    """The sets that are new or larger now, each at its place. As in any round a report shows every exclusion,
    also the empty ones, but only the detours that somebody takes."""
    for ordinal, place in enumerate(_SETS):
        more = gained.get(place, BitMap())
        if more or (place not in held and place[0] != "detour"):
            yield ordinal, place, held.get(place, BitMap()) | more


async def _tell(
    conn: Connection, rule_id: int, occurrence: int | None, told: Sequence[tuple[dict[str, Any], str]]
) -> None:
    """Write down what became of events."""
    if told:
        keys = {
            "round_id": rule_id,
            "occurrence": occurrence,
            "events": [row["event_id"] for row, _ in told],
            "persons": [row["person_id"] for row, _ in told],
            "outcomes": [outcome for _, outcome in told],
        }
        await conn.execute(SQL["note_outcomes"], keys)
