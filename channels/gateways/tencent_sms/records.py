"""What the gateway took, and what it tells of it: status pushes and pulled statuses. Source: sheet."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from channels.gateways.base import BookEntry, Books
from channels.gateways.tencent_sms.operations import Pull
from channels.gateways.tencent_sms.rules import count_parts

FAILURE = "UNDELIV"
REPORTS = {
    "delivered": ("SUCCESS", "DELIVRD", "用户短信送达成功"),
    "failed": ("FAIL", FAILURE, "用户短信送达失败"),
}


@dataclass(slots=True)
class _Record:
    entry: int
    sent: datetime
    received: datetime | None = None


class Records:
    """The books, and by number what the books do not say. All times are UTC+8."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._records: list[_Record] = []
        self._by_number: dict[str, list[_Record]] = defaultdict(list)

    def take(self, number: str, serial: str, text: str, context: str, now: datetime) -> BookEntry:
        """Write down an accepted message."""
        entry = self._books.record(
            key=context, address=number, ref=serial, text=text, parts=count_parts(text)
        )
        record = _Record(entry.number, now)
        self._records.append(record)
        self._by_number[number].append(record)
        return entry

    def report(self, number: int, failed: bool, echoes: bool, now: datetime) -> dict[str, Any]:
        """The status push of an entry; a repeat says the same as the first."""
        record = self._records[number]
        if record.received is None:
            self._books.mark(number, "failed" if failed else "delivered")
            record.received = now
        entry = self._books.entries[number]
        status, code, description = REPORTS[entry.state]
        country, mobile = _split(entry.address)
        item = {
            "user_receive_time": record.received.isoformat(" ", "seconds")[:19],
            "nationcode": country,
            "mobile": mobile,
            "report_status": status,
            "errmsg": code,
            "description": description,
            "sid": entry.ref,
        }
        return {**item, "ext": entry.key} if echoes else item

    def statuses(self, asked: Pull, echoes: bool) -> list[dict[str, Any]]:
        """What the carriers have reported of a number's messages, newest first. What they have said nothing
        about is not among it."""
        told = [record for record in reversed(self._by_number.get(asked.number, ())) if record.received]
        chosen = [record for record in told if asked.begin <= record.sent.timestamp() <= asked.end]
        return [self._status(record, echoes) for record in chosen[: asked.most]]

    def _status(self, record: _Record, echoes: bool) -> dict[str, Any]:
        entry = self._books.entries[record.entry]
        status, code, _ = REPORTS[entry.state]
        country, mobile = _split(entry.address)
        return {
            "UserReceiveTime": int(record.received.timestamp()) if record.received else 0,
            "CountryCode": country,
            "SubscriberNumber": mobile,
            "PhoneNumber": f"+{country}{mobile}",
            "SerialNo": entry.ref,
            "ReportStatus": status,
            "Description": code,
            "SessionContext": entry.key if echoes else "",
        }


def _split(number: str) -> tuple[str, str]:
    # Country codes differ in length; three digits hold for Hong Kong and Macao, where taxpayers live.
    return (number[1:4], number[4:]) if number.startswith("+") else ("86", number)
