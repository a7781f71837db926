"""What can come of a call or a visit, and how it is to be done.

Reasons for what is not done are those of the register (requirement 002-45); the standard is what a caller
has before her eyes (004-62, and what police and tax bureaus tell the public about fraud).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

TRIES = 3
"""Attempts at which nobody is met before a call becomes a visit, or is given up."""
PAUSE = timedelta(days=1)
"""Between two such attempts."""


class Effect(Enum):
    """What a result does with the item."""

    TOLD = "told"
    AGAIN = "again"
    MISSED = "missed"
    HAND_ON = "hand_on"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Result:
    """A result: what staff choose, its effect, and the label that its households get (code and value).
    `wrong_number` takes the telephone number out of use; `no_calls`: she wants none for publicity."""

    name: str
    effect: Effect
    label: tuple[str, str | None] | None = None
    wrong_number: bool = False
    no_calls: bool = False


def _not_done(name: str, reason: str, effect: Effect = Effect.STOPPED) -> Result:
    return Result(name, effect, ("follow_up", reason))


_COMMON: dict[str, Result] = {
    "acted": Result("自述已办理", Effect.TOLD, ("said_done", None)),
    "cannot": _not_done("不能办", "cannot"),
    "unwilling": _not_done("不愿办", "unwilling"),
    "not_needed": _not_done("不需要办", "not_needed"),
    "disputed": Result("提出异议，停止提醒", Effect.STOPPED, ("iit.disputed", None)),
}
CALL_RESULTS: Mapping[str, Result] = {
    "told": Result("接通，已告知", Effect.TOLD),
    "call_back": Result("接通，约定回拨", Effect.AGAIN),
    "no_answer": Result("无人接听", Effect.MISSED),
    "suspended": Result("停机或关机", Effect.MISSED),
    "wrong_number": Result("空号", Effect.HAND_ON, ("phone_wrong", None), wrong_number=True),
    "not_her": Result("号码不是本人", Effect.HAND_ON, ("phone_wrong", None), wrong_number=True),
    **_COMMON,
    "refused": Result("拒绝接听", Effect.STOPPED, ("follow_up", "refused"), no_calls=True),
    "unreachable": _not_done("联系不上", "unreachable", Effect.HAND_ON),
    "visit": Result("需要上门", Effect.HAND_ON),
}
VISIT_RESULTS: Mapping[str, Result] = {
    "told": Result("见到本人，已告知", Effect.TOLD),
    "come_again": Result("约定再次上门", Effect.AGAIN),
    "nobody_home": Result("无人在家", Effect.MISSED),
    **_COMMON,
    "refused": _not_done("拒绝沟通", "refused"),
    "moved": _not_done("已搬离，联系不上", "unreachable"),
}
RESULTS: Mapping[str, Mapping[str, Result]] = {"call": CALL_RESULTS, "visit": VISIT_RESULTS}
"""By the kind of item, in the order in which staff see them."""

ENDINGS = {
    "already_done": "系统显示已办结",
    "disputed": "异议处理中",
    "delivered": "消息已送达",
    "round_over": "轮次结束时未完成",
    "cancelled": "轮次已取消",
    "visit_refused": "入户未获批准",
    "handed_on": "已转上门",
    "exhausted": "多次未遇",
}
"""Why an item or a handover ended without a result of its own."""

STANDARDS: Mapping[str, tuple[str, ...]] = {
    "call": (
        "先报单位和本人姓名，问清是否方便；不方便就约定回拨时间。",
        "只说事项、期限和办理渠道，不在电话里报金额、证件号码和他人情况。",
        "不索要银行卡号、密码、验证码，不发链接，不要求加微信或下载软件。",
        "对方怀疑真伪时，请其拨打 12366 或到办税服务厅核实。",
        "老年人放慢语速、重复要点；听不懂汉语的，改约会蒙古语的同事回拨。",
        "不催逼、不承诺、不争辩；提出异议的如实登记，停止提醒。",
    ),
    "visit": (
        "两人同行，出示工作证件；只按审批的户和事项上门，几个部门的事项一次办完。",
        "不收取费用和资料原件，不索要银行卡号、密码、验证码。",
        "只谈审批的事项，不涉及金额和他人情况；对方不便时约定再来。",
        "对方怀疑真伪时，请其拨打 12366 核实。",
        "不要求拍照、签到和留痕，离开后登记一项结果即可。",
    ),
}


def name_of(kind: str, code: str) -> str:
    """What staff read for a result or an ending."""
    known = RESULTS[kind].get(code)
    return known.name if known else ENDINGS.get(code, code)
