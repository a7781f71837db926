"""Documents by one's own number: who gets a code, what others can learn, how many codes there are."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import structlog

from outreach.db.pool import Database
from outreach.governance.vault import open_vault
from outreach.logs import configure_logs
from outreach.registry.people import ID_NO_PURPOSE
from outreach.runtime import Runtime
from outreach.statements.access import (
    CODES_BY_NUMBER,
    TRIES_BY_NUMBER,
    MissShare,
    ask_code,
    enter_code,
    read_miss_share,
)
from outreach.statements.by_number import begin_by_number, plain_number
from tests.integration.public_site import Site, open_site, shape
from tests.integration.statement_samples import (
    COMPANY,
    ELSEWHERE,
    HOME,
    PERSON,
    SHOP,
    Sample,
    ask,
    events,
    one_link,
    other_than,
)
from tests.integration.test_link_attacks import statements_of

UNKNOWN = "91150100MA0UNKNWN9"
IDENTITY = "15010119800101234X"
"""The number of the identity document of the company's person."""
OTHER = "198.51.100.9"


@pytest.fixture
async def site(rt: Runtime, tmp_path: Path) -> AsyncIterator[Site]:
    """All but the shop have phones, and all but the neighbour a document."""
    async with open_site(rt, tmp_path) as made:
        vault = open_vault(rt.settings)
        for one in (COMPANY, PERSON, ELSEWHERE):
            await rt.db.execute(
                "insert into address (id, person_id, kind, value_enc, bidx, dest)"
                " values (%(id)s, %(id)s, 'mobile', '', %(bidx)s, %(id)s)",
                {"id": one.id, "bidx": bytes([one.id] * 16)},
            )
        await rt.db.execute(
            "update person set id_no_bidx = %(bidx)s where id = %(id)s",
            {"id": COMPANY.id, "bidx": vault.blind_index(ID_NO_PURPOSE, IDENTITY)},
        )
        await rt.db.execute("delete from statement where taxpayer_id = %(id)s", {"id": ELSEWHERE.id})
        yield made


SORTS = {
    "known": COMPANY.tax_no,
    "unknown": UNKNOWN,
    "no document": ELSEWHERE.tax_no,
    "no phone": SHOP.tax_no,
    "a person's": PERSON.tax_no,
}


async def find(site: Site, number: str) -> tuple[httpx.Response, str]:
    """What the page answers, and the token in its address."""
    answer = await site.http.post("/find", data={"number": number})
    found = re.fullmatch(r"/t/([0-9A-Za-z]{11})\?step=code", answer.headers["location"])
    assert found, answer.headers
    return answer, found[1]


@pytest.mark.parametrize(
    ("typed", "household"),
    [
        (COMPANY.tax_no, COMPANY),
        (f" {COMPANY.tax_no.lower()} ", COMPANY),
        ("".join(chr(ord(c) + 0xFEE0) for c in COMPANY.tax_no), COMPANY),
        (IDENTITY, COMPANY),
        (PERSON.tax_no, PERSON),
    ],
    ids=["company", "as people type", "full width", "its person", "natural person"],
)
async def test_the_number_and_the_code_open_her_documents(site: Site, typed: str, household: Sample) -> None:
    _, token = await find(site, typed)
    assert site.sent_to == [household.id]
    assert site.codes[-1] not in (await site.http.get(f"/t/{token}?step=code")).text
    answer = await site.http.post(f"/t/{token}/verify", data={"code": site.codes[-1]})
    assert answer.headers["location"] == "/statement"
    assert (await site.http.get("/statement")).status_code == 200
    assert await events(site.rt) == ["number", "code_sent", "verified", "viewed"]


async def test_a_person_finds_all_households_that_she_looks_after(site: Site) -> None:
    await site.rt.db.execute("update contact set person_id = 1 where taxpayer_id = %(id)s", {"id": SHOP.id})
    await site.rt.db.execute("insert into role values (%(id)s, 1, 'tax_filer')", {"id": SHOP.id})
    _, token = await find(site, IDENTITY)
    await site.http.post(f"/t/{token}/verify", data={"code": site.codes[-1]})
    text = (await site.http.get("/statement")).text
    assert COMPANY.name in text and SHOP.name in text and PERSON.name not in text


async def test_numbers_cannot_be_told_apart(site: Site) -> None:
    shapes, pages = [], []
    for number in SORTS.values():
        answer, token = await find(site, number)
        shapes.append(shape(answer, token))
        again = await site.http.get(answer.headers["location"])
        wrong = await site.http.post(f"/t/{token}/verify", data={"code": "no code"})
        pages.append((shape(again, token), shape(wrong, token)))
    assert shapes.count(shapes[0]) == pages.count(pages[0]) == len(SORTS)
    assert sorted(site.sent_to) == [COMPANY.id, PERSON.id]


async def test_the_database_has_the_same_to_do(site: Site) -> None:
    db = Database(site.rt.settings.database_url, size=1)
    await db.open()
    rt = Runtime(site.rt.settings, db, site.rt.redis, site.rt.http)

    async def asked(rt: Runtime, number: str, remote: str) -> object:
        return await ask_code(rt, await begin_by_number(rt, number, remote), remote)

    async def entered(rt: Runtime, number: str, remote: str) -> object:
        return await enter_code(rt, await begin_by_number(rt, number, remote), "no code", remote)

    for step in (asked, entered):
        said = {sort: await statements_of(rt, step, number) for sort, number in SORTS.items()}
        assert len(said["known"]) >= 6, said["known"]
        for sort, statements in said.items():
            assert statements == said["known"], sort
    await db.close()
    row = await site.rt.db.fetch_one("select count(*) as n from link")
    assert row == {"n": 2 * len(SORTS)}, "a row for every number"


async def test_numbers_that_are_not_known_raise_no_alarm_of_guessing(site: Site) -> None:
    for number in SORTS.values():
        await find(site, number)
    async with site.rt.db.begin() as conn:
        assert await read_miss_share(conn) == MissShare(len(SORTS), 0)


async def test_codes_of_a_person_stay_few_however_many_links_there_are(site: Site) -> None:
    async def wanted() -> object:
        return await ask_code(site.rt, await begin_by_number(site.rt, COMPANY.tax_no, OTHER), OTHER)

    sent = await asyncio.gather(*(wanted() for _ in range(9)))
    assert sum(one is not None for one in sent) == CODES_BY_NUMBER
    hers = await one_link(site.rt, person_id=COMPANY.id)
    for _ in range(3):
        await ask(site.rt, hers)
    assert await ask_code(site.rt, hers, HOME) is None, "six in all"


async def test_whoever_knows_the_number_cannot_stop_her(site: Site) -> None:
    """Wrong entries of strangers leave her half of the tries, and the link of her message."""
    for _ in range(3):
        token = await begin_by_number(site.rt, COMPANY.tax_no, OTHER)
        sent = await ask_code(site.rt, token, OTHER)
        for _ in range(4):
            await enter_code(site.rt, token, other_than(sent.code) if sent else "000000", OTHER)
    row = await site.rt.db.fetch_one("select sum(tries) as n from one_time_code")
    assert row == {"n": TRIES_BY_NUMBER}
    hers = await one_link(site.rt, person_id=COMPANY.id)
    assert await enter_code(site.rt, hers, (await ask(site.rt, hers)).code, HOME) is not None


@pytest.mark.parametrize("number", ["", "12345", " - ", "９１", "x" * 31, "\x00" * 18])
async def test_what_cannot_be_a_number_is_asked_for_again(site: Site, number: str) -> None:
    answer = await site.http.post("/find", data={"number": number})
    assert answer.status_code == 400 and "请填写完整" in answer.text and "location" not in answer.headers
    assert plain_number(number) == "" and await events(site.rt) == []


async def test_other_sites_cannot_send_the_form(site: Site) -> None:
    answer = await site.http.post(
        "/find", data={"number": COMPANY.tax_no}, headers={"Origin": "https://elsewhere.example"}
    )
    assert answer.status_code == 400 and site.codes == []


async def test_the_number_stands_nowhere(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    configure_logs("DEBUG", as_json=True)
    try:
        site.gateway_down = True
        answers = [(await find(site, number))[0] for number in (COMPANY.tax_no, UNKNOWN)]
        answers.append(await site.http.post("/find", data={"number": COMPANY.tax_no * 9}))
        await site.rt.db.execute("alter table link rename to gone")
        answers.append(await site.http.post("/find", data={"number": COMPANY.tax_no}))
    finally:
        structlog.configure(**before)
    assert [answer.status_code for answer in answers] == [303, 303, 400, 500]
    said = capsys.readouterr()
    text = said.out + said.err
    assert "code.unsent" in text and "page.failed" in text, "something was logged"
    for number in (COMPANY.tax_no, UNKNOWN):
        assert number not in text
        for answer in answers:
            assert number not in answer.text + answer.headers.get("location", "")
            assert answer.headers["referrer-policy"] == "no-referrer"
    kept = await site.rt.db.fetch("select * from statement_access")
    assert kept and COMPANY.tax_no not in str(kept)
