"""What Tencent's codes mean to us. Source: protocol sheet `tencent_sms`, error codes.

A code stands either at one number of a request (`SendStatusSet`) or at the whole request (`Error`).
"""

from dataclasses import dataclass
from datetime import timedelta

from channels.errors import Fault


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says. `single`: at a whole request it may be about one number, the others may be good."""

    fault: Fault
    single: bool = False
    retry_after: timedelta | None = None


_ADDRESS = Meaning(Fault.INVALID_ADDRESS, single=True)
_CONTENT = Meaning(Fault.REJECTED)
_MISMATCH = Meaning(Fault.UNSUPPORTED, single=True)
_ACCOUNT = Meaning(Fault.MISCONFIGURED)
_DENIED = Meaning(Fault.UNAUTHORIZED)
_QUOTA = Meaning(Fault.THROTTLED, retry_after=timedelta(hours=1))


def _later(**wait: float) -> Meaning:
    return Meaning(Fault.DEFERRED, single=True, retry_after=timedelta(**wait))


MEANINGS: dict[str, Meaning] = {
    "InvalidParameterValue.IncorrectPhoneNumber": _ADDRESS,
    "FailedOperation.PhoneNumberParseFail": _ADDRESS,
    "FailedOperation.PhoneNumberInBlacklist": Meaning(Fault.OPTED_OUT, single=True),
    "LimitExceeded.PhoneNumberThirtySecondLimit": _later(seconds=30),
    "LimitExceeded.PhoneNumberOneHourLimit": _later(hours=1),
    "LimitExceeded.PhoneNumberDailyLimit": _later(days=1),
    "LimitExceeded.PhoneNumberSameContentDailyLimit": _later(days=1),
    "LimitExceeded.DeliveryFrequencyLimit": _later(minutes=1),
    "FailedOperation.MarketingSendTimeConstraint": Meaning(Fault.DEFERRED, retry_after=timedelta(hours=1)),
    "LimitExceeded.AppDailyLimit": _QUOTA,
    "LimitExceeded.DailyLimit": _QUOTA,
    "LimitExceeded.AppMainlandChinaDailyLimit": _QUOTA,
    "LimitExceeded.GlobalSmsSendingRateLimit": Meaning(Fault.THROTTLED),
    "LimitExceeded.PhoneNumberCountLimit": Meaning(Fault.REJECTED, single=True),
    "FailedOperation.TemplateIncorrectOrUnapproved": _CONTENT,
    "FailedOperation.TemplateUnapprovedOrNotExist": _CONTENT,
    "FailedOperation.TemplateIdNotExist": _CONTENT,
    "FailedOperation.TemplateParamSetNotMatchApprovedTemplate": _CONTENT,
    "FailedOperation.ContainSensitiveWord": _CONTENT,
    "InvalidParameterValue.TemplateParameterFormatError": _CONTENT,
    "InvalidParameterValue.TemplateParameterLengthLimit": _CONTENT,
    "InvalidParameterValue.ContentLengthLimit": _CONTENT,
    "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter": _CONTENT,
    "InvalidParameterValue.UnsupportedTemplateVariable": _CONTENT,
    "FailedOperation.SignatureIncorrectOrUnapproved": _ACCOUNT,
    "FailedOperation.InsufficientBalanceInSmsPackage": _ACCOUNT,
    "InvalidParameterValue.SdkAppIdNotExist": _ACCOUNT,
    "UnauthorizedOperation.SdkAppIdIsDisabled": _ACCOUNT,
    "UnauthorizedOperation.ServiceSuspendDueToArrears": _ACCOUNT,
    "UnauthorizedOperation.SmsSdkAppIdVerifyFail": _DENIED,
    "UnauthorizedOperation.RequestIpNotInWhitelist": _DENIED,
    "UnauthorizedOperation.RequestPermissionDeny": _DENIED,
    "UnauthorizedOperation.IndividualUserMarketingSmsPermissionDeny": _DENIED,
    "AuthFailure.SignatureFailure": _DENIED,
    "AuthFailure.SecretIdNotFound": _DENIED,
    "AuthFailure.InvalidSecretId": _DENIED,
    "AuthFailure.TokenFailure": _DENIED,
    "AuthFailure.UnauthorizedOperation": _DENIED,
    "AuthFailure.SignatureExpire": _ACCOUNT,
    "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber": _MISMATCH,
    "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone": _MISMATCH,
    "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone": _MISMATCH,
    "UnsupportedOperation.UnsupportedRegion": _ACCOUNT,
    "RequestLimitExceeded": Meaning(Fault.THROTTLED),
}
"""Codes after which nothing was accepted for certain.

Left out on purpose, so that they are unknown: `InternalError.…` (the provider failed somewhere inside; that
one may try again does not say that nothing was handed on, and no key of ours would stop the second copy).
"""

_PREFIXES = {
    "AuthFailure.": _DENIED,
    "RequestLimitExceeded.": Meaning(Fault.THROTTLED),
    "MissingParameter": _CONTENT,
}


def meaning_of(status: int, code: str) -> Meaning | None:
    """What a refusal means, or None if it is not certain that nothing was accepted.

    Only 2xx and 4xx answers with a known code, and a bare 429, are certain.
    """
    if status == 429:
        return MEANINGS["RequestLimitExceeded"]
    if not (200 <= status < 300 or 400 <= status < 500):
        return None
    if code in MEANINGS:
        return MEANINGS[code]
    return next((meaning for prefix, meaning in _PREFIXES.items() if code.startswith(prefix)), None)


_ADVICE = {
    Fault.UNAUTHORIZED: "腾讯云拒绝了访问，请核对 SecretId、SecretKey、子用户授权、SdkAppId 和 IP 白名单",
    Fault.MISCONFIGURED: "腾讯云短信应用不可用，请核对套餐余量、SdkAppId、签名状态、地域和本机时间",
    Fault.THROTTLED: "腾讯云限流，请稍后再试或在腾讯云控制台提高限额",
    Fault.UNREACHABLE: "连接不上腾讯云短信服务地址，请核对服务地址、网络和防火墙",
}


def advice(fault: Fault, code: str) -> str:
    """What staff should do about an account that does not work, in Chinese."""
    text = _ADVICE.get(fault, "腾讯云短信的应答无法识别，请稍后再试")
    return f"{text}（{code}）" if code else text
