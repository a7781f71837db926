"""What the platform accepts in an application message, as strictly as sheet section 2 can be read."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from channels.gateways.wechat_official.tokens import Refused

_TASK = re.compile(r"[A-Za-z0-9_@-]{1,128}")
_INTERVAL = 14_400
_USERS, _PARTIES = 1000, 100
_CARD_TYPES = (
    "text_notice",
    "news_notice",
    "button_interaction",
    "vote_interaction",
    "multiple_interaction",
)
ASKING = _CARD_TYPES[2:]
"""The cards that a member answers."""


def read_message(message: Mapping[str, Any]) -> str:
    """The words that a member would read in the message. Raises Refused."""
    for flag in ("safe", "enable_id_trans", "enable_duplicate_check"):
        if message.get(flag, 0) not in (0, 1):
            raise Refused(40058, f"invalid Request Parameter, {flag}")
    interval = message.get("duplicate_check_interval", 1800)
    if not isinstance(interval, int) or not 0 < interval <= _INTERVAL:
        raise Refused(40058, "invalid Request Parameter, duplicate_check_interval")
    reader = _READERS.get(str(message.get("msgtype")))
    if reader is None:
        raise Refused(40008, "invalid message type")
    content = message.get(str(message["msgtype"]))
    if not isinstance(content, dict) or not content:
        raise Refused(44004, "empty content")
    return reader(content)


def read_receivers(message: Mapping[str, Any]) -> list[str]:
    """The members of `touser`, or `@all`; parties and tags come as `party:1`, `tag:1`. Raises Refused."""
    found = []
    for field, prefix, limit in (
        ("touser", "", _USERS),
        ("toparty", "party:", _PARTIES),
        ("totag", "tag:", _PARTIES),
    ):
        told = message.get(field, "")
        if not isinstance(told, str):
            raise Refused(40035, f"invalid parameter {field}")
        names = [name.strip() for name in told.split("|") if name.strip()]
        if len(names) > limit:
            raise Refused(40032, f"invalid {field} list size")
        if field == "touser" and "@all" in names:
            return ["@all"]
        found += [prefix + name for name in names]
    if not found:
        raise Refused(40031, "touser, toparty and totag are all empty")
    return found


def _text(content: Mapping[str, Any]) -> str:
    return _word(content, "content", 2048)


def _text_card(content: Mapping[str, Any]) -> str:
    _link(content, "url")
    if len(str(content.get("btntxt", ""))) > 4:
        raise Refused(45002, "content size out of limit, btntxt")
    return f"{_word(content, 'title', 128)}\n{_word(content, 'description', 512)}"


def _template_card(content: Mapping[str, Any]) -> str:
    kind = content.get("card_type")
    if kind not in _CARD_TYPES:
        raise Refused(40058, "invalid Request Parameter, card_type")
    task = content.get("task_id", "")
    if not isinstance(task, str) or ((task or kind in ASKING) and not _TASK.fullmatch(task)):
        raise Refused(40058, "invalid Request Parameter, task_id")
    action = content.get("card_action", None if kind in _CARD_TYPES[:2] else {"type": 0})
    if not isinstance(action, dict) or action.get("type") not in (0, 1, 2):
        raise Refused(40058, "invalid Request Parameter, card_action")
    if action["type"] == 1:
        _link(action, "url")
    for jump in _list(content, "jump_list", 3):
        _word(jump, "title", 512)
        if jump.get("type") == 1:
            _link(jump, "url")
    for pair in _list(content, "horizontal_content_list", 6):
        _word(pair, "keyname", 512)
    buttons = _list(content, "button_list", 6)
    if kind == "button_interaction" and not buttons:
        raise Refused(40058, "invalid Request Parameter, button_list")
    for button in buttons:
        _word(button, "text", 512)
        _word(button, "key", 1024)
    title = content.get("main_title", {})
    if not isinstance(title, dict):
        raise Refused(40058, "invalid Request Parameter, main_title")
    words = [title.get("title", ""), title.get("desc", ""), content.get("sub_title_text", "")]
    if not all(isinstance(word, str) for word in words) or not any(words):
        raise Refused(40058, "invalid Request Parameter, main_title")
    return "\n".join(word for word in words if word)


def _word(content: Mapping[str, Any], field: str, limit: int) -> str:
    value = content.get(field)
    if not isinstance(value, str):
        raise Refused(40035, f"invalid parameter {field}")
    if not value.strip():
        raise Refused(44004, f"empty content, {field}")
    if len(value.encode()) > limit:
        raise Refused(45002, f"content size out of limit, {field}")
    return value


def _link(content: Mapping[str, Any], field: str) -> None:
    url = _word(content, field, 2048)
    if not url.startswith(("http://", "https://")):
        raise Refused(40035, f"invalid parameter {field}")


def _list(content: Mapping[str, Any], field: str, limit: int) -> list[Mapping[str, Any]]:
    items = content.get(field, [])
    if not isinstance(items, list) or len(items) > limit or not all(isinstance(item, dict) for item in items):
        raise Refused(40058, f"invalid Request Parameter, {field}")
    return items


_READERS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "text": _text,
    "markdown": _text,
    "textcard": _text_card,
    "template_card": _template_card,
}
