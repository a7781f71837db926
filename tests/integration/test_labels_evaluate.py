"""Expressions over a small town in PostgreSQL: scope, names, segments, freshness, explanations."""

from datetime import date

import pytest
from pyroaring import BitMap

from outreach.errors import NotFound
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import check_text, count, evaluate_text, evaluate_texts, scope_set
from outreach.labels.explain import explain
from outreach.labels.keys import label_key, org_key
from outreach.labels.sets import change_set, change_sets
from outreach.labels.tree import ExpressionInvalid
from tests.integration.labels_town import (
    CITY,
    NORTH,
    NORTH_BRANCH,
    OTHER_CITY,
    PROVINCE,
    SOUTH,
    build_town,
    save_segment,
)


@pytest.fixture
async def town(rt):
    await build_town(rt)
    return rt


async def members(rt, text, scope=PROVINCE):
    return set((await evaluate_text(rt, SetCache(), text, scope)).members)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("everyone", {1, 2, 3, 4, 5, 6, 7, 8, 9, 300_000}),
        ("nobody", set()),
        ("iit.must_file and not iit.filed", {1, 3, 6, 8}),
        ("必须办理汇算 且 非 汇算已申报", {1, 3, 6, 8}),
        ("amount_due > 400", {2, 3, 6, 8}),
        ("应补税额 >= 400", {1, 2, 3, 6, 8}),
        ("amount_due < 0", {9}),
        ("amount_due != 400.01", {1, 6, 8, 9}),
        ("has amount_due", {1, 2, 3, 6, 8, 9}),
        ("not has amount_due", {4, 5, 7, 300_000}),
        ("amount_due between 400.01 and 500", {2, 3, 8}),
        ("credit_grade in (A, D级)", {1, 3, 6}),
        ("credit_grade != A", {3}),
        ("has credit_grade", {1, 3, 6}),
        ("industry = I", {1, 2, 8}),
        ('industry = "I65"', {1, 8}),
        ("industry = 6310", {2}),
        ("industry = 制造业", {3}),
        ("industry != I", {3}),
        ("industry = A", set()),
        ("org under 示例市税务局", {1, 2, 3, 4, 5, 6, 7, 300_000}),
        ("org = 北城区税务局", {1, 2}),
        ("org under 1502 or org = 15010201", {6, 7, 8, 9, 300_000}),
        ("org != 北城区税务局 and org under 北城区税务局", {6, 7, 300_000}),
        ("kind = 企业", {4, 5}),
        ("reachable by sms and not opted_out of all", {1, 2, 3, 4, 6, 8}),
        ("event filed", set()),
    ],
)
async def test_meaning(town, text, expected):
    assert await members(town, text) == expected


async def test_nothing_leaves_the_scope(town):
    assert await members(town, "everyone", NORTH) == {1, 2, 6, 7, 300_000}
    assert await members(town, "not iit.must_file", NORTH) == {300_000}
    assert await members(town, "org under 邻市税务局 or not org under 邻市税务局", SOUTH) == {3, 4, 5}
    assert await members(town, "org under 示例省税务局 and amount_due > 0", OTHER_CITY) == {8}
    assert set(await scope_set(town, SetCache(), NORTH_BRANCH)) == {6, 7, 300_000}
    with pytest.raises(NotFound):
        await members(town, "everyone", 99)


async def test_a_change_is_seen_by_the_next_count(town):
    cache = SetCache()
    text = "iit.must_file and not iit.filed and amount_due > 400"
    assert await count(town, cache, text, CITY) == 2
    async with town.db.begin() as conn:
        await change_set(conn, label_key("iit.filed"), add=BitMap([3]), source="申报")
    assert await count(town, cache, text, CITY) == 1
    async with town.db.begin() as conn:
        moved = {org_key(NORTH_BRANCH): (BitMap(), BitMap([6])), org_key(OTHER_CITY): (BitMap([6]), BitMap())}
        await change_sets(conn, moved, source="迁移")
    assert await count(town, cache, text, CITY) == 0
    assert await count(town, cache, text, OTHER_CITY) == 2


async def test_a_unit_that_moves_takes_its_members_along(town):
    cache = SetCache()
    assert await count(town, cache, "everyone", SOUTH) == 3
    await town.db.execute("update org_unit set parent_id = 4, path = '1.2.4.5.' where id = 5")
    assert await count(town, cache, "everyone", SOUTH) == 6
    assert await count(town, cache, "everyone", NORTH) == 2
    assert await count(town, cache, "org under 南城区税务局", CITY) == 6


async def test_frozen_says_what_was_computed(town):
    await save_segment(town, "未办", "必须办理汇算 且 非 iit.filed")
    text = "segment 未办 and 应补税额 > 400.00 and org under 示例市税务局"
    frozen = await evaluate_text(town, SetCache(), text, PROVINCE)
    assert (
        frozen.text
        == 'iit.must_file and not iit.filed and amount_due > 400.00 and org under "1501"'.replace(
            "iit.must_file and not iit.filed", "(iit.must_file and not iit.filed)"
        )
    )
    assert frozen.versions["label:iit.filed"] > 0
    assert "under:2" in frozen.versions
    assert await members(town, frozen.text) == set(frozen.members) == {3, 6}
    assert await check_text(town, text) == frozen.text


async def test_several_expressions_at_one_moment(town):
    texts = {"audience": "iit.must_file", "done": "iit.filed", "none": "nobody"}
    found = await evaluate_texts(town, SetCache(), texts, NORTH)
    assert {name: set(one.members) for name, one in found.items()} == {
        "audience": {1, 2, 6, 7},
        "done": {2, 7},
        "none": set(),
    }


async def test_segments_read_from_where_they_live(town):
    await save_segment(town, "重点", "credit_grade = A", PROVINCE)
    await save_segment(town, "重点", "credit_grade = D", SOUTH)
    await save_segment(town, "欠税户", "segment 重点 and amount_due > 400", CITY)
    assert await members(town, "segment 重点", PROVINCE) == {1, 6}
    assert await members(town, "segment 重点", SOUTH) == {3}
    assert await members(town, "segment 欠税户", SOUTH) == set()
    assert await members(town, "segment 欠税户", CITY) == {6}
    with pytest.raises(ExpressionInvalid, match="没有人群 欠税户"):
        await members(town, "segment 欠税户", OTHER_CITY)
    await save_segment(town, "本局", "everyone", NORTH)
    assert await members(town, "segment 本局", CITY) == {1, 2, 3, 4, 5, 6, 7, 300_000}
    await save_segment(town, "本局", "nobody", SOUTH)
    with pytest.raises(ExpressionInvalid, match="2 个下级机构的人群都叫"):
        await members(town, "segment 本局", CITY)


async def test_segments_in_a_circle(town):
    await save_segment(town, "甲", "segment 乙")
    await save_segment(town, "乙", "iit.filed or segment 丙")
    await save_segment(town, "丙", "segment 甲")
    with pytest.raises(ExpressionInvalid, match="直接或间接包含了自己"):
        await members(town, "segment 甲")


async def test_segments_that_explode_are_refused(town):
    await save_segment(town, "层0", " or ".join(["iit.filed"] * 90))
    for level in range(1, 6):
        await save_segment(town, f"层{level}", " or ".join([f"segment 层{level - 1}"] * 90))
    with pytest.raises(ExpressionInvalid, match="合起来太大"):
        await members(town, "segment 层5")


async def test_broken_segment_is_named(town):
    await save_segment(town, "坏", "iit.filed and")
    with pytest.raises(ExpressionInvalid, match="第 1 行第 5 列：人群“坏”的表达式有误：第 1 行第 14 列"):
        await members(town, "not segment 坏")


async def test_near_names_come_from_the_database(town):
    with pytest.raises(ExpressionInvalid) as caught:
        await count(town, SetCache(), "not iit.must_fill", PROVINCE)
    assert (
        caught.value.message
        == "第 1 行第 5 列：没有标签 iit.must_fill，是否想写 iit.must_file（必须办理汇算）？"
    )
    assert caught.value.details["suggestion"] == "iit.must_file"
    with pytest.raises(ExpressionInvalid, match="是否想写 150102（北城区税务局）"):
        await count(town, SetCache(), "org under 北城区税务", PROVINCE)


async def test_ambiguous_names_prefer_the_scope(town):
    await town.db.execute(
        "insert into org_unit (id, parent_id, level, code, name, path)"
        " values (7, 4, 4, '15010301', '第一分局', '1.2.4.7.'), (8, 6, 3, '150201', '第一分局', '1.6.8.')"
    )
    assert await members(town, "org under 第一分局", NORTH) == {6, 7, 300_000}
    with pytest.raises(ExpressionInvalid, match="请写代码：15010201、15010301"):
        await members(town, "org under 第一分局", CITY)


async def test_explanation(town):
    async with town.db.begin() as conn:
        await change_set(
            conn, label_key("iit.filed"), add=BitMap([3]), source="个税系统", as_of=date(2026, 3, 2)
        )
        await change_set(conn, label_key("iit.filed"), add=BitMap([1]), source="别人", as_of=date(2026, 3, 3))
    text = "iit.must_file and not iit.filed and (amount_due > 400 or credit_grade = A) and org under 1501"
    told = await explain(town, SetCache(), text, PROVINCE, 3)
    assert (told.sentence, told.holds) == ("以下条件没有全部满足", False)
    must, filed, either, unit = told.children
    assert (must.sentence, must.holds, must.origin.source) == ("有标签“必须办理汇算”", True, "测试导入")
    assert (filed.sentence, filed.holds) == ("符合要排除的条件", False)
    assert (filed.children[0].origin.source, filed.children[0].origin.as_of) == ("个税系统", date(2026, 3, 2))
    due, grade = either.children
    assert (due.sentence, due.value, due.holds) == ("应补税额为 400.01元，大于 400.00元", "400.01元", True)
    assert due.origin.source == "自然人电子税务局"
    assert (grade.sentence, grade.holds) == ("纳税信用等级不是A级", False)
    assert (unit.sentence, unit.holds) == ("属于示例市税务局（含下级）", True)


async def test_explanation_agrees_with_membership(town):
    await save_segment(town, "未办", "必须办理汇算 且 非 iit.filed")
    text = (
        "segment 未办 and amount_due >= 400.01 or kind = enterprise and not has amount_due or industry = I63"
    )
    inside = await members(town, text)
    for taxpayer in await members(town, "everyone"):
        assert (await explain(town, SetCache(), text, PROVINCE, taxpayer)).holds == (taxpayer in inside)


async def test_explanation_stops_at_the_scope(town):
    with pytest.raises(NotFound):
        await explain(town, SetCache(), "everyone", NORTH, 8)
    missing = await explain(town, SetCache(), "amount_due > 400", CITY, 4)
    assert (missing.sentence, missing.holds, missing.origin) == ("没有应补税额的数据", False, None)
