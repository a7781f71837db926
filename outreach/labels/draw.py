"""Drawing by chance, fixed by a seed: hold-out groups, comparisons of texts, samples for a call-back.

Whether a taxpayer is drawn depends on a hash of her id and the seed alone. No list is kept, none can leak,
and adding taxpayers moves nobody from one part to another.
"""

import numpy as np
from pyroaring import AbstractBitMap, BitMap

from outreach.labels.bitmaps import from_array, to_array

WHOLE = 1000
"""Parts are told in thousandths."""

_MASK = np.uint64(0xFFFFFFFFFFFFFFFF)


def drawn(members: AbstractBitMap, low: int, high: int, seed: int) -> BitMap:
    """The members whose number, 0 to 999 by chance, lies in [low, high). Parts that do not overlap have
    nobody in common, and all of them together are everybody."""
    if low >= high or not members:
        return BitMap()
    ids = to_array(members).astype(np.uint64)
    place = _mix(ids, seed) % np.uint64(WHOLE)
    return from_array(ids[(place >= np.uint64(low)) & (place < np.uint64(high))].astype(np.uint32))


def _mix(ids: np.ndarray, seed: int) -> np.ndarray:
    # splitmix64 (Steele, Lea, Flood 2014): every input bit moves every output bit.
    with np.errstate(over="ignore"):
        z = (ids + np.uint64(seed & 0xFFFFFFFF) * np.uint64(0x9E3779B97F4A7C15)) & _MASK
        z = (z + np.uint64(0x9E3779B97F4A7C15)) & _MASK
        z = ((z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)) & _MASK
        z = ((z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)) & _MASK
        return z ^ (z >> np.uint64(31))
