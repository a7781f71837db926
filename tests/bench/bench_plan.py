"""Planning: freezing an audience with all exclusions and their reasons, and cutting it into messages.

Every reason excludes somebody. The ceiling of the freeze is the same algebra on the same sets in memory,
with nothing read or written; that of materialising one bare INSERT … SELECT of the same rows. What a
household costs must not grow with how many there are: smaller rounds are frozen first, and the CPU of each is
told, of this process and of PostgreSQL, so that other work on the machine changes it little.

    .venv/bin/python -m tests.bench --only plan
"""

import time

from pyroaring import BitMap

from campaigns.exclusions import exclude
from campaigns.holdout import held_out
from campaigns.planning import start_due_rounds
from campaigns.rounds import cancel_round, tick
from outreach.labels.cache import SetCache
from outreach.labels.keys import label_key, optout_key, reach_key
from outreach.labels.sets import change_sets
from outreach.rehearsal import add_gateways, file_templates, free_ports
from outreach.runtime import Runtime
from tests import town
from tests.bench.meters import between, read, server_pids
from tests.bench.population import EVERYBODY, PART, come_to_rest, settle
from tests.bench.rows import Row, cost, rate
from tests.bench.stage import write_templates

_RATE = 1_000_000
_EARLIER = 202602
_HELD_OUT, _SEED = 20, 7
_SHARES = {
    label_key("iit.filed"): range(10),
    label_key("iit.disputed"): range(10, 11),
    label_key("iit.exempt"): range(11, 16),
    optout_key("sms"): range(16, 19),
}
"""Which of a hundred households, by the last two digits of their ids, have what excludes them."""
_SMALL = "iit.topup_expected"
_SHORT, _REPEATED = 50_000, 7
"""Smaller rounds are over before the clock of the CPU is exact: frozen so often, and all of it counted."""
_NOBODY = ("other_way", "no_role")
"""Reasons that need a ladder which ends at a doorstep, or a choice of roles."""
_ROLES = ("finance_head", "legal_representative")
_CONTACTED, _UNREACHABLE = range(19, 29), range(29, 31)


async def run(rt: Runtime, quick: bool) -> list[Row]:
    """200,000 households when quick, otherwise 1 M."""
    count = 200_000 if quick else 1_000_000
    sizes = {PART: 10_000, _SMALL: count // 10, EVERYBODY: count}
    await settle(rt, count, sizes[PART], {_SMALL: sizes[_SMALL]})
    await _give_reasons(rt, count)
    await come_to_rest(rt)
    await town.set_clock(rt, town.START)
    await write_templates(rt)
    await file_templates(rt, await add_gateways(rt, free_ports(), rate=_RATE, quiet_seconds=900.0))
    cache = SetCache()
    await _give_roles(rt, count)
    chosen, micros = await _freeze(rt, cache, EVERYBODY, count, contact_roles=_ROLES)
    rows = [
        cost(f"audience frozen with chosen roles, {_thousands(count)}", chosen, unit="s"),
        cost("CPU of freezing with chosen roles", micros, unit="us/household"),
    ]
    for segment, size in sizes.items():
        frozen, micros = await _freeze(rt, cache, segment, size)
        rows.append(cost(f"CPU of freezing {size:,} households", micros, unit="us/household"))
    algebra = await _algebra(rt, cache)
    cut, cutting = await _cut(rt)
    inserted = await _bare_insert(rt)
    budget = 3.0 * count / 1_000_000
    label = f"audience frozen with 7 exclusions, {_thousands(count)}"
    return [
        cost(label, frozen, unit="s", budget=budget, ceiling=algebra),
        *rows,
        rate("messages materialised", cut / cutting, unit="messages/s", ceiling=inserted),
    ]


def _thousands(count: int) -> str:
    return f"{count // 1000:,} k households"


async def _freeze(
    rt: Runtime, cache: SetCache, segment: str, size: int, contact_roles: tuple[str, ...] = ()
) -> tuple[float, float]:
    """Seconds for one round, and microseconds of CPU for a household. The round of all stays, where whom it
    tells is left to the register."""
    pids = await server_pids(rt)
    repeated = _REPEATED if size < _SHORT else 1
    seconds = cpu = 0.0
    for n in range(repeated):
        await _draft(rt, f"plan{size}-{n}-{len(contact_roles)}", segment, contact_roles)
        before = read(pids)
        (started,) = await start_due_rounds(rt, cache)
        split = between(before, read(pids))
        seconds, cpu = seconds + split.seconds, cpu + split.cpu["postgres"] + split.cpu["bench"]
        if contact_roles or segment != EVERYBODY:
            # A round under way counts against the quota: whom it names would be left out of the larger one.
            await cancel_round(rt, started, "bench")
    return seconds / repeated, cpu / repeated / size * 1e6


def _chosen(count: int, digits: range) -> BitMap:
    return BitMap([n for n in range(1, count + 1) if n % 100 in digits])


async def _give_reasons(rt: Runtime, count: int) -> None:
    unreachable = _chosen(count, _UNREACHABLE)
    changes = {key: (_chosen(count, digits), BitMap()) for key, digits in _SHARES.items()}
    changes[reach_key("sms")] = (BitMap(), unreachable)
    async with rt.db.begin() as conn:
        await change_sets(conn, changes, source="bench")
        await conn.execute(
            "insert into opt_out (person_id, channel, at, source)"
            " select unnest(%s::int[]), 'sms', now(), 'bench'",
            (list(changes[optout_key("sms")][0]),),
        )
        await conn.execute(
            "delete from address where kind = 'mobile' and person_id = any(%s::int[])", (list(unreachable),)
        )
        await conn.execute("select ensure_period('message', %s)", (_EARLIER,))
        await conn.execute(
            "insert into message"
            " (period, shard, id, round_id, step, person_id, org_id, reach, dest, state, at, sent_at,"
            " taxpayer_ids)"
            " select %s, n / 1000 %% 8, n, 0, 0, n, 1000, 1, 0, 3, %s, %s, array[n]"
            " from unnest(%s::int[]) as n",
            (_EARLIER, town.START, town.START, list(_chosen(count, _CONTACTED))),
        )


async def _give_roles(rt: Runtime, count: int) -> None:
    """Everybody represents her company; of half of them somebody else heads the finances."""
    await rt.db.execute(
        "insert into role (taxpayer_id, person_id, role)"
        " select n, n, 'legal_representative' from generate_series(1, %(count)s::int) as n union all"
        " select n, n %% %(count)s::int + 1, 'finance_head' from generate_series(2, %(count)s::int, 2) as n",
        {"count": count},
    )
    await rt.db.execute("analyze role")


async def _draft(rt: Runtime, code: str, segment: str, contact_roles: tuple[str, ...]) -> None:
    await town.launch(
        rt,
        ["sms"],
        code=code,
        kind="do_it_reminder",
        segment=segment,
        exempt_segment="iit.exempt",
        dispute_segment="iit.disputed",
        holdout_permille=_HELD_OUT,
        holdout_seed=_SEED,
        quota_messages=1,
        quota_days=30,
        contact_roles=contact_roles,
    )


async def _algebra(rt: Runtime, cache: SetCache) -> float:
    """Seconds for the exclusions alone, on the sets that the plan has just used."""
    keys = [label_key(EVERYBODY), reach_key("sms"), *_SHARES]
    sets = await cache.load(rt, keys)
    contacted = await rt.db.fetch_one(
        "select array_agg(person_id) as ids from message where period = %(period)s", {"period": _EARLIER}
    )
    assert contacted is not None
    recently = BitMap(contacted["ids"])
    began = time.monotonic()
    audience, reachable = BitMap(sets[label_key(EVERYBODY)]), sets[reach_key("sms")]
    planned, exclusions = exclude(
        audience,
        {
            "already_done": BitMap(sets[label_key("iit.filed")]),
            "disputed": BitMap(sets[label_key("iit.disputed")]),
            "exempt": BitMap(sets[label_key("iit.exempt")]),
            "opted_out": BitMap(reachable & sets[optout_key("sms")]),
            "held_out": held_out(audience, _HELD_OUT, _SEED),
            "contacted_recently": recently,
            "no_address": BitMap(audience - reachable),
        },
    )
    seconds = time.monotonic() - began
    stored = await rt.db.fetch(
        "select reason, size from round_set s join round r on r.id = s.round_id"
        " where r.state = 'running' and s.kind <> 'detour' order by s.ordinal"
    )
    assert [row["size"] for row in stored] == [
        len(audience),
        *(len(e.members) for e in exclusions),
        len(planned),
    ]
    assert all(row["size"] for row in stored if row["reason"] not in _NOBODY)
    return seconds


async def _cut(rt: Runtime) -> tuple[int, float]:
    ticker, count, began = town.ticker(rt), 0, time.monotonic()
    while planned := await tick(ticker):
        count += planned
    return count, time.monotonic() - began


async def _bare_insert(rt: Runtime) -> float:
    await rt.db.execute("create table bare_message (like message including all) with (fillfactor = 60)")
    began = time.monotonic()
    count = await rt.db.execute(
        "insert into bare_message"
        " (period, shard, id, round_id, step, person_id, org_id, reach, dest, at, taxpayer_ids)"
        " select r.period, position / 1000 % 8, position, round_id, 0, person_id, org_id, reach, 0, now(),"
        " taxpayer_ids from recipient p join round r on r.id = p.round_id where r.state = 'running'"
    )
    return count / (time.monotonic() - began)
