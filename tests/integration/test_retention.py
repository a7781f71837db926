"""What is kept how long: everything to its day, and nothing that is still needed."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from campaigns.rounds import tick
from outreach.ledger.merge import merge_receipts
from outreach.runtime import Runtime
from outreach.storage.retention import retain, retain_daily
from tests import town
from tests.integration.ledger_stage import staged
from tests.integration.test_ledger import assert_sums
from tests.integration.to_the_end import send_to_the_end
from tests.integration.trigger_stage import STAY, outcomes, report, ruled, stay

ACCOUNT = (
    "insert into org_unit (id, level, code, name, path) values (1, 1, '1', '示例省', '1.')",
    "insert into account (login, display_name, password_hash, org_id) values ('a', '甲', '', 1)",
)
ROWS = {
    "link": "insert into link (token_hash, taxpayer_ids, expires_at)"
    " values (decode(md5(%(n)s), 'hex'), '{1}', now() - %(age)s * interval '1 day')",
    "session": "insert into session (token_hash, account_id, csrf_token, scope_org_id, expires_at)"
    " values (decode(md5(%(n)s), 'hex'), 1, '', 1, now() - %(age)s * interval '1 day')",
    "login_attempt": "insert into login_attempt (login_hash, remote, at)"
    " values (decode(md5(%(n)s), 'hex'), '', now() - %(age)s * interval '1 day')",
    "statement_access": "insert into statement_access (event, token_hash, network, at)"
    " values ('miss', decode(md5(%(n)s), 'hex'), '10.0.0.0/24', now() - %(age)s * interval '1 day')",
    "direct_message": "insert into direct_message (person_id, gateway_id, purpose, created_at)"
    " values (1, 1, %(n)s, now() - %(age)s * interval '1 day')",
    "receipt_orphan": "insert into receipt_orphan"
    " (gateway_id, whole_request, state, fallback, arrived_at, not_before, code)"
    " values (1, false, 3, false, now() - %(age)s * interval '1 day', now(), %(n)s)",
    "worker": "insert into worker (name, kind, host, pid, seen_at)"
    " values (%(n)s, 'worker', '', 1, now() - %(age)s * interval '1 day')",
}
DAYS = {"link": 30, "receipt_orphan": 30}


@pytest.mark.parametrize("table", ROWS)
async def test_what_is_older_than_its_days_goes(rt: Runtime, table: str) -> None:
    for statement in ACCOUNT:
        await rt.db.execute(statement)
    await rt.db.execute(
        "insert into gateway (name, channel, adapter, config_enc, secret, rate, burst)"
        " values ('', 'sms', 'aliyun_sms', '', '', 1, 1)"
    )
    days = DAYS.get(table, 180)
    for age in (days - 1, days + 1, days + 400):
        await rt.db.execute(ROWS[table], {"n": f"{age}", "age": age})
    found = await retain(rt)
    assert found is not None
    assert {name: n for name, n in found.deleted.items() if n} == {table: 2}
    assert await rt.db.fetch(f"select count(*)::int as n from {table}") == [{"n": 1}]


async def test_turns_and_outcomes_leave_when_their_rule_is_long_over(rt: Runtime) -> None:
    async with ruled(rt, STAY) as wire:
        await report(wire.rt, stay("a"), stay("b"))
        assert await outcomes(rt) == ["planned", "repeated"]
        await town.set_clock(rt, town.START + timedelta(days=30))
        await tick(town.ticker(wire.rt))
        for days, left in ((179, 2), (182, 0)):
            await town.set_clock(rt, town.START + timedelta(days=30 + days))
            await retain(wire.rt)
            assert len(await outcomes(rt)) == left
            assert (await rt.db.fetch("select count(*)::int as n from trigger_turn")) == [{"n": min(left, 1)}]
    assert (await rt.db.fetch("select count(*)::int as n from event")) == [{"n": 2}]
    await assert_sums(rt)


async def test_an_expired_link_takes_its_codes_and_sessions_along(rt: Runtime) -> None:
    await rt.db.execute(ROWS["link"], {"n": "1", "age": 31})
    await rt.db.execute(
        "insert into one_time_code (token_hash, code_hash, expires_at) select token_hash, '', now() from link"
    )
    found = await retain(rt)
    assert found is not None and found.deleted["link"] == 1
    assert await rt.db.fetch("select from one_time_code") == []


async def test_a_month_of_receipts_leaves_when_it_is_old_and_merged(rt: Runtime) -> None:
    # The month that is current now, so that it is recent for weeks after this.
    row = await rt.db.fetch_one("select to_char(now() at time zone 'Asia/Shanghai', 'YYYYMM')::int as last")
    assert row is not None
    for period in (202401, 202402, row["last"]):
        await rt.db.execute("select ensure_period('receipt_inbox', %(period)s)", {"period": period})
    await rt.db.execute("insert into receipt_inbox (period, gateway_id, state) values (202402, 1, 3)")
    found = await retain(rt)
    assert found is not None and found.dropped == (202401,)
    while await merge_receipts(rt):
        pass
    found = await retain(rt)
    assert found is not None and found.dropped == (202402,)
    names = await rt.db.fetch(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'receipt_inbox'::regclass"
    )
    assert names == [{"name": f"receipt_inbox_{row['last']}"}]


async def test_messages_are_archived_when_their_months_are_over(rt: Runtime, tmp_path: Path) -> None:
    settings = rt.settings.model_copy(update={"archive": str(tmp_path), "keep_messages_months": 12})
    keeping = Runtime(settings, rt.db, rt.redis, rt.http)
    async with staged(keeping, town.households(10)) as stage:
        await send_to_the_end(stage)
        await town.set_clock(rt, town.START + timedelta(days=10))
        await town.set_clock(rt, town.START.replace(year=2027, day=31))
        found = await retain(keeping)
        assert found is not None and (found.archived, found.refused) == ((), {})
        await town.set_clock(rt, town.START.replace(year=2027, month=4, day=1))
        found = await retain(keeping)
        assert found is not None and "有 1 个轮次没有结束" in found.refused[202603]
        await tick(town.ticker(stage.rt))
        found = await retain(rt)
        assert found is not None and found.archived == ()
        found = await retain(keeping)
        assert found is not None and found.archived == (202603,)
        assert (tmp_path / "202603" / "manifest.json").is_file()


async def test_two_schedulers_do_it_once(rt: Runtime) -> None:
    for age in range(50):
        await rt.db.execute(ROWS["link"], {"n": str(age), "age": age + 31})
    first, second = await asyncio.gather(retain(rt), retain(rt))
    done = [found for found in (first, second) if found is not None]
    assert sum(found.deleted["link"] for found in done) == 50
    await retain_daily(rt)
