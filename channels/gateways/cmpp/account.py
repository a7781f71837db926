"""The contract of the one service provider that the simulated gateway knows, and how it proves itself.

Source: protocol sheet `cmpp`, sections 1, 3 and 5.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))
VERSION_2, VERSION_3 = 0x20, 0x30
_SEQUENCES = 1 << 16


@dataclass(frozen=True, slots=True)
class Account:
    """What was agreed. `window`: requests that may wait for an answer on one connection; `skew`: seconds that
    the clocks may differ; `highest`: the highest protocol version spoken; `connections`: at the same time."""

    sp_id: str = "900001"
    secret: str = "888888"
    service_id: str = "TAX"
    source: str = "10690012366"
    window: int = 16
    connections: int = 8
    skew: float = 600.0
    highest: int = VERSION_3
    groups: bool = True


def sign(sp_id: str, secret: str, stamp: int) -> bytes:
    """AuthenticatorSource."""
    parts = (sp_id.encode().ljust(6, b"\0"), bytes(9), secret.encode(), b"%010d" % stamp)
    return hashlib.md5(b"".join(parts), usedforsecurity=False).digest()


def countersign(status: bytes, source: bytes, secret: str) -> bytes:
    """AuthenticatorISMG; `status` in its wire width."""
    return hashlib.md5(status + source + secret.encode(), usedforsecurity=False).digest()


def clocks_agree(stamp: int, now: datetime, skew: float) -> bool:
    """Whether MMDDHHMMSS is a moment close to `now`, also around the turn of the year."""
    local = now.astimezone(CHINA)
    for year in (local.year - 1, local.year, local.year + 1):
        try:
            told = datetime.strptime(f"{year}{stamp:010d}", "%Y%m%d%H%M%S").replace(tzinfo=CHINA)
        except ValueError:
            continue
        if abs((told - local).total_seconds()) <= skew:
            return True
    return False


def make_id(now: datetime, gateway: int, sequence: int) -> int:
    """Msg_Id: month, day, hour, minute, second, gateway code, sequence."""
    at = now.astimezone(CHINA)
    clock = at.month << 22 | at.day << 17 | at.hour << 12 | at.minute << 6 | at.second
    return clock << 38 | gateway << 16 | sequence % _SEQUENCES


def id_behind(first: int, place: int) -> int:
    """The Msg_Id of the destination at a place of a SUBMIT: only the low 16 bits count on, and wrap."""
    return first - first % _SEQUENCES + (first + place) % _SEQUENCES
