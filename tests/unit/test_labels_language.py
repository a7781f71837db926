"""The expression language: text, tree and builder blocks are one thing; errors are told with their place."""

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.labels.blocks import from_blocks, to_blocks
from outreach.labels.language import parse
from outreach.labels.text import to_text
from outreach.labels.tree import (
    And,
    Between,
    Compare,
    Day,
    ExpressionInvalid,
    Label,
    Not,
    Number,
    OneOf,
    Or,
    Segment,
    Under,
    Word,
)
from tests.unit.labels_world import any_trees

A, B, C = Label("a"), Label("b"), Label("c")


@given(any_trees())
def test_text_round_trip(tree):
    text = to_text(tree)
    assert parse(text) == tree
    assert to_text(parse(text)) == text


@given(any_trees())
def test_blocks_round_trip_through_json(tree):
    assert from_blocks(json.loads(json.dumps(to_blocks(tree)))) == tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a and b or c", Or((And((A, B)), C))),
        ("a and (b or c)", And((A, Or((B, C))))),
        ("not a and b", And((Not(A), B))),
        ("not (a and b)", Not(And((A, B)))),
        ("a AND b Or c", Or((And((A, B)), C))),
        ("((a))", A),
        ("a 且 （b 或 非 c）", And((A, Or((B, Not(C)))))),
        ("“必须办理汇算” and 「已 申报」", And((Label("必须办理汇算"), Label("已 申报")))),
        ("必须办理汇算 且 非 已申报", And((Label("必须办理汇算"), Not(Label("已申报"))))),
        ("非居民个人", Label("非居民个人")),
        ("x＞４００．０１", Compare("x", ">", Number("400.01"))),
        ("x ≥ 12万", Compare("x", ">=", Number("12万"))),
        ("x <> -3 and y == 5%", And((Compare("x", "!=", Number("-3")), Compare("y", "=", Number("5%"))))),
        ("g in (A，“B”)", OneOf("g", (Word("A"), Word("B")))),
        ("x between 1 and 2 and b", And((Between("x", Number("1"), Number("2")), B))),
        ("d >= 2026-3-15", Compare("d", ">=", Day(date(2026, 3, 15)))),
        ('org under "示例市"', Under("示例市")),
        ("org = 115010", Compare("org", "=", Word("115010"))),
        ('segment "a \\" b"', Segment('a " b')),
        ("a\n  and\tb", And((A, B))),
    ],
)
def test_reads_as_meant(text, tree):
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("", 1, 1, "缺少一个条件"),
        ("   ", 1, 4, "缺少一个条件"),
        ("a b", 1, 3, "缺少 and 或 or"),
        ("a and", 1, 6, "缺少一个条件"),
        ("a\nand or b", 2, 5, "却是“or”"),
        ("(a", 1, 1, "没有配对的右括号"),
        ("a)", 1, 2, "多了一个右括号"),
        ("x >", 1, 4, "应是一个值"),
        ("d = 2026-02-30", 1, 5, "没有 2026-02-30 这一天"),
        ("x > 1.2.3", 1, 5, "不是数字"),
        ("6510 = 3", 1, 1, "应是一个条件"),
        ("g in A", 1, 6, "应是括号"),
        ("g in ()", 1, 7, "应是一个值"),
        ('"abc', 1, 1, "引号没有配对"),
        ('""', 1, 1, "名称不能为空"),
        ("a and $", 1, 7, "不认识的字符“$”"),
        ("a and \x00", 1, 7, "U+0000"),
        ("reachable by fax", 1, 14, "渠道应是"),
        ("reachable sms", 1, 11, "应是 by"),
        ("org a", 1, 5, "under"),
        ("x > " + "9" * 21, 1, 5, "数字太长"),
        ("a; drop table taxpayer", 1, 2, "不认识的字符"),
    ],
)
def test_errors_name_the_place(text, line, column, says):
    with pytest.raises(ExpressionInvalid) as caught:
        parse(text)
    assert (caught.value.details["line"], caught.value.details["column"]) == (line, column)
    assert says in caught.value.message
    assert caught.value.message.startswith(f"第 {line} 行第 {column} 列：")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a and " * 1000 + "a", "4096 字节"),
        (" or ".join(["a"] * 200), "200 个条件"),
        ("g in (" + ",".join(["A"] * 201) + ")", "200 个条件"),
        ("(" * 41 + "a" + ")" * 41, "40 层"),
        ("not " * 41 + "a", "40 层"),
        ("(" * 4000, "40 层"),
    ],
)
def test_limits(text, says):
    with pytest.raises(ExpressionInvalid, match=says):
        parse(text)


def test_limits_admit_their_own_size():
    assert len(parse(" or ".join(["a"] * 199)).items) == 199
    assert parse("(" * 39 + "a" + ")" * 39) == A


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    try:
        tree = parse(text)
    except ExpressionInvalid as error:
        assert 1 <= error.details["column"] <= len(text) + 1
    else:
        assert parse(to_text(tree)) == tree


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=5)
        | st.sampled_from(["and", "not", "word"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "items", "item", "name", "value", "word", "op"]), inner
            )
        ),
        max_leaves=10,
    )
)
def test_any_json_is_read_or_refused(data):
    try:
        from_blocks(data)
    except ExpressionInvalid as error:
        assert error.message


def test_hostile_blocks():
    deep: dict = {"type": "everyone"}
    for _ in range(500):
        deep = {"type": "not", "item": deep}
    broad = {"type": "or", "items": [{"type": "everyone"}] * 201}
    long = {"type": "or", "items": [{"type": "label", "name": "长" * 100}] * 20}
    for data in (deep, broad, long, {"type": "and", "items": [{"type": "everyone"}]}, [], None):
        with pytest.raises(ExpressionInvalid):
            from_blocks(data)
    for name in ("", " ", "a\nb", "x" * 101, 5, None):
        with pytest.raises(ExpressionInvalid, match="名称"):
            from_blocks({"type": "label", "name": name})
    for number in ("NaN", "1e9", "--1", "0x10", "1" * 21, 5):
        with pytest.raises(ExpressionInvalid, match="值应是"):
            from_blocks({"type": "compare", "name": "x", "op": ">", "value": {"number": number}})


def test_places_of_blocks_are_those_of_the_text():
    tree = from_blocks({"type": "and", "items": [to_blocks(A), to_blocks(Not(B))]})
    assert to_text(tree) == "a and not b"
    assert (tree.items[1].span.start, tree.items[1].span.length) == (6, 5)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("400.01", "400.01"), ("12万", "120000"), ("0.1亿", "10000000"), ("12.5%", "12.5"), ("-3", "-3")],
)
def test_numbers_are_exact(text, amount):
    assert Number(text).amount == Decimal(amount)
