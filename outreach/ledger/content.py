"""A step's content, compiled once per template version: what each channel shows.

Stored shapes: sms {text}; rcs {text} and a card (rich.py); wechat {fields, url};
email {subject, html, text}; wecom and dingtalk {text, title, url}. Every string in them is a template.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from channels.base import Outbound
from outreach.errors import InvalidInput
from outreach.ledger.notices import NOTICES, compose_notice
from outreach.ledger.rich import build_card
from outreach.rendering.expressions import CompiledTemplate, compile_template

Values = Mapping[str, object]

_SLOT = re.compile(r"\{\{\s*(.+?)\s*\}\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class FiledText:
    """A text in the form in which a provider files it: `${name}` for each value."""

    body: str
    slots: tuple[tuple[str, CompiledTemplate], ...]


def file_text(source: str) -> FiledText:
    """Turn a text into the provider's form. Raises InvalidInput if it holds a condition."""
    if "{%" in source:
        raise InvalidInput("需在运营商报备的短信模板不能含条件语句，请为每种情况各建一个模板", field="text")
    slots: dict[str, CompiledTemplate] = {}

    def put(match: re.Match[str]) -> str:
        name = _NAME.match(match[1])
        base = name[0] if name else "value"
        label = base if base not in slots else f"{base}{len(slots)}"
        slots[label] = compile_template(match[0], channel="sms")
        return f"${{{label}}}"

    return FiledText(_SLOT.sub(put, source), tuple(slots.items()))


@dataclass(frozen=True, slots=True)
class Content:
    """A compiled template version. `strings` maps a path such as `body` or `actions.0.label` to its
    template; `filing` is the provider's code at the gateway that is used."""

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
    filed = None
    if channel == "sms" and "{%" not in shape.get("text", ""):
        filed = file_text(shape["text"])
    return Content(channel, shape, strings, filed)


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
        return Outbound(key, address, content.render("text", values), signature, card=card)
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
