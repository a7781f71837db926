"""The simulated platform: messages, revoking, files, reports.

Beside the common control interface: POST /_sim/terminals {"13800138000": "5g|sms|offline|absent"} and
POST /_sim/callback {"url": ...}, where to push.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from channels.gateways.base import BookEntry, Faults, Simulator
from channels.gateways.fiveg_maap.accounts import Account
from channels.gateways.fiveg_maap.files import Files
from channels.gateways.fiveg_maap.pushes import (
    Pusher,
    delivery_info,
    leaf,
    notification,
    wrap,
    write_inbound,
)
from channels.gateways.fiveg_maap.reading import Refused, Taken, invalid, read_revoke, read_send
from channels.gateways.http_server import HttpServer, answer, answer_json, cut_connection, read_body
from channels.gateways.report_queue import ReportQueue

KINDS = ("5g", "sms", "offline", "absent")
"""`5g` online and able, `sms` no 5G message terminal, `offline` able but away, `absent` not to be found."""

_COMMON = "urn:oma:xml:rest:netapi:common:1"
_XML = "application/xml"
_RANK = {"accepted": 0, "delivered": 1, "failed": 1, "read": 2}
Reply = tuple[int, str, bytes]


@dataclass(frozen=True, slots=True)
class _Report:
    """A status of a message to one number. `wish`: one of these must have been requested. `state`: what the
    books say once it is taken."""

    message: Taken
    entry: int
    number: str
    status: str
    description: str
    wish: frozenset[str]
    state: str = ""

    def info(self) -> str:
        return delivery_info(self.number, self.message.message_id, self.status, self.description)


class _Cut(Exception):
    """The connection breaks here."""


class FivegMaapSimulator(Simulator):
    """One chatbot on a strict platform. `capable` is the share of numbers whose phones read 5G messages,
    drawn from the address; `status_batch` the most elements of one notification."""

    name = "fiveg_maap"

    def __init__(
        self,
        faults: Faults | None = None,
        account: Account | None = None,
        callback_url: str = "",
        capable: float = 1.0,
        status_batch: int = 20,
    ) -> None:
        super().__init__(faults)
        self.account = account or Account()
        self.files = Files()
        self.terminals: dict[str, str] = {}
        self.control_url = ""
        self._callback, self._capable, self._status_batch = callback_url, capable, status_batch
        self._reports: list[_Report] = []
        self._seen: dict[str, Taken] = {}
        self._last: dict[str, Taken] = {}
        self._waiting: dict[tuple[str, str], _Report] = {}
        self._pusher: Pusher | None = None
        self._queue = ReportQueue(
            self._emit,
            lambda: self.faults.receipt_delay,
            lambda: self.faults.seed if self.faults.shuffle else None,
        )
        self._server = HttpServer(self._serve)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the base URL."""
        self.control_url = await self._server.start(host, port)
        self.files.base = self.control_url
        self._pusher = Pusher(self.account, self._callback)
        self._pusher.spawn(self._queue.run())
        return self.control_url

    async def stop(self) -> None:
        """Stop listening, drop what is not pushed yet."""
        await self.pusher.stop()
        await self._server.stop()

    @property
    def pusher(self) -> Pusher:
        """Who pushes, once started."""
        assert self._pusher is not None
        return self._pusher

    def uplink(self, message: Mapping[str, Any]) -> None:
        """A taxpayer answers: see `write_inbound`."""
        document = write_inbound(message, self._last.get(str(message["address"])), self.account.chatbot_id)
        self.pusher.spawn(self.pusher.push("InboundMessageNotification", document))

    def control(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any | None:
        """The common control interface, `/_sim/terminals` and `/_sim/callback`."""
        match method, path:
            case "POST", "/_sim/terminals":
                self.change(orjson.loads(body))
                return self.terminals
            case "POST", "/_sim/callback":
                self.pusher.url = str(orjson.loads(body)["url"])
                return {"ok": True}
        return super().control(method, path, query, body)

    def change(self, terminals: Mapping[str, str]) -> None:
        """Change phones; who comes online gets what was stored."""
        for number, kind in terminals.items():
            if kind not in KINDS:
                raise ValueError(f"terminal must be one of {KINDS}")
            self.terminals[number] = kind
            for place in [place for place in self._waiting if place[1] == number and kind == "5g"]:
                stored = self._waiting.pop(place)
                self._arrive(stored.message, self.books.entries[stored.entry], 1)

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = await read_body(receive)
        method, path = scope["method"], scope["path"]
        if path.startswith("/_sim/"):
            query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            known = self.control(method, path, query, body)
            return await answer_json(send, 200 if known is not None else 404, known)
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            reply = await self._operate(method, path, headers, body)
        except Refused as refusal:
            reply = _refuse(refusal)
        except _Cut:
            return await cut_connection(receive)
        status, kind, content = reply
        return await answer(send, status, content, kind)

    async def _operate(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.account.check_headers(headers, time.time())
        if (method, path) == ("POST", "/Content"):
            return 200, _XML, self.files.upload(headers, body, self.account.chatbot_id)
        if method == "GET" and path.startswith("/Content/"):
            return 200, *self.files.find(f"{self.files.base}{path}")
        message_id = self.account.revoked(path)
        known = self.account.is_send(path) or message_id
        if not known:
            return 404, "text/plain", b"not found"
        if headers.get("content-type") not in {_XML, "text/xml"} or headers.get("accept") != _XML:
            raise invalid("Content-Type, Accept")
        if message_id and method == self.account.revoke_method:
            return self._revoke(message_id, read_revoke(body))
        if message_id or method != "POST":
            return 405, "text/plain", b"method not allowed"
        sms_name = "smBodyText" if self.account.misspelt else "smsBodyText"
        message = read_send(body, self.account.chatbot_id, headers.get("address", ""), sms_name)
        return await self._send(message)

    async def _send(self, message: Taken) -> Reply:
        first = message.numbers[0]
        match self.fate(first, "drop_before", "throttle"):
            case "drop_before":
                raise _Cut
            case "throttle":
                raise Refused(403, "POL0009", "flow control")
        if message.message_id in self._seen:
            raise invalid("messageId was used before")
        if not all(self.files.holds(url) for url in message.media):
            raise invalid("mediaUrl")
        impossible = [number for number in message.numbers if self.fate(number, "reject")]
        if len(impossible) < len(message.numbers):
            self._seen[message.message_id] = message
        for number in message.numbers:
            if number not in impossible:
                await self._take(message, number)
        match self.fate(first, "drop_after", "error_after", "slow"):
            case "drop_after":
                raise _Cut
            case "error_after":
                raise Refused(503, "SVC4001", "internal")
            case "slow":
                await asyncio.sleep(self.faults.slow_seconds)
        return 201, _XML, _acceptance(message, impossible).encode()

    async def _take(self, message: Taken, number: str) -> None:
        entry = self.books.record(
            key=message.message_id, address=number, ref=message.message_id, text=message.text
        )
        self._last[number] = message
        times = 2 if self.fate(number, "twice") else 1
        if self.fate(number, "silent"):
            return
        before = len(self._reports)
        self._decide(message, entry, times)
        if self.faults.receipts_before_answer:
            due, self._reports[before:] = self._reports[before:], []
            await self._push(due)

    def _decide(self, message: Taken, entry: BookEntry, times: int) -> None:
        number = entry.address
        kind = self.terminals.get(number) or ("5g" if self.draw(number, "rcs") < self._capable else "sms")
        if self.fate(number, "fail"):
            self._report(message, entry, "DeliveryImpossible", "SVC5001", {"Failed"}, "failed", times)
        elif kind == "absent":
            self._report(message, entry, "DeliveryImpossible", "SVC4001", {"Failed"}, "failed", times)
        elif kind == "5g":
            self._report(message, entry, "MessageSent", "", {"Sent"}, "", times)
            self._arrive(message, entry, times)
        elif kind == "offline" and message.store:
            self._report(message, entry, "MessageSent", "", {"Sent"}, "", times)
            self._waiting[message.message_id, number] = _Report(
                message, entry.number, number, "", "", frozenset()
            )
        elif message.sms:
            wish = {"Interworking", "SMS"}
            self._report(message, entry, "DeliveredToNetwork", "SMS", wish, "delivered", times)
        else:
            self._report(message, entry, "DeliveryImpossible", "SVC5001", {"Failed"}, "failed", times)

    def _arrive(self, message: Taken, entry: BookEntry, times: int) -> None:
        self._report(message, entry, "DeliveredToTerminal", "UP2", {"Delivered"}, "delivered", times)
        if self.faults.read and self.draw(entry.address, "read") < self.faults.read:
            self._report(message, entry, "MessageDisplayed", "", {"Displayed"}, "read", times)

    def _report(
        self,
        message: Taken,
        entry: BookEntry,
        status: str,
        description: str,
        wish: set[str],
        state: str,
        times: int,
    ) -> None:
        report = _Report(message, entry.number, entry.address, status, description, frozenset(wish), state)
        self._reports.append(report)
        if not self.faults.receipts_before_answer:
            self._queue.add(len(self._reports) - 1, times)

    def _emit(self, due: list[int]) -> None:
        reports = [self._reports[number] for number in due]
        for start in range(0, len(reports), self._status_batch):
            self.pusher.spawn(self._push(reports[start : start + self._status_batch]))

    async def _push(self, reports: list[_Report]) -> None:
        told = [report for report in reports if report.wish & report.message.reports]
        infos = [report.info() for report in told]
        document = notification(infos, self.account.chatbot_id)
        if told and not await self.pusher.push("DeliveryInfoNotification", document):
            return
        for report in reports:
            state = self.books.entries[report.entry].state
            if report.state and _RANK[report.state] > _RANK[state]:
                self.books.mark(report.entry, report.state)

    def _revoke(self, message_id: str, number: str) -> Reply:
        message = self._seen.get(message_id)
        if message is None or number not in message.numbers:
            raise invalid("messageId")
        stored = self._waiting.pop((message_id, number), None)
        status = "Revoked" if stored is not None else "RevokeFailed"
        inner = leaf("address", f"tel:+86{number}") + leaf("messageId", message_id) + leaf("status", status)
        document = wrap("messageStatusNotification", inner)
        self.pusher.spawn(self.pusher.push("MessageStatusNotification", document))
        return 204, _XML, b""


def _acceptance(message: Taken, impossible: list[str]) -> str:
    exception = "<policyException><exceptionId>POL0001</exceptionId><text>refused</text></policyException>"
    infos = "".join(
        f"<deliveryInfo>{leaf('address', f'tel:+86{number}')}"
        f"{leaf('deliveryStatus', 'DeliveryImpossible')}{exception}</deliveryInfo>"
        for number in impossible
    )
    listed = f"<deliveryInfoList>{infos}</deliveryInfoList>" if infos else ""
    told = leaf("messageId", message.message_id) + leaf("clientCorrelator", message.correlator)
    return wrap("outboundMessageRequest", told + listed)


def _refuse(refusal: Refused) -> Reply:
    kind = "policyException" if refusal.code.startswith("POL") else "serviceException"
    inner = leaf("messageId", refusal.code) + leaf("text", refusal.text) + leaf("variables", "")
    document = f'<common:requestError xmlns:common="{_COMMON}"><{kind}>{inner}</{kind}></common:requestError>'
    return refusal.status, _XML, document.encode()
