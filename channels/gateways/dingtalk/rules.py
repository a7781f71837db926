"""What the platform accepts in a work notice and in a robot's message, as strictly as the sheet allows."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from channels.gateways.wechat_official.tokens import Refused

_USERS, _DEPARTMENTS = 100, 20
_MESSAGE_BYTES = 2048
_PARAMETER = 40035


def read_notice(asked: Mapping[str, Any]) -> tuple[list[str], str]:
    """The receivers of a work notice (departments as `dept:1`, all as `@all`) and its words. Raises
    Refused."""
    message = asked.get("msg")
    if isinstance(message, str):
        # In the form encoding the message is a string of JSON.
        message = _parse(message)
    if not isinstance(message, dict):
        raise Refused(_PARAMETER, "不合法的参数 msg")
    if len(orjson.dumps(message)) > _MESSAGE_BYTES:
        raise Refused(_PARAMETER, "不合法的参数 msg 超过最大长度")
    return _receivers(asked), _read(message, _NOTICES)


def read_robot(message: Mapping[str, Any]) -> str:
    """The words of a robot's message. Raises Refused."""
    return _read(message, _ROBOTS)


def _receivers(asked: Mapping[str, Any]) -> list[str]:
    if str(asked.get("to_all_user", "")).lower() == "true":
        return ["@all"]
    users, departments = _names(asked, "userid_list", _USERS), _names(asked, "dept_id_list", _DEPARTMENTS)
    found = users + [f"dept:{name}" for name in departments]
    if not found:
        raise Refused(1430000, "接受者为空")
    return found


def _names(asked: Mapping[str, Any], field: str, limit: int) -> list[str]:
    told = asked.get(field) or ""
    if not isinstance(told, str):
        raise Refused(_PARAMETER, f"不合法的参数 {field}")
    names = [name.strip() for name in told.split(",") if name.strip()]
    if len(names) > limit:
        raise Refused(_PARAMETER, f"不合法的参数 {field} 超过最大长度")
    return names


def _read(message: Mapping[str, Any], readers: Mapping[str, Callable[[Mapping[str, Any]], str]]) -> str:
    kind = str(message.get("msgtype"))
    content = message.get(kind)
    if kind not in readers or not isinstance(content, dict):
        raise Refused(_PARAMETER, "不合法的参数 msgtype")
    return readers[kind](content)


def _words(*fields: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda content: "\n".join(_word(content, field) for field in fields)


def _action_card(content: Mapping[str, Any]) -> str:
    words = f"{_word(content, 'title')}\n{_word(content, 'markdown')}"
    buttons = content.get("btn_json_list")
    if buttons is None:
        _word(content, "single_title")
        _word(content, "single_url")
        return words
    if not isinstance(buttons, list) or not buttons or content.get("btn_orientation") not in ("0", "1"):
        raise Refused(_PARAMETER, "不合法的参数 btn_json_list")
    for button in buttons:
        if not isinstance(button, dict):
            raise Refused(_PARAMETER, "不合法的参数 btn_json_list")
        _word(button, "title")
        _word(button, "action_url")
    return words


def _oa(content: Mapping[str, Any]) -> str:
    _word(content, "message_url")
    head, body = content.get("head"), content.get("body")
    if not isinstance(head, dict) or not isinstance(body, dict):
        raise Refused(_PARAMETER, "不合法的参数 oa")
    _word(head, "bgcolor")
    form = body.get("form", [])
    if not isinstance(form, list) or not all(isinstance(pair, dict) for pair in form):
        raise Refused(_PARAMETER, "不合法的参数 form")
    told = [body.get("title"), body.get("content"), *(f"{p.get('key')}{p.get('value')}" for p in form)]
    return "\n".join(word for word in told if isinstance(word, str) and word)


def _robot_card(content: Mapping[str, Any]) -> str:
    words = f"{_word(content, 'title')}\n{_word(content, 'text')}"
    if "btns" not in content:
        _word(content, "singleTitle")
        _word(content, "singleURL")
    elif not isinstance(content["btns"], list) or not content["btns"]:
        raise Refused(_PARAMETER, "不合法的参数 btns")
    return words


def _feed(content: Mapping[str, Any]) -> str:
    links = content.get("links")
    if not isinstance(links, list) or not links or not all(isinstance(link, dict) for link in links):
        raise Refused(_PARAMETER, "不合法的参数 links")
    return "\n".join(_word(link, "title") for link in links)


def _word(content: Mapping[str, Any], field: str) -> str:
    value = content.get(field)
    if not isinstance(value, str) or not value.strip():
        raise Refused(_PARAMETER, f"不合法的参数 {field}")
    return value


def _parse(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return None


_NOTICES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "text": _words("content"),
    "markdown": _words("title", "text"),
    "link": _words("title", "text", "messageUrl", "picUrl"),
    "action_card": _action_card,
    "oa": _oa,
}
_ROBOTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "text": _words("content"),
    "markdown": _words("title", "text"),
    "link": _words("title", "text", "messageUrl"),
    "actionCard": _robot_card,
    "feedCard": _feed,
}
