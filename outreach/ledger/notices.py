"""Work notices (WeCom, DingTalk): a text, or with a title and a link a card that leads there.

Stored shape: {text, title, url}, the last two optional. What the platforms allow is measured in bytes of
UTF-8: docs/adapters/wecom.md, docs/adapters/dingtalk.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from channels.base import Card, Outbound
from outreach.errors import InvalidInput

_PLACE = re.compile(r"\{\{.*?\}\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class NoticeLimits:
    """The platform's name and its limits in bytes, less what the message's own number needs. `card`: of a
    card's text; `title`: of its title; `text`: of a plain text with its link."""

    platform: str
    text: int
    card: int
    title: int


NOTICES: Mapping[str, NoticeLimits] = {
    "wecom": NoticeLimits("企业微信", 1980, 460, 128),
    "dingtalk": NoticeLimits("钉钉", 1800, 1400, 120),
}
"""By channel. A number costs `编号：` and 16 characters; a link's mark-up and JSON come on top of that."""


def compose_notice(
    channel: str, *, key: str, address: str, signature: str, text: str, title: str, url: str
) -> Outbound:
    """One notice for one person."""
    if channel == "dingtalk" and title:
        return Outbound(key, address, text, signature, subject=title, card=Card(title, text), url=url)
    return Outbound(key, address, text, signature, subject=title, url=url)


def check_notice(channel: str, content: Mapping[str, Any]) -> None:
    """Raises InvalidInput for what the platform would refuse or cut whatever the values are: the fixed part
    is measured, and a text with conditions only when it is sent."""
    limits = NOTICES[channel]
    text, title, url = (str(content.get(part, "")) for part in ("text", "title", "url"))
    if not text.strip():
        raise InvalidInput("请填写正文", field="text")
    if title and not url and channel == "wecom":
        raise InvalidInput("有标题的企业微信消息是文本卡片，必须能点开：请填写链接，或去掉标题", field="url")
    _measure(limits, "标题", title, limits.title, "title")
    _measure(limits, "卡片正文" if title else "正文", text, limits.card if title else limits.text, "text")


def _measure(limits: NoticeLimits, what: str, source: str, most: int, field: str) -> None:
    if "{%" in source:
        return
    size = len(_PLACE.sub("", source).encode())
    if size > most:
        raise InvalidInput(
            f"{limits.platform}的{what}最长 {most} 字节（约 {most // 3} 个汉字），"
            f"不算变量已有 {size} 字节，请删减",
            field=field,
        )
