"""How many parts an SMS has, which is what is billed.

Chinese gateways send and bill every text as UCS-2/UTF-16: 70 code units in one part; longer texts give room
to the header that joins the parts (3GPP TS 23.040 §9.2.3.24.1 with an 8-bit reference: 67 units are left,
§9.2.3.24.8 with a 16-bit reference: 66). The signature 【…】 counts.
"""

from dataclasses import dataclass
from typing import Literal

Header = Literal["udh8", "udh16"]

SINGLE = 70
PER_PART: dict[Header, int] = {"udh8": 67, "udh16": 66}


@dataclass(frozen=True, slots=True)
class Parts:
    """`units` are UTF-16 code units of the whole text, `parts` is what is billed."""

    units: int
    parts: int
    encoding: str = "ucs2"


def signed(text: str, signature: str) -> str:
    """The text as it reaches a phone; `signature` stands without its brackets."""
    return f"【{signature}】{text}" if signature else text


def count_parts(text: str, signature: str = "", header: Header = "udh8") -> Parts:
    """Count units and parts of a text with its signature. An empty text is one part."""
    whole = signed(text, signature)
    units = _units(whole)
    if units <= SINGLE:
        return Parts(units, 1)
    if units == len(whole):
        return Parts(units, -(-units // PER_PART[header]))
    return Parts(units, len(cut_parts(whole, header)))


def cut_parts(whole: str, header: Header = "udh8") -> list[str]:
    """Cut a signed text; a character outside the basic plane (two units) never falls on a border."""
    if _units(whole) <= SINGLE:
        return [whole]
    room, parts, start, used = PER_PART[header], [], 0, 0
    for index, character in enumerate(whole):
        size = 2 if character > "\uffff" else 1
        if used + size > room:
            parts.append(whole[start:index])
            start, used = index, 0
        used += size
    return [*parts, whole[start:]]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
