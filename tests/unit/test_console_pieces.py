"""The pieces of the console as data: bars that never hide a difference, words and numbers, forms and back."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.errors import InvalidInput
from outreach.governance.attempts import FREE_TRIES, HOURLY_TRIES, HOURLY_TRIES_REMOTE, Tries, wait_for
from outreach.ledger.states import State
from outreach.web.console.pieces import STATE_ORDER, WIDTH, Balance, Part, message_balance
from outreach.web.console.show_rounds import audience_balance
from outreach.web.console.template_form import content_of, form_of
from outreach.web.console.wording import ago, moment, percent, span, wan
from outreach.web.middleware import MIB, body_limit
from outreach.web.previews import faults, mark
from outreach.web.reads.figures import RoundFigures
from outreach.web.reads.paging import decode_numbers, encode_cursor

STATIC = Path(__file__).parents[2] / "outreach" / "web" / "static" / "console"
NOW = datetime(2026, 3, 18, 2, 24, tzinfo=UTC)


def balance(whole: int, *counts: int) -> Balance:
    return Balance("x", whole, "户", tuple(Part(str(n), count, "planned") for n, count in enumerate(counts)))


@given(st.lists(st.integers(0, 10_000_000), max_size=12), st.integers(-5000, 5000))
def test_a_bar_is_always_full_and_nothing_that_exists_is_invisible(
    counts: list[int], difference: int
) -> None:
    whole = max(0, sum(counts) + difference)
    bar = balance(whole, *counts)
    assert bar.gap == whole - sum(counts)
    shown = bar.pieces
    assert [piece.part.count for piece in shown] == [n for n in [*counts, abs(bar.gap)] if n]
    if shown:
        assert sum(piece.width for piece in shown) == pytest.approx(WIDTH, abs=0.2)
        assert all(piece.width >= 3.99 for piece in shown)
        ends = [0.0, *(piece.x + piece.width for piece in shown)]
        assert [piece.x for piece in shown] == pytest.approx(ends[:-1], abs=0.1)


@pytest.mark.parametrize(("whole", "word"), [(101, "合计不足"), (99, "合计超出")])
def test_a_difference_is_a_part_of_its_own(whole: int, word: str) -> None:
    last = balance(whole, 60, 40).pieces[-1]
    assert (last.part.name, last.part.count, last.part.style) == (word, 1, "gap")


def test_widths_follow_the_numbers() -> None:
    pieces = balance(100, 75, 25).pieces
    assert [piece.width for piece in pieces] == [750, 250]


def test_every_state_has_its_place_on_the_bar() -> None:
    assert sorted(STATE_ORDER) == sorted(State)
    bar = message_balance({int(state): 1 for state in State}, href="/x?round=1")
    assert bar.gap == 0
    assert bar.parts[0].href == f"/x?round=1&state={int(STATE_ORDER[0])}"


def test_an_audience_keeps_the_order_of_the_gate_and_a_forecast_has_no_lists() -> None:
    figures = RoundFigures(10, 6, (("already_done", 3), ("exempt", 1)))
    frozen, expected = audience_balance(figures, 7), audience_balance(figures, None)
    assert [part.name for part in frozen.parts] == ["列入发送", "已办结", "按规定免办"]
    assert frozen.parts[1].href == "/console/rounds/7/households?set=already_done"
    assert {part.href for part in expected.parts} == {""}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "1.0 万"),
        (1_234_567, "123.5 万"),
        (10**8, "1.00 亿"),
        (None, "—"),
    ],
)
def test_large_numbers_are_read_in_ten_thousands(value: int | None, text: str) -> None:
    assert wan(value) == text


def test_times_are_beijing_and_spans_have_two_units() -> None:
    assert moment(NOW) == "2026-03-18 10:24"
    assert span(timedelta(days=2, hours=3, minutes=4)) == "2 天 3 小时"
    assert span(timedelta(seconds=12)) == "12 秒"
    assert ago(NOW - timedelta(minutes=5), NOW) == "5 分钟前"
    assert (percent(1, 3), percent(1, 0)) == ("33.33%", "—")


@pytest.mark.parametrize(
    ("channel", "content"),
    [
        ("sms", {"text": "您好"}),
        (
            "rcs",
            {
                "title": "标题",
                "body": "正文",
                "text": "回落",
                "actions": [{"kind": "dial", "label": "咨询", "value": "12366"}],
                "chips": [{"kind": "reply", "label": "退订", "value": "退订"}],
            },
        ),
        (
            "rcs",
            {
                "title": "标题",
                "body": "正文",
                "text": "回落",
                "image_url": "https://media.example.cn/a.png",
                "layout": "left",
                "height": "tall",
                "actions": [
                    {"kind": "map", "label": "怎么去", "value": "40.8426,111.7492,办税服务厅"},
                    {
                        "kind": "url",
                        "label": "看",
                        "value": "https://a.example.cn/?x=1|2｜3",
                        "postback": "look",
                    },
                    {"kind": "reply", "label": "好", "value": "好", "postback": "yes"},
                ],
                "chips": [{"kind": "dial", "label": "咨询", "value": "12366"}],
            },
        ),
        (
            "rcs",
            {
                "title": "一",
                "body": "正文",
                "text": "回落",
                "more": [
                    {
                        "title": "二",
                        "body": "第一行\n\n标题：不是标题\n---\n\\---\n最后一行",
                        "image_url": "https://media.example.cn/b.png",
                        "height": "short",
                        "actions": [{"kind": "map", "label": "地图", "value": "办税服务厅"}],
                    },
                    {"title": "", "body": "只有正文"},
                    {"title": "只有标题", "body": ""},
                ],
                "width": "small",
            },
        ),
        ("wecom", {"text": "您好", "title": "标题", "url": "https://a.example.cn/"}),
        ("wechat", {"fields": {"thing1": "个税：汇算", "time2": "6月30日"}}),
        ("email", {"subject": "主题", "text": "文本", "html": "<p>正文</p>"}),
    ],
)
def test_a_content_survives_the_form(channel: str, content: dict[str, Any]) -> None:
    assert content_of(channel, form_of(channel, content)) == content


def test_a_button_of_an_unknown_type_is_told_and_not_taken_for_a_reply() -> None:
    form = {"title": "标题", "body": "正文", "text": "回落", "actions": "怎么去｜地铁｜办税服务厅"}
    assert faults("rcs", content_of("rcs", form)) == {
        "actions": "第 1 个按钮：按钮类型只能是回复、链接、拨号、日历或地图"
    }


def test_cards_are_read_as_staff_write_them() -> None:
    written = "提醒您\n第二行\n---\n\n标题: 第二张\n按钮：拨打|拨号|12366\n正文：\n请办理\n\n---\n"
    assert content_of("rcs", {"more": written})["more"] == [
        {"title": "", "body": "提醒您\n第二行"},
        {
            "title": "第二张",
            "body": "请办理",
            "actions": [{"kind": "dial", "label": "拨打", "value": "12366"}],
        },
    ]


def test_all_faults_of_a_content_are_told_at_once() -> None:
    found = faults(
        "rcs",
        {"title": "{{ a", "body": "好", "text": "{% if %}", "actions": [{"kind": "url", "label": "{{"}]},
    )
    assert set(found) == {"title", "text", "actions"}


def test_marks_enclose_values_and_nothing_of_a_value_is_markup() -> None:
    marked = mark("<b>{{ name }}</b>{{ name }}", "sms", {"name": "<i>${name}</i>"})
    assert "<mark>&lt;i&gt;${name}&lt;/i&gt;</mark>" in marked
    assert "<b>" not in marked and "<i>" not in marked


@given(st.integers(-(2**62), 2**62), st.integers(0, 10))
def test_a_cursor_comes_back_as_it_was(first: int, second: int) -> None:
    assert decode_numbers(encode_cursor(first, second), 2) == [first, second]


@pytest.mark.parametrize(
    "cursor", ["x", "!!!", "W10", encode_cursor("a"), encode_cursor(1, 2), encode_cursor(2**70)]
)
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput):
        decode_numbers(cursor, 1)


@pytest.mark.parametrize(
    ("account", "remote", "seconds"),
    [
        (FREE_TRIES - 1, 4, 0),
        (FREE_TRIES, 5, 2),
        (FREE_TRIES + 3, 8, 16),
        (HOURLY_TRIES, 20, 900),
        (1, HOURLY_TRIES_REMOTE, 900),
    ],
)
def test_waits_double_and_are_never_for_ever(account: int, remote: int, seconds: int) -> None:
    assert wait_for(Tries(account, remote, NOW, NOW)) == timedelta(seconds=seconds)
    assert wait_for(Tries(account, remote, NOW - timedelta(minutes=16), NOW)) == timedelta(0)


def test_bodies_are_limited_by_what_they_are_for() -> None:
    assert body_limit("/hooks/1/secret/x") == MIB
    assert body_limit("/console/login") < MIB < body_limit("/console/settings/imports/upload")


@pytest.mark.parametrize(
    "sheet", sorted(path.name for path in STATIC.glob("*.css") if path.name != "tokens.css")
)
def test_only_the_tokens_hold_a_colour_or_a_size(sheet: str) -> None:
    text = re.sub(r"/\*.*?\*/", "", (STATIC / sheet).read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line for line in text.splitlines() if "@media" not in line]
    literal = re.compile(r"#[0-9a-fA-F]{3,8}\b|\d(px|rem|em)\b|\b(rgb|hsl)a?\(|:\s*(white|black|red)\b")
    assert [line for line in lines if literal.search(line)] == []


def test_every_token_that_is_used_is_defined_in_both_lights() -> None:
    tokens = (STATIC / "tokens.css").read_text(encoding="utf-8")
    light, dark = tokens.split("@media (prefers-color-scheme: dark)")
    defined = set(re.findall(r"(--[\w-]+):", light))
    used = {
        name for path in STATIC.glob("*.css") for name in re.findall(r"var\((--[\w-]+)", path.read_text())
    }
    assert used <= defined
    colours = {
        name for name, value in re.findall(r"(--[\w-]+):\s*([^;]+);", light) if value.startswith(("#", "rgb"))
    }
    assert colours - set(re.findall(r"(--[\w-]+):", dark)) == {"--paper"}
