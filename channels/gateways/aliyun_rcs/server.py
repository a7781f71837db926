"""The simulated service. Source: sheet, section 8."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from channels.gateways.aliyun_api.front import ACCOUNTS, SIGNATURES, Front, is_taken, play
from channels.gateways.aliyun_api.limits import AccountLimits, Meter
from channels.gateways.aliyun_api.params import need
from channels.gateways.aliyun_api.times import CHINA, clock
from channels.gateways.aliyun_rcs.rules import Catalogue, Sending
from channels.gateways.base import Faults, Simulator
from channels.gateways.pushing import Pusher, Reporter

QPS = 1000
TEMPLATES = {"RCS_SMS_10001052": "尊敬的${name}，您有新的税务提醒，请登录电子税务局查看。"}
NOTICE = "1"


@dataclass(slots=True)
class _Record:
    sending: Sending
    rcs_id: str
    sent: datetime
    item: dict[str, Any] | None = None


class AliyunRcsSimulator(Simulator):
    """Serves SendRCS and GetRCSSignature, pushes 5GSmsReport and 5GSmsUp.

    `accounts` are AccessKey secrets by id; `signatures` those upgraded to 5G messages; `templates` approved
    contents with `${name}` by code. Of `capable` phones (a share, drawn from the seed and the number) a
    message is shown as such; the others' reports say MOBILE_NOT_SUPPORT_RCS, as a success where
    `reports_fallback`, otherwise as a failure: no document says which. Nor does one say where the BizId
    stands: at the top as with SendSms, or, with `nested`, in `Data.Module`. Reports go to `report_url`,
    uplinks to `uplink_url` in arrays of at most `push_size`; `repeat_scale` shortens the repeats after 1, 5
    and 10 minutes. Besides the magic numbers of all simulators, 1380001nnnn answers the n-th of
    `refusals.CODES`.

    More control: POST /_sim/templates {code: content}, POST /_sim/signatures [name, ...],
    POST /_sim/callbacks {"report": url, "up": url}.
    """

    name = "aliyun_rcs"

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        accounts: Mapping[str, str] = ACCOUNTS,
        signatures: Iterable[str] = SIGNATURES,
        templates: Mapping[str, str] = TEMPLATES,
        report_url: str = "",
        uplink_url: str = "",
        capable: float = 1.0,
        reports_fallback: bool = True,
        nested: bool = False,
        push_size: int = 500,
        repeat_scale: float = 1.0,
        limits: AccountLimits | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(faults)
        self.catalogue = Catalogue(signatures, templates)
        self.report_url, self.uplink_url = report_url, uplink_url
        self.capable, self.reports_fallback, self.nested = capable, reports_fallback, nested
        self._now = now
        self._meter = Meter(limits or AccountLimits(qps=QPS))
        self._records: list[_Record] = []
        self._serial = 0
        self._pusher = Pusher(push_size, repeat_scale, is_taken)
        self._reporter = Reporter(self, self._pusher, lambda: self.report_url, self._report)
        self._front = Front(self, accounts, now, {"SendRCS": self._send, "GetRCSSignature": self._signature})
        self.url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the endpoint `http://host:port`, where the control interface stands too."""
        self._reporter.start()
        self.url = await self._front.start(host, port)
        return self.url

    async def stop(self) -> None:
        """Stop listening, drop what is not pushed yet."""
        await self._front.stop()
        await self._pusher.close()

    def control(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any | None:
        """The common control interface, templates, signatures, callbacks. Raises ValueError for a bad one."""
        match method, path:
            case "POST", "/_sim/templates":
                for code, content in orjson.loads(body).items():
                    self.catalogue.approve(code, content)
                return {"ok": True}
            case "POST", "/_sim/signatures":
                self.catalogue.upgraded.update(orjson.loads(body))
                return {"ok": True}
            case "POST", "/_sim/callbacks":
                urls = orjson.loads(body)
                self.report_url = str(urls.get("report", self.report_url))
                self.uplink_url = str(urls.get("up", self.uplink_url))
                return {"ok": True}
        return super().control(method, path, query, body)

    def uplink(self, message: Mapping[str, Any]) -> None:
        """A taxpayer types (`address`, `text`), presses a reply (`post_data` besides, `text` is its label) or
        a button that opens something (`url` besides)."""
        kind, content = "1", str(message["text"])
        if "post_data" in message or "url" in message:
            kind = "3" if "url" in message else "2"
            button = {"display_text": content, "post_data": str(message.get("post_data", ""))}
            content = orjson.dumps({**button, "url": message.get("url", ""), "application": ""}).decode()
        item = {
            "phone_number": str(message["address"]),
            "mobile_originated_type": kind,
            "content": content,
            "send_time": clock(self._local_now()),
            "rcs_id": self._rcs_id(),
            "in_reply_to_rcs_id": self._last_rcs_id(str(message["address"])),
        }
        self._pusher.push_arrays(self.uplink_url, [item])

    async def _signature(self, params: Mapping[str, str]) -> Mapping[str, Any]:
        data = self.catalogue.describe(need(params, "SignName"))
        return {"Code": "OK", "Message": "OK", "Success": True, "Data": data}

    async def _send(self, params: Mapping[str, str]) -> Mapping[str, Any]:
        sending = self.catalogue.read(params)
        self._meter.count_request(self._now())

        def count() -> None:
            self._meter.count_messages([sending.number], 1, self._local_now())

        async def accept() -> str:
            rcs_id = self._rcs_id()
            biz_id = f"{217124476946300000 + self._serial}"
            entry = self.books.record(
                key=sending.out_id, address=sending.number, ref=biz_id, text=sending.text
            )
            self._records.append(_Record(sending, rcs_id, self._local_now()))
            await self._reporter.schedule([entry])
            return biz_id

        biz_id = await play(self, [sending.number], count, accept)
        answer: dict[str, Any] = {"Code": "OK", "Message": "OK", "Success": True}
        if self.nested:
            inner = {"Code": "OK", "Message": "OK", "Success": True, "Module": {"BizId": biz_id}}
            return {**answer, "Data": inner}
        return {**answer, "BizId": biz_id}

    def _report(self, number: int) -> dict[str, Any]:
        # A repeat says the same as the first.
        record, entry = self._records[number], self.books.entries[number]
        if record.item is None:
            good, code, words = self._end(entry.address)
            self.books.mark(number, "delivered" if good else "failed")
            record.item = {
                "phone_number": entry.address,
                "send_time": clock(record.sent),
                "report_time": clock(self._local_now()),
                "send_status": "SEND_SUCCESS" if good else "SEND_FAILED",
                "err_code": code,
                "err_message": words,
                "rcs_template_code": record.sending.template,
                "rcs_template_type": NOTICE,
                "rcs_template_format": record.sending.kind,
                "rcs_size": entry.parts,
                "rcs_id": record.rcs_id,
                "in_reply_to_rcs_id": "",
                "biz_id": entry.ref,
                "out_id": entry.key,
            }
        return record.item

    def _end(self, address: str) -> tuple[bool, str, str]:
        if self.fate(address, "fail"):
            return False, "UNDELIV", "用户接收失败"
        if self.draw(address, "capable") >= self.capable:
            return self.reports_fallback, "MOBILE_NOT_SUPPORT_RCS", "终端不支持5G消息"
        return True, "DELIVERED", "用户接收成功"

    def _rcs_id(self) -> str:
        self._serial += 1
        return f"100000096034031_1552101_{uuid.uuid4().int % 10**20:020d}{self._serial:012d}"

    def _last_rcs_id(self, address: str) -> str:
        found = (record.rcs_id for record in reversed(self._records) if record.sending.number == address)
        return next(found, "")

    def _local_now(self) -> datetime:
        return self._now().astimezone(CHINA)
