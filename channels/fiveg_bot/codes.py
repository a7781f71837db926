"""What the platform's answers mean (protocol section 9), as data.

Only what a code's definition places before acceptance counts as refused. `-2` (internal error) can strike
after the message was stored, and no definition says that `-1` (busy) cannot, so both are unknown and the
status push resolves them; `busy_is_refusal` is for accounts whose operator has promised the latter.
"""

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from channels.base import SendResult, accepted, refused, unknown
from channels.errors import Fault
from channels.http import Response

BUSY = -1
TOKEN_CODES = frozenset({40001, 40014, 41001, 42001})
"""The token was not taken, so nothing else was looked at: refresh once, send once more."""

CHINA = timezone(timedelta(hours=8))

_DAY, _MONTH, _YEAR = 30001, 30002, 30004
_PAUSES = {30003: timedelta(seconds=1), 45001: timedelta(minutes=1), BUSY: timedelta(seconds=5)}
_FAULTS: dict[Fault, tuple[int, ...]] = {
    Fault.THROTTLED: (30003, 45001, _DAY, _MONTH, _YEAR),
    Fault.UNAUTHORIZED: (*TOKEN_CODES, 40002, 41002, 41004),
    Fault.MISCONFIGURED: (30008, 43001, 48001),
    Fault.INVALID_ADDRESS: (1, 46001, 46002, 46003),
    Fault.OPTED_OUT: (5,),
    Fault.UNSUPPORTED: (2, 6),
    Fault.DEFERRED: (4,),
    Fault.REJECTED: (
        *(3, 20002, 20003, 40005, 40006, 40007, 40008, *range(40016, 40023), 40040, 40052),
        *(41005, 41006, 44001, 44002, 45010, 47001, 47002, 60001, 60002, 60003, 70001),
    ),
}
FAULT_OF = {code: fault for fault, codes in _FAULTS.items() for code in codes}

_CODE = re.compile(r"-?[0-9]{1,9}")
_HTTP_FAULTS = {
    401: Fault.UNAUTHORIZED,
    403: Fault.UNAUTHORIZED,
    404: Fault.MISCONFIGURED,
    405: Fault.MISCONFIGURED,
    413: Fault.REJECTED,
    429: Fault.THROTTLED,
}


def read_json(response: Response) -> dict[str, Any]:
    """The answer's object, empty if it is none."""
    try:
        document = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def error_code(document: dict[str, Any]) -> int | None:
    """The errorCode, which some platforms send as a numeric string; None if there is none to read."""
    code = document.get("errorCode")
    return int(code) if isinstance(code, int | str) and _CODE.fullmatch(str(code)) else None


def token_refused(response: Response) -> bool:
    """Did the platform stop at the token?"""
    if response.status == 401:
        return True
    # Most answers are successes, so the text is searched before it is parsed.
    if response.status >= 500 or b'"errorCode":0' in response.body:
        return False
    return error_code(read_json(response)) in TOKEN_CODES


def pause_after(code: int, now: float) -> timedelta | None:
    """How long a refused account should rest; quotas come back with the day, month or year in China."""
    if code not in {_DAY, _MONTH, _YEAR}:
        return _PAUSES.get(code)
    here = datetime.fromtimestamp(now, CHINA)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    back = {
        _DAY: midnight + timedelta(days=1),
        _MONTH: (midnight.replace(day=1) + timedelta(days=32)).replace(day=1),
        _YEAR: midnight.replace(year=here.year + 1, month=1, day=1),
    }
    return back[code] - here


def _refused_by_http(key: str, response: Response) -> SendResult:
    fault = _HTTP_FAULTS.get(response.status)
    code = f"http_{response.status}"
    if fault is None:
        return unknown(key, code)
    seconds = response.headers.get("retry-after", "")
    pause = timedelta(seconds=int(seconds)) if seconds.isdecimal() and len(seconds) < 7 else None
    return refused(key, fault, code, pause)


def classify(key: str, response: Response, now: float, busy_is_refusal: bool) -> SendResult:
    """What an answer to a send says about the message."""
    if response.status >= 500:
        return unknown(key, f"http_{response.status}")
    document = read_json(response)
    code = error_code(document)
    if code is None and not 200 <= response.status < 300:
        return _refused_by_http(key, response)
    if code is None or (code == 0 and response.status != 200):
        return unknown(key, "unreadable")
    if code == 0:
        ref = document.get("messageId")
        return accepted(key, ref if isinstance(ref, str) else "")
    fault = Fault.THROTTLED if code == BUSY and busy_is_refusal else FAULT_OF.get(code)
    if fault is None:
        return unknown(key, str(code))
    return refused(key, fault, str(code), pause_after(code, now))
