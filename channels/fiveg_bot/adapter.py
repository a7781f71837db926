"""The adapter: neutral messages to `POST /messages`, answers and pushes back to our types."""

import asyncio
import math
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import orjson

from channels.base import (
    Adapter,
    Channel,
    Facts,
    Outbound,
    Parsed,
    Query,
    SendResult,
    WebhookRequest,
    refused,
    unknown,
)
from channels.cards import (
    CARD_TYPE,
    CHIPS_TYPE,
    ContentError,
    cards_of,
    check_card,
    check_length,
    compose_card,
    compose_chips,
)
from channels.errors import Fault, GatewayError
from channels.fiveg_bot.client import BotClient
from channels.fiveg_bot.codes import classify, error_code, read_json
from channels.fiveg_bot.config import FivegBotConfig
from channels.fiveg_bot.keys import conversation_id, pack_key
from channels.fiveg_bot.media import Media, MediaLibrary
from channels.fiveg_bot.pushes import SignatureCheck, parse_push
from channels.fiveg_bot.tokens import TokenFailed
from channels.http import MaybeSent, NotSent
from channels.sending import TooLate
from channels.tokens import LocalTokens, TokenStore

TEXT_LENGTH = 2000
_PHONE = re.compile(r"(?:\+?86)?(1[0-9]{10})")
_CAPABILITY = orjson.Fragment(b'[{"capabilityId":"ChatbotSA","version":"+g.gsma.rcs.botversion=\\"#=1\\""}]')
_SUSPENDED = 2
_UNSENT = (NotSent, TokenFailed, TooLate)


class FivegBot(Adapter):
    """China Telecom's and China Unicom's bot JSON API V1.0.4.

    `now` is Unix time in seconds. Where several processes serve one bot they must share `tokens`: each
    fetch of a token kills the one before it.
    """

    name: ClassVar[str] = "fiveg_bot"
    config_type: ClassVar[type[FivegBotConfig]] = FivegBotConfig
    shares_tokens: ClassVar[bool] = True
    facts: ClassVar[Facts] = Facts(
        channel=Channel.RCS,
        batch_size=1,
        rate_unit="message",
        echoes_key=True,
        features=frozenset({"card", "read_receipt", "uplink", "sms_fallback"}),
    )

    def __init__(
        self,
        config: FivegBotConfig,
        tokens: TokenStore | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self._now = now
        self._client = BotClient(config, tokens or LocalTokens(), now)
        self._library = MediaLibrary(self._client)
        self._signatures = SignatureCheck(config.callback_token.get_secret_value())
        self._slots = asyncio.Semaphore(config.concurrency)
        statuses = ["sent"] * config.report_sent + ["failed", "delivered", "displayed", "deliveredToNetwork"]
        self._reports = orjson.Fragment(orjson.dumps(statuses))

    async def open(self) -> None:
        """Have a token. Raises GatewayError."""
        await self._client.connect()

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.close()

    async def check(self) -> None:
        """Fetch a token and read the bot's own card. Raises GatewayError."""
        try:
            response = await self._client.call("GET", "/find/chatBotInfo")
        except (NotSent, MaybeSent) as error:
            raise GatewayError(Fault.UNREACHABLE, "连接不上 5G 消息平台，请检查网络", str(error)) from error
        document = read_json(response)
        code = error_code(document)
        if response.status != 200 or code or not document:
            result = classify("", response, self._now(), self.config.busy_is_refusal)
            fault = (
                result.fault if result.fault and result.fault.touches == "gateway" else Fault.MISCONFIGURED
            )
            raise GatewayError(fault, f"查询 Chatbot 信息失败：平台返回 {result.code}", result.code)
        if str(document.get("status")) == str(_SUSPENDED):
            raise GatewayError(Fault.MISCONFIGURED, "该 Chatbot 已被平台暂停，请联系运营商", "suspended")

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """One request per message, `concurrency` at a time. Results in the order of the batch.

        No request starts later than half of `timeout` after the call, so it returns within about one and a
        half times `timeout`; what did not get its turn is deferred.
        """
        deadline = asyncio.get_running_loop().time() + self.config.timeout / 2
        return await asyncio.gather(*(self._send_one(message, deadline) for message in batch))

    def verify(self, request: WebhookRequest) -> None:
        """Check signature, time stamp and nonce. Raises WebhookRejected."""
        self._signatures.verify(request, self._now())

    def parse(self, request: WebhookRequest) -> Parsed:
        """Read a push by the tail of its path. Raises WebhookRejected."""
        return parse_push(request, self.config.chatbot_id, self.config.app_id)

    async def upload(self, name: str, data: bytes, permanent: bool = True) -> Media:
        """Hand a JPEG or PNG of at most 2 MB to the platform; its `url` is what `Card.image_url` takes.

        Permanent pictures are reviewed before they may be used. Raises GatewayError.
        """
        try:
            return await self._library.upload(name, data, permanent)
        except ContentError as error:
            raise GatewayError(error.fault, "图片须为不超过 2 MB 的 JPG 或 PNG", error.code) from error

    async def revoke(self, message: Query) -> SendResult:
        """Ask to take back a message that is not delivered yet (protocol section 6).

        Accepted means that the platform took the request; the end comes as a push: `revokeOk` is a FAILED
        receipt with that code, `revokeFail` is none.
        """
        suffix = self.config.chatbot_id if self.config.revoke_with_chatbot_id else ""
        try:
            ref, tel = message.ref or _message_id(message.key), _tel(message.address)
        except ContentError as error:
            return refused(message.key, error.fault, error.code)
        body = {"messageId": ref + suffix, "destinationAddress": [tel], "status": "RevokeRequested"}
        return await self._post(message.key, "/revoke", orjson.dumps(body))

    async def _send_one(self, message: Outbound, deadline: float) -> SendResult:
        async with self._slots:
            try:
                body = await self._compose(message, deadline)
            except ContentError as error:
                return refused(message.key, error.fault, error.code)
            except _UNSENT as error:
                return _unsent(message.key, error)
            except MaybeSent as error:
                return refused(message.key, Fault.UNREACHABLE, str(error))
            return await self._post(message.key, "/messages", body, deadline)

    async def _post(self, key: str, operation: str, body: bytes, deadline: float = math.inf) -> SendResult:
        try:
            response = await self._client.call("POST", operation, body, deadline=deadline)
        except _UNSENT as error:
            return _unsent(key, error)
        except MaybeSent as error:
            return unknown(key, str(error))
        return classify(key, response, self._now(), self.config.busy_is_refusal)

    async def _compose(self, message: Outbound, deadline: float) -> bytes:
        """The body of a send. Raises ContentError, and for a picture what `BotClient.call` raises."""
        config, tel, message_id = self.config, _tel(message.address), _message_id(message.key)
        try:
            body: dict[str, Any] = {
                "messageId": message_id,
                "messageList": await self._contents(message, deadline),
                "destinationAddress": [tel],
                "senderAddress": config.chatbot_id,
                "conversationId": conversation_id(config.chatbot_id, tel),
                "contributionId": message_id,
                "serviceCapability": _CAPABILITY,
                **({"trafficType": config.traffic_type} if config.traffic_type else {}),
                "smsSupported": config.sms_fallback,
                **({"smsContent": _sms(message)} if config.sms_fallback else {}),
                "storeSupported": config.store_offline,
                "reportRequest": self._reports,
            }
            return orjson.dumps(body)
        except (UnicodeEncodeError, orjson.JSONEncodeError):
            raise ContentError("text_not_unicode") from None

    async def _contents(self, message: Outbound, deadline: float) -> list[dict[str, Any]]:
        card = message.card
        if card is None:
            text = check_length(message.text, TEXT_LENGTH, "text_too_long")
            if not text.strip():
                raise ContentError("text_empty")
            return [_content("text/plain", text)]
        pictures = {}
        if urls := {each.image_url for _, each in cards_of(card) if each.image_url}:
            # The platform is not asked about pictures of a card that cannot leave.
            check_card(card)
            pictures = {url: (await self._library.describe(url, deadline)).in_card() for url in urls}
        contents = [_content(CARD_TYPE, compose_card(card, message.key, pictures))]
        if card.chips:
            contents.append(_content(CHIPS_TYPE, compose_chips(card, message.key)))
        return contents


def _unsent(key: str, error: Exception) -> SendResult:
    if isinstance(error, TokenFailed):
        return refused(key, error.fault, error.code, error.pause)
    if isinstance(error, TooLate):
        return refused(key, Fault.DEFERRED, "not_started")
    return refused(key, Fault.UNREACHABLE, str(error))


def _content(kind: str, text: Any) -> dict[str, Any]:
    return {"contentType": kind, "contentEncoding": "utf8", "contentText": text}


def _message_id(key: str) -> str:
    try:
        return pack_key(key)
    except ValueError:
        raise ContentError("key_invalid") from None


def _tel(address: str) -> str:
    match = _PHONE.fullmatch(address)
    if match is None:
        raise ContentError("address_invalid", Fault.INVALID_ADDRESS)
    return f"tel:+86{match[1]}"


def _sms(message: Outbound) -> str:
    if not message.text.strip():
        raise ContentError("sms_text_empty")
    return f"【{message.signature}】{message.text}" if message.signature else message.text
