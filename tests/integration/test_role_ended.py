"""Who acts for a household no more sees nothing of it: before the code, in a visit, when she confirms."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outreach.labels.catalogue import load_builtin
from outreach.runtime import Runtime
from outreach.statements.access import ask_code, enter_code, find_session
from tests.integration.answer_stage import ask_to_confirm
from tests.integration.public_site import Site, open_site, shape
from tests.integration.statement_samples import COMPANY, ELSEWHERE, HOME, PERSON, SHOP, Sample, ask, one_link


@pytest.fixture
async def site(rt: Runtime, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(rt, tmp_path) as made:
        yield made


async def end_role(rt: Runtime, person: int, taxpayer: int) -> None:
    """What an import does with a role that its file no longer names."""
    await rt.db.execute(
        "delete from role where person_id = %(person)s and taxpayer_id = %(taxpayer)s",
        {"person": person, "taxpayer": taxpayer},
    )


@pytest.mark.parametrize("household", [COMPANY, PERSON], ids=["company", "natural person"])
async def test_her_link_is_like_a_dead_one(site: Site, household: Sample) -> None:
    token = await one_link(site.rt, taxpayer_ids=[household.id], person_id=ELSEWHERE.id)
    dead = await one_link(site.rt, days=-1)
    await end_role(site.rt, ELSEWHERE.id, household.id)
    answers = [await site.http.post(f"/t/{each}/code") for each in (token, dead)]
    assert shape(answers[0], token) == shape(answers[1], dead) and site.codes == []


async def test_a_code_that_was_on_its_way_opens_nothing(site: Site) -> None:
    token = await one_link(site.rt, person_id=SHOP.id)
    sent = await ask(site.rt, token)
    await end_role(site.rt, SHOP.id, COMPANY.id)
    assert await enter_code(site.rt, token, sent.code, HOME) is None


async def test_who_has_another_role_there_stays(site: Site) -> None:
    token = await one_link(site.rt, person_id=COMPANY.id)
    await site.rt.db.execute("delete from role where role = 'tax_filer'")
    assert await ask_code(site.rt, token, HOME) is not None, "she is its legal representative too"


async def test_an_open_visit_loses_that_household_at_once(site: Site) -> None:
    await site.open(taxpayer_ids=[SHOP.id, COMPANY.id], person_id=ELSEWHERE.id)
    secret = site.http.cookies["statement"]
    text = (await site.http.get("/statement")).text
    assert SHOP.name in text and COMPANY.name in text
    await end_role(site.rt, ELSEWHERE.id, SHOP.id)
    for address in ("/statement", "/statement?n=1"):
        text = (await site.http.get(address)).text
        assert COMPANY.name in text and SHOP.name not in text
    session = await find_session(site.rt, secret)
    assert session is not None and session.taxpayer_ids == (COMPANY.id,)
    await end_role(site.rt, ELSEWHERE.id, COMPANY.id)
    for address in ("/statement", "/statement.pdf", "/answers", "/statement/share.svg"):
        answer = await site.http.get(address)
        assert answer.status_code == 401 and COMPANY.name not in answer.text, address


async def test_a_contact_who_was_replaced_has_no_visit(site: Site) -> None:
    """A link that names nobody is for the contact, and a visit for who has proved herself."""
    await site.open(taxpayer_ids=[COMPANY.id])
    await site.rt.db.execute("update contact set person_id = 2 where taxpayer_id = 1")
    await site.rt.db.execute("insert into role values (1, 2, 'finance_head')")
    await end_role(site.rt, COMPANY.id, COMPANY.id)
    assert (await site.http.get("/statement")).status_code == 401


async def test_she_confirms_nothing_for_it(site: Site) -> None:
    async with site.rt.db.begin() as conn:
        await load_builtin(conn)
    _, round_id = await ask_to_confirm(site.rt)
    token = await one_link(
        site.rt, taxpayer_ids=[SHOP.id, COMPANY.id], person_id=ELSEWHERE.id, round_id=round_id
    )
    await site.http.post(f"/t/{token}/code")
    await site.http.post(f"/t/{token}/verify", data={"code": site.codes[-1]})
    shown = (await site.http.get("/answers")).text
    assert SHOP.name in shown and COMPANY.name in shown
    await end_role(site.rt, ELSEWHERE.id, SHOP.id)
    shown = (await site.http.get("/answers")).text
    assert SHOP.name not in shown and COMPANY.name in shown
    await end_role(site.rt, ELSEWHERE.id, COMPANY.id)
    answer = await site.http.post("/answers/confirm", data={"verdict": "confirmed", "seen": "x", "n": "0"})
    assert answer.status_code == 401
    row = await site.rt.db.fetch_one("select count(*) as n from confirmation")
    assert row == {"n": 0}
