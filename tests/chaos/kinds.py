"""The delivery classes as the suite plays them: a channel, its gateway account, and how the gateway behaves.

A and C carry one message a request; B is played twice, with many and with one; D is e-mail whose adapter is
made to declare nothing, at a gateway that never reports.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from channels.aliyun.sms import AliyunSms
from channels.email_smtp import EmailSmtp


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of delivery. `window`: messages; `most`: messages a second that the account ever allows;
    `resolves`: whether no outcome may stay unknown. `faults`: what the gateway does all the time; `storms`:
    what it does for a while when the plan wants it (fields of `channels.gateways.base.Faults`)."""

    name: str
    channel: str
    adapter: str
    many: bool
    window: int
    most: float
    resolves: bool
    faults: Mapping[str, Any]
    storms: tuple[Mapping[str, Any], ...]
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def requests(self) -> str:
        """How many messages a request carries."""
        return "many" if self.many else "one"

    def allowance(self, count: int, seconds: float) -> tuple[float, int]:
        """Rate and burst of the account in its own unit (a request of SMS carries 100), so that `count`
        messages take so many seconds: they are still on their way when the last strike falls."""
        unit = 100 if self.many and self.channel == "sms" else 1
        rate = min(self.most, max(300.0, count / seconds)) / unit
        return rate, max(4, 100 // unit, int(rate / 10))


_RECEIPTS = {"fail": 0.01, "twice": 0.1, "shuffle": True, "receipt_delay": 0.3}
_ALWAYS = {"drop_before": 0.003, "drop_after": 0.003, "error_after": 0.003, "slow": 0.002, **_RECEIPTS}
_CUT = {"drop_before": 0.08, "drop_after": 0.08}
_GARBLED = {"error_after": 0.15}
_SLOW = {"slow": 0.05}
_EARLY = {"receipts_before_answer": True, "twice": 0.5}
_LATE_RECEIPTS = {"receipt_delay": 4.0, "twice": 0.5}
_STORMS = (_CUT, _GARBLED, _SLOW, _EARLY, _LATE_RECEIPTS)
_REFUSING = {"throttle": 0.02, "reject": 0.002}

A = Kind("A", "wechat", "wechat_official", False, 200, 3000, True, _ALWAYS, _STORMS)
B = Kind(
    "B",
    "sms",
    "aliyun_sms",
    True,
    500,
    6000,
    True,
    _ALWAYS | _REFUSING | {"late": 0.005},
    (*_STORMS, {"late": 0.1}, {"throttle": 0.2}),
)
B1 = replace(B, name="B1", many=False, window=200, most=3000, config={"numbers_per_request": 1})
C = Kind(
    "C",
    "rcs",
    "fiveg_bot",
    False,
    20,
    3000,
    False,
    _ALWAYS | _REFUSING,
    (*_STORMS, {"throttle": 0.2}),
)
D = Kind(
    "D",
    "email",
    "email_smtp",
    True,
    20,
    3000,
    False,
    _ALWAYS | {"silent": 1.0, "reject": 0.002},
    (_CUT, _GARBLED, _SLOW),
)

KINDS = {kind.name: kind for kind in (A, B, B1, C, D)}


def declare(kind: Kind) -> None:
    """Make the adapters of this process declare what the class is about."""
    if kind.name == "B1":
        AliyunSms.facts = replace(AliyunSms.facts, batch_size=1, rate_unit="message")
    elif kind.name == "D":
        EmailSmtp.facts = replace(EmailSmtp.facts, echoes_key=False)
