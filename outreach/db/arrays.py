"""Arrays of integers between numpy and PostgreSQL, in binary: millions of ids, and no object for each.

A parameter that is a numpy array goes as `int[]`, so its values must fit 32 bits.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.postgres import types
from psycopg.pq import Format

Ints = NDArray[np.int64]

INT4 = types["int4"].oid
HEADER = struct.Struct("!iiIii")
"""Dimensions (1), nulls (0), type of the elements, their number, the index of the first."""
_EMPTY = struct.Struct("!iiI")
ELEMENT = np.dtype([("bytes", ">i4"), ("value", ">i4")])
_LARGE_ELEMENT = np.dtype([("bytes", ">i4"), ("value", ">i8")])


class IntsDumper(Dumper):
    """A numpy array of integers as `int[]`."""

    format = Format.BINARY
    oid = types["int4"].array_oid

    def dump(self, obj: NDArray[Any]) -> Buffer:
        """The header and the elements."""
        if not len(obj):
            return _EMPTY.pack(0, 0, INT4)
        return HEADER.pack(1, 0, INT4, len(obj), 1) + elements(obj).tobytes()


def elements(values: NDArray[Any]) -> NDArray[np.void]:
    """Each value behind its length, as it stands in a binary array of `int`."""
    found = np.empty(len(values), ELEMENT)
    found["bytes"], found["value"] = ELEMENT["value"].itemsize, values
    return found


async def fetch_arrays(
    conn: AsyncConnection[dict[str, Any]], query: str, params: dict[str, Any]
) -> list[dict[str, Any]]:
    """The rows of a query. Arrays of `int` or `bigint`, which must hold no nulls, become numpy arrays, and
    what is null, as the aggregate of no row is, an empty one."""
    async with conn.cursor(binary=True) as cursor:
        cursor.adapters.register_loader(types["int4"].array_oid, _IntsLoader)
        cursor.adapters.register_loader(types["int8"].array_oid, _LargeIntsLoader)
        rows = await (await cursor.execute(query, params)).fetchall()
    return [{name: _NONE if value is None else value for name, value in row.items()} for row in rows]


_NONE: Ints = np.empty(0, np.int64)


class _IntsLoader(Loader):
    format = Format.BINARY
    element = ELEMENT

    def load(self, data: Buffer) -> Ints:
        if len(data) <= HEADER.size:
            return _NONE
        return np.frombuffer(data, self.element, offset=HEADER.size)["value"].astype(np.int64)


class _LargeIntsLoader(_IntsLoader):
    element = _LARGE_ELEMENT
