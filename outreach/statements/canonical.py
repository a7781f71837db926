"""The one text of a content: JSON with sorted keys and no spaces, the same on every machine."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson


def canonical(content: Mapping[str, Any] | Sequence[Any]) -> str:
    """The canonical text of a content or of a part of it. An `orjson.Fragment` in it is canonical already."""
    return canonical_bytes(content).decode()


def canonical_bytes(content: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """The same in UTF-8: what is hashed and what is sealed."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
