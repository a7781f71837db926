"""What phones send: whose number it is, which parts belong together."""

import re
import zlib
from collections.abc import Iterable, Iterator
from typing import TypeVar

from channels.lines.uplinks import Piece

Item = TypeVar("Item")

_COUNTRY = re.compile(r"(?:\+86|0086|86)(?=1\d{10}\Z)")


def local_number(number: str) -> str:
    """A mobile number without +86, 0086 or 86, so that the same phone is written in one way."""
    return _COUNTRY.sub("", number.strip())


def join_talks(items: Iterable[tuple[Piece | None, Item]]) -> Iterator[list[Item]]:
    """The parts of each text in their order; what has none stands alone."""
    talks: dict[object, dict[int, Item]] = {}
    for place, (piece, item) in enumerate(items):
        talk = ("part", piece.talk) if piece else ("whole", place)
        talks.setdefault(talk, {})[piece.number if piece else 1] = item
    for parts in talks.values():
        yield [parts[number] for number in sorted(parts)]


def fingerprint(source: str, text: str) -> str:
    """Tells repetition from a number that a gateway uses again."""
    told = f"{source}\n{text}".encode("utf-8", "replace")
    return f"{zlib.crc32(told):08x}"
