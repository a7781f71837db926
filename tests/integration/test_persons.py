"""Whom households are told through: `find_persons` says what the same rule in SQL says, for any ladder."""

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from pyroaring import BitMap

from campaigns.persons import find_persons
from outreach.ledger.gateways import ADDRESS_KINDS
from outreach.runtime import Runtime
from tests import town

HOUSEHOLDS, PEOPLE = 400, 120
LADDERS = [
    ["sms"],
    ["rcs", "sms", "email"],
    ["wechat", "sms", "call", "visit"],
    ["visit"],
    ["rcs"],
    ["email", "call"],
]
RULE = """
select r.*, u.path from persons_reached(%(planned)s::int[], %(steps)s::smallint[], %(channels)s::text[],
    %(kinds)s::text[], %(topic)s::text, %(care)s::int[], %(mongolian)s::int[], %(call_first)s::boolean) r
join org_unit u on u.id = r.org_id order by person_id
"""


async def settle(rt: Runtime, rng: Random) -> None:
    """Persons with any number of households and all that can keep a rung from them; ids with wide gaps; and
    the rule in SQL."""
    await rt.db.execute((Path(__file__).parent / "persons_reached.sql").read_text())
    people = [
        town.Household(
            n if n % 50 < 25 else n * 100,
            number := rng.choice([rng.randrange(1, 8), rng.randrange(1, PEOPLE)]),
            town.mobile(number) if number % 5 else None,
            f"o{number:027d}" if number % 3 else None,
            f"p{number}@example.com" if number % 2 else None,
            rcs=(None, True, False)[number % 7 % 3],
        )
        for n in range(1, HOUSEHOLDS)
    ]
    await town.settle_town(rt, people)
    changes = [
        "insert into org_unit (id, parent_id, level, code, name, path)"
        " select n, 4, 5, 'g' || n, n || '号', '1.2.3.4.' || 100 - n || '.' from generate_series(6, 20) n",
        "update taxpayer set org_id = 3 + id % 18",
        "update taxpayer set kind = 'individual_business' where id % 3 = 0",
        "update address set usable = false where id % 11 = 0",
        "update person set special_care = id % 9 = 0, language = case id % 10 when 0 then 'mn' else 'zh' end",
        "delete from contact where taxpayer_id % 17 = 0",
        "insert into opt_out (person_id, channel, at, source) select id, channel, now(), 'test'"
        " from person, unnest(array['sms', 'rcs', 'email', 'call', 'all', 'topic:reminder', 'topic:policy'])"
        " with ordinality as c (channel, n) where id % 13 = n",
    ]
    for change in changes:
        await rt.db.execute(change)


def wanted(planned: list[int], ladder: list[str], topic: str, *, call_first: bool) -> dict[str, Any]:
    """What both are asked."""
    ways = {**ADDRESS_KINDS, "call": "mobile", "visit": ""}
    return {
        "planned": np.array(planned, np.uint32),
        "care": np.array([n for n in planned if n % 4 == 0], np.uint32),
        "mongolian": np.array([n for n in planned if n % 7 == 0], np.uint32),
        "call_first": call_first,
        "steps": [2 * place + 1 for place in range(len(ladder))],
        "channels": ladder,
        "kinds": [ways[channel] for channel in ladder],
        "topic": topic,
        "contacts": None,
    }


@pytest.mark.parametrize("ladder", LADDERS, ids="-".join)
async def test_the_persons_are_those_of_the_rule_in_sql(rt: Runtime, ladder: list[str]) -> None:
    rng = Random(str(ladder))
    await settle(rt, rng)
    rows = await rt.db.fetch("select id from taxpayer order by id")
    seen: set[int] = set()
    for topic, call_first in (("topic:reminder", True), ("", True), ("topic:policy", False)):
        planned = [row["id"] for row in rows if rng.random() < 0.8]
        reach = wanted(planned, ladder, topic, call_first=call_first)
        async with rt.db.begin() as conn:
            found = await find_persons(conn, reach)
            told = await (await conn.execute(RULE, reach)).fetchall()
        assert found.ids.tolist() == [row["person_id"] for row in told]
        assert found.org_ids.tolist() == [row["org_id"] for row in told]
        assert found.reach.tolist() == [row["reach"] for row in told]
        assert found.apart.tolist() == [row["apart"] for row in told]
        assert found.counts.tolist() == [len(row["taxpayer_ids"]) for row in told]
        assert found.households.tolist() == [n for row in told for n in row["taxpayer_ids"]]
        paths = [told[place]["path"] for place in np.argsort(found.ranks, kind="stable")]
        assert paths == sorted(paths)
        seen |= {row["apart"] for row in told}
    assert seen >= ({0, 2, 3} if {"call", "visit"} & {*ladder} else {0, 2})


async def test_of_nobody_there_are_no_persons(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(1))
    async with rt.db.begin() as conn:
        found = await find_persons(conn, wanted([], ["sms"], "", call_first=True))
    assert not len(found.ids) and not len(found.households) and not found.households_of(found.reach > 0)


async def test_persons_are_taken_with_their_households_in_any_order(rt: Runtime) -> None:
    people = [town.Household(n, 1 + n % 3, town.mobile(1 + n % 3)) for n in range(1, 6)]
    await town.settle_town(rt, people)
    async with rt.db.begin() as conn:
        found = await find_persons(conn, wanted([1, 2, 3, 4], ["sms"], "", call_first=True))
    taken = found.take(np.array([2, 0, 1]))
    assert taken.ids.tolist() == [3, 1, 2]
    assert taken.counts.tolist() == [1, 1, 2]
    assert taken.households.tolist() == [2, 3, 1, 4]
    assert taken.households_of(taken.ids < 3) == BitMap([1, 3, 4])
