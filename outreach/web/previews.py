"""What a message will look like: the true renderer on sample values, with the variables marked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from markupsafe import Markup, escape

from outreach.db.pool import Connection
from outreach.errors import InvalidInput
from outreach.governance.actor import Actor
from outreach.labels.catalogue import load_attributes
from outreach.ledger.content import compile_content, compose, file_text
from outreach.ledger.notices import NOTICES
from outreach.ledger.rich import check_rich
from outreach.rendering.expressions import compile_template
from outreach.rendering.sms_parts import Parts, count_parts
from outreach.rendering.starters import STATEMENTS, load_season
from outreach.runtime import Runtime
from outreach.web.reads.templates import find_template

Values = Mapping[str, object]
_NOTHING = Markup("")
_WORDS = frozenset({"kind", "layout", "height", "width"})
_BY_TYPE: dict[str, object] = {
    "money": Decimal("1234.50"),
    "integer": 3,
    "percent": Decimal("12.50"),
    "date": date(2026, 6, 30),
}


@dataclass(frozen=True, slots=True)
class CardPreview:
    """One card of a 5G message. `layout` and `height` are words of `channels.base.Card`; `height` is empty
    without a picture."""

    title: Markup
    text: Markup
    actions: tuple[Markup, ...]
    layout: str = "vertical"
    height: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """A message in a phone frame; texts are safe HTML in which variables stand in `<mark>`. `width` is that
    of the cards of a carousel."""

    channel: str
    sender: str
    measure: str
    text: Markup = _NOTHING
    title: Markup = _NOTHING
    actions: tuple[Markup, ...] = ()
    chips: tuple[Markup, ...] = ()
    fields: tuple[tuple[str, Markup], ...] = ()
    fallback: Markup = _NOTHING
    frame: str = ""
    cards: tuple[CardPreview, ...] = ()
    width: str = ""


async def sample_values(conn: Connection, org_name: str) -> dict[str, object]:
    """A value for every variable that a template may use, none of them a real person's."""
    attributes = await load_attributes(conn)
    return {
        **{code: _BY_TYPE[attribute.type] for code, attribute in attributes.items()},
        **load_season(STATEMENTS).samples,
        **load_season().samples,
        "name": "张伟",
        "taxpayer": "示例商贸有限公司",
        "taxpayers": ["示例商贸有限公司"],
        "count": 1,
        "org": org_name,
        "campaign": "示例活动",
        "code": "A7K2Q9",
        "link": "https://t.example.cn/AbCdEf12345",
        "unsubscribe_url": "https://t.example.cn/unsubscribe",
    }


async def sample_of(rt: Runtime, conn: Connection, actor: Actor, step: Mapping[str, Any]) -> Preview | None:
    """The message of a round's step with sample values; None while its template has no content."""
    found = await find_template(conn, actor, step["template_id"], version=step["version"])
    if found["content"] is None:
        return None
    frame = f"/console/templates/{found['id']}/mail" if found["channel"] == "email" else ""
    values = await sample_values(conn, found["org_name"])
    return preview(found["channel"], found["content"], values, rt.settings.signature, frame=frame)


def preview(
    channel: str, content: Mapping[str, Any], values: Values, signature: str, *, frame: str = ""
) -> Preview:
    """The message as the receiver sees it. Raises TemplateInvalid (a kind of InvalidInput)."""
    if channel == "sms":
        return _sms(content["text"], values, signature)
    if channel == "rcs":
        return _rcs(content, values, signature)
    if channel == "wechat":
        fields = tuple((name, mark(text, channel, values)) for name, text in content["fields"].items())
        return Preview(
            channel, signature, "公众号模板消息，按条免费", title=Markup("办理提醒"), fields=fields
        )
    if channel in NOTICES:
        return _notice(channel, content, values, signature)
    if channel in ("call", "visit"):
        text = mark(content["text"], channel, values)
        return Preview(channel, signature, "由工作人员说明，不发送", text=text, title=Markup("话术"))
    text = mark(content["text"], "email", values)
    subject = mark(content["subject"], "email", values)
    return Preview(channel, signature, "网页版和纯文本版一起发出", text=text, title=subject, frame=frame)


def mark(source: str, channel: str, values: Values) -> Markup:
    """The rendered text with every variable in `<mark>`; conditions are rendered without marks."""
    if "{%" in source:
        return Markup(escape(compile_template(source, channel=channel).render(values)))
    filed = file_text(source)
    text = str(escape(filed.body))
    for name, slot in filed.slots:
        text = text.replace(f"${{{name}}}", f"<mark>{escape(slot.render(values))}</mark>", 1)
    return Markup(text)


def measure_sms(text: str, values: Values, signature: str) -> Parts:
    """Units and billed parts of the text as it would leave for the sample person."""
    return count_parts(compile_template(text, channel="sms").render(values), signature)


def render_mail(content: Mapping[str, Any], values: Values) -> str:
    """The HTML of a letter as it would leave."""
    message = compose(
        compile_content("email", content), values, key="", address="", signature="", filing="", unsubscribe=""
    )
    return message.html


def faults(channel: str, content: Mapping[str, Any]) -> dict[str, str]:
    """Every part that does not compile, with its sentence: all of them at once, each at its place."""
    found: dict[str, str] = {}
    for path, text in _strings(content):
        kind = "email_html" if path == "html" else channel
        try:
            compile_template(text, channel=kind, autoescape=path == "html")
        except InvalidInput as error:
            found.setdefault(path.split(".")[0], error.message)
    if channel == "rcs" and not found and any(content.get(part) for part in ("title", "body", "image_url")):
        try:
            check_rich(content)
        except InvalidInput as error:
            found[str(error.details.get("field", "body"))] = error.message
    return found


def _sms(text: str, values: Values, signature: str) -> Preview:
    parts = measure_sms(text, values, signature)
    measure = f"{parts.units} 字，计费 {parts.parts} 条（首条 70 字，超出后每条 67 字）"
    body = Markup(escape(f"【{signature}】")) + mark(text, "sms", values)
    return Preview("sms", "12366", measure, text=body)


def _rcs(content: Mapping[str, Any], values: Values, signature: str) -> Preview:
    fallback = measure_sms(content["text"], values, signature)
    cards = tuple(_card(each, values) for each in (content, *content.get("more", ())))
    kind = f"多卡片消息（{len(cards)} 张，左右滑动）" if len(cards) > 1 else "卡片"
    return Preview(
        "rcs",
        signature,
        f"{kind} 1 条；回落短信 {fallback.units} 字，计费 {fallback.parts} 条",
        chips=_labels(content, "chips", values),
        fallback=Markup(escape(f"【{signature}】")) + mark(content["text"], "sms", values),
        cards=cards,
        width=content.get("width", "medium") if len(cards) > 1 else "",
    )


def _card(card: Mapping[str, Any], values: Values) -> CardPreview:
    return CardPreview(
        mark(card.get("title", ""), "rcs", values),
        mark(card.get("body", ""), "rcs", values),
        _labels(card, "actions", values),
        card.get("layout", "vertical"),
        card.get("height", "medium") if card.get("image_url") else "",
    )


def _labels(card: Mapping[str, Any], group: str, values: Values) -> tuple[Markup, ...]:
    return tuple(mark(item["label"], "rcs", values) for item in card.get(group, ()))


def _notice(channel: str, content: Mapping[str, Any], values: Values, signature: str) -> Preview:
    title = content.get("title", "")
    return Preview(
        channel,
        signature,
        "卡片消息，免费" if title else "文字消息，免费",
        text=mark(content["text"], channel, values),
        title=mark(title, channel, values),
        actions=(Markup("查看详情"),) if content.get("url") else (),
    )


def _strings(value: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [] if path.rpartition(".")[2] in _WORDS else [(path, value)]
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    return [found for key, item in pairs for found in _strings(item, f"{path}.{key}" if path else str(key))]
