"""Sets that follow from the registry, compared with the tables by other means."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from pyroaring import BitMap

from outreach.labels.cache import SetCache
from outreach.labels.derived import refresh_derived
from outreach.labels.keys import RCS_READY, kind_key, label_key, optout_key, org_key, reach_key
from outreach.labels.sets import change_sets
from outreach.registry.consent import opt_outs_of, record_opt_out, withdraw_opt_out
from outreach.runtime import Runtime
from tests.import_files import EAST, WEST, company, load_taxpayers, load_units, native, numbers

NOW = datetime(2026, 3, 15, tzinfo=UTC)


async def settle(rt: Runtime, folder: Path) -> None:
    """Ids: 1 a reachable person, 2 a person without address, 3 a company of the first person, 4 another's."""
    await load_units(rt, folder)
    first, second = native("王芳", 手机号码="13800138000"), native("赵敏", WEST)
    own = {"法定代表人姓名": "王芳", "法定代表人证件号码": first["纳税人识别号"]}
    other = {
        "法定代表人姓名": "张伟",
        "法定代表人证件号码": numbers.id_no(),
        "法定代表人手机号码": "13900139000",
    }
    rows = [first, second, company("甲公司", WEST, 行业代码="F5211", **own), company("乙公司", **other)]
    await load_taxpayers(rt, folder, rows)


async def refresh(rt: Runtime) -> int:
    async with rt.db.begin() as conn:
        return sum(bool(change) for change in (await refresh_derived(conn, source="test")).values())


async def members(rt: Runtime, key: str) -> list[int]:
    return list((await SetCache().load(rt, [key]))[key])


async def test_units_kinds_industries_and_reach(rt: Runtime, tmp_path: Path) -> None:
    await settle(rt, tmp_path)
    await rt.db.execute("update address set rcs = false where person_id = 1")
    await refresh(rt)
    units = {row["code"]: row["id"] for row in await rt.db.fetch("select id, code from org_unit")}
    assert await members(rt, org_key(units[EAST])) == [1, 4]
    assert await members(rt, org_key(units[WEST])) == [2, 3]
    assert await members(rt, kind_key("natural_person")) == [1, 2]
    assert await members(rt, kind_key("enterprise")) == [3, 4]
    assert await members(rt, kind_key("individual_business")) == []
    assert await members(rt, label_key("industry", "5211")) == [3]
    assert await members(rt, reach_key("sms")) == [1, 3, 4]
    assert await members(rt, reach_key("rcs")) == [4]
    assert await members(rt, RCS_READY) == []
    assert await members(rt, reach_key("wechat")) == []


async def test_a_second_refresh_changes_nothing(rt: Runtime, tmp_path: Path) -> None:
    await settle(rt, tmp_path)
    assert await refresh(rt) > 0
    assert await refresh(rt) == 0


async def test_what_ends_is_taken_out(rt: Runtime, tmp_path: Path) -> None:
    await settle(rt, tmp_path)
    async with rt.db.begin() as conn:
        await record_opt_out(conn, 1, "sms", "上行短信", NOW)
        await record_opt_out(conn, 1, "all", "电话", NOW)
    await refresh(rt)
    assert await members(rt, optout_key("sms")) == await members(rt, optout_key("all")) == [1, 3]
    await rt.db.execute("update address set usable = false where person_id = 1")
    await rt.db.execute("update taxpayer set org_id = 5, industry = ''")
    async with rt.db.begin() as conn:
        await withdraw_opt_out(conn, 1, "sms")
    await refresh(rt)
    assert await members(rt, optout_key("sms")) == []
    assert await members(rt, optout_key("all")) == [1, 3]
    assert await members(rt, reach_key("sms")) == [4]
    assert await members(rt, org_key(5)) == [1, 2, 3, 4]
    assert await members(rt, org_key(6)) == []
    assert await members(rt, label_key("industry", "5211")) == []


async def test_special_care_is_added_and_what_others_added_stays(rt: Runtime, tmp_path: Path) -> None:
    await settle(rt, tmp_path)
    key = label_key("special_care")
    async with rt.db.begin() as conn:
        await change_sets(conn, {key: (BitMap([4]), BitMap())}, source="test")
    await rt.db.execute("update person set special_care = true where id = 1")
    await refresh(rt)
    assert await members(rt, key) == [1, 3, 4]


async def test_an_opt_out_that_arrives_during_a_refresh_is_not_undone(rt: Runtime, tmp_path: Path) -> None:
    await settle(rt, tmp_path)
    key = optout_key("sms")
    async with rt.db.begin() as conn:
        await change_sets(conn, {key: (BitMap([4]), BitMap())}, source="test")

    async def opt_out() -> None:
        async with rt.db.begin() as conn:
            await record_opt_out(conn, 1, "sms", "上行短信", NOW)
            await change_sets(conn, {key: (BitMap([1, 3]), BitMap())}, source="test")

    async with rt.db.begin() as conn:
        await refresh_derived(conn, source="test")
        arriving = asyncio.create_task(opt_out())
        await asyncio.sleep(0.2)
        assert not arriving.done()
    await arriving
    assert await members(rt, key) == [1, 3]
    await refresh(rt)
    assert await members(rt, key) == [1, 3]


async def test_consent_keeps_the_first_refusal_and_its_evidence(rt: Runtime, tmp_path: Path) -> None:
    await settle(rt, tmp_path)
    later = NOW.replace(month=4)
    async with rt.db.begin() as conn:
        assert await record_opt_out(conn, 1, "sms", "上行短信", NOW)
        assert not await record_opt_out(conn, 1, "sms", "电话", later)
        assert await record_opt_out(conn, 1, "all", "电话", later)
        assert await opt_outs_of(conn, 1) == {"all": later, "sms": NOW}
        assert await withdraw_opt_out(conn, 1, "all")
        assert not await withdraw_opt_out(conn, 1, "all")
        assert await opt_outs_of(conn, 1) == {"sms": NOW}
