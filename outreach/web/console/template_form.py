"""A template's content as form fields, and back. Lists are lines: `名称：值`, or `按钮｜类型｜值`."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData

from outreach.errors import InvalidInput
from outreach.ledger.notices import NOTICES
from outreach.rendering.expressions import compile_template

EMPTY: dict[str, dict[str, Any]] = {
    "sms": {"text": ""},
    "rcs": {"title": "", "body": "", "text": "", "image_url": "", "actions": [], "chips": []},
    "wechat": {"fields": {}, "url": ""},
    "email": {"subject": "", "text": "", "html": ""},
    "wecom": {"title": "", "text": "", "url": ""},
    "dingtalk": {"title": "", "text": "", "url": ""},
}
LABELS = {
    "text": "短信正文",
    "title": "卡片标题",
    "body": "卡片正文",
    "image_url": "图片地址",
    "actions": "按钮",
    "chips": "快捷回复",
    "fields": "字段",
    "url": "点击后打开",
    "subject": "邮件主题",
    "html": "网页版正文",
}
_ACTION_KINDS = {"回复": "reply", "链接": "url", "拨号": "dial", "日历": "calendar"}
_KIND_WORDS = {kind: word for word, kind in _ACTION_KINDS.items()}
_LINES = ("actions", "chips", "fields")


def form_of(channel: str, content: Mapping[str, Any]) -> dict[str, str]:
    """Field name to text."""
    return {
        name: _to_lines(name, content.get(name, empty)) if name in _LINES else str(content.get(name, ""))
        for name, empty in EMPTY[channel].items()
    }


def content_of(channel: str, form: FormData | Mapping[str, Any]) -> dict[str, Any]:
    """The content that the fields say; optional parts that are empty are left out."""
    content: dict[str, Any] = {}
    optional = {"image_url", "url", "actions", "chips"} | ({"title"} if channel in NOTICES else set())
    for name in EMPTY.get(channel, {}):
        text = str(form.get(name, "")).replace("\r\n", "\n")
        value: Any = _from_lines(name, text) if name in _LINES else text
        if value or name not in optional:
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
    if name == "chips":
        return "\n".join(item["label"] for item in value)
    return "\n".join(
        f"{item['label']}｜{_KIND_WORDS.get(item['kind'], item['kind'])}｜{item.get('value', '')}"
        for item in value
    )


def _from_lines(name: str, text: str) -> Any:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if name == "fields":
        pairs = [line.replace(":", "：", 1).partition("：") for line in lines]
        return {key.strip(): value.strip() for key, _, value in pairs}
    if name == "chips":
        return [{"kind": "reply", "label": line, "value": line} for line in lines]
    return [_action(line) for line in lines]


def _action(line: str) -> dict[str, str]:
    label, kind, value = ([part.strip() for part in line.replace("|", "｜").split("｜", 2)] + ["", ""])[:3]
    return {"kind": _ACTION_KINDS.get(kind, "reply"), "label": label, "value": value or label}
