"""A step's content, compiled once per template version: what each channel shows.

Stored shapes: sms {text}; rcs {text} and a card (rich.py); wechat {fields, url};
email {subject, html, text}; wecom and dingtalk {text, title, url}. Every string in them is a template.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from channels.base import Outbound
from outreach.errors import InvalidInput
from outreach.ledger.notices import NOTICES, compose_notice
from outreach.ledger.rich import build_card
from outreach.rendering.expressions import CompiledTemplate, compile_template

Values = Mapping[str, object]

_KIND_WORDS = {"reply": "回复", "url": "链接", "dial": "拨号", "calendar": "日历", "map": "地图"}
_GROUPS = {"actions": "按钮", "chips": "悬浮菜单"}

_SLOT = re.compile(r"\{\{\s*(.+?)\s*\}\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class FiledText:
    """A text in the form in which a provider files it: `${name}` for each value. Of a card it is what is
    written on it, part by part, in words for whoever fills in the provider's form."""

    body: str
    slots: tuple[tuple[str, CompiledTemplate], ...]


def file_text(source: str) -> FiledText:
    """Turn a text into the provider's form. Raises InvalidInput if it holds a condition."""
    if "{%" in source:
        raise InvalidInput("需在运营商报备的短信模板不能含条件语句，请为每种情况各建一个模板", field="text")
    slots: dict[str, CompiledTemplate] = {}

    def put(match: re.Match[str]) -> str:
        label = _label(match[1], slots)
        slots[label] = compile_template(match[0], channel="sms")
        return f"${{{label}}}"

    return FiledText(_SLOT.sub(put, source), tuple(slots.items()))


def _label(expression: str, taken: Collection[str]) -> str:
    name = _NAME.match(expression)
    base = name[0] if name else "value"
    numbered = (f"{base}{number}" for number in count(len(taken)))
    return base if base not in taken else next(label for label in numbered if label not in taken)


def file_card(shape: Mapping[str, Any]) -> FiledText:
    """Turn a 5G message into the provider's form; a value that stands in several parts has one name.

    Raises InvalidInput if it holds a condition, or a value elsewhere than in a text, a title or a body: a
    provider files buttons and pictures as they are (Aliyun, CreateRCSTemplate: a variable is part of a title,
    a description or a plain text, or the whole of a menu).
    """
    names: dict[str, str] = {}
    slots: dict[str, CompiledTemplate] = {}

    def put(match: re.Match[str]) -> str:
        label = names.setdefault(match[1], _label(match[1], slots))
        slots.setdefault(label, compile_template(match[0], channel="rcs"))
        return f"${{{label}}}"

    lines = list(_describe(shape))
    for path, text in _strings("", shape):
        if "{%" in text:
            raise InvalidInput(
                "需在运营商报备的 5G 消息模板不能含条件语句，请为每种情况各建一个模板",
                field=path.partition(".")[0],
            )
        if _SLOT.search(text) and path.rsplit(".", 1)[-1] not in ("text", "title", "body"):
            raise InvalidInput(
                "需在运营商报备的 5G 消息模板，变量只能写在文字、标题和正文里，按钮、菜单和图片中不能有变量",
                field=path.partition(".")[0],
            )
    return FiledText("\n".join(_SLOT.sub(put, line) for line in lines), tuple(slots.items()))


def _describe(shape: Mapping[str, Any], number: int = 0) -> Iterator[str]:
    if number:
        yield f"〔第 {number + 1} 张卡片〕"
    parts = (("text", "回落短信正文"), ("title", "标题"), ("image_url", "图片"), ("body", "正文"))
    for part, word in parts:
        if shape.get(part):
            yield f"〔{word}〕{shape[part]}"
    for group, word in _GROUPS.items():
        for item in shape.get(group, ()):
            kind = _KIND_WORDS.get(item["kind"], item["kind"])
            value = f"｜{item['value']}" if item.get("value") else ""
            postback = item.get("postback") or item["label"]
            yield f"〔{word}〕{item['label']}｜{kind}{value}｜回执标识={postback}"
    for place, each in enumerate(shape.get("more", ()), 1):
        yield from _describe(each, place)


@dataclass(frozen=True, slots=True)
class Content:
    """A compiled template version. `strings` maps a path such as `body` or `actions.0.label` to its
    template; `filed` is None for what no provider can file."""

    channel: str
    shape: Mapping[str, Any]
    strings: Mapping[str, CompiledTemplate]
    filed: FiledText | None

    @property
    def variables(self) -> frozenset[str]:
        """Every variable that any of its strings needs."""
        return frozenset().union(*(template.variables for template in self.strings.values()))

    def render(self, path: str, values: Values) -> str:
        """One string of the content, or an empty one if the version has none at this path."""
        template = self.strings.get(path)
        return template.render(values) if template else ""


def compile_content(channel: str, shape: Mapping[str, Any]) -> Content:
    """Compile every string of a version. Raises TemplateInvalid with the place that is wrong."""
    strings = {
        path: compile_template(
            text, channel="email_html" if path == "html" else channel, autoescape=path == "html"
        )
        for path, text in _strings("", shape)
        if path.rsplit(".", 1)[-1] != "kind"
    }
    return Content(channel, shape, strings, _file(channel, shape))


def _file(channel: str, shape: Mapping[str, Any]) -> FiledText | None:
    try:
        if channel == "sms":
            return file_text(shape["text"])
        return file_card(shape) if channel == "rcs" else None
    except InvalidInput:
        return None


def _strings(path: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(path, value)]
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    return [found for key, item in pairs for found in _strings(f"{path}.{key}" if path else str(key), item)]


def compose(
    content: Content, values: Values, *, key: str, address: str, signature: str, filing: str, unsubscribe: str
) -> Outbound:
    """One message for one person."""
    if content.channel == "sms" and content.filed:
        # The provider fills the filed text with the same values: each is rendered once.
        params = {name: slot.render(values) for name, slot in content.filed.slots}
        text = content.strings["text"].join(params.values())
        return Outbound(key, address, text, signature, template=filing, params=params)
    if content.channel == "sms":
        return Outbound(key, address, content.render("text", values), signature, template=filing)
    if content.channel == "rcs":
        card = build_card(content.shape, lambda place: content.render(place, values))
        # What cannot be filed goes under no code: an account that wants one refuses it.
        filed = content.filed if filing else None
        return Outbound(
            key,
            address,
            content.render("text", values),
            signature,
            card=card,
            template=filing if filed else "",
            params={name: slot.render(values) for name, slot in filed.slots} if filed else {},
        )
    if content.channel == "wechat":
        params = {
            path.removeprefix("fields."): template.render(values)
            for path, template in content.strings.items()
            if path.startswith("fields.")
        }
        return Outbound(key, address, "", template=filing, params=params, url=content.render("url", values))
    if content.channel in NOTICES:
        parts = {part: content.render(part, values) for part in ("text", "title", "url")}
        return compose_notice(content.channel, key=key, address=address, signature=signature, **parts)
    return Outbound(
        key,
        address,
        content.render("text", values),
        subject=content.render("subject", values),
        html=content.render("html", values),
        unsubscribe_url=unsubscribe,
    )
