"""The HTTP server of the simulated gateway. Source: sheet, sections 1 to 6."""

import asyncio
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson

from channels.gateways.aliyun_sms.calls import Call, read_call
from channels.gateways.aliyun_sms.operations import Catalogue, Sending, read_batch, read_query, read_send
from channels.gateways.aliyun_sms.pushes import Pusher
from channels.gateways.aliyun_sms.records import Records, clock
from channels.gateways.aliyun_sms.refusals import (
    AFTER_ACCEPTANCE,
    BusinessRefusal,
    Cut,
    GatewayRefusal,
    code_for,
    raise_code,
)
from channels.gateways.aliyun_sms.rules import AccountLimits, Meter
from channels.gateways.aliyun_sms.signatures import Verifier
from channels.gateways.base import (
    MAGIC,
    MAGIC_PREFIX,
    BookEntry,
    Faults,
    Simulator,
)
from channels.gateways.http_server import HttpServer, cut_connection
from channels.gateways.report_queue import ReportQueue

VERSION = "2017-05-25"
CHINA = timezone(timedelta(hours=8), "UTC+8")
REQUEST_FATES = ("throttle", "drop_before", "drop_after", "error_after", "slow", "late")
ACCOUNTS = {"testId": "testSecret"}
SIGNATURES = ("测试税务",)
TEMPLATES = {"SMS_000001": "尊敬的${name}，您有新的税务提醒，请登录电子税务局查看。"}


class AliyunSmsSimulator(Simulator):
    """Serves SendSms, SendBatchSms and QuerySendDetails, pushes SmsReport and SmsUp.

    `accounts` are AccessKey secrets by id; `templates` approved bodies with `${name}` by code. Reports go to
    `report_url`, uplinks to `uplink_url` (either may be empty, and both may be set while it runs) in arrays
    of at most `push_size`; `repeat_scale` shortens the repeats after 1, 5 and 10 minutes. Besides the magic
    numbers of all simulators, 1380001nnnn answers the n-th of `refusals.CODES`.

    More control: POST /_sim/templates {code: body}, POST /_sim/signatures [name, ...].
    """

    name = "aliyun_sms"

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        accounts: Mapping[str, str] = ACCOUNTS,
        signatures: Iterable[str] = SIGNATURES,
        templates: Mapping[str, str] = TEMPLATES,
        report_url: str = "",
        uplink_url: str = "",
        push_size: int = 500,
        repeat_scale: float = 1.0,
        limits: AccountLimits | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(faults)
        self.catalogue = Catalogue(signatures, templates)
        self.report_url, self.uplink_url = report_url, uplink_url
        self.limits = limits or AccountLimits()
        self._now = now
        self._verifier = Verifier(accounts, now)
        self._meter = Meter(self.limits)
        self._records = Records(self.books)
        self._serial = 0
        self._pusher = Pusher(push_size, repeat_scale)
        self._reports = ReportQueue(
            self._push_reports,
            lambda: self.faults.receipt_delay,
            lambda: self.faults.seed if self.faults.shuffle else None,
        )
        self._server = HttpServer(self._serve)
        self.url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the endpoint `http://host:port`."""
        self._pusher.spawn(self._reports.run())
        self.url = await self._server.start(host, port)
        return self.url

    async def stop(self) -> None:
        """Stop listening, drop what is not pushed yet."""
        await self._server.stop()
        await self._pusher.close()

    def control(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any | None:
        """The common control interface, templates and signatures. Raises ValueError for a bad one."""
        match method, path:
            case "POST", "/_sim/templates":
                for code, text in orjson.loads(body).items():
                    self.catalogue.approve(code, text)
                return {"ok": True}
            case "POST", "/_sim/signatures":
                self.catalogue.signatures.update(orjson.loads(body))
                return {"ok": True}
        return super().control(method, path, query, body)

    def uplink(self, message: Mapping[str, Any]) -> None:
        """A taxpayer answers: `address`, `text` and, if the number has an extension, `dest_code`."""
        self._serial += 1
        item = {
            "phone_number": str(message["address"]),
            "content": str(message["text"]),
            "send_time": clock(self._local_now()),
            "dest_code": str(message.get("dest_code", "")),
            "sequence_id": 1_000_000_000 + self._serial,
        }
        self._pusher.push_later(self.uplink_url, [item])

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        call = read_call(scope, body)
        try:
            status, answer = await self._answer(call)
        except Cut:
            await cut_connection(receive)
            return
        content = orjson.dumps(answer)
        headers = [
            (b"content-type", b"application/json;charset=utf-8"),
            (b"content-length", str(len(content)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, call: Call) -> tuple[int, Any]:
        if call.path.startswith("/_sim/"):
            return self._controlled(call)
        request_id = str(uuid.uuid4()).upper()
        try:
            self._verifier.check(call)
            return 200, {"RequestId": request_id, **await self._operate(call)}
        except BusinessRefusal as no:
            return 200, {"RequestId": request_id, "Code": no.code, "Message": no.message}
        except GatewayRefusal as no:
            about = {"HostId": call.headers.get("host", ""), "Recommend": ""}
            return no.status, {"RequestId": request_id, **about, "Code": no.code, "Message": no.message}

    def _controlled(self, call: Call) -> tuple[int, Any]:
        try:
            answer = self.control(call.method, call.path, call.query, call.body)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return 400, {"error": str(error)}
        return (404, {"error": "no such control"}) if answer is None else (200, answer)

    async def _operate(self, call: Call) -> dict[str, Any]:
        if call.version != VERSION:
            raise GatewayRefusal(400, "InvalidVersion", "Specified parameter Version is not valid.")
        match call.action:
            case "SendSms":
                return await self._send(read_send(call.params, self.catalogue, self.limits))
            case "SendBatchSms":
                return await self._send(read_batch(call.params, self.catalogue, self.limits))
            case "QuerySendDetails":
                return dict(self._records.details(read_query(call.params, self._local_now())))
        raise GatewayRefusal(404, "InvalidAction.NotFound", "Specified api is not found.")

    async def _send(self, sending: Sending) -> dict[str, Any]:
        self._meter.count_request(self._now())
        numbers = [text.number for text in sending.texts]
        fate = self._fate_of_request(numbers)
        if fate == "throttle":
            raise GatewayRefusal(400, "Throttling.User", "Request was denied due to user flow control.")
        if fate == "drop_before":
            raise Cut
        if fate == "late":
            await asyncio.sleep(self.faults.late_seconds)
        code = self._code_on_demand(numbers)
        if code and code != AFTER_ACCEPTANCE:
            raise_code(code)
        self._meter.count_messages(numbers, sum(text.parts for text in sending.texts), self._local_now())
        biz_id = await self._accept(sending)
        if code:
            raise_code(code)
        await self._spoil_answer(fate)
        return {"Code": "OK", "Message": "OK", "BizId": biz_id}

    def _fate_of_request(self, numbers: Sequence[str]) -> str:
        for number in numbers:
            if number.startswith(MAGIC_PREFIX) and MAGIC.get(number[-4:]) in REQUEST_FATES:
                return MAGIC[number[-4:]]
        return self.fate(numbers[0], *REQUEST_FATES)

    def _code_on_demand(self, numbers: Sequence[str]) -> str:
        for number in numbers:
            if self.fate(number, "reject"):
                return "isv.MOBILE_NUMBER_ILLEGAL"
            code = code_for(number)
            if code:
                return code
        return ""

    async def _accept(self, sending: Sending) -> str:
        self._serial += 1
        biz_id = f"{self._serial:06d}^{uuid.uuid4().int % 10**10}"
        await self._schedule(self._records.take(sending, biz_id, self._local_now()))
        return biz_id

    async def _schedule(self, entries: Sequence[BookEntry]) -> None:
        told = [entry for entry in entries if not self.fate(entry.address, "silent")]
        if self.faults.receipts_before_answer:
            now = self._local_now()
            await self._pusher.push_now(self.report_url, [self._report(entry.number, now) for entry in told])
            return
        for entry in told:
            self._reports.add(entry.number, 2 if self.fate(entry.address, "twice") else 1)

    async def _spoil_answer(self, fate: str) -> None:
        if fate == "drop_after":
            raise Cut
        if fate == "error_after":
            raise GatewayRefusal(502, "ServiceUnavailable", "Bad gateway.")
        if fate == "slow":
            await asyncio.sleep(self.faults.slow_seconds)

    def _push_reports(self, numbers: Sequence[int]) -> None:
        now = self._local_now()
        self._pusher.push_later(self.report_url, [self._report(number, now) for number in numbers])

    def _report(self, number: int, now: datetime) -> dict[str, Any]:
        failed = bool(self.fate(self.books.entries[number].address, "fail"))
        return self._records.report(number, failed, now)

    def _local_now(self) -> datetime:
        return self._now().astimezone(CHINA)
