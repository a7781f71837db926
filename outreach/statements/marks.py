"""Labels and attributes for whole blocks of households: sets computed once for an issue, then intersected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pyroaring import BitMap, FrozenBitMap

from outreach.db.pool import Connection
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_texts
from outreach.labels.slices import read_many
from outreach.labels.units import from_stored
from outreach.runtime import Runtime

Mark = tuple[int, str, str]
SCANNED = "scanned"
"""The mark of households that a scan of the year has looked at."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The sets of an issue by name, of one moment, and the attributes that are read block by block."""

    sets: Mapping[str, FrozenBitMap]
    amounts: Sequence[str]
    cache: SetCache


async def read_marks(
    rt: Runtime, labels: Mapping[str, str], amounts: Sequence[str], scope_org_id: int
) -> Marks:
    """Evaluate the expressions of some marks in a scope; `amounts` are codes of attributes in money.

    Raises ExpressionInvalid when a label that is needed does not stand in the catalogue.
    """
    cache = SetCache()
    frozen = await evaluate_texts(rt, cache, labels, scope_org_id) if labels else {}
    return Marks({name: one.members for name, one in frozen.items()}, amounts, cache)


async def marks_of(conn: Connection, marks: Marks, ids: Sequence[int]) -> list[Mark]:
    """Household, name and value ('' for a label) of what is true of a block."""
    block = BitMap(ids)
    found = [
        (taxpayer_id, name, "") for name, members in marks.sets.items() for taxpayer_id in members & block
    ]
    if marks.amounts and ids:
        read = await read_many(conn, marks.cache, marks.amounts, np.array(ids, dtype=np.uint32))
        found += [
            (taxpayer_id, code, str(from_stored("money", int(value))))
            for code, (values, present) in read.items()
            for taxpayer_id, value, there in zip(ids, values, present, strict=True)
            if there
        ]
    return found
