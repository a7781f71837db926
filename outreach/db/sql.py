"""Queries live in `.sql` files beside the module that uses them.

A file holds blocks that start with `-- name: claim`. `load_queries(__file__)` reads the `.sql` file that
stands beside a Python file of the same stem.
"""

import re
from pathlib import Path

_HEADER = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def load_queries(python_file: str) -> dict[str, str]:
    """Name to SQL text, with psycopg parameters `%(name)s`. Raises ValueError if a name stands twice."""
    return parse_queries(Path(python_file).with_suffix(".sql"))


def parse_queries(path: Path) -> dict[str, str]:
    """The named queries of one file."""
    parts = _HEADER.split(path.read_text(encoding="utf-8"))
    names, bodies = parts[1::2], parts[2::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{path.name}: a query name stands twice")
    return {name: body.strip().rstrip(";") for name, body in zip(names, bodies, strict=True)}
