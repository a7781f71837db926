"""The JSON of an application message: text, text card or template card. Protocol sheet section 2.

The platform recognises a repeated request by its whole JSON. So every request carries its message's key:
equal messages stay two, and one message sent again is byte for byte the same.
"""

import re
from typing import Any

import orjson

from channels.base import Action, Card, Outbound

INTERVAL = 14_400
"""Seconds for which the platform is asked to recognise a repeated request: the longest it allows."""

_USERID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_TEXT_BYTES = 2048
_URL_BYTES = 2048
_TITLE_BYTES = 128
_DESCRIPTION_BYTES = 512
_JUMPS = 3
_BUTTONS = 6


class Unfit(Exception):
    """A message that the platform would refuse, cut or misunderstand. `field` tells where, `supported`
    whether other content could be sent in its place."""

    def __init__(self, field: str, *, supported: bool = True) -> None:
        super().__init__(field)
        self.field = field
        self.supported = supported


def is_userid(address: str) -> bool:
    """Whether the address is one member: neither `@all` nor several joined with a bar."""
    return _USERID.fullmatch(address) is not None


def compose(message: Outbound, agent_id: int) -> bytes:
    """The request's body. Raises Unfit."""
    body = {
        "touser": message.address,
        "agentid": agent_id,
        "enable_duplicate_check": 1,
        "duplicate_check_interval": INTERVAL,
        **_content(message),
    }
    try:
        return orjson.dumps(body)
    except TypeError as error:
        raise Unfit("json") from error


def _content(message: Outbound) -> dict[str, Any]:
    if not message.text and message.card is None:
        raise Unfit("text")
    if len(message.url.encode("utf-8", "replace")) > _URL_BYTES:
        raise Unfit("url")
    if message.card is not None:
        return {"msgtype": "template_card", "template_card": _template_card(message, message.card)}
    if message.url and (card := _text_card(message)) is not None:
        return {"msgtype": "textcard", "textcard": card}
    target = message.url.replace('"', "%22")
    link = f'\n<a href="{target}">查看详情</a>' if target else ""
    content = f"{message.text}{link}\n编号：{message.key}"
    # What is longer the platform cuts without a word.
    if _size(content) > _TEXT_BYTES:
        raise Unfit("text")
    return {"msgtype": "text", "text": {"content": content}}


def _text_card(message: Outbound) -> dict[str, str] | None:
    """The card, or None if it would be cut."""
    title = message.subject or message.signature or "通知"
    description = f'{message.text}<div class="gray">编号：{message.key}</div>'
    if _size(title) > _TITLE_BYTES or _size(description) > _DESCRIPTION_BYTES:
        return None
    return {"title": title, "description": description, "url": message.url, "btntxt": "详情"}


def _template_card(message: Outbound, card: Card) -> dict[str, Any]:
    offered = card.actions + card.chips
    strange = next((action.kind for action in offered if action.kind not in ("url", "reply")), "")
    if strange:
        raise Unfit(f"action.{strange}", supported=False)
    replies = [action for action in offered if action.kind == "reply"]
    links = [action for action in offered if action.kind == "url"]
    target = message.url or (links[0].value if links else "")
    body: dict[str, Any] = {
        "card_type": "button_interaction" if replies else "text_notice",
        "main_title": {"title": card.title},
        "sub_title_text": card.body,
        "task_id": message.key,
    }
    if target:
        body["card_action"] = {"type": 1, "url": target}
    elif not replies:
        # A notice that leads nowhere is refused.
        raise Unfit("card_action")
    if replies:
        body["button_list"] = _buttons(replies)
    if links:
        body["jump_list"] = _jumps(links)
    return body


def _buttons(replies: list[Action]) -> list[dict[str, Any]]:
    if len(replies) > _BUTTONS:
        raise Unfit("button_list")
    return [{"text": one.label, "style": 1, "key": one.postback or one.label} for one in replies]


def _jumps(links: list[Action]) -> list[dict[str, Any]]:
    if len(links) > _JUMPS:
        raise Unfit("jump_list")
    return [{"type": 1, "title": one.label, "url": one.value} for one in links]


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
