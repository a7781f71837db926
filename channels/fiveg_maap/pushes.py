"""What the platform pushes to us (sections 4 to 6): reports, results of revoking, what taxpayers say."""

import base64
import binascii
import hmac
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from channels.base import DeliveryState, Inbound, InboundKind, Parsed, Receipt, WebhookReply, WebhookRequest
from channels.errors import WebhookRejected
from channels.fiveg_bot.pushes import read_press
from channels.fiveg_maap.config import FivegMaapConfig
from channels.fiveg_maap.keys import authorize, hash_secret, key_of, user_of
from channels.fiveg_maap.xml import Node, XmlInvalid, read_xml

REPLAY_SECONDS = 300.0
RESPONSE_TYPE = "application/vnd.gsma.botsuggestion.response.v1.0+json"
FILE_TYPE = "application/vnd.gsma.rcs-ft-http+xml"
SPAM_TYPE = "application/vnd.gsma.rcsspam-report+xml"

_TAIL = re.compile(
    r"/(?:inboundmessagenotification|deliveryinfonotification|messagestatusnotification)/([^/]+)/?\Z"
)
_TAKEN = WebhookReply(204)


def verify_push(config: FivegMaapConfig, request: WebhookRequest, now: float) -> None:
    """Check where a push comes from, and its digest where the platform sends one. Raises WebhookRejected."""
    _check_source(config.callback_sources, request.remote)
    if not config.callbacks_signed:
        return
    date, given = request.headers.get("date", ""), request.headers.get("authorization", "")
    secret = hash_secret(config.account_secret.get_secret_value(), config.row.hashed)
    expected = authorize(config.account, secret, date) if date.isascii() else ""
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        raise WebhookRejected("wrong authorization")
    try:
        seconds = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        raise WebhookRejected("unreadable date") from None
    if abs(now - seconds) > REPLAY_SECONDS:
        raise WebhookRejected("date outside of the replay window")


def _check_source(sources: str, remote: str) -> None:
    networks = [ipaddress.ip_network(part.strip()) for part in sources.split(",") if part.strip()]
    if not networks:
        return
    try:
        address = ipaddress.ip_address(remote)
    except ValueError:
        raise WebhookRejected("push from nowhere") from None
    if not any(address in network for network in networks):
        raise WebhookRejected("push from a foreign address")


def parse_push(config: FivegMaapConfig, request: WebhookRequest) -> Parsed:
    """Read a verified push. Raises WebhookRejected."""
    match = _TAIL.search(unquote(request.path).lower())
    if match is None:
        raise WebhookRejected("no push of this interface ends in this path")
    if match[1].removeprefix("sip:") != config.chatbot_id.lower().removeprefix("sip:"):
        raise WebhookRejected("push for another chatbot")
    if "authstatus" in request.headers:
        return Parsed(reply=_TAKEN)
    try:
        document = read_xml(request.body)
    except XmlInvalid as error:
        raise WebhookRejected(f"body: {error}") from None
    if document.name == "deliveryInfoNotification":
        return Parsed(receipts=tuple(_reports(config, document)), reply=_TAKEN)
    if document.name == "messageStatusNotification":
        return Parsed(receipts=tuple(_revocations(config, document)), reply=_TAKEN)
    if document.name == "inboundMessageNotification":
        return Parsed(inbound=tuple(_inbound(document)), reply=_TAKEN)
    raise WebhookRejected("no root element of this interface")


def _reports(config: FivegMaapConfig, document: Node) -> Iterable[Receipt]:
    infos = document.all("deliveryInfo")
    if not infos:
        raise WebhookRejected("no deliveryInfo")
    for info in infos:
        ref = info.value("messageId")
        receipt = _receipt(config, ref, info.value("address"), info.value("deliveryStatus"))
        if receipt is not None:
            told = info.value("description") or info.value("text") or receipt.code
            yield replace(receipt, code=told) if receipt.state is DeliveryState.FAILED else receipt


def _revocations(config: FivegMaapConfig, document: Node) -> Iterable[Receipt]:
    # A message that could not be taken back goes on as before: nothing to report.
    ref, status = document.value("messageId"), document.value("status")
    if not ref or not status:
        raise WebhookRejected("no messageId or status")
    for address in document.all("address"):
        receipt = _receipt(config, ref, address.text, status)
        if receipt is not None:
            yield receipt


def _receipt(config: FivegMaapConfig, ref: str, address: str, status: str) -> Receipt | None:
    meaning = config.row.statuses.get(status.lower())
    if meaning is None or not ref:
        return None
    state, fallback = meaning
    code = status if state is DeliveryState.FAILED else ""
    return Receipt(state, key_of(ref), ref, user_of(address), code=code, fallback=fallback)


def _inbound(document: Node) -> Iterable[Inbound]:
    messages = document.all("inboundMessage")
    if not messages:
        raise WebhookRejected("no inboundMessage")
    for position, message in enumerate(messages):
        said = _said(message)
        if said is None:
            continue
        kind, text, key = said
        provider_id = message.value("messageId")
        yield Inbound(
            kind,
            user_of(message.value("senderAddress")) or user_of(message.value("origUser")),
            text,
            key or key_of(message.value("inReplyToContributionID")),
            _instant(message.value("dateTime")),
            f"{provider_id}#{position}" if position else provider_id,
        )


def _said(message: Node) -> tuple[InboundKind, str, str] | None:
    kind = message.value("contentType").partition(";")[0].strip().lower()
    bodies = message.all("bodyText")
    text = bodies[0].text if bodies else ""
    if message.value("contentEncoding").lower() == "base64":
        text = _decoded(text)
    if kind == "text/plain":
        return InboundKind.TEXT, text.strip(), ""
    if kind == RESPONSE_TYPE:
        return read_press(text)
    if kind == SPAM_TYPE:
        return InboundKind.COMPLAINT, "", ""
    return _file(text) if kind == FILE_TYPE else None


def _decoded(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise WebhookRejected("bodyText is not base64 of UTF-8") from None


def _file(text: str) -> tuple[InboundKind, str, str] | None:
    try:
        document = read_xml(text.strip().encode("utf-8", "replace"))
    except XmlInvalid:
        return None
    infos = [info for info in document.all("file-info") if info.attributes.get("type") != "thumbnail"]
    data = infos[0].find("data") if infos else None
    url = data.attributes.get("url", "") if data is not None else ""
    return (InboundKind.TEXT, f"[文件] {url}", "") if url else None


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo and 2000 <= at.year < 2100 else None
