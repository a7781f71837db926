"""Texts and events that the platform pushes. Protocol sheet section 4."""

import hashlib
from datetime import UTC, datetime

from channels.base import Inbound, InboundKind, Parsed, WebhookReply
from channels.errors import WebhookRejected

ACKNOWLEDGED = WebhookReply(headers={"content-type": "text/plain; charset=utf-8"})
"""The platform wants status 200 and nothing else."""

_NAMES = ("FromUserName", "CreateTime", "MsgId", "Event", "EventKey", "TaskId", "ResponseCode")


def read_push(fields: dict[str, str]) -> Parsed:
    """What a decrypted push says. Events that concern nobody here are acknowledged and dropped.
    Raises WebhookRejected."""
    kind = fields.get("Event", "") if fields.get("MsgType") == "event" else fields.get("MsgType", "")
    match kind:
        case "text":
            return _inbound(fields, InboundKind.TEXT, fields.get("Content", ""))
        case "template_card_event":
            task = fields.get("TaskId", "")
            return _inbound(fields, InboundKind.SUGGESTION, fields.get("EventKey", ""), task)
        case "click":
            return _inbound(fields, InboundKind.SUGGESTION, fields.get("EventKey", ""))
    return Parsed(reply=ACKNOWLEDGED)


def _inbound(fields: dict[str, str], kind: InboundKind, text: str, key: str = "") -> Parsed:
    # A key that is not one of ours would not find a message, so it is not worth a rejection.
    known = key if len(key) <= 16 and key.isascii() and key.isalnum() else ""
    message = Inbound(kind, _sender(fields), text, known, _time(fields), _identify(fields))
    return Parsed(inbound=(message,), reply=ACKNOWLEDGED)


def _sender(fields: dict[str, str]) -> str:
    userid = fields.get("FromUserName", "").strip()
    if not userid or len(userid) > 128:
        raise WebhookRejected("push without FromUserName")
    return userid


def _time(fields: dict[str, str]) -> datetime:
    try:
        return datetime.fromtimestamp(int(fields.get("CreateTime", "")), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise WebhookRejected("push without a readable CreateTime") from error


def _identify(fields: dict[str, str]) -> str:
    # Three tries bear the same fields; hashed, for an id must not name a person.
    told = "\n".join(fields.get(name, "") for name in _NAMES)
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:32]
