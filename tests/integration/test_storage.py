"""A month leaves for Parquet files only when they hold all of it, and comes back as it was."""

import asyncio
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyroaring import BitMap

from campaigns.rounds import tick
from outreach.analytics.report import campaign_report
from outreach.config import Settings
from outreach.db.partitions import has_partition, month_after, months_between
from outreach.errors import Conflict, NotFound
from outreach.labels.cache import SetCache
from outreach.ledger.archived import archived_round
from outreach.ledger.audit import audit_everything
from outreach.ledger.reached import reached_households
from outreach.ledger.states import State
from outreach.processes import environment
from outreach.runtime import Runtime
from outreach.storage import archive as archive_module
from outreach.storage.archive import archive_period, list_archives, verify_archive
from outreach.storage.kinds import KINDS
from outreach.storage.manifest import NAME, read_manifest
from outreach.storage.restore import restore_period
from outreach.storage.rows import SOURCES
from tests import town
from tests.integration.command_line import outreach
from tests.integration.ledger_stage import DROPPED_AFTER, Stage, staged
from tests.integration.to_the_end import send_to_the_end

PERIOD = 202603
PEOPLE = [*town.households(40), town.Household(41, 41, DROPPED_AFTER), town.Household(42, 41, DROPPED_AFTER)]
SNAPSHOT = "select * from message order by id", "select * from recipient order by position"


async def finished(stage: Stage, *, later: timedelta = timedelta(days=120)) -> None:
    """Send the round to its end and let time pass."""
    await send_to_the_end(stage)
    await town.set_clock(stage.rt, town.START + timedelta(days=10))
    await tick(town.ticker(stage.rt))
    await town.set_clock(stage.rt, town.START + later)


async def archive(rt: Runtime, folder: Path) -> Any:
    return await archive_period(rt, PERIOD, folder, by="test", progress=lambda _: None)


async def rows_of(rt: Runtime) -> list[list[dict[str, Any]]]:
    return [await rt.db.fetch(query) for query in SNAPSHOT]


async def test_a_month_leaves_and_comes_back_as_it_was(rt: Runtime, tmp_path: Path) -> None:
    async with staged(rt, PEOPLE, faults={"aliyun_sms": {"fail": 0.2}}) as stage:
        await finished(stage)
    # Texts that a careless CSV would change, and values at the edge of their types.
    awkward = ["", "\\N", 'a,"b"', "二\n行", "a|b"]
    for number, text in enumerate(awkward):
        await rt.db.execute(
            "update message set ref = %(text)s, code = %(text)s where id = %(id)s",
            {"text": text, "id": 1_000_000 + number},
        )
    await rt.db.execute("update message set dest = -9223372036854775808, tries = 32767 where id = 1000005")
    before, states = await rows_of(rt), await town.states(rt)
    assert states[State.FAILED] > 0
    manifest = await archive(rt, tmp_path)
    async with rt.db.begin() as conn:
        assert not await has_partition(conn, "message", PERIOD)
        assert not await has_partition(conn, "recipient", PERIOD)
        (kept,) = await list_archives(conn)
        assert (kept.period, kept.messages, kept.is_away) == (PERIOD, len(before[0]), True)
    folder = tmp_path / str(PERIOD)
    files = [file for table in manifest.tables for file in table.files]
    assert {path.name for path in folder.iterdir()} == {NAME, *(file.name for file in files)}
    await restore_period(rt, PERIOD, None, by="test")
    assert await rows_of(rt) == before
    (audit,) = await audit_everything(rt)
    assert audit.agrees
    await archive(rt, tmp_path)
    assert (await rows_of(rt)) == [[], []]
    query = "select action from audit_event where action like 'period.%%' order by id"
    assert await rt.db.fetch(query) == [
        {"action": "period.archive"},
        {"action": "period.restore"},
        {"action": "period.archive"},
    ]


async def test_what_is_kept_of_a_round_still_adds_up(rt: Runtime, tmp_path: Path) -> None:
    async with staged(rt, PEOPLE, faults={"aliyun_sms": {"fail": 0.2}}) as stage:
        await finished(stage)
    (round_row,) = await rt.db.fetch("select id, campaign_id, planned from round")
    reached = await rt.db.fetch(
        "select distinct unnest(taxpayer_ids) as id from message where state in (3, 5)"
    )
    async with rt.db.begin() as conn:
        assert await archived_round(conn, round_row["id"]) is None
    await archive(rt, tmp_path)
    async with rt.db.begin() as conn:
        kept = await archived_round(conn, round_row["id"])
        reach = await reached_households(conn, round_row["campaign_id"])
    assert kept is not None
    counters = await rt.db.fetch(
        "select step, state, sum(n)::int as n, sum(households)::int as households from message_count"
        " group by step, state having sum(n) <> 0"
    )
    assert kept.sums == {(row["step"], row["state"]): (row["n"], row["households"]) for row in counters}
    assert (kept.recipients, kept.households) == (41, round_row["planned"])
    assert kept.reached == reach[round_row["id"]]
    assert reach == {round_row["id"]: BitMap(row["id"] for row in reached)}
    await restore_period(rt, PERIOD, None, by="test")
    async with rt.db.begin() as conn:
        assert await archived_round(conn, round_row["id"]) is None


async def test_report_and_audit_of_an_archived_round_say_the_same(rt: Runtime, tmp_path: Path) -> None:
    async with staged(rt, PEOPLE, faults={"aliyun_sms": {"fail": 0.2}}) as stage:
        await finished(stage)
    (row,) = await rt.db.fetch("select campaign_id from round")
    before = await campaign_report(rt, SetCache(), row["campaign_id"], town.PROVINCE)
    assert before.households_reached > 0
    await archive(rt, tmp_path)
    after = await campaign_report(rt, SetCache(), row["campaign_id"], town.PROVINCE)
    assert replace(after, at=before.at) == before
    (audit,) = await audit_everything(rt)
    assert audit.agrees, [check for check in audit.checks if not check.agrees]
    await rt.db.execute("update message_count set n = n + 1")
    (audit,) = await audit_everything(rt)
    assert not audit.agrees


async def test_an_auditor_counts_with_nothing_but_the_files(rt: Runtime, tmp_path: Path) -> None:
    async with staged(rt, PEOPLE) as stage:
        await finished(stage)
    states = await town.states(rt)
    await archive(rt, tmp_path)
    with duckdb.connect() as engine:
        rows = engine.sql(
            f"select state, count(*) from '{tmp_path}/{PERIOD}/message-*.parquet' group by state"
        ).fetchall()
    assert dict(rows) == states
    code, text = outreach("storage", "verify", str(tmp_path / str(PERIOD)))
    assert code == 0, text
    assert "与清单一致：41 条消息，41 位接收人，1 个轮次" in text.replace("\n", "")


async def test_a_month_that_may_still_move_is_refused(rt: Runtime, tmp_path: Path) -> None:
    async with staged(rt, PEOPLE[:5]) as stage:
        with pytest.raises(NotFound, match="没有 202501 月份"):
            await archive_period(rt, 202501, tmp_path, by="test", progress=lambda _: None)
        with pytest.raises(Conflict, match="有 1 个轮次没有结束"):
            await archive(rt, tmp_path)
        await finished(stage, later=timedelta(days=60))
        with pytest.raises(Conflict, match="最近 3 个月"):
            await archive(rt, tmp_path)
        await town.set_clock(rt, town.START + timedelta(days=120))
        await stage.put(0, State.ACCEPTED, at="business_now() - interval '71 hours'")
        with pytest.raises(Conflict, match="有 1 条消息还在等待回执"):
            await archive(rt, tmp_path)
        await stage.put(0, State.ACCEPTED, at="business_now() - interval '73 hours'")
        await stage.put(1, State.UNKNOWN, not_before="now() + interval '1 minute'")
        with pytest.raises(Conflict, match="有 1 条消息还在等待回执"):
            await archive(rt, tmp_path)
        await stage.put(1, State.UNKNOWN, not_before="null", at="business_now() - interval '73 hours'")
        await rt.db.execute("select ensure_period('receipt_inbox', 202607)")
        await rt.db.execute(
            "insert into receipt_inbox (period, gateway_id, message_id, state) values (202607, 1, 1000001, 3)"
        )
        with pytest.raises(Conflict, match="有 1 条回执还没有并入"):
            await archive(rt, tmp_path)
        assert list(tmp_path.iterdir()) == []
        await stage.merge()
        await archive(rt, tmp_path)


async def test_nothing_is_dropped_when_the_files_are_not_what_was_written(
    rt: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(rt, PEOPLE) as stage:
        await finished(stage)
    before = await rows_of(rt)
    folder = tmp_path / str(PERIOD)
    write = archive_module.write_parquet

    def forgetful(csv: Path, columns: Any, target: Path) -> None:
        csv.write_bytes(csv.read_bytes().replace(b",[1]", b",[7]", 1))
        write(csv, columns, target)

    monkeypatch.setattr(archive_module, "write_parquet", forgetful)
    with pytest.raises(Conflict, match="与清单不符"):
        await archive(rt, tmp_path)
    monkeypatch.undo()
    assert await rows_of(rt) == before
    shutil.rmtree(folder)
    await archive(rt, tmp_path)
    message = next(folder.glob("message-*.parquet"))
    message.write_bytes(message.read_bytes()[:-1] + b"?")
    with pytest.raises(Conflict, match="SHA-256 不符"):
        await restore_period(rt, PERIOD, None, by="test")
    with pytest.raises(Conflict, match="SHA-256 不符"):
        verify_archive(folder)


async def test_a_receipt_that_comes_while_the_files_are_written_keeps_the_month(
    rt: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(rt, PEOPLE) as stage:
        await finished(stage)
        verify = archive_module.verify_archive

        def late(folder: Path) -> Any:
            asyncio.run_coroutine_threadsafe(stage.put(0, State.READ), loop).result()
            return verify(folder)

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(archive_module, "verify_archive", late)
        with pytest.raises(Conflict, match="又有变动"):
            await archive(rt, tmp_path)
        monkeypatch.undo()
        assert (await town.states(rt))[State.READ] == 1
        with pytest.raises(Conflict, match="与台账现在的内容不同"):
            await archive(rt, tmp_path)
        shutil.rmtree(tmp_path / str(PERIOD))
        manifest = await archive(rt, tmp_path)
        assert any(item.state == State.READ for item in manifest.rounds[0].sums)


async def test_a_crash_after_the_files_goes_on_where_it_stood(rt: Runtime, tmp_path: Path) -> None:
    async with staged(rt, PEOPLE) as stage:
        await finished(stage)
    await archive(rt, tmp_path)
    manifest, _ = read_manifest(tmp_path / str(PERIOD))
    await restore_period(rt, PERIOD, None, by="test")
    await rt.db.execute("delete from round_archive")
    await rt.db.execute("delete from period_archive")
    assert await archive(rt, tmp_path) == manifest
    with pytest.raises(Conflict, match="不是 202603 归档时写下的那一份"):
        other = tmp_path / "other"
        shutil.copytree(tmp_path / str(PERIOD), other)
        (other / NAME).write_bytes((other / NAME).read_bytes() + b" ")
        await restore_period(rt, PERIOD, other, by="test")
    await restore_period(rt, PERIOD, None, by="test")
    with pytest.raises(Conflict, match="已在库中"):
        await restore_period(rt, PERIOD, None, by="test")
    with pytest.raises(NotFound, match="没有归档记录"):
        await restore_period(rt, 202501, None, by="test")


async def test_every_column_of_an_archived_table_can_be_archived(rt: Runtime) -> None:
    for source in SOURCES:
        rows = await rt.db.fetch(
            "select format_type(atttypid, null) as type from pg_attribute"
            " where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped",
            {"table": source.name},
        )
        assert {row["type"] for row in rows} <= KINDS.keys()


def test_the_commands_speak(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    assert outreach("storage", "create", "202604") == (0, "202604 的分区已就绪\n")
    code, text = outreach("storage", "list")
    assert code == 0
    assert [name in text for name in ("202604", "message", "recipient", "receipt_inbox")] == [True] * 4
    assert outreach("storage", "create", "2026")[0] == 1
    assert outreach("storage", "archive", "202605")[0] == 1
    assert "receipt_orphan：删除 0 行" in outreach("storage", "retain")[1]
    assert "保存期限" in outreach("storage", "--help")[1]


def test_months() -> None:
    assert (month_after(202611), month_after(202612)) == (202612, 202701)
    assert (months_between(202611, 202702), months_between(202702, 202611)) == (3, -3)


async def test_two_who_make_a_month_at_once_both_have_it(rt: Runtime) -> None:
    make = "select ensure_period('receipt_inbox', 203105)"

    async def second() -> None:
        async with rt.db.begin() as conn:
            await conn.execute(make)

    async with rt.db.begin() as conn:
        await conn.execute(make)
        other = asyncio.create_task(second())
        await asyncio.sleep(0.3)
        assert not other.done(), "it waits for the first"
    await other
