"""Callbacks: status reports and replies. Source: protocol sheet `tencent_sms`, status push and reply push."""

import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from channels.base import DeliveryState, Inbound, InboundKind, Receipt, WebhookReply
from channels.errors import WebhookRejected

CHINA = timezone(timedelta(hours=8), "UTC+8")
REPLY = WebhookReply(200, {"content-type": "application/json; charset=utf-8"}, b'{"result":0,"errmsg":"OK"}')

_STATES = {"SUCCESS": DeliveryState.DELIVERED, "FAIL": DeliveryState.FAILED}
_OUR_KEY = re.compile(r"[0-9a-z]{1,16}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_LONGEST_TEXT = 2000

Item = TypeVar("Item", bound=BaseModel)


class StatusReport(BaseModel):
    """One delivery report. `sid` is the SerialNo of the message, `ext` the SessionContext of its request
    where the account has that enabled. The time is China Standard Time."""

    mobile: str
    report_status: str
    nationcode: str | int | None = None
    user_receive_time: str | None = None
    errmsg: str | None = None
    sid: str | None = None
    ext: str | None = None


class SmsReply(BaseModel):
    """One text from a taxpayer; `time` in Unix seconds."""

    mobile: str
    text: str
    nationcode: str | int | None = None
    time: object = None


def parse_reports(body: bytes) -> tuple[Receipt, ...]:
    """Read a push of status reports. Raises WebhookRejected if nothing in it can be read."""
    receipts = []
    for report in _read(body, StatusReport):
        state = _STATES.get(report.report_status)
        if state is not None and (report.sid or report.ext):
            receipts.append(_receipt(report, state))
    return tuple(receipt for receipt in receipts if receipt.key or receipt.ref)


def parse_replies(body: bytes) -> tuple[Inbound, ...]:
    """Read a push of a reply. Raises WebhookRejected if nothing in it can be read."""
    return tuple(_inbound(reply) for reply in _read(body, SmsReply))


def _read(body: bytes, kind: type[Item]) -> list[Item]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise WebhookRejected("not JSON") from None
    items = document if isinstance(document, list) else [document]
    good: list[Item] = []
    # A push carries many reports and is repeated a few times only: one that cannot be read must not cost
    # the others.
    for item in items:
        try:
            good.append(kind.model_validate(item))
        except ValidationError:
            continue
    if items and not good:
        raise WebhookRejected("no item of the push has the documented fields")
    return good


def _receipt(report: StatusReport, state: DeliveryState) -> Receipt:
    key = report.ext or ""
    return Receipt(
        state,
        key=key if _OUR_KEY.fullmatch(key) else "",
        ref=_clean(report.sid),
        address=_address(report.nationcode, report.mobile),
        whole_request=True,
        code=_clean(report.errmsg),
        at=_moment(report.user_receive_time),
    )


def _inbound(reply: SmsReply) -> Inbound:
    return Inbound(
        InboundKind.TEXT,
        _address(reply.nationcode, reply.mobile),
        text=_clean(reply.text)[:_LONGEST_TEXT],
        at=_second(reply.time),
        provider_id=_name(reply),
    )


def _name(reply: SmsReply) -> str:
    # A reply comes without an id and is repeated until it is answered: a repetition says the same, to the
    # second.
    if _second(reply.time) is None:
        return ""
    content = f"{reply.nationcode}|{reply.mobile}|{reply.time}|{reply.text}"
    return hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _address(nation: str | int | None, mobile: str) -> str:
    country = str(nation or "").strip().removeprefix("+")
    return _clean(mobile.strip() if country in ("", "86") else f"+{country}{mobile.strip()}")


def _clean(text: str | None) -> str:
    # PostgreSQL stores no NUL in a text, and one would cost the whole group its commit.
    return (text or "").replace("\x00", "")


def _moment(text: str | None) -> datetime | None:
    if text is None or _MOMENT.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=CHINA).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _second(time: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(str(time)), UTC)
    except (ValueError, OverflowError, OSError):
        return None
