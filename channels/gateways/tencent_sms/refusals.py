"""How the provider says no, and the numbers that make it say so. Source: sheet, error codes."""

REASONS = {
    "InvalidParameterValue.IncorrectPhoneNumber": "incorrect phone number",
    "LimitExceeded.PhoneNumberThirtySecondLimit": "too many messages to the number in 30 seconds",
    "RequestLimitExceeded": "Your current request times exceeds the limit",
}


class Refusal(Exception):
    """A whole request is refused: HTTP 200 with `Error`."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.message = message or REASONS.get(code, f"refused: {code}")


class BadGateway(Exception):
    """The API's front answers 502 instead of the service."""


class Cut(Exception):
    """The connection breaks without an answer."""


CODES = (
    "InvalidParameterValue.IncorrectPhoneNumber",
    "FailedOperation.PhoneNumberInBlacklist",
    "FailedOperation.PhoneNumberParseFail",
    "LimitExceeded.PhoneNumberThirtySecondLimit",
    "LimitExceeded.PhoneNumberOneHourLimit",
    "LimitExceeded.PhoneNumberDailyLimit",
    "LimitExceeded.PhoneNumberSameContentDailyLimit",
    "LimitExceeded.DeliveryFrequencyLimit",
    "LimitExceeded.AppDailyLimit",
    "LimitExceeded.DailyLimit",
    "LimitExceeded.AppMainlandChinaDailyLimit",
    "LimitExceeded.GlobalSmsSendingRateLimit",
    "LimitExceeded.PhoneNumberCountLimit",
    "FailedOperation.MarketingSendTimeConstraint",
    "RequestLimitExceeded",
    "FailedOperation.TemplateIncorrectOrUnapproved",
    "FailedOperation.TemplateUnapprovedOrNotExist",
    "FailedOperation.TemplateIdNotExist",
    "FailedOperation.SignatureIncorrectOrUnapproved",
    "FailedOperation.TemplateParamSetNotMatchApprovedTemplate",
    "FailedOperation.ContainSensitiveWord",
    "InvalidParameterValue.TemplateParameterFormatError",
    "InvalidParameterValue.TemplateParameterLengthLimit",
    "InvalidParameterValue.ContentLengthLimit",
    "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter",
    "InvalidParameterValue.UnsupportedTemplateVariable",
    "FailedOperation.InsufficientBalanceInSmsPackage",
    "UnauthorizedOperation.SmsSdkAppIdVerifyFail",
    "UnauthorizedOperation.SdkAppIdIsDisabled",
    "UnauthorizedOperation.ServiceSuspendDueToArrears",
    "UnauthorizedOperation.RequestIpNotInWhitelist",
    "UnauthorizedOperation.RequestPermissionDeny",
    "UnauthorizedOperation.IndividualUserMarketingSmsPermissionDeny",
    "InvalidParameterValue.SdkAppIdNotExist",
    "AuthFailure.SignatureFailure",
    "AuthFailure.SignatureExpire",
    "AuthFailure.SecretIdNotFound",
    "AuthFailure.InvalidSecretId",
    "AuthFailure.TokenFailure",
    "AuthFailure.UnauthorizedOperation",
    "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber",
    "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone",
    "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone",
    "UnsupportedOperation.UnsupportedRegion",
    "InternalError.Timeout",
    "InternalError.SendAndRecvFail",
    "FailedOperation.NotListedAnywhere",
)
"""Mobile number 1380001nnnn gets the n-th of these codes (from 0), at its own entry of the answer or, by
`for_whole_request`, as the error of its request.

`InternalError.SendAndRecvFail` comes after the message was accepted, which no document excludes.
"""

CODE_PREFIX = "1380001"
AFTER_ACCEPTANCE = "InternalError.SendAndRecvFail"
_WHOLE = ("AuthFailure.", "UnauthorizedOperation.", "UnsupportedOperation.", "InternalError.")
_ALSO_WHOLE = frozenset(
    {
        "RequestLimitExceeded",
        "LimitExceeded.PhoneNumberCountLimit",
        "InvalidParameterValue.SdkAppIdNotExist",
        "FailedOperation.TemplateIdNotExist",
        "FailedOperation.PhoneNumberParseFail",
    }
)


def code_for(number: str) -> str:
    """The code which a magic number asks for, or an empty string."""
    digits = number[-11:]
    if not digits.startswith(CODE_PREFIX) or int(digits[-4:]) >= len(CODES):
        return ""
    return CODES[int(digits[-4:])]


def for_whole_request(code: str) -> bool:
    """Whether a code refuses a request with all of its numbers."""
    return code.startswith(_WHOLE) or code in _ALSO_WHOLE
