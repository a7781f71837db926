"""Runs of issuing that staff order: carried out by workers, broken off, gone on with, stopped; their
books."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from pyroaring import BitMap

from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.errors import Conflict
from outreach.governance.audit import verify_audit
from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.statements.issue import issue_documents
from outreach.statements.orders import Order, order_run, resume_run, stop_run, work_runs
from outreach.statements.runs import NAMED, NoLongerOpen, Tally, close_block, open_blocks
from outreach.statements.tries import counted, try_content, try_documents
from outreach.worker import run_worker
from tests import town

_TAXPAYER = (
    ("id", "int4"), ("kind", "text"), ("name", "text"), ("tax_no_enc", "bytea"), ("tax_no_bidx", "bytea"),
    ("org_id", "int4"), ("digest", "bytea"),
)  # fmt: skip
_MANY = 9_000
_EMPTY = 100
_BLOCK = 2_000
_BEFORE_A_LOCK = (
    "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
)
_WORKER = """
import asyncio, sys
from outreach.config import Settings
from outreach.runtime import open_runtime
from outreach.statements import runs
from outreach.statements.orders import work_runs

# A sign of life is given between blocks only: none is on its way when it is stopped within one.
runs.BEAT_SECONDS = 3_600

async def work():
    rt = await open_runtime(Settings(database_url=sys.argv[1], redis_url=sys.argv[2], master_key=sys.argv[3]))
    await work_runs(rt, "first")

asyncio.run(work())
"""


@pytest.fixture
async def county(rt: Runtime) -> AsyncIterator[Runtime]:
    """Two counties under a city, 9,000 shops in turn, of the last hundred of which nothing is known."""
    await town.set_clock(rt, town.START)
    await settle(rt, _MANY)
    yield rt


async def settle(rt: Runtime, count: int) -> None:
    vault, ids = open_vault(rt.settings), range(1, count + 1)
    numbers = [f"92150100MA0{n:07d}" for n in ids]
    units = [
        (1, None, 1, "省", "1."),
        (2, 1, 2, "市", "1.2."),
        (3, 2, 3, "甲县", "1.2.3."),
        (4, 2, 3, "乙县", "1.2.4."),
    ]
    async with rt.db.begin() as conn:
        for unit in units:
            await conn.execute(
                "insert into org_unit (id, parent_id, level, code, name, path)"
                " values (%s, %s, %s, %s, %s, %s)",
                (*unit[:3], f"15{unit[0]:04d}", *unit[3:]),
            )
        sealed = vault.encrypt_many("taxpayer", "tax_no_enc", ids, numbers)
        indexes = vault.blind_indexes("taxpayer.tax_no", numbers)
        rows = [
            (n, "individual_business", f"示例店{n}", number, index, 3 + n % 2, b"")
            for n, number, index in zip(ids, sealed, indexes, strict=True)
        ]
        await copy_rows(conn, "taxpayer", _TAXPAYER, rows)
        await conn.execute(
            "insert into tax_record (taxpayer_id, month, tax_type, declared, paid)"
            " select id, 202503, '增值税', id, id from taxpayer where id <= %s",
            (count - _EMPTY,),
        )


async def order(
    rt: Runtime, org_id: int = 2, *, members: Sequence[int] | None = None, kind: str = "yearly_bill"
) -> int:
    chosen = None if members is None else BitMap(members)
    wanted, whom = (_MANY, "everyone") if chosen is None else (len(chosen), NAMED)
    async with rt.db.begin() as conn:
        return await order_run(conn, "planner", Order(kind, 2025, org_id, "补录了记录", whom, chosen, wanted))


async def run_row(rt: Runtime, run_id: int) -> dict[str, Any]:
    row = await rt.db.fetch_one("select * from statement_run where id = %(id)s", {"id": run_id})
    assert row is not None
    return row


async def books(rt: Runtime, run_id: int) -> None:
    """The sums agree, and every household with facts has one document of one version."""
    row = await run_row(rt, run_id)
    assert row["households"] == row["documents"] + row["unchanged"] + row["empty"] == _MANY
    tally = await rt.db.fetch_one(
        "select sum(households)::int as h, sum(documents)::int as d, sum(empty)::int as e"
        " from statement_tally where run_id = %(id)s",
        {"id": run_id},
    )
    assert tally == {"h": row["households"], "d": row["documents"], "e": row["empty"]}
    written = await rt.db.fetch_one("select count(*)::int as n, max(version)::int as v from statement")
    assert written == {"n": _MANY - _EMPTY, "v": 1}


async def miss(rt: Runtime) -> None:
    """Half a minute goes by without a sign of life."""
    await rt.db.execute("update statement_run set beat_at = now() - interval '31 seconds'")


async def test_a_worker_carries_out_what_was_ordered(county: Runtime) -> None:
    run_id = await order(county)
    assert await work_runs(county, "one") == 1
    assert await work_runs(county, "one") == 0
    row = await run_row(county, run_id)
    assert (row["state"], row["by"], row["owner"], row["wanted"]) == ("finished", "planner", None, _MANY)
    assert (row["households"], row["documents"], row["empty"]) == (_MANY, _MANY - _EMPTY, _EMPTY)
    await books(county, run_id)
    assert await county.db.fetch("select from statement_block") == []
    units = await county.db.fetch("select org_id, documents, empty from statement_tally order by org_id")
    assert [tuple(unit.values()) for unit in units] == [(3, 4450, 50), (4, 4450, 50)]
    said = await county.db.fetch("select actor, action, detail from audit_event order by id")
    assert [(one["actor"], one["action"], one["detail"]["documents"]) for one in said] == [
        ("planner", "statement.finish", _MANY - _EMPTY)
    ]
    assert await verify_audit(county) is None


async def test_every_worker_looks_for_orders(county: Runtime) -> None:
    stop, run_id = asyncio.Event(), await order(county, 3, members=[2, 4])
    worker = asyncio.create_task(run_worker(county, stop))
    async with asyncio.timeout(60):
        while (await run_row(county, run_id))["state"] != "finished":
            await asyncio.sleep(0.05)
    stop.set()
    await worker
    assert (await run_row(county, run_id))["documents"] == 2


@contextlib.asynccontextmanager
async def another_worker(county: Runtime) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that carries out what was ordered; it is killed at the end."""
    settings = county.settings
    words = (settings.database_url, settings.redis_url, settings.master_key.get_secret_value())
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", _WORKER, *words)
    try:
        yield worker
    finally:
        if worker.returncode is None:
            worker.kill()
        await worker.wait()


@contextlib.asynccontextmanager
async def held_in_the_second_block(county: Runtime, run_id: int) -> AsyncIterator[Connection]:
    """Whoever carries out the run does its first block, writes the documents of the second and stands there
    until the connection commits."""
    _, second, *_ = await open_blocks(county, run_id, "1.2.%", None, _BLOCK)
    async with county.db.begin() as conn:
        await conn.execute("select from statement_block where last_id = %s for update", (second[1],))
        yield conn


async def standing(county: Runtime, count: int) -> None:
    """Wait until so many stand before a lock."""
    async with asyncio.timeout(60):
        while len(await county.db.fetch(_BEFORE_A_LOCK)) < count:
            await asyncio.sleep(0.005)


async def written(county: Runtime) -> int:
    return len(await county.db.fetch("select from statement"))


async def test_what_a_killed_worker_leaves_is_finished_by_another(county: Runtime) -> None:
    run_id = await order(county)
    async with held_in_the_second_block(county, run_id), another_worker(county):
        await standing(county, 1)
    assert await written(county) == _BLOCK
    assert await work_runs(county, "second") == 0, "it may still be alive"
    await miss(county)
    assert await work_runs(county, "second") == 1
    row = await run_row(county, run_id)
    assert (row["state"], row["attempts"], row["documents"]) == ("finished", 2, _MANY - _EMPTY)
    await books(county, run_id)


async def test_a_worker_that_was_only_slow_writes_nothing_twice(county: Runtime) -> None:
    run_id = await order(county)
    async with held_in_the_second_block(county, run_id) as gate, another_worker(county) as slow:
        await standing(county, 1)
        slow.send_signal(signal.SIGSTOP)
        await miss(county)
        quick = asyncio.create_task(work_runs(county, "quick"))
        await standing(county, 2)
        assert (await run_row(county, run_id))["owner"] == "quick"
        # It wakes in the middle of a block which the other is doing as well.
        slow.send_signal(signal.SIGCONT)
        await gate.commit()
        assert await slow.wait() == 0
        assert await quick == 1
    row = await run_row(county, run_id)
    assert (row["state"], row["attempts"]) == ("finished", 2)
    await books(county, run_id)


async def test_a_worker_that_wakes_when_another_has_done_all_writes_nothing(county: Runtime) -> None:
    run_id = await order(county)
    async with county.db.begin() as gate:
        await gate.execute("lock table statement in share mode")
        async with another_worker(county) as slow:
            # It has read the facts of a block, and may not write yet.
            await standing(county, 1)
            slow.send_signal(signal.SIGSTOP)
            await miss(county)
            await gate.commit()
            assert await work_runs(county, "quick") == 1
            slow.send_signal(signal.SIGCONT)
            assert await slow.wait() == 0
    row = await run_row(county, run_id)
    assert (row["state"], row["attempts"]) == ("finished", 2)
    await books(county, run_id)


async def test_a_worker_that_ends_gives_its_run_back(county: Runtime) -> None:
    run_id = await order(county)
    async with held_in_the_second_block(county, run_id):
        working = asyncio.create_task(work_runs(county, "one"))
        await standing(county, 1)
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        row = await run_row(county, run_id)
    assert (row["state"], row["owner"], row["attempts"]) == ("waiting", None, 0)
    assert await written(county) == _BLOCK
    await work_runs(county, "two")
    await books(county, run_id)


async def test_staff_stop_a_run_and_let_it_go_on(county: Runtime) -> None:
    run_id = await order(county)
    async with held_in_the_second_block(county, run_id) as gate:
        working = asyncio.create_task(work_runs(county, "one"))
        await standing(county, 1)
        async with county.db.begin() as conn:
            await stop_run(conn, run_id)
        await gate.commit()
        await working
    assert (await run_row(county, run_id))["state"] == "stopped"
    assert await written(county) == 2 * _BLOCK, "the block that it was in, and no other"
    assert await work_runs(county, "one") == 0
    left = await county.db.fetch_one("select after_id, last_id from statement_block where done_at is null")
    assert left is not None
    async with county.db.begin() as conn:
        with pytest.raises(NoLongerOpen):
            await close_block(conn, run_id, (left["after_id"], left["last_id"]), Tally())
        with pytest.raises(Conflict):
            await stop_run(conn, run_id)
        await resume_run(conn, run_id)
    assert await work_runs(county, "two") == 1
    await books(county, run_id)
    async with county.db.begin() as conn:
        with pytest.raises(Conflict):
            await resume_run(conn, run_id)


async def test_a_command_that_broke_off_can_be_gone_on_with(county: Runtime) -> None:
    async def break_off(done: int, total: int) -> None:
        assert total == _MANY
        raise KeyError(done)

    with pytest.raises(KeyError):
        await issue_documents(county, "yearly_bill", 2025, scope_org_id=2, by="cli", progress=break_off)
    row = await county.db.fetch_one("select id, state, is_ordered from statement_run")
    assert row is not None and (row["state"], row["is_ordered"]) == ("running", False)
    await miss(county)
    assert await work_runs(county, "one") == 0, "nobody asked a worker for it"
    async with county.db.begin() as conn:
        await resume_run(conn, row["id"])
    assert await work_runs(county, "one") == 1
    await books(county, row["id"])


async def test_frozen_households_only(county: Runtime) -> None:
    run_id = await order(county, 3, members=[2, 4, 5, 8_950])
    await work_runs(county, "one")
    row = await run_row(county, run_id)
    assert (row["households"], row["documents"], row["empty"]) == (3, 2, 1), "5 is of the other county"
    written = await county.db.fetch("select taxpayer_id from statement order by taxpayer_id")
    assert [one["taxpayer_id"] for one in written] == [2, 4]


async def test_corrections_and_the_benefits_that_they_replace(county: Runtime) -> None:
    record = (
        "insert into benefit_record (taxpayer_id, month, benefit_code, claimed, inputs, amount) values"
        " (2, %(month)s, 'SIX_TAX_HALF', true, '{\"due\": \"200.00\"}', 100)"
    )
    await county.db.execute(record, {"month": 202503})
    await order(county, 3, members=[2, 4])
    await work_runs(county, "one")
    await county.db.execute(
        "insert into benefit_record (taxpayer_id, month, benefit_code, claimed, inputs, amount) values"
        " (2, 202512, 'IIT_BIZ_HALF_200', true, '{\"income\": \"86000.00\"}', 100)"
    )
    second = await order(county, 3, members=[2, 4])
    await work_runs(county, "one")
    tally = await county.db.fetch_one("select * from statement_tally where run_id = %(id)s", {"id": second})
    assert tally is not None
    assert (tally["documents"], tally["corrections"], tally["unchanged"]) == (1, 1, 1)
    assert (tally["benefits"], tally["held"], tally["gained"]) == (2, 0, 1)


async def test_what_is_withdrawn_is_held_by_nobody(county: Runtime) -> None:
    totals = (
        "select sum(held)::int as held, sum(gained)::int as gained, sum(withdrawn)::int as n"
        " from statement_tally"
    )
    enjoyed = (
        "insert into benefit_record (taxpayer_id, month, benefit_code, claimed, inputs, amount) values"
        " (2, 202503, 'SIX_TAX_HALF', true, '{\"due\": \"200.00\"}', 100)"
    )
    for step, held, withdrawn in (
        (enjoyed, 1, 0),
        ("delete from benefit_record", 0, 1),
        ("select 1", 0, 1),
        (enjoyed, 1, 1),
    ):
        await county.db.execute(step)
        await order(county, 3, members=[2], kind="benefit_bill")
        await work_runs(county, "one")
        assert await county.db.fetch_one(totals) == {"held": held, "gained": held, "n": withdrawn}


async def test_a_refused_run_says_why(county: Runtime) -> None:
    run_id = await order(county, 3, members=[2], kind="gift_pack")
    assert await work_runs(county, "one") == 1
    row = await run_row(county, run_id)
    assert row["state"] == "failed" and "标签" in row["trouble"]
    said = await county.db.fetch_one("select action from audit_event order by id desc limit 1")
    assert said == {"action": "statement.fail"}


async def test_a_try_writes_nothing_and_tells_what_would_be(county: Runtime) -> None:
    await issue_documents(county, "yearly_bill", 2025, scope_org_id=3, taxpayer_ids=[2, 4])
    await county.db.execute("update tax_record set paid = 1 where taxpayer_id = 4")
    ids = [2, 4, 6, 8_950, 5]
    tried = await try_documents(county, "yearly_bill", 2025, scope_org_id=3, taxpayer_ids=ids)
    assert {one.taxpayer_id: one.outcome for one in tried} == {
        2: "unchanged", 4: "correction", 6: "first", 8_950: "empty",
    }  # fmt: skip
    sums = counted(tried)
    assert sums.tried == sums.documents + sums.unchanged + sums.empty == 4
    content = await try_content(county, "yearly_bill", 2025, scope_org_id=3, taxpayer_id=4, reason="更正")
    assert content is not None
    assert (content["issue"]["version"], content["issue"]["reason"]) == (2, "更正")
    assert content["paid"]["total"]["paid"] == "1.00"
    assert await try_content(county, "yearly_bill", 2025, scope_org_id=3, taxpayer_id=5) is None
    assert await county.db.fetch_one("select count(*)::int as n from statement") == {"n": 2}
