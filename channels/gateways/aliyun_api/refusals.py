"""How the provider says no, and the numbers that make it say so. Source: sheet, sections 3, 5 and 6."""


class GatewayRefusal(Exception):
    """Refused before an operation is reached: HTTP 4xx with HostId and Recommend."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


class BusinessRefusal(Exception):
    """Refused by an operation: HTTP 200 with another code than OK."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class Cut(Exception):
    """The connection breaks without an answer."""


CODES = (
    "isv.BUSINESS_LIMIT_CONTROL",
    "isv.DAY_LIMIT_CONTROL",
    "isv.MONTH_LIMIT_CONTROL",
    "isv.BLACK_KEY_CONTROL_LIMIT",
    "isv.DOMESTIC_NUMBER_NOT_SUPPORTED",
    "isv.SMS_TEMPLATE_ILLEGAL",
    "isv.SMS_SIGNATURE_ILLEGAL",
    "isv.SMS_SIGN_ILLEGAL",
    "isv.SIGN_STATE_ILLEGAL",
    "isv.SMS_SIGNATURE_SCENE_ILLEGAL",
    "isv.TEMPLATE_PARAMS_ILLEGAL",
    "isv.SMS_CONTENT_ILLEGAL",
    "isv.EXTEND_CODE_ERROR",
    "isv.INVALID_PARAMETERS",
    "isv.AMOUNT_NOT_ENOUGH",
    "isv.OUT_OF_SERVICE",
    "isv.PRODUCT_UN_SUBSCRIPT",
    "isv.PRODUCT_UNSUBSCRIBE",
    "isv.ACCOUNT_NOT_EXISTS",
    "isv.ACCOUNT_ABNORMAL",
    "isv.DENY_IP_RANGE",
    "isp.RAM_PERMISSION_DENY",
    "isp.GATEWAY_ERROR",
    "isp.SYSTEM_ERROR",
    "Throttling",
    "Throttling.User",
    "Forbidden.RAM",
    "SignatureDoesNotMatch",
    "InvalidTimeStamp.Expired",
    "isv.NOT_LISTED_ANYWHERE",
)
"""Mobile number 1380001nnnn is refused with the n-th of these codes (from 0).

`isp.SYSTEM_ERROR` comes after the message was accepted, which no document excludes.
"""

CODE_PREFIX = "1380001"
AFTER_ACCEPTANCE = "isp.SYSTEM_ERROR"


def code_for(number: str) -> str:
    """The code which a magic number asks for, or an empty string."""
    digits = number[-11:]
    if not digits.startswith(CODE_PREFIX) or int(digits[-4:]) >= len(CODES):
        return ""
    return CODES[int(digits[-4:])]


def raise_code(code: str) -> None:
    """Refuse with a code in the way in which the provider transports it."""
    if not code.startswith(("isv.", "isp.")):
        raise GatewayRefusal(400, code, f"Refused on demand: {code}.")
    detail = "触发小时级流控Permits:5" if code == "isv.BUSINESS_LIMIT_CONTROL" else f"按号码要求返回{code}"
    raise BusinessRefusal(code, detail)
