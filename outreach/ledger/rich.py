"""The card of a 5G message as it is stored: checked when staff save it, built when it leaves.

Stored shape: title, body, image_url, actions, chips, layout, height, width, and `more`: further cards of the
same shape that make it a carousel. Every string is a template; words such as `kind` and `layout` stay as they
are.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from channels.base import Action, Card
from channels.cards import (
    BODY_LENGTH,
    LABEL_LENGTH,
    MOST_ACTIONS,
    MOST_CARDS,
    MOST_CHIPS,
    POSTBACK_LENGTH,
    TITLE_LENGTH,
    URL_LENGTH,
    ContentError,
    check_card,
)
from outreach.errors import InvalidInput

PARTS = frozenset({"image_url", "actions", "chips", "layout", "height", "width", "more"})
"""What a card may have beside its title and its body."""

_GAP = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)

_WHY = {
    "title_too_long": f"标题最多 {TITLE_LENGTH} 字",
    "body_too_long": f"正文最多 {BODY_LENGTH} 字",
    "card_empty": "标题、正文和图片至少要有一项",
    "label_empty": "按钮文字不能为空",
    "label_too_long": f"按钮文字最多 {LABEL_LENGTH} 字",
    "postback_too_long": f"按钮的回传内容过长（编码后最多 {POSTBACK_LENGTH} 个字符）",
    "too_many_actions": f"一张卡片最多 {MOST_ACTIONS} 个按钮",
    "too_many_chips": f"快捷回复最多 {MOST_CHIPS} 个",
    "too_many_cards": f"多卡片消息最多 {MOST_CARDS} 张卡片",
    "action_kind_unknown": "按钮类型只能是回复、链接、拨号、日历或地图",
    "url_invalid": "链接须以 https:// 开头，不含空格；图片地址用平台返回的地址",
    "url_too_long": f"网址最多 {URL_LENGTH} 个字符",
    "phone_invalid": "电话号码只写数字（可以 + 开头），不加横线和空格",
    "calendar_time_invalid": "日历写作 开始/结束，例如 2026-06-01T09:00:00+08:00/2026-06-01T10:00:00+08:00",
    "calendar_ends_before_start": "日历的结束时间早于开始时间",
    "location_invalid": "地图写作 纬度,经度,地名（例如 40.8426,111.7492,办税服务厅），或只写要查找的地名",
    "layout_unknown": "版式只能是 vertical、left 或 right",
    "layout_in_carousel": "多卡片消息的每张卡片都只能竖排（vertical）",
    "height_unknown": "图片高度只能是 short、medium 或 tall",
    "height_too_tall": "窄卡片（small）的图片高度不能是 tall",
    "width_unknown": "卡片宽度只能是 small 或 medium",
    "carousel_nested": "快捷回复和其他卡片只能写在第一张卡片上",
}
_GROUPS = {"actions": "按钮", "chips": "快捷回复"}

Text = Callable[[str], str]


def build_card(shape: Mapping[str, Any], text: Text, at: str = "") -> Card:
    """The card of a shape; `text` gives the string that stands at a place. A button without a postback of
    its own brings back its label, so that what it says is read like a reply in words."""
    return Card(
        text(f"{at}title"),
        text(f"{at}body"),
        text(f"{at}image_url"),
        _actions(shape, text, at, "actions"),
        _actions(shape, text, at, "chips"),
        shape.get("layout", "vertical"),
        shape.get("height", "medium"),
        shape.get("width", "medium"),
        tuple(
            build_card(each, text, f"{at}more.{number}.") for number, each in enumerate(shape.get("more", ()))
        ),
    )


def _actions(shape: Mapping[str, Any], text: Text, at: str, group: str) -> tuple[Action, ...]:
    return tuple(
        Action(
            item["kind"],
            text(f"{at}{group}.{number}.label"),
            text(f"{at}{group}.{number}.value"),
            text(f"{at}{group}.{number}.postback") or text(f"{at}{group}.{number}.label"),
        )
        for number, item in enumerate(shape.get(group, ()))
    )


def check_rich(content: Mapping[str, Any]) -> None:
    """Hold a content to the limits of a card. Gaps count as empty: what they will hold is checked when the
    message leaves. Raises InvalidInput with the part that is wrong."""

    def literal(place: str) -> str:
        return _GAP.sub("", _at(content, place))

    def unfinished(place: str) -> bool:
        return _GAP.search(_at(content, place)) is not None

    try:
        check_card(build_card(content, literal), unfinished=unfinished)
    except ContentError as error:
        field = error.place.partition(".")[0]
        raise InvalidInput(
            f"{_where(error.place)}{_WHY[error.code]}", field=field, place=error.place
        ) from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidInput(
            "卡片的按钮、快捷回复或多卡片的写法不对，请按模板说明填写", field="actions"
        ) from None


def _at(content: Mapping[str, Any], place: str) -> str:
    found: Any = content
    for step in place.split("."):
        found = found[int(step)] if step.isdecimal() else found.get(step, "")
    if not isinstance(found, str):
        raise TypeError(place)
    return found


def _where(place: str) -> str:
    """`more.1.actions.0.label` as staff count: 第 3 张卡片第 1 个按钮：."""
    steps = place.split(".")
    words = ""
    if steps[0] == "more" and len(steps) > 1:
        words, steps = f"第 {int(steps[1]) + 2} 张卡片", steps[2:]
    if steps[0] in _GROUPS and len(steps) > 1:
        words += f"第 {int(steps[1]) + 1} 个{_GROUPS[steps[0]]}"
    return f"{words}：" if words else ""
