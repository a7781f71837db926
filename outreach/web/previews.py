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
from outreach.rendering.expressions import compile_template
from outreach.rendering.sms_parts import Parts, count_parts
from outreach.rendering.starters import load_season
from outreach.runtime import Runtime
from outreach.web.reads.templates import find_template

Values = Mapping[str, object]
_NOTHING = Markup("")
_BY_TYPE: dict[str, object] = {
    "money": Decimal("1234.50"),
    "integer": 3,
    "percent": Decimal("12.50"),
    "date": date(2026, 6, 30),
}


@dataclass(frozen=True, slots=True)
class Preview:
    """A message in a phone frame; texts are safe HTML in which variables stand in `<mark>`."""

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


async def sample_values(conn: Connection, org_name: str) -> dict[str, object]:
    """A value for every variable that a template may use, none of them a real person's."""
    attributes = await load_attributes(conn)
    return {
        **{code: _BY_TYPE[attribute.type] for code, attribute in attributes.items()},
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
    return found


def _sms(text: str, values: Values, signature: str) -> Preview:
    parts = measure_sms(text, values, signature)
    measure = f"{parts.units} 字，计费 {parts.parts} 条（首条 70 字，超出后每条 67 字）"
    body = Markup(escape(f"【{signature}】")) + mark(text, "sms", values)
    return Preview("sms", "12366", measure, text=body)


def _rcs(content: Mapping[str, Any], values: Values, signature: str) -> Preview:
    fallback = measure_sms(content["text"], values, signature)
    return Preview(
        "rcs",
        signature,
        f"卡片 1 条；回落短信 {fallback.units} 字，计费 {fallback.parts} 条",
        text=mark(content["body"], "rcs", values),
        title=mark(content["title"], "rcs", values),
        actions=tuple(mark(item["label"], "rcs", values) for item in content.get("actions", ())),
        chips=tuple(mark(item["label"], "rcs", values) for item in content.get("chips", ())),
        fallback=Markup(escape(f"【{signature}】")) + mark(content["text"], "sms", values),
    )


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


def _strings(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in content.items():
        if isinstance(value, str):
            found.append((key, value))
        elif isinstance(value, Mapping):
            found += [(f"{key}.{name}", text) for name, text in value.items()]
        else:
            found += [
                (f"{key}.{index}", text)
                for index, item in enumerate(value)
                for name, text in item.items()
                if name != "kind"
            ]
    return found
