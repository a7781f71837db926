"""The HTTP server of the simulated gateway. Source: sheet."""

import asyncio
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson

from channels.gateways.base import MAGIC, MAGIC_PREFIX, Faults, Simulator
from channels.gateways.http_server import HttpServer, answer, cut_connection, read_body
from channels.gateways.pushing import Pusher, Reporter
from channels.gateways.tencent_sms.calls import Call, Verifier, read_call
from channels.gateways.tencent_sms.operations import Catalogue, Sending, read_pull, read_send
from channels.gateways.tencent_sms.records import Records
from channels.gateways.tencent_sms.refusals import (
    AFTER_ACCEPTANCE,
    REASONS,
    BadGateway,
    Cut,
    Refusal,
    code_for,
    for_whole_request,
)
from channels.gateways.tencent_sms.rules import AccountLimits, Meter, count_parts, read_number

VERSION = "2021-01-11"
REGIONS = frozenset({"ap-guangzhou", "ap-beijing", "ap-nanjing"})
CHINA = timezone(timedelta(hours=8), "UTC+8")
REQUEST_FATES = ("throttle", "drop_before", "drop_after", "error_after", "slow", "late")
ACCOUNTS = {"testId": "testSecret"}
APPS = ("1400000000",)
SIGNATURES = ("测试税务",)
TEMPLATES = {"100001": "尊敬的{1}，您有新的税务提醒，请登录电子税务局查看。"}


class TencentSmsSimulator(Simulator):
    """Serves SendSms and PullSmsSendStatusByPhoneNumber, pushes status reports and replies.

    `accounts` are secret keys by SecretId; `templates` approved bodies with `{1}` by number. Reports go to
    `report_url`, replies to `reply_url` (either may be empty, and both may be set while it runs); a push
    carries at most `push_size` reports, and `repeat_scale` shortens the pauses before its repeats.
    `echoes_context`: SessionContext comes back in reports, which the provider has to enable. Besides the
    magic numbers of all simulators, 1380001nnnn gets the n-th of `refusals.CODES`.

    More control: POST /_sim/templates {number: body}, POST /_sim/signatures [name, ...],
    POST /_sim/callbacks {"report": url, "reply": url}.
    """

    name = "tencent_sms"

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        accounts: Mapping[str, str] = ACCOUNTS,
        apps: Iterable[str] = APPS,
        signatures: Iterable[str] = SIGNATURES,
        templates: Mapping[str, str] = TEMPLATES,
        report_url: str = "",
        reply_url: str = "",
        push_size: int = 100,
        repeat_scale: float = 1.0,
        echoes_context: bool = True,
        limits: AccountLimits | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(faults)
        self.catalogue = Catalogue(apps, signatures, templates)
        self.report_url, self.reply_url = report_url, reply_url
        self.echoes_context = echoes_context
        self.limits = limits or AccountLimits()
        self._now = now
        self._verifier = Verifier(accounts, now)
        self._meter = Meter(self.limits)
        self._records = Records(self.books)
        self._pusher = Pusher(push_size, repeat_scale, _is_taken)
        self._reporter = Reporter(self, self._pusher, lambda: self.report_url, self._report)
        self._server = HttpServer(self._serve)
        self.control_url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the endpoint `http://host:port`, where the control interface stands too."""
        self._reporter.start()
        self.control_url = await self._server.start(host, port)
        return self.control_url

    async def stop(self) -> None:
        """Stop listening, drop what is not pushed yet."""
        await self._server.stop()
        await self._pusher.close()

    def control(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any | None:
        """The common control interface, templates, signatures, callbacks. Raises ValueError for a bad one."""
        match method, path:
            case "POST", "/_sim/templates":
                for number, text in orjson.loads(body).items():
                    self.catalogue.approve(number, text)
                return {"ok": True}
            case "POST", "/_sim/signatures":
                self.catalogue.signatures.update(orjson.loads(body))
                return {"ok": True}
            case "POST", "/_sim/callbacks":
                urls = orjson.loads(body)
                self.report_url = str(urls.get("report", self.report_url))
                self.reply_url = str(urls.get("reply", self.reply_url))
                return {"ok": True}
        return super().control(method, path, query, body)

    def uplink(self, message: Mapping[str, Any]) -> None:
        """A taxpayer answers: `address` and `text`."""
        item = {
            "extend": "",
            "mobile": str(message["address"]),
            "nationcode": "86",
            "sign": min(self.catalogue.signatures, default=""),
            "text": str(message["text"]),
            "time": int(self._now().timestamp()),
        }
        self._pusher.push_later(self.reply_url, item)

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = await read_body(receive)
        try:
            status, content = await self._answer(read_call(scope, body))
        except Cut:
            await cut_connection(receive)
            return
        await answer(send, status, content)

    async def _answer(self, call: Call) -> tuple[int, bytes]:
        if call.path.startswith("/_sim/"):
            return self._controlled(call)
        try:
            told = await self._operate(call)
        except Refusal as no:
            told = {"Error": {"Code": no.code, "Message": no.message}}
        except BadGateway:
            return 502, b"<html><body>502 Bad Gateway</body></html>"
        return 200, orjson.dumps({"Response": {**told, "RequestId": str(uuid.uuid4())}})

    def _controlled(self, call: Call) -> tuple[int, bytes]:
        try:
            answer = self.control(call.method, call.path, call.query, call.body)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return 400, orjson.dumps({"error": str(error)})
        if answer is None:
            return 404, orjson.dumps({"error": "no such control"})
        return 200, orjson.dumps(answer)

    async def _operate(self, call: Call) -> dict[str, Any]:
        self._check_call(call)
        match call.headers["x-tc-action"]:
            case "SendSms":
                self._meter.count_request("send", self.limits.qps, self._now())
                sending = read_send(call.body, self.catalogue, self.limits, self._local_now())
                return {"SendStatusSet": await self._send(sending)}
            case "PullSmsSendStatusByPhoneNumber":
                self._meter.count_request("pull", self.limits.pull_qps, self._now())
                asked = read_pull(call.body, self.catalogue, self._now())
                return {"PullSmsSendStatusSet": self._records.statuses(asked, self.echoes_context)}
        raise Refusal("InvalidAction", "The action is not found.")

    def _check_call(self, call: Call) -> None:
        if call.method != "POST" or call.path != "/":
            raise Refusal("InvalidRequest", "The API is served by POST to /.")
        for name in ("x-tc-action", "x-tc-version", "x-tc-region", "x-tc-timestamp", "authorization"):
            if not call.headers.get(name):
                raise Refusal("MissingParameter", f"The request is missing the header {name}.")
        if call.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise Refusal("InvalidRequest", "The content type has to be application/json.")
        self._verifier.check(call)
        if call.headers["x-tc-version"] != VERSION:
            raise Refusal("NoSuchVersion", "The API version does not exist.")
        if call.headers["x-tc-region"] not in REGIONS:
            raise Refusal("UnsupportedOperation.UnsupportedRegion")

    async def _send(self, sending: Sending) -> list[dict[str, Any]]:
        numbers = [read_number(number) for number in sending.numbers]
        fate = self._fate_of_request([number for number in numbers if number])
        if fate == "throttle":
            raise Refusal("RequestLimitExceeded")
        if fate == "drop_before":
            raise Cut
        if fate == "late":
            await asyncio.sleep(self.faults.late_seconds)
        demanded = next((code for code in map(code_for, numbers) if code and for_whole_request(code)), "")
        if demanded and demanded != AFTER_ACCEPTANCE:
            raise Refusal(demanded)
        statuses, entries = [], []
        for given, number in zip(sending.numbers, numbers, strict=True):
            code = self._judge(number, sending.text)
            status = self._status(given, number, code, sending)
            if not code:
                now = self._local_now()
                entries.append(
                    self._records.take(number, status["SerialNo"], sending.text, sending.context, now)
                )
            statuses.append(status)
        await self._reporter.schedule(entries)
        if demanded:
            raise Refusal(demanded)
        await self._spoil_answer(fate)
        return statuses

    def _fate_of_request(self, numbers: Sequence[str]) -> str:
        for number in numbers:
            if number.startswith(MAGIC_PREFIX) and MAGIC.get(number[-4:]) in REQUEST_FATES:
                return MAGIC[number[-4:]]
        return self.fate(numbers[0], *REQUEST_FATES) if numbers else ""

    def _judge(self, number: str, text: str) -> str:
        if not number or self.fate(number, "reject"):
            return "InvalidParameterValue.IncorrectPhoneNumber"
        code = code_for(number)
        if code and code != AFTER_ACCEPTANCE:
            return code
        return self._meter.count_message(number, text, self._local_now())

    def _status(self, given: str, number: str, code: str, sending: Sending) -> dict[str, Any]:
        full = number if number.startswith("+") else f"+86{number}"
        return {
            "SerialNo": "" if code else f"2640:{uuid.uuid4().int % 10**28:028d}",
            "PhoneNumber": full if number else given,
            "Fee": 0 if code else count_parts(sending.text),
            "SessionContext": sending.context,
            "Code": code or "Ok",
            "Message": REASONS.get(code, f"refused: {code}") if code else "send success",
            "IsoCode": "CN" if number and not number.startswith("+") else "DEF",
        }

    async def _spoil_answer(self, fate: str) -> None:
        if fate == "drop_after":
            raise Cut
        if fate == "error_after":
            raise BadGateway
        if fate == "slow":
            await asyncio.sleep(self.faults.slow_seconds)

    def _report(self, number: int) -> dict[str, Any]:
        failed = bool(self.fate(self.books.entries[number].address, "fail"))
        return self._records.report(number, failed, self.echoes_context, self._local_now())

    def _local_now(self) -> datetime:
        return self._now().astimezone(CHINA)


def _is_taken(answer: Mapping[str, Any]) -> bool:
    # The sheet says that a push is repeated several times until then, and not when; a minute, five and ten
    # are assumed.
    return answer.get("result") == 0
