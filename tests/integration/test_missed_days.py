"""A round that stood for days goes on day by day: no day carries more than was laid down."""

from collections import Counter
from datetime import timedelta

from campaigns.campaigns import Canary
from campaigns.extension import approve_extension, ask_extension
from campaigns.rounds import pause_round, resume_round
from campaigns.staggering import Stagger
from outreach.analytics.stall_causes import Cause
from outreach.analytics.stalls import round_progress
from outreach.runtime import Runtime
from outreach.web.reads.slices import slices_of as shown
from tests import town
from tests.integration.test_slices import MONDAY, cut, drafted, settle, signed, slices_of

TEN = Stagger(cap_day=10)
DAY = timedelta(days=1)


async def stand(rt: Runtime, until: timedelta) -> int:
    """The round is paused, and goes on so long after its start; returns its id."""
    row = await rt.db.fetch_one("select min(id) as id from round")
    assert row is not None
    await pause_round(rt, row["id"], "checker")
    await town.set_clock(rt, town.START + until)
    await resume_round(rt, row["id"], "checker")
    return int(row["id"])


async def persons_by_day(rt: Runtime) -> Counter[int]:
    """Persons by day of the round."""
    found = Counter[int]()
    for day, _, persons in await slices_of(rt):
        found[(day - MONDAY).days] += persons
    return found


async def test_a_round_that_was_paused_for_days_does_not_tell_all_at_once(rt: Runtime) -> None:
    await settle(rt, 35)
    async with town.wired(rt) as wire:
        await signed(wire.rt, drafted(TEN))
        assert len(await cut(wire.rt, town.START)) == 10
        round_id = await stand(rt, 3 * DAY)
        assert len(await cut(wire.rt, town.START + 3 * DAY)) == 20
        assert await persons_by_day(rt) == {0: 10, 3: 10, 4: 10, 5: 5}
        assert len(await cut(wire.rt, town.START + 3 * DAY + timedelta(hours=9))) == 20
        assert len(await cut(wire.rt, town.START + 4 * DAY)) == 30
        assert len(await cut(wire.rt, town.START + 5 * DAY)) == 35
        async with rt.db.begin() as conn:
            rows = await shown(conn, round_id)
        assert [(one["planned_on"] or one["day"], one["day"]) for one in rows] == [
            (MONDAY, MONDAY),
            (MONDAY + DAY, MONDAY + 3 * DAY),
            (MONDAY + 2 * DAY, MONDAY + 4 * DAY),
            (MONDAY + 3 * DAY, MONDAY + 5 * DAY),
        ]
    audit = await rt.db.fetch("select detail from audit_event where action = 'round.put_off'")
    assert len(audit) == 1


async def test_a_pause_within_a_day_moves_nothing(rt: Runtime) -> None:
    await settle(rt, 25)
    async with town.wired(rt) as wire:
        await signed(wire.rt, drafted(TEN))
        await cut(wire.rt, town.START)
        await stand(rt, timedelta())
        await cut(wire.rt, town.START + timedelta(hours=3))
        assert len(await cut(wire.rt, town.START + DAY)) == 20
    assert await persons_by_day(rt) == {0: 10, 1: 10, 2: 5}


async def test_a_round_that_keeps_to_working_days_does_not_go_on_on_a_saturday(rt: Runtime) -> None:
    await settle(rt, 35)
    async with town.wired(rt) as wire:
        await signed(wire.rt, drafted(Stagger(cap_day=10, working_days=True)))
        await cut(wire.rt, town.START)
        await stand(rt, 5 * DAY)
        assert len(await cut(wire.rt, town.START + 5 * DAY)) == 10
        assert len(await cut(wire.rt, town.START + 7 * DAY)) == 20
    assert await persons_by_day(rt) == {0: 10, 7: 10, 8: 10, 9: 5}


async def test_what_the_window_has_no_day_for_is_said_and_a_longer_window_brings_it_back(rt: Runtime) -> None:
    await settle(rt, 35)
    async with town.wired(rt) as wire:
        campaign = await signed(wire.rt, drafted(TEN, days=4.5))
        await cut(wire.rt, town.START)
        round_id = await stand(rt, 3 * DAY)
        assert len(await cut(wire.rt, town.START + 3 * DAY)) == 20
        async with rt.db.begin() as conn:
            progress = await round_progress(conn, round_id, with_numbers=True)
            rows = await shown(conn, round_id)
        (stall,) = [one for one in progress.stalls if one.cause is Cause.NO_DAY]
        assert stall.held == 5 and "5 户" in stall.text and not stall.is_calm
        assert [one["has_no_day"] for one in rows] == [False, False, False, True]
        ends_at = town.START + 8 * DAY
        await ask_extension(rt, campaign, round_id, ends_at, "maker", note="暂停过三天")
        await approve_extension(rt, campaign, "checker")
        assert len(await cut(wire.rt, town.START + 4 * DAY)) == 30
        assert len(await cut(wire.rt, town.START + 5 * DAY)) == 35
    assert await persons_by_day(rt) == {0: 10, 3: 10, 4: 10, 5: 5}


async def test_days_on_which_a_canary_is_watched_are_not_made_up_for_at_once(rt: Runtime) -> None:
    await settle(rt, 35)
    async with town.wired(rt) as wire:
        part = drafted(TEN, canary=Canary(100, timedelta(hours=30)))
        await signed(wire.rt, part)
        first = len(await cut(wire.rt, town.START))
        assert 0 < first < 10
        await rt.db.execute("update round set canary_verdict = 'passed'")
        assert len(await cut(wire.rt, town.START + DAY)) == 10
        assert len(await cut(wire.rt, town.START + 2 * DAY)) == 20
    assert max((await persons_by_day(rt)).values()) <= 10
