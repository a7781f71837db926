"""Signatures, templates, parameters, numbers and limits. Source: sheet, sections 3 and 5."""

import math
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from channels.gateways.aliyun_sms.refusals import BusinessRefusal, GatewayRefusal

LONGEST_VALUE = 35
LONGEST_TEXT = 500
PROMOTION_ENDING = "拒收请回复R"
_NUMBER = re.compile(r"(?:\+86|0086|86)?(1[3-9]\d{9})", re.ASCII)
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
_URL = re.compile(r"https?://|www\.|[a-z0-9-]\.(?:com|cn|net|org|gov|top|link)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """What the contract allows; None is unlimited. `qps` counts requests a second, the rest messages.

    Minute and hour are natural units of the clock, a number's day is 24 rolling hours.
    """

    qps: int | None = 5000
    numbers: int = 1000
    batch_numbers: int = 100
    number_minute: int | None = None
    number_hour: int | None = None
    number_day: int | None = None
    account_day: int | None = None
    account_month: int | None = None
    balance: int | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template: literal pieces and variable names alternate in `pieces`."""

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, code: str, body: str, promotion: bool = False) -> "Template":
        """Review a template. Raises ValueError, as the reviewer would turn it down."""
        if not code.startswith("SMS_"):
            raise ValueError(f"模板编号 {code} 应以 SMS_ 开头")
        if "【" in body or "】" in body or len(body) > LONGEST_TEXT or not body:
            raise ValueError(f"模板 {code} 的正文不能为空，不能含【】，不超过 {LONGEST_TEXT} 字")
        if promotion and not body.endswith(PROMOTION_ENDING):
            raise ValueError(f"推广模板 {code} 应以“{PROMOTION_ENDING}”结尾")
        return cls(tuple(_VARIABLE.split(body)))

    def render(self, values: Mapping[str, Any]) -> str:
        """The body for one person. Raises BusinessRefusal."""
        pieces = list(self.pieces)
        for place in range(1, len(pieces), 2):
            if pieces[place] not in values:
                raise BusinessRefusal("isv.TEMPLATE_MISSING_PARAMETERS", f"模板缺少变量{pieces[place]}")
            pieces[place] = _value(pieces[place], values[pieces[place]])
        return "".join(pieces)


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BusinessRefusal("isv.TEMPLATE_PARAMS_ILLEGAL", f"变量{name}应为字符串")
    text = str(value)
    if len(text) > LONGEST_VALUE:
        raise BusinessRefusal("isv.PARAM_LENGTH_LIMIT", f"变量{name}超过{LONGEST_VALUE}字")
    if _URL.search(text):
        raise BusinessRefusal("isv.PARAM_NOT_SUPPORT_URL", f"变量{name}不支持网址")
    if "【" in text or "】" in text:
        raise BusinessRefusal("isv.SMS_CONTENT_ILLEGAL", "正文不能含【】")
    return text


def read_number(raw: Any) -> str:
    """The eleven digits of a mobile number. Raises BusinessRefusal."""
    match = _NUMBER.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        raise BusinessRefusal("isv.MOBILE_NUMBER_ILLEGAL", "手机号码格式错误")
    return match[1]


def count_parts(text: str) -> int:
    """Billed parts of 【signature】 + body: 70 characters in one, otherwise 67 each.

    A character is a UCS-2 unit, so an emoji counts twice.
    """
    units = len(text.encode("utf-16-le")) // 2
    return 1 if units <= 70 else math.ceil(units / 67)


def compose_text(signature: str, body: str) -> str:
    """What arrives on the phone. Raises BusinessRefusal if it is too long."""
    text = f"【{signature}】{body}"
    if len(text) > LONGEST_TEXT:
        raise BusinessRefusal("isv.PARAM_LENGTH_LIMIT", f"短信超过{LONGEST_TEXT}字")
    return text


class Meter:
    """Counts what the limits limit. Numbers are counted when they are submitted."""

    def __init__(self, limits: AccountLimits) -> None:
        self.limits = limits
        self._second = (0, 0)
        self._numbers: dict[str, deque[datetime]] = defaultdict(deque)
        self._day = ("", 0)
        self._month = ("", 0)
        self._parts = 0

    def count_request(self, now: datetime) -> None:
        """Raises GatewayRefusal above the rate of requests."""
        second = int(now.timestamp())
        seen = self._second[1] + 1 if self._second[0] == second else 1
        if self.limits.qps is not None and seen > self.limits.qps:
            raise GatewayRefusal(400, "Throttling.User", "Request was denied due to user flow control.")
        self._second = (second, seen)

    def count_messages(self, numbers: Sequence[str], parts: int, now: datetime) -> None:
        """Raises BusinessRefusal above a limit of the account or of one of the numbers. `now` is UTC+8."""
        self._check_account(len(numbers), parts, now)
        if any((self.limits.number_minute, self.limits.number_hour, self.limits.number_day)):
            self._count_numbers(numbers, now)
        day, month = f"{now:%Y%m%d}", f"{now:%Y%m}"
        self._day = (day, self._used(self._day, day) + len(numbers))
        self._month = (month, self._used(self._month, month) + len(numbers))
        self._parts += parts

    def _check_account(self, count: int, parts: int, now: datetime) -> None:
        limits = self.limits
        if limits.balance is not None and self._parts + parts > limits.balance:
            raise BusinessRefusal("isv.AMOUNT_NOT_ENOUGH", "账户余额不足")
        if _over(self._used(self._day, f"{now:%Y%m%d}") + count, limits.account_day):
            raise BusinessRefusal("isv.DAY_LIMIT_CONTROL", "触发日发送限额")
        if _over(self._used(self._month, f"{now:%Y%m}") + count, limits.account_month):
            raise BusinessRefusal("isv.MONTH_LIMIT_CONTROL", "触发月发送限额")

    @staticmethod
    def _used(counter: tuple[str, int], period: str) -> int:
        return counter[1] if counter[0] == period else 0

    def _count_numbers(self, numbers: Iterable[str], now: datetime) -> None:
        wanted = list(numbers)
        for number in wanted:
            self._check_number(self._numbers[number], now)
        for number in wanted:
            self._numbers[number].append(now)

    def _check_number(self, times: deque[datetime], now: datetime) -> None:
        while times and times[0] <= now - timedelta(hours=24):
            times.popleft()
        minute = now.replace(second=0, microsecond=0)
        windows = (
            (minute, self.limits.number_minute, "分钟"),
            (minute.replace(minute=0), self.limits.number_hour, "小时"),
            (now - timedelta(hours=24), self.limits.number_day, "天"),
        )
        for start, permits, name in windows:
            if _over(sum(time >= start for time in times) + 1, permits):
                raise BusinessRefusal("isv.BUSINESS_LIMIT_CONTROL", f"触发{name}级流控Permits:{permits}")


def _over(count: int, permitted: int | None) -> bool:
    return permitted is not None and count > permitted
