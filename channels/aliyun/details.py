"""QuerySendDetails: was a message taken? Source: protocol sheet `aliyun_dysms`, section 3."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from channels.aliyun.client import Answer, Client
from channels.aliyun.pushes import CHINA, local_number
from channels.base import DeliveryState, Query, QueryResult
from channels.http import MaybeSent, NotSent

PAGE_SIZE = 50
MOST_PAGES = 20
STATES = {1: DeliveryState.ACCEPTED, 2: DeliveryState.FAILED, 3: DeliveryState.DELIVERED}

# The provider files a message under the day of its own clock, and our try may straddle midnight.
_CLOCK_MARGIN = timedelta(minutes=5)


class _CannotTell(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def find_message(client: Client, question: Query) -> QueryResult:
    """Ask for all records of the number on the day of the try and look for our key among them.

    `found` is False only if every page of every day in question was read.
    """
    try:
        for day in days_of(question.sent_on):
            record = await _search_day(client, question, day)
            if record is not None:
                return _found(question, record)
    except _CannotTell as error:
        return QueryResult(question.key, None, code=error.code)
    except (NotSent, MaybeSent):
        return QueryResult(question.key, None)
    return QueryResult(question.key, False)


def days_of(moment: datetime) -> list[str]:
    """The provider's days (yyyyMMdd, UTC+8) under which a try at `moment` may be filed."""
    around = (moment - _CLOCK_MARGIN, moment, moment + _CLOCK_MARGIN)
    return sorted({at.astimezone(CHINA).strftime("%Y%m%d") for at in around})


async def _search_day(client: Client, question: Query, day: str) -> Mapping[str, Any] | None:
    keys = {question.key, *question.candidates}
    for page in range(1, MOST_PAGES + 1):
        answer = await ask_details(client, question.address, day, page)
        records, total = _records(answer)
        for record in records:
            if record.get("OutId") in keys:
                return record
        if not records or page * PAGE_SIZE >= total:
            return None
    raise _CannotTell("too_many_records")


async def ask_details(client: Client, address: str, day: str, page: int, size: int = PAGE_SIZE) -> Answer:
    """One page of a number's records of a day. Raises NotSent or MaybeSent."""
    form = {
        "PhoneNumber": local_number(address),
        "SendDate": day,
        "PageSize": str(size),
        "CurrentPage": str(page),
    }
    return await client.call("QuerySendDetails", form)


def _records(answer: Answer) -> tuple[list[Mapping[str, Any]], int]:
    if not answer.ok:
        raise _CannotTell(answer.code)
    try:
        total = int(answer.data["TotalCount"])
        records = answer.data["SmsSendDetailDTOs"]["SmsSendDetailDTO"]
    except (KeyError, TypeError, ValueError):
        raise _CannotTell("unreadable") from None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise _CannotTell("unreadable")
    return records, total


def _found(question: Query, record: Mapping[str, Any]) -> QueryResult:
    status, code = record.get("SendStatus"), record.get("ErrCode")
    state = STATES.get(status, DeliveryState.ACCEPTED) if isinstance(status, int) else DeliveryState.ACCEPTED
    return QueryResult(question.key, True, question.ref, state, code if isinstance(code, str) else "")
