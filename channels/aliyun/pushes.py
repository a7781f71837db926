"""HTTP batch pushes: SmsReport and SmsUp. Source: protocol sheet `aliyun_dysms`, section 4."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from channels.base import DeliveryState, Inbound, InboundKind, Receipt, WebhookReply
from channels.errors import WebhookRejected

CHINA = timezone(timedelta(hours=8), "UTC+8")
REPLY = WebhookReply(
    200, {"content-type": "application/json; charset=utf-8"}, '{"code":0,"msg":"成功"}'.encode()
)

_OUR_KEY = re.compile(r"[0-9a-z]{1,16}")
_COUNTRY = re.compile(r"(?:\+86|0086|86)(?=1\d{10}\Z)")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_LONGEST_TEXT = 2000

Item = TypeVar("Item", bound=BaseModel)


class SmsReport(BaseModel):
    """One delivery report. Times are China Standard Time."""

    phone_number: str
    success: bool
    report_time: str | None = None
    err_code: str | None = None
    biz_id: str | None = None
    out_id: str | None = None


class SmsUp(BaseModel):
    """One text from a taxpayer."""

    phone_number: str
    content: str
    send_time: str | None = None
    sequence_id: int | str | None = None


_REPORTS = TypeAdapter(list[SmsReport])
_UPS = TypeAdapter(list[SmsUp])
_ANYTHING = TypeAdapter(list[object])


def local_number(number: str) -> str:
    """A mobile number without +86, 0086 or 86, so that the same phone is written in one way."""
    return _COUNTRY.sub("", number.strip())


def parse_reports(body: bytes) -> tuple[Receipt, ...]:
    """Read an SmsReport push. Raises WebhookRejected if nothing in it can be read."""
    receipts = (_receipt(report) for report in _read(body, _REPORTS, SmsReport.model_validate))
    return tuple(receipt for receipt in receipts if receipt.key or receipt.ref)


def parse_ups(body: bytes) -> tuple[Inbound, ...]:
    """Read an SmsUp push. Raises WebhookRejected if nothing in it can be read."""
    return tuple(_inbound(up) for up in _read(body, _UPS, SmsUp.model_validate))


def _read(body: bytes, whole: TypeAdapter[list[Item]], one: Callable[[object], Item]) -> list[Item]:
    try:
        return whole.validate_json(body)
    except ValidationError:
        return _salvage(body, one)


def _salvage(body: bytes, one: Callable[[object], Item]) -> list[Item]:
    # A push carries hundreds of reports and is repeated three times at most: one that cannot be read must
    # not cost the others.
    try:
        raw = _ANYTHING.validate_json(body)
    except ValidationError:
        raise WebhookRejected("not a JSON array of objects") from None
    good: list[Item] = []
    for item in raw:
        try:
            good.append(one(item))
        except ValidationError:
            continue
    if not good:
        raise WebhookRejected("no item of the push has the documented fields")
    return good


def _receipt(report: SmsReport) -> Receipt:
    out_id = report.out_id or ""
    return Receipt(
        DeliveryState.DELIVERED if report.success else DeliveryState.FAILED,
        key=out_id if _OUR_KEY.fullmatch(out_id) else "",
        ref=_clean(report.biz_id),
        address=_clean(local_number(report.phone_number)),
        whole_request=True,
        code=_clean(report.err_code),
        at=_moment(report.report_time),
    )


def _inbound(up: SmsUp) -> Inbound:
    return Inbound(
        InboundKind.TEXT,
        _clean(local_number(up.phone_number)),
        text=_clean(up.content)[:_LONGEST_TEXT],
        at=_moment(up.send_time),
        provider_id=_clean(None if up.sequence_id is None else str(up.sequence_id)),
    )


def _clean(text: str | None) -> str:
    # PostgreSQL stores no NUL in a text, and one would cost the whole group its commit.
    return (text or "").replace("\x00", "")


def _moment(text: str | None) -> datetime | None:
    # As ISO 8601, since a format string took a third of a push's time; the pattern keeps other forms out.
    if text is None or _MOMENT.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=CHINA).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
