"""What the gateway took, and what it tells of it: SmsReport items and QuerySendDetails rows.

Source: sheet, sections 3 and 4.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from channels.gateways.aliyun_api.times import clock
from channels.gateways.aliyun_sms.operations import Question, Sending
from channels.gateways.base import BookEntry, Books

SEND_STATUS = {"accepted": 1, "failed": 2, "delivered": 3}
ERR_CODES = {"accepted": "", "failed": "UNDELIV", "delivered": "DELIVERED"}


@dataclass(slots=True)
class _Record:
    entry: int
    template: str
    sent: datetime
    received: datetime | None = None


class Records:
    """The books, and by number and day what the books do not say. All times are UTC+8."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._records: list[_Record] = []
        self._by_number: dict[str, list[_Record]] = defaultdict(list)

    def take(self, sending: Sending, biz_id: str, now: datetime) -> list[BookEntry]:
        """Write down an accepted sending."""
        entries = []
        for text in sending.texts:
            entry = self._books.record(
                key=sending.out_id, address=text.number, ref=biz_id, text=text.text, parts=text.parts
            )
            record = _Record(entry.number, sending.template, now)
            self._records.append(record)
            self._by_number[text.number].append(record)
            entries.append(entry)
        return entries

    def report(self, number: int, failed: bool, now: datetime) -> dict[str, Any]:
        """The SmsReport item of an entry; a repeat says the same as the first."""
        record = self._records[number]
        if record.received is None:
            self._books.mark(number, "failed" if failed else "delivered")
            record.received = now
        entry = self._books.entries[number]
        delivered = entry.state == "delivered"
        return {
            "phone_number": entry.address,
            "send_time": clock(record.sent),
            "report_time": clock(record.received),
            "success": delivered,
            "err_code": ERR_CODES[entry.state],
            "err_msg": "用户接收成功" if delivered else "用户接收失败",
            "sms_size": str(entry.parts),
            "biz_id": entry.ref,
            "out_id": entry.key,
        }

    def details(self, asked: Question) -> Mapping[str, Any]:
        """The answer to QuerySendDetails, newest first."""
        found = [
            record for record in reversed(self._by_number.get(asked.number, ())) if self._fits(record, asked)
        ]
        page = found[(asked.page - 1) * asked.size : asked.page * asked.size]
        rows = [self._row(record) for record in page]
        answer = {"TotalCount": len(found), "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows}}
        return {"Code": "OK", "Message": "OK", **answer}

    def _fits(self, record: _Record, asked: Question) -> bool:
        ref = self._books.entries[record.entry].ref
        return f"{record.sent:%Y%m%d}" == asked.day and asked.biz_id in ("", ref)

    def _row(self, record: _Record) -> dict[str, Any]:
        entry = self._books.entries[record.entry]
        return {
            "PhoneNum": entry.address,
            "Content": entry.text,
            "ErrCode": ERR_CODES[entry.state],
            "TemplateCode": record.template,
            "OutId": entry.key,
            "SendDate": clock(record.sent),
            "ReceiveDate": clock(record.received) if record.received else "",
            "SendStatus": SEND_STATUS[entry.state],
        }
