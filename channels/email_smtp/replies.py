"""What a server's reply means for a mail (RFC 5321 section 4.2, enhanced codes RFC 3463)."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from channels.base import SendResult, accepted, refused, unknown
from channels.errors import Fault

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")
_QUEUED = re.compile(r"queued as ([\w.-]{1,64})|\bid=([\w.-]{1,64})", re.IGNORECASE)
_TOO_OFTEN = re.compile(r"frequency limited|too many|rate limit", re.IGNORECASE)
_POLICY = re.compile(r"denied|relay|block|spam|policy|blacklist|reputation|refused|reject", re.IGNORECASE)
_RETRY = timedelta(minutes=1)

HARD = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
"""Subject and detail of permanent codes that tell of the address itself."""


class Stage(StrEnum):
    """Which command a reply answers."""

    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: three digits and its text, its lines joined by line feeds."""

    code: int
    text: str

    @property
    def enhanced(self) -> str:
        """`x.y.z` or an empty string."""
        found = _ENHANCED.match(self.text)
        return found[0] if found else ""

    @property
    def name(self) -> str:
        """`550 5.1.1`, as results carry it."""
        return f"{self.code} {self.enhanced}".rstrip()


def settle(key: str, reply: Reply) -> SendResult:
    """The outcome of a mail whose final dot was answered."""
    if 200 <= reply.code < 300:
        found = _QUEUED.search(reply.text)
        return accepted(key, (found[1] or found[2]) if found else "")
    if 400 <= reply.code < 600:
        return refuse(key, Stage.DOT, reply)
    return unknown(key, reply.name)


def refuse(key: str, stage: Stage, reply: Reply) -> SendResult:
    """The result of a mail that the server certainly did not take."""
    fault = fault_of(stage, reply)
    return refused(key, fault, reply.name, _RETRY if fault is Fault.THROTTLED else None)


def fault_of(stage: Stage, reply: Reply) -> Fault:
    """What a 4xx or 5xx reply touches."""
    if reply.code == 421 or _TOO_OFTEN.search(reply.text):
        return Fault.THROTTLED
    if reply.code < 500:
        return Fault.DEFERRED
    detail = reply.enhanced[2:] if reply.enhanced.startswith("5") else ""
    if reply.code in (530, 535) or detail == "7.8":
        return Fault.UNAUTHORIZED
    if detail == "6.7":
        return Fault.UNSUPPORTED
    if stage is Stage.MAIL:
        return Fault.REJECTED if reply.code == 552 else Fault.MISCONFIGURED
    return _fault_of_recipient(stage, reply, detail)


def _fault_of_recipient(stage: Stage, reply: Reply, detail: str) -> Fault:
    if detail in HARD:
        return Fault.INVALID_ADDRESS
    if detail == "2.2":
        # A full mailbox is emptied some day, although the code says permanent.
        return Fault.DEFERRED
    plain = stage is Stage.RCPT and not detail and reply.code in (550, 551, 553)
    return Fault.INVALID_ADDRESS if plain and not _POLICY.search(reply.text) else Fault.REJECTED
