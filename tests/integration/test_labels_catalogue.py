"""The catalogue: national versions, local extensions, and imports that do all or nothing."""

from outreach.labels.cache import SetCache
from outreach.labels.catalogue import (
    builtin_rows,
    import_attributes,
    import_labels,
    list_catalogue,
    load_attributes,
    load_builtin,
)
from outreach.labels.evaluate import count

HEADER = ("code", "value", "name", "kind")


def rows(*cells):
    return [dict(zip(HEADER, row, strict=True)) for row in cells]


A = ("a.x", "", "甲", "flag")
B = ("b", "", "乙", "value")
B1, B2 = ("b", "1", "一", ""), ("b", "2", "二", "")


async def labels(rt):
    return {row["code"]: row for row in await rt.db.fetch("select * from label")}


async def run(rt, *cells, version="国标1", local=False):
    async with rt.db.begin() as conn:
        return await import_labels(conn, rows(*cells), version=version, local=local)


async def test_national_versions(rt):
    assert set((await run(rt, B1, A, B, B2)).new) == {"a.x", "b"}
    again = await run(rt, A, B, B1, B2)
    assert (again.new, again.changed, again.same) == ((), (), 2)
    second = await run(rt, ("a.x", "", "甲改", "flag"), ("c", "", "丙", "flag"), version="国标2")
    assert (second.new, second.changed, second.withdrawn) == (("c",), ("a.x",), ("b",))
    stored = await labels(rt)
    assert stored["a.x"]["name"] == "甲改" and stored["a.x"]["catalogue_version"] == "国标2"
    assert stored["b"]["withdrawn"] and stored["b"]["options"] == {"1": "一", "2": "二"}
    async with rt.db.begin() as conn:
        listed = [row["code"] for row in (await list_catalogue(conn))["labels"]]
    assert [code for code in listed if not code.startswith("document.")] == ["a.x", "c"]
    assert (await run(rt, A, B, B1, B2, version="国标3")).changed == ("a.x", "b")
    assert not (await labels(rt))["b"]["withdrawn"]


async def test_local_extension_never_overwrites_national(rt):
    await run(rt, A)
    refused = await run(rt, ("a.x", "", "本地甲", "flag"), ("l", "", "本地", "flag"), local=True)
    assert [(problem.row, problem.field) for problem in refused.problems] == [(1, "code")]
    assert set(await labels(rt)) == {"a.x"}
    taken = await run(rt, ("l", "", "甲", "flag"), local=True)
    assert [problem.field for problem in taken.problems] == ["name"]
    assert (await run(rt, ("l", "", "本地", "flag"), version="本地1", local=True)).new == ("l",)
    assert (await run(rt, A, version="国标2")).withdrawn == ()
    assert (await labels(rt))["l"]["is_local"]
    await run(rt, A, ("l", "", "收编", "flag"), version="国标3")
    assert not (await labels(rt))["l"]["is_local"]


async def test_names_may_be_exchanged(rt):
    await run(rt, A, ("c", "", "丙", "flag"))
    await run(rt, ("a.x", "", "丙", "flag"), ("c", "", "甲", "flag"), version="国标2")
    assert {code: row["name"] for code, row in (await labels(rt)).items()} == {"a.x": "丙", "c": "甲"}


async def test_bad_rows_are_told_and_nothing_is_written(rt):
    report = await run(
        rt,
        ("Bad", "", "大写", "flag"),
        ("and", "", "保留", "flag"),
        ("x", "", "", "flag"),
        ("y", "", "型", "maybe"),
        ("z", "", "无取值", "value"),
        ("f", "", "旗", "flag"),
        ("f", "1", "一", ""),
        ("f2", "", "旗", "flag"),
        ("gone", "1", "一", ""),
        A,
        A,
    )
    told = {(problem.row, problem.field) for problem in report.problems}
    by_code, by_kind = {0, 1, 2, 11}, {4, 5, 6}
    assert told == {(3, "name"), (8, "name")} | {(row, "code") for row in by_code} | {
        (row, "kind") for row in by_kind
    }
    assert await labels(rt) == {}


async def test_a_code_is_a_label_or_an_attribute(rt):
    await run(rt, A)
    async with rt.db.begin() as conn:
        same = [
            {"code": "a.x", "name": "金额", "type": "money"},
            {"code": "m", "name": "甲", "type": "money"},
        ]
        report = await import_attributes(conn, same, version="国标1")
        wrong = await import_attributes(
            conn, [{"code": "m", "name": "金额", "type": "float"}], version="国标1"
        )
    assert [(problem.row, problem.field) for problem in report.problems] == [(1, "code"), (2, "name")]
    assert wrong.problems[0].field == "type"


async def test_builtin_catalogue(rt):
    for _ in range(2):
        async with rt.db.begin() as conn:
            assert await load_builtin(conn)
    stored = await labels(rt)
    assert len(stored) >= 60
    assert stored["credit_grade"]["options"] == {"A": "A级", "B": "B级", "M": "M级", "C": "C级", "D": "D级"}
    assert len([code for code in stored["industry"]["options"] if len(code) == 1]) == 20
    assert len([code for code in stored["industry"]["options"] if len(code) == 3]) == 97
    async with rt.db.begin() as conn:
        attributes = await load_attributes(conn)
    assert (attributes["amount_due"].name, attributes["amount_due"].type) == ("应补税额", "money")
    await run(rt, A, version="国标2027")
    async with rt.db.begin() as conn:
        assert not await load_builtin(conn)
    assert (await labels(rt))["iit.filed"]["withdrawn"]


async def test_withdrawn_labels_still_work_in_saved_expressions(rt):
    await rt.db.execute(
        "insert into org_unit (id, level, code, name, path) values (1, 1, '15', '示例省税务局', '1.')"
    )
    await run(rt, A)
    await run(rt, ("c", "", "丙", "flag"), version="国标2")
    assert await count(rt, SetCache(), "a.x", 1) == 0


def test_every_builtin_name_is_unique_within_its_label():
    seen: set[tuple[str, str]] = set()
    for row in builtin_rows("catalogue.csv"):
        pair = (row["code"] if row["value"] else "", row["name"])
        assert pair not in seen
        seen.add(pair)
