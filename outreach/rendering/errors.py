"""The one error of templates."""

import re
from difflib import get_close_matches
from typing import Any, Self

from outreach.errors import InvalidInput


class TemplateInvalid(InvalidInput):
    """A template or a value for it is wrong. `details` may hold `line` and `column` (both from 1),
    `variable` and `suggestion`."""

    code = "template_invalid"

    @classmethod
    def at(cls, source: str, line: int, problem: str, near: str = "", **details: Any) -> Self:
        """Name the place: the first occurrence of `near` in the line, or the first tag in it."""
        column = _column(source, line, near)
        return cls(f"第{line}行第{column}列：{problem}", line=line, column=column, **details)


def _column(source: str, line: int, near: str) -> int:
    # The line ends that Jinja counts, and no others.
    lines = re.split(r"\r\n|\r|\n", source)
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    tag = max(text.find("{"), 0)
    return max(text.find(near, tag), tag) + 1


def suggest(name: str, known: list[str]) -> tuple[str, str]:
    """The nearest known name and a Chinese half-sentence that offers it; both empty if none is near."""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return (near[0], f"，您要写的是不是 {near[0]}？") if near else ("", "")
