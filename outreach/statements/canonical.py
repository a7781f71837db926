"""The one text of a content: JSON with sorted keys and no spaces, the same on every machine.

What many contents say alike is serialised once, as a form with places, into which their figures are put.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

# JSON never holds this byte by itself.
_MARK = "\0"
TEXT, VALUE = orjson.Fragment(f'"{_MARK}"'), orjson.Fragment(_MARK)
"""Places of a form: for a text without anything to escape, for a value that is canonical JSON already."""


def canonical(content: Mapping[str, Any] | Sequence[Any]) -> str:
    """The canonical text of a content or of a part of it. An `orjson.Fragment` in it is canonical already."""
    return canonical_bytes(content).decode()


def canonical_bytes(content: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """The same in UTF-8: what is hashed and what is sealed."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def form_of(content: Mapping[str, Any]) -> str:
    """The canonical text of a content with places, to be filled by `%` in the order of their names."""
    return canonical(content).replace("%", "%%").replace(_MARK, "%s")
