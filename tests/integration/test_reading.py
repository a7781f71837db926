"""Her page in her language and print: by what is on record after the identity check, unless she chose."""

from collections.abc import AsyncIterator

import pytest
from pyroaring import BitMap

from outreach.labels.keys import label_key
from outreach.labels.sets import change_sets
from outreach.runtime import Runtime
from tests.integration.answer_stage import Visitor, visiting
from tests.integration.statement_samples import COMPANY, PERSON, SHOP


@pytest.fixture
async def visitor(rt: Runtime) -> AsyncIterator[Visitor]:
    async with visiting(rt) as made:
        yield made


async def shown(visitor: Visitor, path: str = "/answers") -> tuple[bool, bool, bool]:
    """Whether a page is beside Mongolian, in English, in large print."""
    text = (await visitor.http.get(path)).text
    return 'class="mongol"' in text, '<html lang="en"' in text, 'class="large"' in text


async def give(rt: Runtime, code: str, *households: int) -> None:
    async with rt.db.begin() as conn:
        await change_sets(conn, {label_key(code): (BitMap(households), BitMap())}, source="test")


PLAIN = (False, False, False)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("language = 'mn'", (True, False, False)),
        ("language = 'en'", (False, True, False)),
        ("special_care = true", (False, False, True)),
        ("language = 'mn', special_care = true", (True, False, True)),
    ],
)
async def test_the_register_decides_after_the_check(
    visitor: Visitor, columns: str, expected: tuple[bool, bool, bool]
) -> None:
    await visitor.rt.db.execute(f"update person set {columns} where id = {PERSON.id}")
    # Before the check nothing tells who it will be.
    assert await shown(visitor, "/check") == PLAIN
    await visitor.enter(taxpayer_ids=[PERSON.id], person_id=PERSON.id)
    assert await shown(visitor) == expected


async def test_labels_count_for_what_is_her_own(visitor: Visitor) -> None:
    rt = visitor.rt
    await give(rt, "special_care", COMPANY.id, SHOP.id)
    await visitor.enter(taxpayer_ids=[COMPANY.id], person_id=COMPANY.id)
    assert await shown(visitor) == PLAIN
    await give(rt, "special_care", PERSON.id)
    await give(rt, "mongolian_reader", PERSON.id)
    await visitor.enter(taxpayer_ids=[PERSON.id], person_id=PERSON.id)
    assert await shown(visitor) == (True, False, True)


async def test_a_choice_by_hand_wins_and_stays(visitor: Visitor) -> None:
    rt, http = visitor.rt, visitor.http
    await rt.db.execute(f"update person set language = 'mn', special_care = true where id = {PERSON.id}")
    await visitor.enter(taxpayer_ids=[PERSON.id], person_id=PERSON.id)
    assert await shown(visitor, "/answers?size=normal") == (True, False, False)
    assert await shown(visitor) == (True, False, False)
    assert await shown(visitor, "/answers?lang=zh") == PLAIN
    await visitor.enter(taxpayer_ids=[PERSON.id], person_id=PERSON.id)
    assert await shown(visitor) == PLAIN
    # What is on record is forgotten with the visit: the next one on this phone is somebody else.
    http.cookies.delete("lang")
    http.cookies.delete("size")
    assert await shown(visitor) == (True, False, True)
    await http.post("/statement/end")
    assert await shown(visitor, "/check") == PLAIN


async def test_nothing_odd_in_the_cookie_changes_a_page(visitor: Visitor) -> None:
    for odd in ("", ".", "mn", "xx.large.", '"><script>', "en.huge"):
        visitor.http.cookies.set("reading", odd)
        assert (await visitor.http.get("/check")).status_code == 200
