"""Simulated taxpayers: whether a household files after a round depends on whether it was reached.

A seeded draw per household and round, so that a demo can be repeated; the difference between reached and not
reached is what the hold-out group is there to measure.
"""

import random
from collections.abc import Iterable

FILES_IF_REACHED = 0.42
FILES_ANYWAY = 0.18
REFUSES = 0.02
DISPUTES = 0.002


def who_files(households: Iterable[int], reached: set[int], seed: int, ordinal: int) -> list[int]:
    """The households that file between this round and the next one."""
    filing = []
    for household in households:
        draw = random.Random(f"{seed}|{ordinal}|{household}").random()
        if draw < (FILES_IF_REACHED if household in reached else FILES_ANYWAY):
            filing.append(household)
    return filing


def who_disputes(households: Iterable[int], seed: int, ordinal: int) -> list[int]:
    """The households that say somebody misused their identity: everything stops for them."""
    return [
        one for one in households if random.Random(f"{seed}|{ordinal}|disputes|{one}").random() < DISPUTES
    ]


def who_refuses(messages: Iterable[tuple[int, str]], seed: int, ordinal: int) -> list[str]:
    """The mobile numbers that answer R, of pairs of person and number."""
    return [
        number
        for person, number in messages
        if random.Random(f"{seed}|{ordinal}|refuses|{person}").random() < REFUSES
    ]
