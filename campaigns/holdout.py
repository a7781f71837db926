"""The hold-out group: random, fixed by a seed, the same in every round (labels/draw.py)."""

from pyroaring import BitMap

from outreach.labels.draw import drawn


def held_out(audience: BitMap, permille: int, seed: int) -> BitMap:
    """The members of the audience that are held out; `permille` of 1,000 on average."""
    return drawn(audience, 0, permille, seed)
