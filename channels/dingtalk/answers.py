"""What the platform's `errcode` means for a message, and what it knows of one that it took. Protocol sheet,
work notification."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from channels.base import DeliveryState, QueryResult, SendResult, accepted, refused, unknown
from channels.errors import Fault, GatewayError
from channels.token_client import Answer

_OUTER = 88
_STALE = frozenset({40014, 42001})
_MINUTE = timedelta(minutes=1)
_PAUSES = {143103: _MINUTE, 143104: _MINUTE, 90018: timedelta(seconds=5)}

FAULTS = {
    40014: Fault.UNAUTHORIZED,
    42001: Fault.UNAUTHORIZED,
    40001: Fault.UNAUTHORIZED,
    40089: Fault.UNAUTHORIZED,
    40096: Fault.UNAUTHORIZED,
    60011: Fault.MISCONFIGURED,
    60020: Fault.MISCONFIGURED,
    143103: Fault.THROTTLED,
    143104: Fault.THROTTLED,
    90018: Fault.THROTTLED,
    33012: Fault.INVALID_ADDRESS,
    60121: Fault.INVALID_ADDRESS,
    40035: Fault.REJECTED,
    1430002: Fault.REJECTED,
}
"""Codes that certainly mean "not accepted". Code 88 is an envelope: what counts is its `sub_code`."""

_CHINESE = {
    40089: "AppKey 或 AppSecret 不正确",
    40096: "AppKey 或 AppSecret 不正确",
    60011: "应用没有权限，请检查接口权限和可使用范围",
    60020: "本机出口 IP 不在应用的服务器出口 IP 中",
    143103: "应用每分钟发送人次超限，请一分钟后再试",
    143104: "企业每分钟发送人次超限，请一分钟后再试",
    90018: "接口调用过于频繁",
}


def code_of(answer: Answer) -> int:
    """The code that counts."""
    inner = str(answer.fields.get("sub_code", "")) if answer.errcode == _OUTER else ""
    return int(inner) if inner.isascii() and inner.isdigit() and len(inner) < 12 else answer.errcode


def is_stale(answer: Answer) -> bool:
    """Whether the access token is not valid (any more): fetch it again and try once more."""
    return code_of(answer) in _STALE


def explain(answer: Answer) -> GatewayError:
    """A refusal outside of sending, in words for staff."""
    code = code_of(answer)
    fault = Fault.UNREACHABLE if code == -1 else FAULTS.get(code, Fault.MISCONFIGURED)
    return GatewayError(fault, f"{_CHINESE.get(code, '钉钉拒绝了请求')}（错误码 {code}）", str(code))


def result_of(key: str, answer: Answer) -> SendResult:
    """What the answer to a send means for its message."""
    code = code_of(answer)
    if code == 0:
        # Without the word errcode it is somebody else's JSON, such as a proxy's.
        told = "errcode" in answer.fields
        return accepted(key, str(answer.fields.get("task_id", ""))) if told else unknown(key, "no errcode")
    fault = FAULTS.get(code)
    if fault is None:
        return unknown(key, str(code))
    return refused(key, fault, str(code), _PAUSES.get(code))


def read_state(key: str, ref: str, address: str, answer: Answer) -> QueryResult:
    """What the platform knows of a message that it took: read, delivered, failed, or still under way."""
    result = answer.fields.get("send_result")
    if answer.errcode or not isinstance(result, Mapping):
        return QueryResult(key, None, ref, code=str(code_of(answer)))
    for name, state in _STATES.items():
        if _holds(result.get(name), address):
            failed = state is DeliveryState.FAILED
            code = _forbidden(result.get("forbidden_list"), address) or name.removesuffix("_user_id_list")
            return QueryResult(key, True, ref, state, code if failed else "")
    return QueryResult(key, True, ref)


_STATES = {
    "read_user_id_list": DeliveryState.READ,
    "unread_user_id_list": DeliveryState.DELIVERED,
    "invalid_user_id_list": DeliveryState.FAILED,
    "forbidden_user_id_list": DeliveryState.FAILED,
    "failed_user_id_list": DeliveryState.FAILED,
}


def _holds(users: Any, address: str) -> bool:
    return isinstance(users, list) and address in users


def _forbidden(reasons: Any, address: str) -> str:
    listed = reasons if isinstance(reasons, list) else []
    mine = [reason for reason in listed if isinstance(reason, Mapping) and reason.get("userid") == address]
    return str(mine[0].get("code", ""))[:64] if mine else ""
