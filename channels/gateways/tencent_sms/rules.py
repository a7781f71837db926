"""Signatures, templates, parameters, numbers and limits. Source: sheet, SendSms and error codes.

The sheet gives no greatest length of a message; 500 characters with its 【signature】 are assumed.
"""

import math
import re
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from channels.gateways.tencent_sms.refusals import Refusal

LONGEST_TEXT = 500
_DOMESTIC = re.compile(r"(?:\+86|0086|86)?(1[3-9]\d{9})", re.ASCII)
_FOREIGN = re.compile(r"\+(?!86)[1-9]\d{5,14}", re.ASCII)
_VARIABLE = re.compile(r"\{(\d+)\}", re.ASCII)
_CODE = re.compile(r"\d{1,6}", re.ASCII)
_URL = re.compile(r"https?://|www\.|[a-z0-9-]\.(?:com|cn|net|org|gov|top|link)\b", re.IGNORECASE)
_FIRST_HOUR, _LAST_HOUR = 8, 22


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """What the account is allowed; None is unlimited. `qps` and `pull_qps` count requests a second, the
    rest messages; `value` is the greatest length of a parameter. A number's windows roll."""

    qps: int | None = 3000
    pull_qps: int | None = 20
    numbers: int = 200
    value: int | None = None
    number_30s: int | None = None
    number_hour: int | None = None
    number_day: int | None = None
    same_content_day: int | None = None
    app_day: int | None = None
    balance: int | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template: literal pieces and places of parameters alternate in `pieces`. `kind`: `notice`,
    `code` (for verification codes) or `marketing`; `foreign`: for other countries."""

    pieces: tuple[str, ...]
    kind: str
    foreign: bool

    @classmethod
    def of(cls, number: str, body: str, kind: str = "notice", foreign: bool = False) -> "Template":
        """Review a template. Raises ValueError, as the reviewer would turn it down."""
        if not re.fullmatch(r"\d{1,20}", number, re.ASCII):
            raise ValueError(f"模板编号 {number} 应为数字")
        if not body or "【" in body or "】" in body or len(body) > LONGEST_TEXT:
            raise ValueError(f"模板 {number} 的正文不能为空，不能含【】，不超过 {LONGEST_TEXT} 字")
        pieces = _VARIABLE.split(body)
        if {int(place) for place in pieces[1::2]} != set(range(1, len(set(pieces[1::2])) + 1)):
            raise ValueError(f"模板 {number} 的变量应从 {{1}} 起连续编号")
        return cls(tuple(pieces), kind, foreign)

    def render(self, values: Sequence[object], longest: int | None) -> str:
        """The body for these parameters. Raises Refusal."""
        pieces = list(self.pieces)
        if len(values) != len(set(pieces[1::2])):
            raise Refusal("FailedOperation.TemplateParamSetNotMatchApprovedTemplate")
        texts = [self._value(value, longest) for value in values]
        for place in range(1, len(pieces), 2):
            pieces[place] = texts[int(pieces[place]) - 1]
        return "".join(pieces)

    def _value(self, value: object, longest: int | None) -> str:
        if not isinstance(value, str):
            raise Refusal("InvalidParameterValue.TemplateParameterFormatError")
        if self.kind == "code" and not _CODE.fullmatch(value):
            raise Refusal("InvalidParameterValue.TemplateParameterFormatError")
        if longest is not None and len(value) > longest:
            raise Refusal("InvalidParameterValue.TemplateParameterLengthLimit")
        if _URL.search(value):
            raise Refusal("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter")
        if "【" in value or "】" in value:
            raise Refusal("FailedOperation.ContainSensitiveWord")
        return value


def compose_text(signature: str, body: str) -> str:
    """What arrives on the phone. Raises Refusal if it is too long."""
    text = f"【{signature}】{body}"
    if len(text) > LONGEST_TEXT:
        raise Refusal("InvalidParameterValue.ContentLengthLimit")
    return text


def count_parts(text: str) -> int:
    """Billed parts: 70 UCS-2 units in one, otherwise 67 each."""
    units = len(text.encode("utf-16-le")) // 2
    return 1 if units <= 70 else math.ceil(units / 67)


def read_number(raw: str) -> str:
    """Eleven digits for a mainland number, `+` and digits for a foreign one, empty for no number."""
    domestic = _DOMESTIC.fullmatch(raw)
    if domestic is not None:
        return domestic[1]
    return raw if _FOREIGN.fullmatch(raw) else ""


def check_hour(template: Template, now: datetime) -> None:
    """Marketing is sent from 8 to 22 o'clock only. `now` is UTC+8. Raises Refusal."""
    if template.kind == "marketing" and not _FIRST_HOUR <= now.hour < _LAST_HOUR:
        raise Refusal("FailedOperation.MarketingSendTimeConstraint")


@dataclass(slots=True)
class Meter:
    """Counts what the limits limit."""

    limits: AccountLimits
    _seconds: dict[str, tuple[int, int]] = field(default_factory=dict)
    _numbers: Mapping[str, deque[tuple[datetime, str]]] = field(default_factory=lambda: defaultdict(deque))
    _day: tuple[str, int] = ("", 0)
    _parts: int = 0

    def count_request(self, kind: str, permitted: int | None, now: datetime) -> None:
        """Raises Refusal above the rate of requests of a kind."""
        second = int(now.timestamp())
        last, count = self._seconds.get(kind, (0, 0))
        count = count + 1 if last == second else 1
        if permitted is not None and count > permitted:
            raise Refusal("RequestLimitExceeded")
        self._seconds[kind] = (second, count)

    def count_message(self, number: str, text: str, now: datetime) -> str:
        """Count one message; the code that refuses it, or an empty string. `now` is UTC+8."""
        parts, day = count_parts(text), f"{now:%Y%m%d}"
        sent = self._day[1] if self._day[0] == day else 0
        if _over(self._parts + parts, self.limits.balance):
            return "FailedOperation.InsufficientBalanceInSmsPackage"
        if _over(sent + 1, self.limits.app_day):
            return "LimitExceeded.AppDailyLimit"
        code = self._limit_of(number, text, now)
        if not code:
            self._day, self._parts = (day, sent + 1), self._parts + parts
        return code

    def _limit_of(self, number: str, text: str, now: datetime) -> str:
        limits, sent = self.limits, self._numbers[number]
        windows = (
            ("LimitExceeded.PhoneNumberThirtySecondLimit", timedelta(seconds=30), limits.number_30s),
            ("LimitExceeded.PhoneNumberOneHourLimit", timedelta(hours=1), limits.number_hour),
            ("LimitExceeded.PhoneNumberDailyLimit", timedelta(days=1), limits.number_day),
        )
        while sent and sent[0][0] <= now - timedelta(days=1):
            sent.popleft()
        for code, window, permitted in windows:
            if _over(sum(at > now - window for at, _ in sent) + 1, permitted):
                return code
        if _over(sum(text == other for _, other in sent) + 1, limits.same_content_day):
            return "LimitExceeded.PhoneNumberSameContentDailyLimit"
        sent.append((now, text))
        return ""


def _over(count: int, permitted: int | None) -> bool:
    return permitted is not None and count > permitted
