"""What the simulated gateway sends down: status reports and uplinks. Source: sheet, sections 6 and 8."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_CODECS = {0: "ascii", 8: "utf-16-be", 15: "gb18030"}
_HEADER = 6
_LARGEST_REPORT_SEQUENCE = 9999


@dataclass(frozen=True, slots=True)
class Delivery:
    """A DELIVER in no version yet. `content` makes its content, told whether the version is 3.0; `done` is
    called when it was taken."""

    fields: Mapping[str, Any]
    content: Callable[[bool], bytes]
    done: Callable[[], None]


def write_report(
    number: str,
    msg_id: int,
    submit: Mapping[str, Any],
    failed: bool,
    own_id: int,
    now: datetime,
    done: Callable[[], None],
) -> Delivery:
    """The status report of one destination of a SUBMIT. `own_id` is that of the report, `now` in UTC+8."""
    stamp = now.strftime("%y%m%d%H%M").encode()
    stat = b"UNDELIV" if failed else b"DELIVRD"

    def content(third: bool) -> bytes:
        target = number.encode().ljust(32 if third else 21, b"\0")
        sequence = msg_id % _LARGEST_REPORT_SEQUENCE
        return msg_id.to_bytes(8) + stat + stamp + stamp + target + sequence.to_bytes(4)

    fields = {
        "msg_id": own_id,
        "dest": submit["src_id"].rstrip(b"\0"),
        "service_id": submit["service_id"].rstrip(b"\0"),
        "source": number.encode(),
        "registered": 1,
    }
    return Delivery(fields, content, done)


def write_uplink(
    message: Mapping[str, Any], base: Mapping[str, Any], next_id: Callable[[], int], reference: int
) -> Iterator[Delivery]:
    """A text from a phone; in several parts where it is longer than `size` octets."""
    fmt, size = int(message.get("fmt", 8)), int(message.get("size", 140))
    content = str(message["text"]).encode(_CODECS[fmt])
    parts = [content]
    if len(content) > size:
        pieces = [content[n : n + size - _HEADER] for n in range(0, len(content), size - _HEADER)]
        parts = [bytes((5, 0, 3, reference, len(pieces), n)) + one for n, one in enumerate(pieces, 1)]
    for part in parts:
        fields = {
            **base,
            "msg_id": next_id(),
            "udhi": int(len(parts) > 1),
            "fmt": fmt,
            "source": str(message["address"]).encode(),
        }
        yield Delivery(fields, lambda _, part=part: part, _nothing)  # type: ignore[misc]


def _nothing() -> None:
    return
