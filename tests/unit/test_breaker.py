"""The rules of breakers and weights: when they move, how far, and that they do not swing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.ledger.breaker import Breaker, Move, Seen, Standing, next_move, opened_because
from outreach.ledger.weights import POINTS, STEP, resting_shares, shift
from outreach.ledger.weights import Standing as Account

NOW = datetime(2026, 3, 18, 2, 24, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
CLOSED = Standing(Breaker.CLOSED, LONG_AGO, 0.0)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (Seen(10_000, 49), None),
        (Seen(10_000, 50), "errors"),
        (Seen(99, 30), None),
        (Seen(100, 20), None),
        (Seen(100, 21), "share"),
        (Seen(100, 10, 11), "share"),
        (Seen(10_000, 0, 1900), None),
        (Seen(0, 0, 0, "unauthorized 40001"), "refused"),
        (Seen(100, 0, 0, "unreachable"), None),
    ],
)
def test_what_opens_a_breaker(seen: Seen, reason: str | None) -> None:
    move = next_move(CLOSED, seen, NOW)
    assert (move.reason if move else None) == reason
    assert move is None or move.to is Breaker.OPEN


def test_an_open_breaker_waits_for_its_pause_and_asks_nothing_else() -> None:
    standing = Standing(Breaker.OPEN, NOW - timedelta(seconds=9), 10.0)
    assert next_move(standing, Seen(5, 0), NOW) is None
    move = next_move(standing, Seen(), NOW + timedelta(seconds=1))
    assert move is not None
    assert move.to is Breaker.HALF_OPEN


@pytest.mark.parametrize(
    ("seen", "to"),
    [
        (Seen(), None),
        (Seen(1, 0), Breaker.CLOSED),
        (Seen(1, 1), Breaker.OPEN),
        (Seen(1, 0, 1), None),
        (Seen(0, 0, 0, "unauthorized"), Breaker.OPEN),
        (Seen(300, 200), Breaker.CLOSED),
    ],
)
def test_a_probe_decides(seen: Seen, to: Breaker | None) -> None:
    move = next_move(Standing(Breaker.HALF_OPEN, NOW, 10.0), seen, NOW)
    assert (move.to if move else None) == to


def fail_and_probe(standing: Standing, now: datetime) -> tuple[Standing, datetime]:
    """The pause passes, the probe fails."""
    now += timedelta(seconds=standing.pause)
    half = moved(next_move(standing, Seen(), now), now)
    return moved(next_move(half, Seen(1, 1), now), now), now


def moved(move: Move | None, now: datetime) -> Standing:
    assert move is not None
    return Standing(move.to, now, move.pause)


def test_pauses_grow_to_five_minutes_and_begin_anew_after_five_good_ones() -> None:
    now = NOW
    standing = moved(next_move(CLOSED, Seen(60, 60), now), now)
    pauses = [standing.pause]
    for _ in range(8):
        standing, now = fail_and_probe(standing, now)
        pauses.append(standing.pause)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    held = moved(next_move(Standing(Breaker.HALF_OPEN, now, 40.0), Seen(1), now), now)
    soon = next_move(held, Seen(60, 60), now + timedelta(minutes=4))
    late = next_move(held, Seen(60, 60), now + timedelta(minutes=6))
    assert soon is not None
    assert late is not None
    assert (soon.pause, late.pause) == (80, 5)


def test_why_it_opened_is_told_in_words() -> None:
    assert opened_because("refused", {"refused": "unauthorized 40001"}) == "账号打不开，凭据被拒绝（40001）"
    assert "200 次提交有 60 次" in opened_because("share", {"tries": 200, "errors": 50, "throttled": 10})


def account(number: int, **changes: object) -> Account:
    plain = Account(number, 100, None, True, 0, 0, 0, None, None, None)
    return replace(plain, **changes)  # type: ignore[arg-type]


@given(st.dictionaries(st.integers(1, 9), st.integers(0, 100), min_size=1))
def test_resting_shares_make_a_hundred(weights: dict[int, int]) -> None:
    shares = resting_shares(weights)
    assert sum(shares.values()) == (POINTS if sum(weights.values()) else 0)
    total = sum(weights.values()) or 1
    assert all(abs(shares[key] - 100 * weight / total) < 1 for key, weight in weights.items())


def test_errors_move_ten_points_once_a_minute() -> None:
    pair = [account(1, errors=51), account(2)]
    moved = shift(pair, NOW)
    assert moved is not None
    assert (moved.reason, moved.of, moved.shares) == ("errors", 1, {1: 40, 2: 60})
    assert shift([account(1, errors=50), account(2)], NOW) is None
    lately = NOW - timedelta(seconds=59)
    just_now = [replace(pair[0], share=40, errors_moved_at=lately, moved_at=lately), account(2, share=60)]
    assert shift(just_now, NOW) is None
    assert shift(just_now, NOW + timedelta(seconds=1)).shares == {1: 30, 2: 70}  # type: ignore[union-attr]


def test_no_points_go_to_an_account_that_is_no_better() -> None:
    assert shift([account(1, errors=90), account(2, errors=60)], NOW) is None
    assert shift([account(1, errors=90), account(2, able=False)], NOW) is None
    assert shift([account(1, errors=90)], NOW) is None


def test_slowness_moves_points_each_five_minutes_and_never_if_all_are_slow() -> None:
    slow, quick = account(1, judged=100, slow=15), account(2, judged=100, slow=14)
    moved = shift([slow, quick], NOW)
    assert moved is not None
    assert (moved.reason, moved.shares) == ("slow", {1: 40, 2: 60})
    assert shift([slow, account(2, judged=100, slow=15)], NOW) is None
    assert shift([slow, account(2)], NOW) is None
    recent = replace(slow, share=40, slow_moved_at=NOW - timedelta(minutes=4), moved_at=NOW)
    assert shift([recent, replace(quick, share=60)], NOW) is None


def test_points_drift_back_ten_each_quarter_of_an_hour() -> None:
    away = [account(1, share=25, moved_at=NOW - timedelta(minutes=15)), account(2, share=75)]
    moved = shift(away, NOW)
    assert moved is not None
    assert (moved.reason, moved.shares) == ("drift", {1: 35, 2: 65})
    nearly = [account(1, share=45, moved_at=NOW - timedelta(minutes=15)), account(2, share=55)]
    assert shift(nearly, NOW).shares == {1: 50, 2: 50}  # type: ignore[union-attr]
    early = [account(1, share=25, moved_at=NOW - timedelta(minutes=14)), account(2, share=75)]
    assert shift(early, NOW) is None


@given(
    st.lists(
        st.tuples(st.integers(1, 100), st.integers(0, 200), st.integers(0, 100), st.booleans()),
        min_size=2,
        max_size=5,
    ),
    st.integers(1, 60),
)
def test_points_are_neither_made_nor_lost_and_move_by_ten_at_most(
    given_accounts: list[tuple[int, int, int, bool]], turns: int
) -> None:
    accounts = [
        account(number, weight=weight, errors=errors, judged=100, slow=slow, able=able)
        for number, (weight, errors, slow, able) in enumerate(given_accounts)
    ]
    shares = resting_shares({one.gateway_id: one.weight for one in accounts})
    now = NOW
    for _ in range(turns):
        now += timedelta(minutes=1)
        moved = shift(accounts, now)
        if moved is None:
            continue
        assert sum(moved.shares.values()) == POINTS
        assert all(0 <= share <= POINTS for share in moved.shares.values())
        assert sum(abs(moved.shares[key] - shares[key]) for key in shares) <= 2 * STEP
        shares = dict(moved.shares)
        accounts = [
            replace(
                one,
                share=shares[one.gateway_id],
                moved_at=now,
                errors_moved_at=now if moved.reason == "errors" else one.errors_moved_at,
                slow_moved_at=now if moved.reason == "slow" else one.slow_moved_at,
            )
            for one in accounts
        ]
