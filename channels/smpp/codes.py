"""What statuses and message states mean to us (sheet `smpp`)."""

from collections.abc import Mapping

from channels.base import DeliveryState
from channels.errors import Fault

MEANINGS: Mapping[int, Fault] = {
    **dict.fromkeys((0x01, 0x02, 0x03, 0x06, 0x07, 0x40, 0x42, 0x43, 0x44, 0x45), Fault.REJECTED),
    **dict.fromkeys((0x33, 0x34, 0x54, 0x55, 0x61, 0x62, 0x63, 0x65, 0x66, 0xFE), Fault.REJECTED),
    **dict.fromkeys((0xC0, 0xC1, 0xC2, 0xC3, 0xC4), Fault.REJECTED),
    **dict.fromkeys((0x04, 0x0A, 0x15, 0x48, 0x49, 0x50, 0x51, 0x53), Fault.MISCONFIGURED),
    0x0B: Fault.INVALID_ADDRESS,
    0x14: Fault.THROTTLED,
    0x58: Fault.THROTTLED,
    0x08: Fault.DEFERRED,
    0x64: Fault.DEFERRED,
}
"""Statuses after which nothing was accepted for certain. 0xFF (unknown error) and the vendors' own from 0x400
on are left out on purpose: they are unknown unless the account's settings say more."""


def code_of(status: int) -> str:
    """A status as documents write it."""
    return f"0x{status:02X}"


_MESSAGE_STATES = {
    1: DeliveryState.ACCEPTED,
    2: DeliveryState.DELIVERED,
    3: DeliveryState.FAILED,
    4: DeliveryState.FAILED,
    5: DeliveryState.FAILED,
    6: DeliveryState.ACCEPTED,
    7: DeliveryState.ACCEPTED,
    8: DeliveryState.FAILED,
}
_NAMES = ("", "ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD")
_STATS = {name: _MESSAGE_STATES[number] for number, name in enumerate(_NAMES) if number}


def state_of(message_state: int | None, stat: str) -> tuple[DeliveryState, str] | None:
    """State and code of a report: by its message_state, else by the stat of its text. None: it tells none."""
    if message_state in _MESSAGE_STATES:
        return _MESSAGE_STATES[message_state], _NAMES[message_state]
    if not stat:
        return None
    return _STATS.get(stat, DeliveryState.FAILED), stat


_REFUSALS = {
    0x05: (Fault.MISCONFIGURED, "这个账号已有连接，请核对允许的连接数"),
    0x0D: (Fault.MISCONFIGURED, "网关拒绝绑定，可能连接数已满或 IP 未登记"),
    0x0E: (Fault.UNAUTHORIZED, "密码错误，请核对密码（password）"),
    0x0F: (Fault.UNAUTHORIZED, "网关不认识这个账号，请核对系统账号（system_id）"),
    0x53: (Fault.MISCONFIGURED, "系统类型错误，请核对系统类型（system_type）"),
}


def refusal_of(status: int) -> tuple[Fault, str]:
    """What a refused bind means and what staff should do."""
    return _REFUSALS.get(status, (Fault.MISCONFIGURED, "网关拒绝绑定，请向运营商核对账号和本机 IP"))
