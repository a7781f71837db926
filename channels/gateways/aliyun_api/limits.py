"""What a contract allows, and the meter that counts it. Source: sheet, section 5."""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from channels.gateways.aliyun_api.refusals import BusinessRefusal, GatewayRefusal


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
