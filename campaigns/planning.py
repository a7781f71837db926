"""A round starts: its segment is evaluated, the exclusions fall out, the recipients are written down.

All of it is one transaction on one locked row: a crash leaves a scheduled round, a second scheduler finds
nothing due.
"""

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb
from pyroaring import BitMap

from campaigns.exclusions import Exclusion, exclude, move
from campaigns.holdout import held_out
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import OutreachError
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import Frozen, evaluate_texts
from outreach.labels.keys import optout_key, reach_key
from outreach.ledger.gateways import ADDRESS_KINDS
from outreach.ledger.kinds import KINDS
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_MONTHS_BACK = 3


async def start_due_rounds(rt: Runtime, cache: SetCache) -> list[int]:
    """Plan and start every round that is due; their ids. One that cannot be planned is logged and holds up
    none of the others."""
    started: list[int] = []
    stuck: list[int] = []
    while True:
        try:
            round_id = await _start_due_round(rt, cache, stuck)
        except _Stuck as error:
            get_log().error("round.stuck", round=error.round_id, error=type(error.__cause__).__name__)
            stuck.append(error.round_id)
        else:
            if round_id is None:
                return started
            started.append(round_id)


class _Stuck(Exception):
    def __init__(self, round_id: int) -> None:
        super().__init__(round_id)
        self.round_id = round_id


async def _start_due_round(rt: Runtime, cache: SetCache, stuck: Sequence[int]) -> int | None:
    async with rt.db.begin() as conn:
        row = await (await conn.execute(SQL["take_round"], {"stuck": list(stuck)})).fetchone()
        if row is None:
            return None
        try:
            audience, planned = await _plan(conn, cache, row)
        except OutreachError as error:
            raise _Stuck(row["id"]) from error
    get_log().info("round.started", round=row["id"], audience=audience, planned=planned)
    round_id: int = row["id"]
    return round_id


async def _plan(conn: Connection, cache: SetCache, row: dict[str, Any]) -> tuple[int, int]:
    steps = await (await conn.execute(SQL["steps_of"], {"round_id": row["id"]})).fetchall()
    await conn.execute("select ensure_period('message', %s)", (row["period"],))
    await conn.execute("select ensure_period('recipient', %s)", (row["period"],))
    frozen = await _evaluate(conn, cache, row)
    audience = BitMap(frozen["audience"].members)
    candidates = await _candidates(conn, cache, row, steps, audience, frozen)
    planned, exclusions = exclude(audience, candidates)
    planned, exclusions = await _fill(conn, row, steps, planned, exclusions)
    await _keep(conn, row["id"], frozen["audience"], planned, exclusions)
    sizes = {"audience": len(audience), "planned": len(planned)}
    await conn.execute(SQL["begin_round"], {"round_id": row["id"], "period": row["period"], **sizes})
    return len(audience), len(planned)


async def _evaluate(conn: Connection, cache: SetCache, row: dict[str, Any]) -> dict[str, Frozen]:
    texts = {
        "audience": f"({row['campaign_segment']}) and ({row['segment']})",
        "already_done": row["done_segment"],
        "disputed": row["dispute_segment"],
        "exempt": row["exempt_segment"],
    }
    return dict(await evaluate_texts(conn, cache, texts, row["org_id"]))


async def _candidates(
    conn: Connection,
    cache: SetCache,
    row: dict[str, Any],
    steps: Sequence[dict[str, Any]],
    audience: BitMap,
    frozen: dict[str, Frozen],
) -> dict[str, BitMap]:
    kind = KINDS[row["kind"]]
    reachable, willing = await _reach(conn, cache, [step["channel"] for step in steps])
    candidates = {
        **{reason: BitMap(frozen[reason].members) for reason in ("already_done", "disputed", "exempt")},
        "held_out": held_out(audience, row["holdout_permille"], row["holdout_seed"]),
        "no_address": audience - reachable,
    }
    if kind.honours_opt_out:
        candidates["opted_out"] = reachable - willing
    if kind.under_quota and row["quota_messages"] and row["quota_days"]:
        candidates["contacted_recently"] = await _contacted(conn, row)
    return candidates


async def _reach(conn: Connection, cache: SetCache, channels: Sequence[str]) -> tuple[BitMap, BitMap]:
    """Whom the ladder reaches on any rung, and whom it reaches on a rung that they have not closed."""
    keys = [reach_key(channel) for channel in channels] + [optout_key(channel) for channel in channels]
    sets = await cache.load(conn, [*keys, optout_key("all")])
    reachable, willing = BitMap(), BitMap()
    for channel in channels:
        reachable |= sets[reach_key(channel)]
        willing |= sets[reach_key(channel)] - sets[optout_key(channel)]
    return reachable, willing - sets[optout_key("all")]


async def _contacted(conn: Connection, row: dict[str, Any]) -> BitMap:
    year, month = divmod(row["period"], 100)
    periods = [
        (year * 12 + month - 1 - back) // 12 * 100 + (year * 12 + month - 1 - back) % 12 + 1
        for back in range(_MONTHS_BACK)
    ]
    keys = {"periods": periods, "days": row["quota_days"], "quota": row["quota_messages"]}
    rows = await (await conn.execute(SQL["contacted"], keys)).fetchall()
    return BitMap([found["id"] for found in rows])


async def _fill(
    conn: Connection,
    row: dict[str, Any],
    steps: Sequence[dict[str, Any]],
    planned: BitMap,
    exclusions: list[Exclusion],
) -> tuple[BitMap, list[Exclusion]]:
    """Write the recipients; whoever turns out to have no way in is moved to that exclusion."""
    filled = await (
        await conn.execute(
            SQL["fill_recipients"],
            {
                "planned": list(planned),
                "steps": [step["step"] for step in steps],
                "channels": [step["channel"] for step in steps],
                "kinds": [ADDRESS_KINDS[step["channel"]] for step in steps],
                "honours_opt_out": KINDS[row["kind"]].honours_opt_out,
                "period": row["period"],
                "round_id": row["id"],
            },
        )
    ).fetchone()
    assert filled is not None
    reached = BitMap(filled["reached"])
    return reached, move(exclusions, "no_address", planned - reached)


async def _keep(
    conn: Connection, round_id: int, frozen: Frozen, planned: BitMap, exclusions: Sequence[Exclusion]
) -> None:
    rows = [
        ("audience", "", BitMap(frozen.members)),
        *(("exclusion", item.reason, item.members) for item in exclusions),
        ("planned", "", planned),
    ]
    for ordinal, (kind, reason, members) in enumerate(rows):
        whole = kind == "audience"
        await conn.execute(
            SQL["keep_set"],
            {
                "round_id": round_id,
                "ordinal": ordinal,
                "kind": kind,
                "reason": reason,
                "size": len(members),
                "data": members.serialize(),
                "expression": frozen.text if whole else "",
                "versions": Jsonb(dict(frozen.versions) if whole else {}),
            },
        )
