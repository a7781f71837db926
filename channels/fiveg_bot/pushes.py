"""What the platform pushes to us: signatures (protocol section 3) and contents (section 8)."""

import base64
import binascii
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import orjson

from channels.base import (
    Channel,
    DeliveryState,
    Inbound,
    InboundKind,
    Parsed,
    Receipt,
    WebhookReply,
    WebhookRequest,
)
from channels.cards import unpack_postback
from channels.errors import WebhookRejected
from channels.fiveg_bot.codes import CHINA
from channels.fiveg_bot.keys import unpack_key

REPLAY_SECONDS = 300.0
NONCES = 100_000

RESPONSE_TYPE = "application/vnd.gsma.botsuggestion.response.v1.0+json"
FILE_TYPE = "application/vnd.gsma.rcs-ft-http"

_TAIL = re.compile(
    r"/(messagenotification/[^/]+/messages|deliverynotification/[^/]+/status"
    r"|notifyinfonotification/[^/]+/(?:notice/)?(?:informationchange|rcsspam|check))/?\Z"
)
_STATES = {
    "sent": DeliveryState.ACCEPTED,
    "delivered": DeliveryState.DELIVERED,
    "deliveredtonetwork": DeliveryState.DELIVERED,
    "displayed": DeliveryState.READ,
    "failed": DeliveryState.FAILED,
    "revokeok": DeliveryState.FAILED,
}
_TAKEN = WebhookReply(204)


def sign(token: str, timestamp: str, nonce: str) -> str:
    """sha256 over the three in lexicographic order, in hex."""
    return hashlib.sha256("".join(sorted((token, timestamp, nonce))).encode()).hexdigest()


class SignatureCheck:
    """Checks the signature of pushes.

    The signature does not cover the body, so a nonce is bound to the first body that came with it: the
    same push again is a retry and passes (our first answer may have been lost), another body under a used
    nonce is a forgery. Nonces are remembered for the replay window, the oldest dropped beyond `nonces`.
    """

    def __init__(self, token: str, nonces: int = NONCES) -> None:
        self._token, self._most = token, nonces
        self._seen: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def verify(self, request: WebhookRequest, now: float) -> None:
        """Raises WebhookRejected. `now` is Unix time in seconds."""
        headers = request.headers
        timestamp, nonce, signature = (headers.get(n, "") for n in ("timestamp", "nonce", "signature"))
        if not re.fullmatch(r"[0-9]{1,12}", timestamp) or not 0 < len(nonce) <= 128 or not nonce.isascii():
            raise WebhookRejected("signature headers missing or unreadable")
        expected = sign(self._token, timestamp, nonce)
        if not hmac.compare_digest(expected.encode(), signature.lower().encode("utf-8", "replace")):
            raise WebhookRejected("wrong signature")
        if abs(now - int(timestamp)) > REPLAY_SECONDS:
            raise WebhookRejected("timestamp outside of the replay window")
        self._bind(nonce, request, now)

    def _bind(self, nonce: str, request: WebhookRequest, now: float) -> None:
        content = f"{request.method} {request.path}\n".encode("utf-8", "replace") + request.body
        digest = hashlib.blake2b(content, digest_size=16).digest()
        self._forget(now)
        seen = self._seen.setdefault(nonce, (now, digest))
        if seen[1] != digest:
            raise WebhookRejected("nonce used for another push")

    def _forget(self, now: float) -> None:
        while self._seen:
            oldest = next(iter(self._seen.values()))
            # A time stamp may lie ahead by a window, and is then good for two.
            if now - oldest[0] <= 2 * REPLAY_SECONDS and len(self._seen) < self._most:
                return
            self._seen.popitem(last=False)


def parse_push(request: WebhookRequest, chatbot_id: str, app_id: str) -> Parsed:
    """Read a verified push. Raises WebhookRejected."""
    if request.method == "GET":
        return _answer_url_check(request, app_id)
    kind, bot, notice = _route(request.path)
    if _bare(bot) != _bare(chatbot_id):
        raise WebhookRejected("push for another chatbot")
    document = _read(request.body)
    if kind == "deliverynotification":
        return Parsed(receipts=tuple(_receipts(document)), reply=_TAKEN)
    if kind == "messagenotification":
        return Parsed(inbound=tuple(_inbound(document)), reply=_TAKEN)
    if notice == "rcsspam":
        return Parsed(inbound=tuple(_complaints(document)), reply=_TAKEN)
    return Parsed(reply=_TAKEN)


def _answer_url_check(request: WebhookRequest, app_id: str) -> Parsed:
    echo = request.headers.get("echostr", "")
    if not 0 < len(echo) <= 1024 or not echo.isascii() or not echo.isprintable():
        raise WebhookRejected("no echoStr to answer")
    return Parsed(reply=WebhookReply(200, {"echoStr": echo, "appId": app_id}))


def _route(path: str) -> tuple[str, str, str]:
    match = _TAIL.search(unquote(path).lower())
    if match is None:
        raise WebhookRejected("no push of this API ends in this path")
    kind, bot, *rest = match[1].split("/")
    return kind, bot, rest[-1]


def _bare(chatbot_id: str) -> str:
    return chatbot_id.lower().removeprefix("sip:")


def _read(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise WebhookRejected("body is not JSON") from None
    if not isinstance(document, dict):
        raise WebhookRejected("body is not a JSON object")
    return document


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _address(item: Mapping[str, Any]) -> str:
    return _text(item, "senderAddress").removeprefix("tel:").removeprefix("+86")


def _instant(item: Mapping[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(_text(item, "dateTime"))
    except ValueError:
        return None
    if not 2000 <= at.year < 2100:
        return None
    return at if at.tzinfo else at.replace(tzinfo=CHINA)


def _objects(value: Any, name: str) -> list[dict[str, Any]]:
    """The objects of a list. What else stands in it is passed over: one bad item spoils no others."""
    found = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    if not found:
        raise WebhookRejected(f"no readable {name}")
    return found


def _receipts(document: Mapping[str, Any]) -> Iterable[Receipt]:
    for item in _objects(document.get("deliveryInfoList"), "deliveryInfoList"):
        status, ref = _text(item, "status"), _text(item, "messageId")
        state = _STATES.get(status.lower())
        if state is None or not ref:
            continue
        failed = state is DeliveryState.FAILED
        yield Receipt(
            state,
            key=unpack_key(ref),
            ref=ref,
            address=_address(item),
            code=(_text(item, "errorCode") or status) if failed else "",
            at=_instant(item),
            fallback=Channel.SMS if status.lower() == "deliveredtonetwork" else None,
        )


def _inbound(document: Mapping[str, Any]) -> Iterable[Inbound]:
    answered = unpack_key(_text(document, "inReplyTo"))
    for position, item in enumerate(_objects(document.get("messageList"), "messageList")):
        said = _said(item)
        if said is None:
            continue
        kind, text, key = said
        yield Inbound(
            kind,
            _address(document),
            text,
            key or answered,
            _instant(document),
            # Every element of a list needs an id of its own, or all but the first would pass for repetitions.
            _text(document, "messageId") + (f"#{position}" if position else ""),
        )


def _said(item: Mapping[str, Any]) -> tuple[InboundKind, str, str] | None:
    kind, content = _text(item, "contentType").partition(";")[0].strip().lower(), item.get("contentText")
    if _text(item, "contentEncoding").lower() == "base64" and isinstance(content, str):
        content = _decode(content)
    if kind == "text/plain" and isinstance(content, str):
        return InboundKind.TEXT, content, ""
    if kind == RESPONSE_TYPE:
        return read_press(content)
    if kind == FILE_TYPE:
        return _file(content)
    return None


def _decode(content: str) -> str:
    try:
        return base64.b64decode(content, validate=True).decode()
    except (binascii.Error, ValueError):
        raise WebhookRejected("contentText is not base64 of UTF-8") from None


def _nested(content: Any) -> Any:
    if not isinstance(content, str):
        return content
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _object(value: Any, name: str) -> dict[str, Any]:
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def read_press(content: Any) -> tuple[InboundKind, str, str] | None:
    """What a botsuggestion.response says: kind, postback or label, key; None if it says nothing."""
    response = _object(_nested(content), "response")
    button = _object(response, "reply") or _object(response, "action")
    label = _text(button, "displayText")
    key, token = unpack_postback(_text(_object(button, "postback"), "data"))
    return (InboundKind.SUGGESTION, token or label, key) if token or label else None


def _file(content: Any) -> tuple[InboundKind, str, str] | None:
    files = _nested(content)
    for item in files if isinstance(files, list) else []:
        if isinstance(item, dict) and _text(item, "type") != "thumbnail" and _text(item, "url"):
            return InboundKind.TEXT, f"[文件] {_text(item, 'url')}", ""
    return None


def _complaints(document: Mapping[str, Any]) -> Iterable[Inbound]:
    """Complaints name messages and, as the specification has it, no user: the key leads to her."""
    named = document.get("messageId")
    for ref in named if isinstance(named, list) else [named]:
        if isinstance(ref, str) and ref:
            text = _text(document, "freeText") or _text(document, "spamType")
            address = _address(document)
            yield Inbound(
                InboundKind.COMPLAINT, address, text, unpack_key(ref), _instant(document), f"spam:{ref}"
            )
