"""What Aliyun's answers mean to us. Source: protocol sheet `aliyun_dysms`, sections 3, 5 and 6."""

from dataclasses import dataclass
from datetime import timedelta

from channels.errors import Fault


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says. `single`: it may be about one message of several, the others may still be good."""

    fault: Fault
    single: bool = False
    retry_after: timedelta | None = None


_ADDRESS = Meaning(Fault.INVALID_ADDRESS, single=True)
_CONTENT = Meaning(Fault.REJECTED, single=True)
_TEMPLATE = Meaning(Fault.REJECTED)
_ACCOUNT = Meaning(Fault.MISCONFIGURED)
_DENIED = Meaning(Fault.UNAUTHORIZED)

MEANINGS: dict[str, Meaning] = {
    "isv.MOBILE_NUMBER_ILLEGAL": _ADDRESS,
    "isv.DOMESTIC_NUMBER_NOT_SUPPORTED": Meaning(Fault.UNSUPPORTED, single=True),
    "isv.BLACK_KEY_CONTROL_LIMIT": _CONTENT,
    "isv.SMS_CONTENT_ILLEGAL": _CONTENT,
    "isv.TEMPLATE_MISSING_PARAMETERS": _CONTENT,
    "isv.TEMPLATE_PARAMS_ILLEGAL": _CONTENT,
    "isv.INVALID_JSON_PARAM": _CONTENT,
    "isv.PARAM_LENGTH_LIMIT": _CONTENT,
    "isv.PARAM_NOT_SUPPORT_URL": _CONTENT,
    "isv.INVALID_PARAMETERS": _CONTENT,
    "isv.MOBILE_COUNT_OVER_LIMIT": _CONTENT,
    "isv.BUSINESS_LIMIT_CONTROL": Meaning(Fault.DEFERRED, single=True),
    "isv.DAY_LIMIT_CONTROL": Meaning(Fault.THROTTLED, retry_after=timedelta(hours=1)),
    "isv.MONTH_LIMIT_CONTROL": Meaning(Fault.THROTTLED, retry_after=timedelta(hours=6)),
    "isv.SMS_TEMPLATE_ILLEGAL": _TEMPLATE,
    "isv.SMS_SIGNATURE_SCENE_ILLEGAL": _TEMPLATE,
    "isv.SMS_SIGNATURE_ILLEGAL": _ACCOUNT,
    "isv.SMS_SIGN_ILLEGAL": _ACCOUNT,
    "isv.SIGN_STATE_ILLEGAL": _ACCOUNT,
    "isv.EXTEND_CODE_ERROR": _ACCOUNT,
    "isv.AMOUNT_NOT_ENOUGH": _ACCOUNT,
    "isv.OUT_OF_SERVICE": _ACCOUNT,
    "isv.PRODUCT_UN_SUBSCRIPT": _ACCOUNT,
    "isv.PRODUCT_UNSUBSCRIBE": _ACCOUNT,
    "isv.ACCOUNT_NOT_EXISTS": _ACCOUNT,
    "isv.ACCOUNT_ABNORMAL": _ACCOUNT,
    "isv.DENY_IP_RANGE": _DENIED,
    "isp.RAM_PERMISSION_DENY": _DENIED,
    "SignatureDoesNotMatch": _DENIED,
    "InvalidAccessKeyId.NotFound": _DENIED,
    "IncompleteSignature": _DENIED,
    "Forbidden.RAM": _DENIED,
    "InvalidTimeStamp.Expired": _ACCOUNT,
}
"""Codes after which nothing was accepted for certain.

Left out on purpose, so that they are unknown and are asked about before anything is sent again:
`isp.SYSTEM_ERROR` and `isp.GATEWAY_ERROR` (the provider failed somewhere inside; the sheet advises to retry
but nobody promises that nothing was handed on), and `SignatureNonceUsed` (our nonces are random, so the same
bytes arrived before, by a proxy or a connection that was tried again: the first copy may have been accepted).
"""

SIGNATURE_CODES = frozenset({"isv.SMS_SIGNATURE_ILLEGAL", "isv.SMS_SIGN_ILLEGAL", "isv.SIGN_STATE_ILLEGAL"})
"""Codes that are about the signature."""

_PREFIXES = {"Throttling": Meaning(Fault.THROTTLED), "Missing": _CONTENT}

_LIMIT_WINDOWS = {
    "分钟级流控": timedelta(minutes=1),
    "小时级流控": timedelta(hours=1),
    "天级流控": timedelta(days=1),
}


def meaning_of(status: int, code: str, message: str) -> Meaning | None:
    """What a refusal means, or None if it is not certain that nothing was accepted.

    Only 2xx and 4xx answers with a known code, and a bare 429, are certain.
    """
    if status == 429:
        return _PREFIXES["Throttling"]
    if not (200 <= status < 300 or 400 <= status < 500):
        return None
    if code == "isv.BUSINESS_LIMIT_CONTROL":
        wait = next((w for words, w in _LIMIT_WINDOWS.items() if words in message), None)
        return Meaning(Fault.DEFERRED, single=True, retry_after=wait)
    if code in MEANINGS:
        return MEANINGS[code]
    return next((m for prefix, m in _PREFIXES.items() if code.startswith(prefix)), None)


_ADVICE = {
    Fault.UNAUTHORIZED: "阿里云拒绝了访问密钥，请核对 AccessKey ID、AccessKey Secret、RAM 授权和 IP 白名单",
    Fault.MISCONFIGURED: "阿里云短信账户不可用，请核对余额、产品开通状态、签名状态和本机时间",
    Fault.THROTTLED: "阿里云限流，请稍后再试或在阿里云控制台提高限额",
    Fault.UNREACHABLE: "连接不上阿里云短信服务地址，请核对服务地址、网络和防火墙",
}


def advice(fault: Fault, code: str) -> str:
    """What staff should do about an account that does not work, in Chinese."""
    text = _ADVICE.get(fault, "阿里云短信的应答无法识别，请稍后再试")
    return f"{text}（{code}）" if code else text
