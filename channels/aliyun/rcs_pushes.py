"""The pushes 5GSmsReport and 5GSmsUp. Source: protocol sheet `aliyun_dysms`, section 8."""

from typing import Any

import orjson
from pydantic import BaseModel, TypeAdapter

from channels.aliyun.pushes import LONGEST_TEXT, clean, local_number, our_key, read_items, read_moment
from channels.base import Channel, DeliveryState, Inbound, InboundKind, Receipt

NOT_CAPABLE = "MOBILE_NOT_SUPPORT_RCS"
"""The err_code of a phone that cannot show 5G messages; the platform sent an SMS instead."""

_STATES = {"SEND_SUCCESS": DeliveryState.DELIVERED, "SEND_FAILED": DeliveryState.FAILED}
_TYPED = "1"
_PRESSED = frozenset({"2", "3"})


class RcsReport(BaseModel):
    """One delivery report. Times are China Standard Time."""

    phone_number: str
    send_status: str
    report_time: str | None = None
    err_code: str | None = None
    biz_id: str | None = None
    out_id: str | None = None


class RcsUp(BaseModel):
    """One answer: words, or a button. `in_reply_to_rcs_id` is not read: it names our message by an id that no
    answer to a sending has told, so the ledger goes by the number."""

    phone_number: str
    mobile_originated_type: str | int
    content: str
    send_time: str | None = None
    rcs_id: str | None = None


_REPORTS = TypeAdapter(list[RcsReport])
_UPS = TypeAdapter(list[RcsUp])


def parse_reports(body: bytes) -> tuple[Receipt, ...]:
    """Read a 5GSmsReport push. Raises WebhookRejected if nothing in it can be read."""
    reports = read_items(body, _REPORTS, RcsReport.model_validate)
    receipts = (_receipt(report, _STATES[report.send_status]) for report in reports if _is_end(report))
    return tuple(receipt for receipt in receipts if receipt.key or receipt.ref)


def parse_ups(body: bytes) -> tuple[Inbound, ...]:
    """Read a 5GSmsUp push. Raises WebhookRejected if nothing in it can be read."""
    said = map(_inbound, read_items(body, _UPS, RcsUp.model_validate))
    return tuple(inbound for inbound in said if inbound is not None)


def _is_end(report: RcsReport) -> bool:
    return report.send_status in _STATES


def _receipt(report: RcsReport, state: DeliveryState) -> Receipt:
    return Receipt(
        state,
        key=our_key(report.out_id),
        ref=clean(report.biz_id),
        address=clean(local_number(report.phone_number)),
        code=clean(report.err_code),
        at=read_moment(report.report_time),
        fallback=Channel.SMS if report.err_code == NOT_CAPABLE else None,
    )


def _inbound(up: RcsUp) -> Inbound | None:
    kind = str(up.mobile_originated_type)
    text = up.content if kind == _TYPED else _pressed(up.content) if kind in _PRESSED else ""
    if not text:
        return None
    return Inbound(
        InboundKind.TEXT if kind == _TYPED else InboundKind.SUGGESTION,
        clean(local_number(up.phone_number)),
        text=clean(text)[:LONGEST_TEXT],
        at=read_moment(up.send_time),
        provider_id=clean(up.rcs_id),
    )


def _pressed(content: str) -> str:
    """What a button says: its post_data, or else its label; a content that is no JSON as it stands."""
    try:
        told: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        return content
    if not isinstance(told, dict):
        return content
    said = (told.get("post_data"), told.get("display_text"))
    return next((text for text in said if isinstance(text, str) and text), "")
