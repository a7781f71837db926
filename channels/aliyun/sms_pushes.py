"""The pushes SmsReport and SmsUp. Source: protocol sheet `aliyun_dysms`, section 4."""

from pydantic import BaseModel, TypeAdapter

from channels.aliyun.pushes import LONGEST_TEXT, clean, local_number, our_key, read_items, read_moment
from channels.base import DeliveryState, Inbound, InboundKind, Receipt


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


def parse_reports(body: bytes) -> tuple[Receipt, ...]:
    """Read an SmsReport push. Raises WebhookRejected if nothing in it can be read."""
    receipts = (_receipt(report) for report in read_items(body, _REPORTS, SmsReport.model_validate))
    return tuple(receipt for receipt in receipts if receipt.key or receipt.ref)


def parse_ups(body: bytes) -> tuple[Inbound, ...]:
    """Read an SmsUp push. Raises WebhookRejected if nothing in it can be read."""
    return tuple(_inbound(up) for up in read_items(body, _UPS, SmsUp.model_validate))


def _receipt(report: SmsReport) -> Receipt:
    return Receipt(
        DeliveryState.DELIVERED if report.success else DeliveryState.FAILED,
        key=our_key(report.out_id),
        ref=clean(report.biz_id),
        address=clean(local_number(report.phone_number)),
        whole_request=True,
        code=clean(report.err_code),
        at=read_moment(report.report_time),
    )


def _inbound(up: SmsUp) -> Inbound:
    return Inbound(
        InboundKind.TEXT,
        clean(local_number(up.phone_number)),
        text=clean(up.content)[:LONGEST_TEXT],
        at=read_moment(up.send_time),
        provider_id=clean(None if up.sequence_id is None else str(up.sequence_id)),
    )
