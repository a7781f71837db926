"""What taxpayers send back, as the platform pushes it (protocol section 8)."""

import time
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from channels.gateways.fiveg_bot.phones import Phones, Sent

_CHINA = timezone(timedelta(hours=8))
_RESPONSE = "application/vnd.gsma.botsuggestion.response.v1.0+json"


def write_uplink(message: Mapping[str, Any], phones: Phones, chatbot_id: str) -> tuple[str, dict[str, Any]]:
    """Path template and document of a push.

    `message` has `address` and one of `text`; `press`, the label of a button of the last message to the
    address, or `press` with `data` for a button of an older one; `spam`, the reason of a complaint about
    the last message. Raises ValueError if there is no such message or button.
    """
    address = message["address"]
    last = phones.last_to(address)
    if "spam" in message:
        return "/notifyInfoNotification/{bot}/notice/rcsspam", _complaint(last, message["spam"])
    if "press" in message:
        data = message.get("data") or _postback(last, message["press"])
        button = {"displayText": message["press"], "postback": {"data": data}}
        element = {"contentType": _RESPONSE, "contentText": {"response": {"reply": button}}}
    else:
        element = {"contentType": "text/plain", "contentText": message["text"]}
    return "/messageNotification/{bot}/messages", _message(address, element, chatbot_id, last)


def _postback(last: Sent | None, label: str) -> str:
    for name, data in last.message.buttons if last else ():
        if name == label and data:
            return data
    raise ValueError(f"no button {label} in the last message")


def _complaint(last: Sent | None, reason: str) -> dict[str, Any]:
    if last is None:
        raise ValueError("no message to complain about")
    return {"messageId": [last.message.message_id], "spamType": "other", "freeText": reason}


def _message(address: str, element: dict[str, Any], chatbot_id: str, last: Sent | None) -> dict[str, Any]:
    document = {
        "messageId": str(uuid.uuid4()),
        "messageList": [{"contentEncoding": "utf8", **element}],
        "dateTime": datetime.fromtimestamp(time.time(), _CHINA).isoformat(timespec="milliseconds"),
        "senderAddress": f"tel:+86{address}",
        "destinationAddress": chatbot_id,
        "conversationId": last.message.conversation_id if last else str(uuid.uuid4()),
        "contributionId": str(uuid.uuid4()),
    }
    return document | ({"inReplyTo": last.message.contribution_id} if last else {})
