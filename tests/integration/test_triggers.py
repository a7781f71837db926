"""Events of the tax systems: kept once, within the reporter's scope, and the labels move with them."""

from datetime import timedelta

import pytest

from campaigns.triggers import GIVES, OTHER_TYPES, TAKES, Happening, record_events
from outreach.errors import InvalidInput
from outreach.labels.cache import SetCache
from outreach.labels.catalogue import builtin_rows
from outreach.labels.keys import event_key, label_key
from outreach.runtime import Runtime
from tests import town


async def members(rt: Runtime, *keys: str) -> list[set[int]]:
    """Who is in each set now."""
    async with rt.db.begin() as conn:
        sets = await SetCache().load(conn, keys)
    return [set(sets[key]) for key in keys]


def happening(key: str, taxpayer: int, kind: str, minutes: int = 0) -> Happening:
    """An event at a minute after the town's start."""
    return Happening(key, taxpayer, kind, town.START + timedelta(minutes=minutes))


async def report(rt: Runtime, *events: Happening, scope: int = town.PROVINCE) -> int:
    """What the tax system does with its events."""
    return await record_events(rt, events, source="自然人电子税务局", scope_org_id=scope)


async def stored(rt: Runtime) -> list[dict[str, object]]:
    """The events that were kept."""
    return await rt.db.fetch("select event_key, taxpayer_id, type, at from event order by event_key")


async def test_an_event_gives_its_labels(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(3))
    assert await report(rt, happening("a", 1, "filed"), happening("b", 2, "paid")) == 2
    filed, paid, event = await members(rt, label_key("iit.filed"), label_key("iit.paid"), event_key("paid"))
    assert (filed, paid, event) == ({1, 2}, {2}, {2})


async def test_an_event_takes_labels_away(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(2))
    assert await report(rt, happening("a", 1, "refund_failed"), happening("b", 2, "refund_failed")) == 2
    assert await report(rt, happening("c", 1, "refund_done")) == 1
    assert await members(rt, label_key("iit.refund_failed"), label_key("iit.refund_done")) == [{2}, {1}]
    assert await report(rt, happening("d", 1, "disputed")) == 1
    assert await report(rt, happening("e", 1, "dispute_closed")) == 1
    assert await members(rt, label_key("iit.disputed")) == [set()]


async def test_a_repeated_key_changes_nothing_even_with_other_contents(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(2))
    assert await report(rt, happening("a", 1, "filed")) == 1
    assert await report(rt, happening("a", 1, "filed")) == 0
    assert await report(rt, happening("a", 2, "paid", minutes=5)) == 0
    assert await members(rt, label_key("iit.filed"), label_key("iit.paid")) == [{1}, set()]
    (row,) = await stored(rt)
    assert (row["taxpayer_id"], row["type"], row["at"]) == (1, "filed", town.START)


async def test_a_key_twice_in_one_report_counts_once(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(2))
    assert await report(rt, happening("a", 1, "filed"), happening("a", 1, "filed")) == 1
    assert len(await stored(rt)) == 1


async def test_taxpayers_outside_the_scope_or_unknown_are_left_out(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(2))
    await rt.db.execute(
        "insert into org_unit (id, parent_id, level, code, name, path)"
        " values (9, 1, 2, '290000000', '另一市', '1.9.')"
    )
    await rt.db.execute("update taxpayer set org_id = 9 where id = 2")
    events = [happening("a", 1, "filed"), happening("b", 2, "filed"), happening("c", 777, "filed")]
    assert await report(rt, *events, scope=town.CITY) == 1
    assert await members(rt, label_key("iit.filed")) == [{1}]
    assert await report(rt, *events, scope=town.PROVINCE) == 1
    assert await members(rt, label_key("iit.filed")) == [{1, 2}]


async def test_an_unknown_type_keeps_nothing_of_the_report_and_is_named(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(2))
    with pytest.raises(InvalidInput, match="第 2 条：没有事件类型 nonsense") as caught:
        await report(rt, happening("a", 1, "filed"), happening("b", 2, "nonsense"))
    assert caught.value.details["field"] == "events.1.type"
    assert await stored(rt) == []
    assert await members(rt, label_key("iit.filed")) == [set()]


async def test_done_and_undone_in_one_report_ends_with_the_last_event(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(2))
    events = [
        happening("a", 1, "refund_failed"),
        happening("b", 1, "refund_done", minutes=1),
        happening("d", 2, "dispute_closed"),
        happening("c", 2, "disputed", minutes=1),
    ]
    assert await report(rt, *events) == 4
    failed, disputed = await members(rt, label_key("iit.refund_failed"), label_key("iit.disputed"))
    assert (failed, disputed) == (set(), {2})


async def test_a_late_report_of_an_earlier_event_does_not_undo_a_later_one(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(1))
    assert await report(rt, happening("b", 1, "dispute_closed", minutes=10)) == 1
    assert await report(rt, happening("a", 1, "disputed")) == 1
    assert await members(rt, label_key("iit.disputed")) == [set()]
    assert await report(rt, happening("c", 1, "disputed", minutes=20)) == 1
    assert await members(rt, label_key("iit.disputed")) == [{1}]


async def test_two_systems_may_use_the_same_key(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(2))
    assert await report(rt, happening("1", 1, "filed")) == 1
    events = [happening("1", 2, "filed")]
    assert await record_events(rt, events, source="金税征管系统", scope_org_id=town.PROVINCE) == 1
    assert await members(rt, label_key("iit.filed")) == [{1, 2}]


async def test_an_empty_report_is_none(rt: Runtime) -> None:
    assert await report(rt) == 0


def test_every_label_that_an_event_moves_is_in_the_catalogue() -> None:
    codes = {row["code"] for row in builtin_rows("catalogue.csv")}
    assert {code for moved in (*GIVES.values(), *TAKES.values()) for code in moved} <= codes
    assert not OTHER_TYPES & (GIVES.keys() | TAKES.keys())
