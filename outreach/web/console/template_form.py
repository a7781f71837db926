"""A template's content as form fields, and back. Lists are lines: `名称：值`, or as in `card_lines`."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import FormData

from outreach.errors import InvalidInput
from outreach.ledger.notices import NOTICES
from outreach.rendering.expressions import compile_template
from outreach.web.console.card_lines import (
    HEIGHTS,
    LAYOUTS,
    WIDTHS,
    read_actions,
    read_cards,
    write_actions,
    write_cards,
    write_chips,
)

EMPTY: dict[str, dict[str, Any]] = {
    "sms": {"text": ""},
    "rcs": {
        "title": "",
        "body": "",
        "text": "",
        "image_url": "",
        "layout": "vertical",
        "height": "medium",
        "actions": [],
        "chips": [],
        "more": [],
        "width": "medium",
    },
    "wechat": {"fields": {}, "url": ""},
    "email": {"subject": "", "text": "", "html": ""},
    "wecom": {"title": "", "text": "", "url": ""},
    "dingtalk": {"title": "", "text": "", "url": ""},
    "call": {"text": ""},
    "visit": {"text": ""},
}
LABELS = {
    "text": "短信正文",
    "title": "卡片标题",
    "body": "卡片正文",
    "image_url": "图片地址",
    "actions": "按钮",
    "chips": "快捷回复",
    "layout": "版式",
    "height": "图片高度",
    "more": "更多卡片",
    "width": "多卡片的宽度",
    "fields": "字段",
    "url": "点击后打开",
    "subject": "邮件主题",
    "html": "网页版正文",
}
CHOICES = {"layout": LAYOUTS, "height": HEIGHTS, "width": WIDTHS}
"""The fields that offer words to choose from."""

_LINES = ("actions", "chips", "fields", "more")
_OPTIONAL = frozenset({"image_url", "url", "actions", "chips", "more", *CHOICES})


def form_of(channel: str, content: Mapping[str, Any]) -> dict[str, str]:
    """Field name to text."""
    return {
        name: _to_lines(name, content.get(name, empty)) if name in _LINES else str(content.get(name, empty))
        for name, empty in EMPTY[channel].items()
    }


def content_of(channel: str, form: FormData | Mapping[str, Any]) -> dict[str, Any]:
    """The content that the fields say; optional parts that are empty or as usual are left out."""
    content: dict[str, Any] = {}
    optional = _OPTIONAL | ({"title"} if channel in NOTICES else set())
    for name, empty in EMPTY.get(channel, {}).items():
        text = str(form.get(name, "")).replace("\r\n", "\n")
        value: Any = _from_lines(name, text) if name in _LINES else text
        if name not in optional or value not in ("", empty):
            content[name] = value
    return content


def field_of(channel: str, content: Mapping[str, Any], error: InvalidInput) -> str:
    """At which field an error of the whole content belongs: the one that uses the unknown variable."""
    named = str(error.details.get("field", ""))
    if named in content or named in ("code", "name"):
        return named
    variable = error.details.get("variable")
    for name, text in form_of(channel, content).items():
        kind = "email_html" if name == "html" else channel
        if variable and variable in compile_template(text, channel=kind).variables:
            return name
    return next(iter(EMPTY[channel]))


def _to_lines(name: str, value: Any) -> str:
    if name == "fields":
        return "\n".join(f"{key}：{text}" for key, text in value.items())
    return _WRITERS[name](value)


def _from_lines(name: str, text: str) -> Any:
    if name == "fields":
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        pairs = [line.replace(":", "：", 1).partition("：") for line in lines]
        return {key.strip(): value.strip() for key, _, value in pairs}
    return read_cards(text) if name == "more" else read_actions(text)


_WRITERS: dict[str, Callable[[Any], str]] = {
    "actions": write_actions,
    "chips": write_chips,
    "more": write_cards,
}
