"""The JSON of a work notice. Protocol sheet, work notification.

The platform delivers equal content to one person once a day and takes the second all the same. So every
message carries its key: equal messages stay two.
"""

import re
from typing import Any

import orjson

from channels.base import Action, Card, Outbound

_USERID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_MESSAGE_BYTES = 2048


class Unfit(Exception):
    """A message that the platform would refuse. `field` tells where, `supported` whether other content could
    be sent in its place."""

    def __init__(self, field: str, *, supported: bool = True) -> None:
        super().__init__(field)
        self.field = field
        self.supported = supported


def is_userid(address: str) -> bool:
    """Whether the address is one person, not several joined with commas."""
    return _USERID.fullmatch(address) is not None


def compose(message: Outbound, agent_id: int) -> bytes:
    """The request's body. Raises Unfit."""
    if not message.text and message.card is None:
        raise Unfit("text")
    content = _content(message)
    try:
        if len(orjson.dumps(content)) > _MESSAGE_BYTES:
            raise Unfit("text")
        return orjson.dumps({"agent_id": agent_id, "userid_list": message.address, "msg": content})
    except TypeError as error:
        raise Unfit("json") from error


def _content(message: Outbound) -> dict[str, Any]:
    if message.card is not None:
        return _card(message, message.card)
    if message.url and message.subject:
        form = [{"key": "编号：", "value": message.key}]
        return {
            "msgtype": "oa",
            "oa": {
                "message_url": message.url,
                "head": {"bgcolor": "FF1F5FA8", "text": message.signature or "通知"},
                "body": {"title": message.subject, "content": message.text, "form": form},
            },
        }
    lines = [message.text, message.url, f"编号：{message.key}"]
    return {"msgtype": "text", "text": {"content": "\n".join(line for line in lines if line)}}


def _card(message: Outbound, card: Card) -> dict[str, Any]:
    offered = card.actions + card.chips
    strange = next((action.kind for action in offered if action.kind != "url"), "")
    if strange:
        raise Unfit(f"action.{strange}", supported=False)
    words = f"### {card.title}\n\n{card.body}\n\n编号：{message.key}"
    links = list(offered)
    if message.url and not links:
        links = [Action("url", "查看详情", message.url)]
    if not links:
        return {"msgtype": "markdown", "markdown": {"title": card.title, "text": words}}
    body: dict[str, Any] = {"title": card.title, "markdown": words}
    if len(links) == 1:
        body |= {"single_title": links[0].label, "single_url": links[0].value}
    else:
        body["btn_orientation"] = "0"
        body["btn_json_list"] = [{"title": link.label, "action_url": link.value} for link in links]
    return {"msgtype": "action_card", "action_card": body}
