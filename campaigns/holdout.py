"""The hold-out group: random, fixed by a seed, the same in every round.

A taxpayer is held out if a hash of her id and the seed falls below the share. No list is kept, none can
leak, and adding taxpayers moves nobody from one side to the other.
"""

import numpy as np
from pyroaring import BitMap

_MASK = np.uint64(0xFFFFFFFFFFFFFFFF)


def held_out(audience: BitMap, permille: int, seed: int) -> BitMap:
    """The members of the audience that are held out; `permille` of 1,000 on average."""
    if permille == 0 or not audience:
        return BitMap()
    ids = np.array(audience.to_array(), dtype=np.uint64)
    return BitMap(ids[_mix(ids, seed) % np.uint64(1000) < np.uint64(permille)].astype(np.uint32))


def _mix(ids: np.ndarray, seed: int) -> np.ndarray:
    # splitmix64 (Steele, Lea, Flood 2014): every input bit moves every output bit.
    with np.errstate(over="ignore"):
        z = (ids + np.uint64(seed & 0xFFFFFFFF) * np.uint64(0x9E3779B97F4A7C15)) & _MASK
        z = (z + np.uint64(0x9E3779B97F4A7C15)) & _MASK
        z = ((z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)) & _MASK
        z = ((z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)) & _MASK
        return z ^ (z >> np.uint64(31))
