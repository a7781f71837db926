"""The documents that we send: outboundMessageRequest (protocol section 3) and messageStatusReport (5).

The order of the elements is the one that all samples share.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from channels.base import Card, Outbound
from channels.cards import CARD_TYPE, CHIPS_TYPE, ContentError, check_length, compose_card, compose_chips
from channels.fiveg_bot.keys import conversation_id, pack_key
from channels.fiveg_maap.config import FivegMaapConfig
from channels.fiveg_maap.keys import message_id
from channels.fiveg_maap.xml import cdata, element, leaf

TEXT_LENGTH = 2000
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_MULTIPART = 'multipart/mixed; boundary="next"'
_CAPABILITY = element(
    "serviceCapability",
    leaf("capabilityId", "ChatbotSA"),
    leaf("version", '+g.gsma.rcs.botversion="#=1"'),
)

Pictures = Mapping[str, Mapping[str, Any]]


def compose_request(config: FivegMaapConfig, message: Outbound, tel: str, pictures: Pictures) -> bytes:
    """The document of one message for one number. Raises ContentError."""
    row, identifier = config.row, message_id(message.key)
    content_type, body = _content(message, row.text_type, pictures)
    reports = (row.sent_report, *row.reports) if config.report_sent else row.reports
    inner = [
        leaf("contentType", content_type),
        leaf("conversationID", conversation_id(config.chatbot_id, tel)),
        leaf("contributionID", pack_key(message.key)),
        _CAPABILITY,
        leaf("messageId", identifier),
        cdata("bodyText", body),
        *(leaf("reportRequest", report) for report in reports),
        leaf("shortMessageSupported", _truth(config.sms_fallback)),
        *([cdata(row.sms_text, _sms(message))] if config.sms_fallback else []),
        leaf("storeSupported", _truth(config.store_offline)),
        *([leaf("trafficType", config.traffic_type)] if config.traffic_type else []),
    ]
    return _document(
        config,
        "outboundMessageRequest",
        leaf("address", tel),
        leaf("destinationAddress", tel),
        leaf("senderAddress", config.chatbot_id),
        element("outboundIMMessage", *inner),
        leaf("clientCorrelator", identifier),
    )


def compose_revoke(config: FivegMaapConfig, tel: str) -> bytes:
    """The document that takes a message back."""
    return _document(config, "messageStatusReport", leaf("address", tel), leaf("status", "RevokeRequested"))


def _document(config: FivegMaapConfig, root: str, *inner: str) -> bytes:
    row = config.row
    name = f"{row.prefix}:{root}"
    opened = f'<{name} xmlns:{row.prefix}="{row.namespace}">'
    return f"{_DECLARATION}{opened}{''.join(inner)}</{name}>".encode()


def _content(message: Outbound, text_type: str, pictures: Pictures) -> tuple[str, str]:
    if message.card is None:
        text = check_length(message.text, TEXT_LENGTH, "text_too_long")
        if not text.strip():
            raise ContentError("text_empty")
        return text_type, text
    card = _json(compose_card(message.card, message.key, pictures))
    if not message.card.chips:
        return CARD_TYPE, card
    chips = _json(compose_chips(message.card, message.key))
    return _MULTIPART, f"{_part(CARD_TYPE, card)}{_part(CHIPS_TYPE, chips)}--next--"


def _part(kind: str, text: str) -> str:
    length = len(text.encode())
    return f"--next\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{text}\r\n"


def _json(document: Mapping[str, Any]) -> str:
    return orjson.dumps(document).decode()


def picture_urls(card: Card | None) -> frozenset[str]:
    """The pictures of a message."""
    if card is None:
        return frozenset()
    return frozenset(each.image_url for each in (card, *card.more) if each.image_url)


def _sms(message: Outbound) -> str:
    if not message.text.strip():
        raise ContentError("sms_text_empty")
    return f"【{message.signature}】{message.text}" if message.signature else message.text


def _truth(value: bool) -> str:
    return "true" if value else "false"
