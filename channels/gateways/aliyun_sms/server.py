"""The simulated service. Source: sheet, sections 3 to 5."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from channels.gateways.aliyun_api.front import ACCOUNTS, SIGNATURES, Front, is_taken, play
from channels.gateways.aliyun_api.limits import AccountLimits, Meter
from channels.gateways.aliyun_api.times import CHINA, clock
from channels.gateways.aliyun_sms.operations import Catalogue, Sending, read_batch, read_query, read_send
from channels.gateways.aliyun_sms.records import Records
from channels.gateways.base import Faults, Simulator
from channels.gateways.pushing import Pusher, Reporter

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
        self._meter = Meter(self.limits)
        self._records = Records(self.books)
        self._serial = 0
        self._pusher = Pusher(push_size, repeat_scale, is_taken)
        self._reporter = Reporter(self, self._pusher, lambda: self.report_url, self._report)
        operations = {"SendSms": self._single, "SendBatchSms": self._batch, "QuerySendDetails": self._details}
        self._front = Front(self, accounts, now, operations)
        self.url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the endpoint `http://host:port`."""
        self._reporter.start()
        self.url = await self._front.start(host, port)
        return self.url

    async def stop(self) -> None:
        """Stop listening, drop what is not pushed yet."""
        await self._front.stop()
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
        self._pusher.push_arrays(self.uplink_url, [item])

    async def _single(self, params: Mapping[str, str]) -> Mapping[str, Any]:
        return await self._send(read_send(params, self.catalogue, self.limits))

    async def _batch(self, params: Mapping[str, str]) -> Mapping[str, Any]:
        return await self._send(read_batch(params, self.catalogue, self.limits))

    async def _details(self, params: Mapping[str, str]) -> Mapping[str, Any]:
        return self._records.details(read_query(params, self._local_now()))

    async def _send(self, sending: Sending) -> Mapping[str, Any]:
        self._meter.count_request(self._now())
        numbers, parts = [text.number for text in sending.texts], sum(text.parts for text in sending.texts)

        def count() -> None:
            self._meter.count_messages(numbers, parts, self._local_now())

        async def accept() -> str:
            self._serial += 1
            biz_id = f"{self._serial:06d}^{uuid.uuid4().int % 10**10}"
            await self._reporter.schedule(self._records.take(sending, biz_id, self._local_now()))
            return biz_id

        return {"Code": "OK", "Message": "OK", "BizId": await play(self, numbers, count, accept)}

    def _report(self, number: int) -> dict[str, Any]:
        failed = bool(self.fate(self.books.entries[number].address, "fail"))
        return self._records.report(number, failed, self._local_now())

    def _local_now(self) -> datetime:
        return self._now().astimezone(CHINA)
