"""What results, states and stats mean to us (sheet `cmpp`, sections 3, 4 and 6)."""

from collections.abc import Mapping

from channels.base import DeliveryState
from channels.errors import Fault

BAD_NUMBER = 13

MEANINGS: Mapping[int, Fault] = {
    1: Fault.REJECTED,
    2: Fault.REJECTED,
    4: Fault.REJECTED,
    5: Fault.MISCONFIGURED,
    6: Fault.REJECTED,
    7: Fault.MISCONFIGURED,
    8: Fault.THROTTLED,
    9: Fault.UNSUPPORTED,
    10: Fault.MISCONFIGURED,
    11: Fault.MISCONFIGURED,
    12: Fault.MISCONFIGURED,
    13: Fault.INVALID_ADDRESS,
    **dict.fromkeys(range(20, 100), Fault.REJECTED),
}
"""Results after which nothing was accepted for certain: those of the standard, and 20 to 99, with which
gateways refuse content. Left out on purpose: 3, a repeated sequence, because the first may have been
accepted, and the vendors' own from 100 on, which stand in the account's settings."""

_STATES = {
    "DELIVRD": DeliveryState.DELIVERED,
    "ACCEPTD": DeliveryState.ACCEPTED,
    "UNKNOWN": DeliveryState.ACCEPTED,
    "ENROUTE": DeliveryState.ACCEPTED,
}


def state_of(stat: str) -> DeliveryState:
    """What a report's Stat says. ACCEPTD and UNKNOWN are no end; everything else but DELIVRD is a failure,
    whose raw code is kept."""
    return _STATES.get(stat, DeliveryState.FAILED)


_REFUSALS = {
    1: (Fault.MISCONFIGURED, "网关不认识连接消息的结构，请核对协议版本"),
    2: (Fault.UNAUTHORIZED, "网关不认识企业代码或本机地址，请核对企业代码（SP_Id）和移动侧登记的 IP"),
    3: (Fault.UNAUTHORIZED, "网关认证失败，请核对企业代码、共享密钥和本机时间"),
    4: (Fault.MISCONFIGURED, "网关不支持这个协议版本，请改用 2.0"),
}


def refusal_of(status: int) -> tuple[Fault, str]:
    """What a CONNECT_RESP's status means and what staff should do."""
    other = (Fault.MISCONFIGURED, "网关拒绝连接，可能连接数已满，请向移动核对允许的连接数")
    return _REFUSALS.get(status, other)
