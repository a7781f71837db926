"""The adapter: neutral messages to `outboundMessageRequest`, answers and pushes back to our types."""

import asyncio
import math
import re
import secrets
import time
from collections.abc import Callable, Sequence
from typing import ClassVar
from urllib.parse import quote

from orjson import JSONEncodeError

from channels.base import (
    Adapter,
    Channel,
    Facts,
    Outbound,
    Parsed,
    Query,
    SendResult,
    WebhookRequest,
    accepted,
    refused,
    unknown,
)
from channels.cards import ContentError, check_card
from channels.errors import Fault, GatewayError
from channels.fiveg_maap.answers import classify, judge_account
from channels.fiveg_maap.client import MaapClient
from channels.fiveg_maap.config import FivegMaapConfig
from channels.fiveg_maap.keys import message_id
from channels.fiveg_maap.media import Media, MediaLibrary
from channels.fiveg_maap.pushes import parse_push, verify_push
from channels.fiveg_maap.requests import compose_request, compose_revoke, picture_urls
from channels.http import MaybeSent, NotSent
from channels.sending import TooLate

_PHONE = re.compile(r"(?:\+?86)?(1[0-9]{10})")
# China Mobile's own service number: taking back from it what was never sent concerns nobody.
_PROBE_NUMBER = "13800138000"


class FivegMaap(Adapter):
    """China Mobile's CSP and MaaP interface (protocol sheet 5g_china_mobile). `now` is Unix time in seconds.

    Class C. The platform gives no way to ask about a message. A clientCorrelator makes requests repeatable in
    the Network API's own terms, but no document of the platform says for how long, if at all, so it is not
    relied upon. We choose the messageId, and every delivery report carries it: that echoes our key. One
    number a request: a text is one person's, and one messageId for several numbers would tell them apart by
    address only.
    """

    name: ClassVar[str] = "fiveg_maap"
    config_type: ClassVar[type[FivegMaapConfig]] = FivegMaapConfig
    facts: ClassVar[Facts] = Facts(
        channel=Channel.RCS,
        batch_size=1,
        rate_unit="message",
        echoes_key=True,
        features=frozenset({"card", "read_receipt", "uplink", "sms_fallback"}),
    )

    def __init__(self, config: FivegMaapConfig, now: Callable[[], float] = time.time) -> None:
        self.config = config
        self._now = now
        self._client = MaapClient(config, now)
        self._library = MediaLibrary(self._client)
        self._slots = asyncio.Semaphore(config.concurrency)

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.close()

    async def check(self) -> None:
        """Ask to take back a message that was never sent: the answer tells whether path and account are
        right. Raises GatewayError."""
        path = self._path(self.config.row.revoke, secrets.token_hex(16))
        body = compose_revoke(self.config, f"tel:+86{_PROBE_NUMBER}")
        try:
            response = await self._client.call(
                self.config.row.revoke_method, path, body, self._user(_PROBE_NUMBER)
            )
        except (NotSent, MaybeSent) as error:
            raise GatewayError(
                Fault.UNREACHABLE, "连接不上 5G 消息平台，请检查平台地址、网络和防火墙", str(error)
            ) from error
        judge_account(response)

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """One request per message, `concurrency` at a time. Results in the order of the batch.

        No request starts later than half of `timeout` after the call, so it returns within about one and a
        half times `timeout`; what did not get its turn is deferred.
        """
        deadline = asyncio.get_running_loop().time() + self.config.timeout / 2
        return await asyncio.gather(*(self._send_one(message, deadline) for message in batch))

    def verify(self, request: WebhookRequest) -> None:
        """Check source and, where the platform sends one, the digest. Raises WebhookRejected."""
        verify_push(self.config, request, self._now())

    def parse(self, request: WebhookRequest) -> Parsed:
        """Read a push by its root element. Raises WebhookRejected."""
        return parse_push(self.config, request)

    async def upload(self, name: str, data: bytes, thumbnail: bytes = b"") -> Media:
        """Hand a JPEG or PNG of at most 2 MB to the platform; its `url` is what `Card.image_url` takes.
        Without a thumbnail the picture is its own. The platform reviews it. Raises GatewayError."""
        try:
            return await self._library.upload(name, data, thumbnail or data)
        except ContentError as error:
            raise GatewayError(error.fault, "图片须为不超过 2 MB 的 JPG 或 PNG", error.code) from error

    async def revoke(self, message: Query) -> SendResult:
        """Ask to take back a message that is not delivered yet (protocol section 5).

        Accepted means that the platform took the request; the end comes as a push: `Revoked` is a FAILED
        receipt with that code, `RevokeFailed` is none.
        """
        try:
            ref, number = message.ref or _identifier(message.key), _number(message.address)
        except ContentError as error:
            return refused(message.key, error.fault, error.code)
        row, body = self.config.row, compose_revoke(self.config, f"tel:+86{number}")
        try:
            path = self._path(row.revoke, ref)
            response = await self._client.call(row.revoke_method, path, body, self._user(number))
        except NotSent as error:
            return refused(message.key, Fault.UNREACHABLE, str(error))
        except MaybeSent as error:
            return unknown(message.key, str(error))
        if 200 <= response.status < 300:
            return accepted(message.key, ref)
        return classify(message.key, response)

    async def _send_one(self, message: Outbound, deadline: float) -> SendResult:
        async with self._slots:
            try:
                number, body = await self._compose(message, deadline)
            except ContentError as error:
                return refused(message.key, error.fault, error.code)
            except (JSONEncodeError, UnicodeEncodeError):
                return refused(message.key, Fault.REJECTED, "text_not_unicode")
            except TooLate:
                return refused(message.key, Fault.DEFERRED, "not_started")
            except (NotSent, MaybeSent) as error:
                return refused(message.key, Fault.UNREACHABLE, str(error))
            return await self._post(message.key, number, body, deadline)

    async def _compose(self, message: Outbound, deadline: float) -> tuple[str, bytes]:
        number, _ = _number(message.address), _identifier(message.key)
        pictures = {}
        if urls := picture_urls(message.card):
            # The file server is not asked about pictures of a card that cannot leave.
            if message.card is not None:
                check_card(message.card)
            pictures = {url: await self._library.describe(url, deadline) for url in urls}
        return number, compose_request(self.config, message, f"tel:+86{number}", pictures)

    async def _post(self, key: str, number: str, body: bytes, deadline: float = math.inf) -> SendResult:
        path = self._path(self.config.row.send)
        try:
            response = await self._client.call("POST", path, body, self._user(number), deadline)
        except TooLate:
            return refused(key, Fault.DEFERRED, "not_started")
        except NotSent as error:
            return refused(key, Fault.UNREACHABLE, str(error))
        except MaybeSent as error:
            return unknown(key, str(error))
        return classify(key, response)

    def _path(self, template: str, identifier: str = "") -> str:
        return self.config.server_root + template.format(bot=self.config.bot, id=quote(identifier, safe=""))

    def _user(self, number: str) -> dict[str, str]:
        return {self.config.row.address: f"+86{number}"}


def _identifier(key: str) -> str:
    try:
        return message_id(key)
    except ValueError:
        raise ContentError("key_invalid") from None


def _number(address: str) -> str:
    match = _PHONE.fullmatch(address)
    if match is None:
        raise ContentError("address_invalid", Fault.INVALID_ADDRESS)
    return match[1]
