"""Cards as staff write them: held to the limits when they are saved, built when they leave."""

import re
from pathlib import Path
from typing import Any

import pytest

from channels.base import Action
from channels.cards import check_card
from outreach.errors import InvalidInput
from outreach.ledger.content import compile_content, compose
from outreach.ledger.rich import check_rich
from outreach.rendering.starters import load_season

ROOT = Path(__file__).parents[2]
CARD = {"text": "短信", "title": "提醒", "body": "请办理"}


def with_button(**parts: str) -> dict[str, Any]:
    return {
        **CARD,
        "actions": [{"kind": "reply", "label": "已知晓"}, {"kind": "reply", "label": "好", **parts}],
    }


@pytest.mark.parametrize(
    ("content", "field", "words"),
    [
        ({**CARD, "title": "题" * 201}, "title", "标题最多 200 字"),
        ({**CARD, "title": "题" * 200 + "{{ name }}题"}, "title", "标题最多 200 字"),
        ({**CARD, "body": "文" * 2001}, "body", "正文最多 2000 字"),
        (with_button(label="字" * 26), "actions", "第 2 个按钮：按钮文字最多 25 字"),
        (with_button(label=""), "actions", "第 2 个按钮：按钮文字不能为空"),
        (
            with_button(kind="url", value="http://tax.example.gov.cn/"),
            "actions",
            "第 2 个按钮：链接须以 https",
        ),
        (with_button(kind="dial", value="0471-12366"), "actions", "第 2 个按钮：电话号码只写数字"),
        (with_button(kind="calendar", value="明天"), "actions", "第 2 个按钮：日历写作"),
        (with_button(kind="map", value="91,181,x"), "actions", "第 2 个按钮：地图写作"),
        (with_button(kind="video"), "actions", "第 2 个按钮：按钮类型只能是"),
        (with_button(postback="x" * 2048), "actions", "第 2 个按钮：按钮的回传内容过长"),
        ({**CARD, "actions": [{"kind": "reply", "label": "好"}] * 5}, "actions", "一张卡片最多 4 个按钮"),
        ({**CARD, "chips": [{"kind": "reply", "label": "好"}] * 12}, "chips", "快捷回复最多 11 个"),
        ({**CARD, "image_url": "a.png"}, "image_url", "图片地址用平台返回的地址"),
        ({**CARD, "layout": "diagonal"}, "layout", "版式只能是"),
        ({**CARD, "more": [CARD] * 12}, "more", "多卡片消息最多 12 张卡片"),
        ({**CARD, "more": [CARD, {"title": "题" * 201}]}, "more", "第 3 张卡片：标题最多 200 字"),
        ({**CARD, "more": [with_button(label="")]}, "more", "第 2 张卡片第 2 个按钮：按钮文字不能为空"),
        ({**CARD, "more": [{}]}, "more", "第 2 张卡片：标题、正文和图片至少要有一项"),
        ({**CARD, "actions": "好"}, "actions", "写法不对"),
        ({**CARD, "actions": [{"label": "好"}]}, "actions", "写法不对"),
        ({**CARD, "actions": [{"kind": "reply", "label": 1}]}, "actions", "写法不对"),
        ({**CARD, "more": ["好"]}, "actions", "写法不对"),
    ],
)
def test_what_breaks_a_limit_is_told_with_its_place(content: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(words)) as caught:
        check_rich(content)
    assert caught.value.details["field"] == field


def test_what_is_filled_later_is_judged_later() -> None:
    check_rich(with_button(kind="url", label="{{ name }}", value="{{ link }}"))
    check_rich({**CARD, "title": "{{ name }}", "body": "{% if a %}{{ b }}{% endif %}"})


def test_every_limit_has_its_words() -> None:
    source = (ROOT / "channels" / "cards.py").read_text(encoding="utf-8")
    codes = set(
        re.findall(r'"([a-z]+_(?:too_\w+|empty|invalid|unknown|in_carousel|nested|before_start))"', source)
    )
    codes |= {"too_many_cards", "too_many_actions", "too_many_chips", "calendar_ends_before_start"}
    codes |= {"layout_unknown", "height_unknown"}
    told = (ROOT / "outreach" / "ledger" / "rich.py").read_text(encoding="utf-8")
    assert {code for code in codes if f'"{code}":' not in told} == set()


def test_a_carousel_is_filled_for_one_person() -> None:
    shape = {
        **with_button(kind="map", value="40.8,111.7,{{ org }}"),
        "chips": [{"kind": "reply", "label": "退订", "postback": "unsubscribe"}],
        "width": "small",
        "more": [
            {
                "title": "{{ name }}",
                "body": "",
                "actions": [{"kind": "url", "label": "办理", "value": "{{ link }}"}],
            }
        ],
    }
    check_rich(shape)
    values = {"name": "示例户", "org": "示例税务局", "link": "https://t.example.cn/a"}
    content = compile_content("rcs", shape)
    message = compose(
        content, values, key="00k", address="13900000000", signature="税", filing="", unsubscribe=""
    )
    card = message.card
    assert card is not None
    check_card(card)
    assert card.actions[1] == Action("map", "好", "40.8,111.7,示例税务局", "好")
    assert card.chips == (Action("reply", "退订", "", "unsubscribe"),)
    assert (card.width, [other.title for other in card.more]) == ("small", ["示例户"])
    assert card.more[0].actions == (Action("url", "办理", "https://t.example.cn/a", "办理"),)


def test_the_starters_keep_the_limits() -> None:
    for stage in load_season().stages:
        check_rich(stage.contents["rcs"])
