"""The simulated platform: token, messages, revoke, media, the bot's card, status pushes.

Beside the common control interface: POST /_sim/terminals {"13800138000": "5g|sms|offline|absent|blocked"}.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from channels.gateways.base import Faults, Simulator
from channels.gateways.fiveg_bot.accounts import Account, Tokens
from channels.gateways.fiveg_bot.files import Files
from channels.gateways.fiveg_bot.phones import Phones, Sent
from channels.gateways.fiveg_bot.pusher import Callback, Pusher
from channels.gateways.fiveg_bot.requests import Accepted, read_send
from channels.gateways.fiveg_bot.schema import BAD_PARAMETER, Violation, array, record, text
from channels.gateways.fiveg_bot.uplinks import write_uplink
from channels.gateways.http_server import HttpServer, answer, cut_connection, read_body

NO_SUCH_USER, PER_SECOND, PER_DAY = 46001, 30003, 30001
NEEDS_GET, EMPTY_POST, NOT_JSON = 43001, 44002, 47001
_GETS = ("/find/chatBotInfo", "/medias/download")
_REVOKE = record(
    {
        "messageId": text(1, 256),
        "destinationAddress": array(1, 1, text(1, 40, pattern=r"tel:\+86[0-9]{11}")),
        "status": text(1, 40, pattern="RevokeRequested"),
    }
)
Reply = tuple[int, str, bytes]


class _Cut(Exception):
    """The connection breaks here."""


class FivegBotGateway(Simulator):
    """One bot on a strict platform.

    `callback_url` is the customer's notifyURL. `capable` is the share of numbers whose phones read 5G
    messages, drawn from the address. `account` holds credentials and the platform's quirks. `status_batch`
    is the most entries of a status push, `rate` and `day_limit` what the platform accepts per second and
    day, `store_seconds` how long it keeps messages of who is offline. With `tolerant_cards` breaches of the
    card schemas are only noted in `warnings`.
    """

    name = "fiveg_bot"

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        account: Account | None = None,
        callback_url: str = "",
        capable: float = 1.0,
        status_batch: int = 20,
        rate: int | None = None,
        day_limit: int | None = None,
        store_seconds: float = 7 * 86_400.0,
        keep_media_seconds: float = 3 * 86_400.0,
        tolerant_cards: bool = False,
    ) -> None:
        super().__init__(faults)
        if not 1 <= status_batch <= 100:
            raise ValueError("status_batch is 1 to 100")
        self.account = account or Account()
        self.tokens = Tokens(self.account)
        self.files = Files(keep_media_seconds)
        self.warnings: list[str] | None = [] if tolerant_cards else None
        self._capable, self._rate, self._day_limit = capable, rate, day_limit
        self._second, self._in_second = 0, 0
        self._pusher = Pusher(self._callback(callback_url), status_batch, lambda: self.faults.shuffle)
        self.phones = Phones(
            self.books, self._pusher, self.account.chatbot_id, self._draw_kind, store_seconds
        )
        self._server = HttpServer(self)
        self._base = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the serverRoot with its scheme."""
        self._base = await self._server.start(host, port)
        self.files.base = self._base
        self._pusher.start()
        return self._base

    async def stop(self) -> None:
        """Stop listening, drop what is not pushed yet."""
        await self._pusher.stop()
        await self._server.stop()

    async def verified(self, seconds: float = 5.0) -> None:
        """Wait until the callback URL has passed the check that follows the first token."""
        async with asyncio.timeout(seconds):
            await self._pusher.verified.wait()

    def uplink(self, message: Mapping[str, Any]) -> None:
        """A taxpayer answers: see `write_uplink`."""
        template, document = write_uplink(message, self.phones, self.account.chatbot_id)
        self._pusher.post(template, document)

    def control(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any | None:
        """The common control interface and `/_sim/terminals`."""
        if (method, path) == ("POST", "/_sim/terminals"):
            self.phones.change(orjson.loads(body), self.faults.receipt_delay)
            return self.phones.terminals
        return super().control(method, path, query, body)

    def _callback(self, url: str) -> Callback | None:
        account = self.account
        if not url:
            return None
        return Callback(
            url.rstrip("/"), account.callback_token, account.chatbot_id, account.app_id, account.encode_paths
        )

    def _draw_kind(self, address: str) -> str:
        if self._capable >= 1:
            return "5g"
        return "5g" if self.draw(address, "capable") < self._capable else "sms"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        body = await read_body(receive)
        try:
            status, kind, content = await self._answer(scope, body)
        except _Cut:
            await cut_connection(receive)
            return
        await answer(send, status, content, kind)

    async def _answer(self, scope: Any, body: bytes) -> Reply:
        method, path = scope["method"], scope["path"]
        operation = self.account.operation(path)
        if operation is None:
            return self._answer_control(method, path, scope["query_string"], body)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            self.account.check_headers(headers)
            if operation == "/accessToken":
                return self._json(self._issue(method, headers, body))
            self.tokens.check(headers.get("authorization", ""))
            return await self._operate(method, operation, headers, body)
        except Violation as violation:
            return self._refuse(violation.code, violation.where)

    def _answer_control(self, method: str, path: str, query: bytes, body: bytes) -> Reply:
        try:
            answer = self.control(method, path, dict(parse_qsl(query.decode())), body)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return 400, "text/plain", str(error).encode()
        if answer is None:
            return 404, "text/plain", b"not found"
        return 200, "application/json", orjson.dumps(answer)

    async def _operate(self, method: str, operation: str, headers: dict[str, str], body: bytes) -> Reply:
        if operation in _GETS and method != "GET":
            raise Violation(NEEDS_GET, operation)
        match method, operation:
            case "POST", "/messages":
                return await self._send(_read(headers, body))
            case "POST", "/revoke":
                return self._json(self._revoke(_read(headers, body)))
            case "POST", "/medias/upload":
                kind, mode = headers.get("content-type", ""), headers.get("uploadmode", "")
                return self._json(self.files.upload(mode, kind, body))
            case "GET", "/medias/download":
                stored = self.files.find(headers.get("url", ""))
                return 200, stored.content_type, stored.data
            case "DELETE", "/medias/delete":
                return self._json(self.files.delete(headers.get("url", "")))
            case "GET", "/find/chatBotInfo":
                return self._json(self.account.info())
        return 404, "text/plain", b"not found"

    def _issue(self, method: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        if method != "POST":
            raise Violation(BAD_PARAMETER, "method")
        issued = self.tokens.issue(_read(headers, body), self._base)
        self._pusher.verify_callback()
        return issued

    async def _send(self, request: Any) -> Reply:
        message = read_send(request, self.account.chatbot_id, self.warnings)
        fate = self.fate(message.address, "reject", "throttle", "drop_before")
        if fate == "drop_before":
            raise _Cut
        if fate:
            raise Violation(PER_SECOND if fate == "throttle" else NO_SUCH_USER, fate)
        self._count()
        for url in message.media_urls if self.warnings is None else ():
            self.files.find(url)
        await self._accept(message)
        return await self._acknowledge(message)

    def _count(self) -> None:
        if self._day_limit is not None and len(self.books.entries) >= self._day_limit:
            raise Violation(PER_DAY, "day")
        if self._rate is None:
            return
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        if self._in_second > self._rate:
            raise Violation(PER_SECOND, "second")

    async def _accept(self, message: Accepted) -> None:
        address, faults = message.address, self.faults
        entry = self.books.record(
            key=message.message_id, address=address, ref=message.message_id, text=message.text
        )
        copies = 2 if self.fate(address, "twice") else 1
        reads = bool(faults.read) and self.draw(address, "read") < faults.read
        statuses = self.phones.take(Sent(message, entry, copies, reads), bool(self.fate(address, "fail")))
        if self.fate(address, "silent"):
            return
        if faults.receipts_before_answer:
            await self._pusher.push(statuses)
            return
        for status in statuses:
            self._pusher.later(status, faults.receipt_delay)

    async def _acknowledge(self, message: Accepted) -> Reply:
        match self.fate(message.address, "drop_after", "error_after", "slow"):
            case "drop_after":
                raise _Cut
            case "error_after":
                return 502, "text/html", b"<html>502 Bad Gateway</html>"
            case "slow":
                await asyncio.sleep(self.faults.slow_seconds)
        return self._json(
            {
                "messageId": message.message_id,
                "conversationId": message.conversation_id,
                "contributionId": message.contribution_id,
            }
        )

    def _revoke(self, request: Any) -> dict[str, Any]:
        _REVOKE(request, "")
        message_id = request["messageId"].removesuffix(self.account.chatbot_id)
        if not self.phones.revoke(message_id, self.faults.receipt_delay / 2):
            raise Violation(BAD_PARAMETER, "messageId")
        return {"messageId": request["messageId"]}

    def _json(self, document: dict[str, Any]) -> Reply:
        code: int | str = "0" if self.account.codes_as_text else 0
        return (
            200,
            "application/json",
            orjson.dumps({**document, "errorCode": code, "errorMessage": "success"}),
        )

    def _refuse(self, code: int, where: str) -> Reply:
        shown: int | str = str(code) if self.account.codes_as_text else code
        return (
            200,
            "application/json",
            orjson.dumps({"errorCode": shown, "errorMessage": f"error at {where}"}),
        )


def _read(headers: Mapping[str, str], body: bytes) -> Any:
    if not headers.get("content-type", "").startswith("application/json"):
        raise Violation(20003, "content-type")
    if not body:
        raise Violation(EMPTY_POST, "body")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Violation(NOT_JSON, "body") from None
