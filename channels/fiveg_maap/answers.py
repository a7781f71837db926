"""What the platform's answers mean (protocol sections 3 and 8), as data.

Only what a code's definition places before acceptance counts as refused. The published tables are incomplete:
whatever stands in none of them is unknown, and the delivery report resolves it.
"""

from datetime import timedelta

from channels.base import SendResult, accepted, refused, unknown
from channels.errors import Fault, GatewayError
from channels.fiveg_maap.xml import Node, XmlInvalid, read_xml
from channels.http import Response

FAULT_OF = {
    "POL0009": Fault.THROTTLED,
    "POL0001": Fault.REJECTED,
    "POL0003": Fault.REJECTED,
    "SVC0002": Fault.REJECTED,
    "SVC0003": Fault.REJECTED,
    "SVC0004": Fault.INVALID_ADDRESS,
}
_USER_UNKNOWN = "SVC4001"
"""With 403: the user's data could not be had. With any other status it is an error inside the platform."""

_HTTP_FAULTS = {
    401: Fault.UNAUTHORIZED,
    403: Fault.UNAUTHORIZED,
    404: Fault.MISCONFIGURED,
    405: Fault.MISCONFIGURED,
    406: Fault.MISCONFIGURED,
    413: Fault.REJECTED,
    429: Fault.THROTTLED,
    603: Fault.REJECTED,
}
_THROTTLE_PAUSE = timedelta(seconds=1)
_FINE = frozenset({"", "0", "00000"})


def read_answer(response: Response) -> Node:
    """The answer's root element, an empty one if it is not XML."""
    try:
        return read_xml(response.body)
    except XmlInvalid:
        return Node("")


def error_code(document: Node) -> str:
    """The messageId or exceptionId of a requestError or of a delivery's exception; empty if there is none."""
    for name in ("serviceException", "policyException"):
        exception = document.find(name)
        if exception is not None:
            return exception.value("messageId") or exception.value("exceptionId")
    return ""


def classify(key: str, response: Response) -> SendResult:
    """What an answer to a send says about its one message."""
    status = response.status
    if status >= 500 and status != 603:
        return unknown(key, f"http_{status}")
    document = read_answer(response)
    if not 200 <= status < 300 or document.name == "requestError":
        return _refusal(key, response, error_code(document))
    result = document.value("resultCode")
    if document.name != "outboundMessageRequest" or result not in _FINE:
        return unknown(key, result or "unreadable")
    states = [info.value("deliveryStatus") for info in _deliveries(document)]
    if "DeliveryImpossible" in states:
        code = error_code(document)
        return refused(key, FAULT_OF.get(code, Fault.UNSUPPORTED), code or "DeliveryImpossible")
    ref = document.value("messageId")
    return accepted(key, ref) if ref else unknown(key, "unreadable")


def _deliveries(document: Node) -> list[Node]:
    listed = document.find("deliveryInfoList")
    return listed.all("deliveryInfo") if listed is not None else []


def _refusal(key: str, response: Response, code: str) -> SendResult:
    fault = FAULT_OF.get(code)
    if code == _USER_UNKNOWN and response.status == 403:
        fault = Fault.DEFERRED
    # Whoever is refused at the door has handed nothing in, whatever the code.
    if response.status == 401 or (fault is None and not code.startswith("SVC")):
        fault = _HTTP_FAULTS.get(response.status)
    told = code or f"http_{response.status}"
    if fault is None:
        return unknown(key, told)
    return refused(key, fault, told, _THROTTLE_PAUSE if fault is Fault.THROTTLED else None)


def judge_account(response: Response) -> None:
    """Whether an answer shows that the account works, even if it is a refusal of what was asked. Raises
    GatewayError."""
    status, code = response.status, error_code(read_answer(response))
    told = code or f"http_{status}"
    if status == 401 or (status == 403 and code not in {_USER_UNKNOWN, "POL0009"}):
        text = "平台拒绝了账号，请核对 cspId/appId、cspToken/密码、接口变体、本机时间和出口 IP 报备"
        raise GatewayError(Fault.UNAUTHORIZED, f"{text}（{told}）", told)
    if 200 <= status < 300 or (400 <= status < 500 and code.startswith("SVC")):
        return
    if status == 429 or FAULT_OF.get(code) is Fault.THROTTLED:
        raise GatewayError(Fault.THROTTLED, f"平台限流，请稍后再检测（{told}）", told)
    if status >= 500:
        raise GatewayError(Fault.UNREACHABLE, f"平台内部错误，请稍后再检测（{told}）", told)
    raise GatewayError(
        Fault.MISCONFIGURED, f"平台不认识这个地址，请核对平台地址、Chatbot 地址和接口变体（{told}）", told
    )
