"""How the new batches of a channel are shared out among its accounts, and when points move. Pure rules.

A channel has 100 points. More than 50 errors within a minute move ten of them to the other accounts, at most
once a minute; so does slowness (15 % of what was sent 5 to 15 minutes ago without a receipt for 5 minutes),
at most each five minutes and never where all are slow. Ten points drift back each 15 minutes. The rules are
those with which GOV.UK Notify balances two SMS suppliers: simple, explainable, damped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

POINTS = 100
STEP = 10
ERRORS = 50
SLOW_SHARE = 0.15
SLOW_SAMPLE = 20
_ERRORS_APART = timedelta(minutes=1)
_SLOW_APART = timedelta(minutes=5)
_DRIFT_APART = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Standing:
    """An account as the rules see it. `weight`: as configured; `share`: its points, None while it rests;
    `able`: it takes messages; `judged`, `slow`: messages old enough to judge, and those of them without a
    receipt in time; the moments are those at which its points last moved, by reason and by any."""

    gateway_id: int
    weight: int
    share: int | None
    able: bool
    errors: int
    judged: int
    slow: int
    errors_moved_at: datetime | None
    slow_moved_at: datetime | None
    moved_at: datetime | None

    @property
    def is_slow(self) -> bool:
        """Whether enough messages were judged, and too many of them are late."""
        return self.judged >= SLOW_SAMPLE and self.slow >= SLOW_SHARE * self.judged


@dataclass(frozen=True, slots=True)
class Shift:
    """New points of a channel's accounts, and why. `of` is the account that the reason is about."""

    reason: str
    of: int
    shares: Mapping[int, int]


def resting_shares(weights: Mapping[int, int]) -> dict[int, int]:
    """100 points in proportion to the configured weights, the largest remainders rounded up."""
    total = sum(weights.values())
    if not total:
        return dict.fromkeys(weights, 0)
    exact = {key: POINTS * weight / total for key, weight in weights.items()}
    shares = {key: int(value) for key, value in exact.items()}
    by_remainder = sorted(exact, key=lambda key: (shares[key] - exact[key], key))
    for key in by_remainder[: POINTS - sum(shares.values())]:
        shares[key] += 1
    return shares


def shift(accounts: Sequence[Standing], now: datetime) -> Shift | None:
    """The one movement of points that is due in a channel; None for none."""
    if len(accounts) < 2:
        return None
    rest = resting_shares({one.gateway_id: one.weight for one in accounts})
    shares = {one.gateway_id: rest[one.gateway_id] if one.share is None else one.share for one in accounts}
    return (
        _by_errors(accounts, shares, now)
        or _by_slowness(accounts, shares, now)
        or _drift(accounts, shares, rest, now)
    )


def _by_errors(accounts: Sequence[Standing], shares: dict[int, int], now: datetime) -> Shift | None:
    worst = max(accounts, key=lambda one: one.errors)
    if worst.errors <= ERRORS or not _due([one.errors_moved_at for one in accounts], _ERRORS_APART, now):
        return None
    others = [one.gateway_id for one in accounts if one.able and one is not worst and one.errors <= ERRORS]
    return _move("errors", shares, worst.gateway_id, others)


def _by_slowness(accounts: Sequence[Standing], shares: dict[int, int], now: datetime) -> Shift | None:
    slow = [one for one in accounts if one.is_slow]
    quick = [one.gateway_id for one in accounts if one.able and one.judged >= SLOW_SAMPLE and not one.is_slow]
    if not slow or not quick or not _due([one.slow_moved_at for one in accounts], _SLOW_APART, now):
        return None
    slowest = max(slow, key=lambda one: one.slow / one.judged)
    return _move("slow", shares, slowest.gateway_id, quick)


def _drift(
    accounts: Sequence[Standing], shares: dict[int, int], rest: dict[int, int], now: datetime
) -> Shift | None:
    if shares == rest or not _due([one.moved_at for one in accounts], _DRIFT_APART, now):
        return None
    above = sorted(
        (key for key in shares if shares[key] > rest[key]), key=lambda key: rest[key] - shares[key]
    )
    below = sorted(
        (key for key in shares if shares[key] < rest[key]), key=lambda key: shares[key] - rest[key]
    )
    gain = min(STEP, rest[below[0]] - shares[below[0]])
    moved = dict(shares)
    moved[below[0]] += gain
    for key in above:
        given = min(gain, moved[key] - rest[key])
        moved[key] -= given
        gain -= given
    return Shift("drift", below[0], moved)


def _move(reason: str, shares: dict[int, int], giver: int, takers: Sequence[int]) -> Shift | None:
    given = min(STEP, shares[giver])
    if not given or not takers:
        return None
    moved = dict(shares)
    moved[giver] -= given
    for number, taker in enumerate(takers):
        moved[taker] += given // len(takers) + (number < given % len(takers))
    return Shift(reason, giver, moved)


def _due(moments: Sequence[datetime | None], apart: timedelta, now: datetime) -> bool:
    return all(moment is None or now - moment >= apart for moment in moments)
