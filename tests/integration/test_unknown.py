"""The unknown set: listed with true reasons, masked, cut to the scope, counted, downloadable."""

from datetime import timedelta

import pytest

from outreach.analytics.unknown import Choice, UnknownMessage, count_unknown, list_unknown
from outreach.analytics.unknown_reasons import Reason, reason_of
from outreach.analytics.unknown_sheet import read_unknown, unknown_csv, unknown_tables
from outreach.ledger.protocol import open_window
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town as towns
from tests.integration.api_town import CITY, COUNTY, GRID, SISTER, Town
from tests.integration.ledger_stage import DROPPED_AFTER, staged


async def unknown(rt: Runtime, **narrowed) -> list[UnknownMessage]:
    return await list_unknown(rt, Choice("1.", round_id=1, **narrowed), limit=100)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (None, Reason.CRASH),
        ("RequestTimeoutError", Reason.TIMEOUT),
        ("ConnectTimeoutError", Reason.TIMEOUT),
        ("ConnectError", Reason.RESET),
        ("the connection was lost", Reason.RESET),
        ("no answer in time", Reason.TIMEOUT),
        ("RequestError", Reason.RESET),
        ("http_502", Reason.SERVER),
        ("http_302", Reason.UNREADABLE),
        ("unreadable", Reason.UNREADABLE),
        ("adapter_error", Reason.UNREADABLE),
        ("address_changed", Reason.MOVED),
        ("isp.SYSTEM_ERROR", Reason.OTHER),
    ],
)
def test_a_code_is_told_as_a_reason(code: str | None, reason: Reason) -> None:
    assert reason_of(code) is reason
    assert reason.word
    assert (code or "（") in reason.sentence(code) + "（"


async def test_a_connection_that_was_cut_and_a_worker_that_died_are_told_apart(rt: Runtime) -> None:
    people = [towns.Household(1, 1, DROPPED_AFTER), *[towns.Household(n, n, towns.mobile(n)) for n in (2, 3)]]
    async with staged(rt, people) as stage:
        claim = await stage.claim("first")
        assert claim is not None
        async with rt.db.begin() as conn:
            await open_window(conn, rt, claim, 0, 1)
        await stage.end_lease()
        await stage.drain()
        (crashed,) = [one for one in await unknown(rt) if one.why is Reason.CRASH]
        assert crashed.code is None
        assert crashed.address == "138****0004"
        assert "发送进程在提交途中中断" in crashed.reason
        assert "15 分钟后向网关核实" in crashed.reason


async def test_a_cut_connection_in_a_class_that_cannot_ask(rt: Runtime) -> None:
    people = [towns.Household(n, n, towns.mobile(n), rcs=True) for n in range(1, 4)]
    faults = {"fiveg_bot": {"drop_after": 1.0, "silent": 1.0}}
    async with staged(rt, people, "rcs", faults=faults, capable=1.0) as stage:
        await stage.drain()
        assert await stage.states(3) == [State.UNKNOWN] * 3
        found = await unknown(rt)
        assert {one.delivery_class for one in found} == {"C"}
        for one in found:
            assert one.why in (Reason.RESET, Reason.TIMEOUT), one.code
            assert not one.is_overdue
            assert "等回执到 2026-03-19 09:00" in one.next
            assert "到期由人处理" in one.next, "a statutory reminder without a rung below"
        await towns.set_clock(rt, towns.START + timedelta(hours=73))
        assert all(one.is_overdue and "回执期限已过" in one.next for one in await unknown(rt))
        async with rt.db.begin() as conn:
            (count,) = await count_unknown(conn, Choice("1.", round_id=1))
        assert (count.n, count.overdue) == (3, 3)


async def test_a_changed_address_is_not_shown_as_the_one_it_went_to(rt: Runtime) -> None:
    async with staged(rt, towns.households(2)) as stage:
        await stage.put_away()
        await stage.put(0, State.UNKNOWN, code="'http_500'")
        await stage.put(1, State.UNKNOWN, code="'http_500'")
        await stage.change_mobile(1, "13900009999")
        first, second = await unknown(rt)
        assert first.address == "（联系方式已变更）"
        assert second.address == "139****0002"


async def test_it_narrows_and_pages(rt: Runtime) -> None:
    async with staged(rt, towns.households(6)) as stage:
        await stage.put_away()
        for position in range(6):
            code = "'http_500'" if position % 2 else "'RequestTimeoutError'"
            await stage.put(position, State.UNKNOWN, code=code)
        assert len(await unknown(rt, reason=Reason.SERVER)) == 3
        assert len(await unknown(rt, reason=Reason.CRASH)) == 0
        assert len(await unknown(rt, gateway_id=99)) == 0
        pages = []
        after = 0
        while page := await list_unknown(rt, Choice("1.", round_id=1), after=after, limit=4):
            pages.append(len(page))
            after = page[-1].id
        assert pages == [4, 2]
        found = await read_unknown(rt, round_id=1, campaign_id=None, org_id=1, limit=2)
        assert sum(count.n for count in found.counts) == 6
        assert len(found.rows) == 2
        assert unknown_tables(found, 2)[0].title == "结果未知 6 条"


async def test_the_file_holds_every_line_and_no_number(rt: Runtime) -> None:
    async with staged(rt, towns.households(3)) as stage:
        await stage.put_away()
        for position in range(3):
            await stage.put(position, State.UNKNOWN, code="'=cmd()'")
        text = unknown_csv(await unknown(rt)).decode("utf-8-sig")
        assert len(text.splitlines()) == 4
        assert "139****0001" in text
        assert towns.mobile(1) not in text
        assert "'=cmd()" in text


async def test_the_api_cuts_it_to_the_scope_and_counts_it(town: Town) -> None:
    _, number = await town.running_round(CITY)
    for table in ("message", "message_count"):
        await town.rt.db.execute(f"update {table} set state = 1 where org_id = %(org)s", {"org": GRID})
    await town.rt.db.execute("update message set tried_at = now() where state = 1")
    half = len(town.in_county)
    for unit, seen in ((CITY, half), (COUNTY, half), (SISTER, 0)):
        assert len((await town.get(f"/rounds/{number}/unknown", unit=unit)).json()["rows"]) == seen
        assert (await town.get(f"/rounds/{number}/unknown/counts", unit=unit)).json()["total"] == seen
    row = (await town.get(f"/rounds/{number}/unknown?why=crash&limit=1")).json()
    assert row["rows"][0]["address"].startswith("139****")
    assert row["next"]
    assert (await town.get(f"/rounds/{number}/unknown?why=moved")).json()["rows"] == []
    assert (await town.get(f"/rounds/{number}/unknown?why=nonsense")).status_code == 422
