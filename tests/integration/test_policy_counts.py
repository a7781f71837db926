"""The figures of findings and registers are those of a recount, for every unit, whatever happens and whenever
they are folded."""

import asyncio
import random
from typing import Any

import psycopg

from outreach.db.pool import Connection
from outreach.runtime import Runtime
from outreach.statements.findings import count_by_policy
from outreach.statements.policy_counts import fold_policy_counts
from outreach.statements.register import register_sums
from tests.integration.finding_stage import verifier

CODES = ("DPF_SMALL_EXEMPT", "VAT_SMALL_EXEMPT")
HOUSEHOLDS, YEARS = 30, (2024, 2025)
UNITS = {1: "1.", 2: "1.2.", 3: "1.3.", 4: "1.2.4.", 5: "1.2.5.", 6: "1.3.6.", 7: "1.3.6.7."}

RECOUNT = """
select f.direction as book, f.benefit_code, f.state, count(*)::int as n
from finding f join taxpayer t on t.id = f.taxpayer_id join org_unit o on o.id = t.org_id
where f.year = %(year)s and f.is_current and o.path like %(path)s || '%%' group by 1, 2, 3
union all
select 'register', r.benefit_code, r.state, count(*)::int
from register_row r join taxpayer t on t.id = r.taxpayer_id join org_unit o on o.id = t.org_id
where r.year = %(year)s and o.path like %(path)s || '%%' group by 2, 3
order by 1, 2, 3
"""
KEPT = "select * from policy_figures(%(year)s, %(path)s) order by book, benefit_code, state"


async def settle(rt: Runtime) -> None:
    """Units on four levels, and households in most of them."""
    async with rt.db.begin() as conn:
        for unit, path in UNITS.items():
            level = path.count(".")
            parent = int(path.split(".")[-3]) if level > 1 else None
            await conn.execute(
                "insert into org_unit (id, parent_id, level, code, name, path)"
                " values (%s, %s, %s, %s, %s, %s)",
                (unit, parent, level, f"u{unit}", f"机构{unit}", path),
            )
        await conn.execute(
            "insert into taxpayer (id, kind, name, tax_no_enc, tax_no_bidx, org_id, digest)"
            " select n, 'enterprise', 'x', '', decode(md5(n::text), 'hex'), 2 + n %% 6, ''"
            " from generate_series(1, %s) n",
            (HOUSEHOLDS,),
        )
        await conn.execute(
            "insert into scan_run (year, month, scope_org_id, by, catalogue_version)"
            " values (2025, 202512, 1, 'test', '1')"
        )


FIND = """
insert into finding (id, taxpayer_id, benefit_code, direction, year, version, run_id, evidence_enc, facts_tag)
select nextval('finding_id'), t.id, %(code)s, %(direction)s, %(year)s, 1, 1, '', ''
from taxpayer t where t.id = any(%(some)s)
on conflict do nothing
"""
CONFIRM = """
update finding set state = 'confirmed', verified_by = 'test', verified_at = now()
where taxpayer_id = any(%(some)s) and year = %(year)s and state = 'found'
"""
SUPERSEDE = """
update finding set is_current = false, state = 'closed', closed_at = now()
where taxpayer_id = any(%(some)s) and direction = %(direction)s and is_current
"""
ENJOY = """
insert into register_row (benefit_code, year, taxpayer_id, claimed)
select %(code)s, %(year)s, t.id, true from taxpayer t where t.id = any(%(some)s)
on conflict (benefit_code, year, taxpayer_id) do update set changed_at = now()
"""
ENTER = """
insert into register_row as old (benefit_code, year, taxpayer_id, claimed, finding_id)
select benefit_code, year, taxpayer_id, false, id from finding
where taxpayer_id = any(%(some)s) and year = %(year)s and state = 'confirmed' and direction = 'unclaimed'
on conflict (benefit_code, year, taxpayer_id) do update set finding_id = excluded.finding_id
"""
GIVE_REASON = """
update register_row set reason = 'cannot', reason_by = 'test', reason_at = now(), reason_source = 'staff'
where taxpayer_id = any(%(some)s) and finding_id is not null
"""
LEAVE = "delete from register_row where taxpayer_id = any(%(some)s) and year = %(year)s"
MOVE = "update taxpayer set org_id = 1 + (id + %(unit)s) %% 7 where id = any(%(some)s)"
RENAME = "update taxpayer set name = 'y' where id = any(%(some)s)"
CHANGES = (FIND, FIND, FIND, CONFIRM, SUPERSEDE, ENJOY, ENJOY, ENTER, GIVE_REASON, LEAVE, MOVE, RENAME)


async def change(conn: Connection, chance: random.Random) -> None:
    """Something happens to some households."""
    keys: dict[str, Any] = {
        "some": chance.sample(range(1, HOUSEHOLDS + 1), chance.randint(1, 20)),
        "code": chance.choice(CODES),
        "direction": chance.choice(("unclaimed", "wrong", "cliff")),
        "year": chance.choice(YEARS),
        "unit": chance.randint(1, 7),
    }
    await conn.execute(chance.choice(CHANGES), keys)


async def move_unit(conn: Connection, chance: random.Random) -> None:
    """A unit, with all below it, comes under the root, unit 2 or unit 3."""
    unit, parent = chance.choice((4, 5, 6)), chance.choice((1, 2, 3))
    keys = {"unit": unit, "parent": parent}
    await conn.execute(
        "update org_unit o set path = p.path || substr(o.path, length(u.path) - length(u.id::text)),"
        " parent_id = case when o.id = u.id then p.id else o.parent_id end"
        " from org_unit u, org_unit p"
        " where u.id = %(unit)s and p.id = %(parent)s and o.path like u.path || '%%'",
        keys,
    )


async def assert_exact(rt: Runtime) -> None:
    paths = [row["path"] for row in await rt.db.fetch("select path from org_unit")]
    for path in paths:
        for year in YEARS:
            keys = {"path": path, "year": year}
            assert await rt.db.fetch(KEPT, keys) == await rt.db.fetch(RECOUNT, keys), keys


async def test_whatever_happens_every_unit_has_the_figures_of_a_recount(rt: Runtime) -> None:
    await settle(rt)
    chance = random.Random(34)
    for turn in range(120):
        async with rt.db.begin() as conn:
            for _ in range(chance.randint(1, 3)):
                await change(conn, chance)
            if turn % 10 == 9:
                await move_unit(conn, chance)
        if chance.random() < 0.3:
            await fold_policy_counts(rt)
        if turn % 6 == 0:
            await assert_exact(rt)
    await fold_policy_counts(rt)
    await assert_exact(rt)
    left = await rt.db.fetch_one("select count(*)::int as n from policy_delta")
    assert left == {"n": 0}
    kept = await rt.db.fetch_one("select sum(n)::int as n from policy_count where org_id = 1")
    assert kept is not None and kept["n"] > 50


async def test_pages_and_commands_read_the_kept_figures(rt: Runtime) -> None:
    await settle(rt)
    keys = {"code": CODES[0], "direction": "unclaimed", "year": 2025, "some": list(range(1, 13))}
    await rt.db.execute(FIND, keys)
    await rt.db.execute(CONFIRM, {**keys, "some": [1, 2, 3, 4]})
    await rt.db.execute(ENTER, keys)
    await fold_policy_counts(rt)
    await rt.db.execute(GIVE_REASON, {"some": [2]})
    async with rt.db.begin() as conn:
        (counted,) = await count_by_policy(conn, 2025, "1.")
        (sums,) = await register_sums(conn, verifier(1, "1."), 2025)
        nothing = await register_sums(conn, verifier(1, "1."), 2024)
    assert (counted.total, counted.by_state["found"], counted.by_state["confirmed"]) == (12, 8, 4)
    assert (sums.entitled, sums.by_state["open"], sums.by_state["cannot"], sums.gap) == (4, 3, 1, 0)
    assert nothing == []


async def test_a_decision_and_a_move_at_the_same_moment_do_not_pass_each_other(rt: Runtime) -> None:
    await settle(rt)
    keys = {"code": CODES[0], "direction": "unclaimed", "year": 2025, "some": [1, 2, 3]}
    await rt.db.execute(FIND, keys)
    url = rt.settings.database_url
    assert url is not None
    for first, second in ((CONFIRM, MOVE), (MOVE, SUPERSEDE)):
        async with (
            await psycopg.AsyncConnection.connect(url) as one,
            await psycopg.AsyncConnection.connect(url) as two,
        ):
            await one.execute(first, {**keys, "unit": 3})
            waiting = asyncio.create_task(two.execute(second, {**keys, "unit": 4}))
            await asyncio.sleep(0.2)
            assert not waiting.done()
            await one.commit()
            await waiting
            await two.commit()
        await assert_exact(rt)


async def test_one_process_folds_at_a_time_and_twice_is_once(rt: Runtime) -> None:
    await settle(rt)
    keys = {"code": CODES[0], "direction": "wrong", "year": 2025, "some": list(range(1, 31))}
    await rt.db.execute(FIND, keys)
    url = rt.settings.database_url
    assert url is not None
    async with await psycopg.AsyncConnection.connect(url) as folding:
        await folding.execute("select pg_advisory_xact_lock(policy_count_lock())")
        await fold_policy_counts(rt)
        left = await rt.db.fetch_one("select sum(n)::int as n from policy_delta")
        assert left == {"n": 30}
    await fold_policy_counts(rt)
    await fold_policy_counts(rt)
    await assert_exact(rt)
