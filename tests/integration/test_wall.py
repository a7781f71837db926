"""吐槽台: everything is answered, nothing is shown unreviewed or against her will, or tells who wrote it."""

from collections.abc import AsyncIterator

import pytest

from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound
from outreach.governance.vault import Vault, open_vault
from outreach.runtime import Runtime
from outreach.service.places import POSTS, list_places, make_places
from outreach.service.tickets import answer_ticket, move_ticket
from outreach.service.wall import (
    PAGE,
    entry_of,
    publish_entry,
    to_review,
    topic_counts,
    withhold_entry,
)
from outreach.web.reads.tickets import WantedTickets, list_tickets
from tests.integration.answer_stage import CITY, DISTRICT, NEIGHBOUR, Visitor, visiting
from tests.integration.statement_samples import COMPANY, PERSON, SHOP

WORDS = "窗口排队太久，希望多开几个。"
ANSWER = "已增开两个窗口。"


@pytest.fixture
async def visitor(rt: Runtime) -> AsyncIterator[Visitor]:
    async with visiting(rt) as made:
        yield made


@pytest.fixture
def vault(rt: Runtime) -> Vault:
    return open_vault(rt.settings)


async def leave(visitor: Visitor, text: str = WORDS, **fields: str) -> int:
    """Post an entry as a verified visitor; the ticket's id."""
    data = {"text": text, "topic": "waiting", "may_publish": "yes", **fields}
    answer = await visitor.http.post("/wall/write", data=data)
    assert answer.status_code == 303, answer.text
    row = await visitor.rt.db.fetch_one("select max(id) as id from ticket")
    assert row is not None
    return int(row["id"])


async def wall(visitor: Visitor, query: str = "") -> str:
    return (await visitor.http.get(f"/wall{query}")).text


async def publish(
    visitor: Visitor, vault: Vault, ticket: int, text: str = WORDS, answer: str = ANSWER
) -> None:
    async with visitor.rt.db.begin() as conn:
        await answer_ticket(conn, vault, DISTRICT, ticket, answer)
        await publish_entry(conn, vault, DISTRICT, ticket, text, answer)


async def test_nothing_is_shown_before_an_answer_and_a_review(visitor: Visitor, vault: Vault) -> None:
    rt = visitor.rt
    await visitor.enter(taxpayer_ids=[COMPANY.id, SHOP.id])
    ticket = await leave(visitor, n="1")
    assert (await rt.db.fetch_one("select taxpayer_id, source from ticket")) == {
        "taxpayer_id": SHOP.id,
        "source": "feedback",
    }
    assert WORDS not in await wall(visitor)
    with pytest.raises(Conflict):
        async with rt.db.begin() as conn:
            await publish_entry(conn, vault, DISTRICT, ticket, WORDS, ANSWER)
    async with rt.db.begin() as conn:
        await answer_ticket(conn, vault, DISTRICT, ticket, ANSWER)
        assert [row["id"] for row in await to_review(conn, DISTRICT)] == [ticket]
    assert WORDS not in await wall(visitor) and ANSWER in (await visitor.http.get("/answers")).text
    async with rt.db.begin() as conn:
        await publish_entry(conn, vault, DISTRICT, ticket, "窗口排队太久。", ANSWER)
        assert await to_review(conn, DISTRICT) == []
    shown = await wall(visitor, "?topic=waiting")
    assert "窗口排队太久。" in shown and ANSWER in shown and "等候与排队" in shown
    assert SHOP.name not in shown and WORDS not in shown and WORDS not in await wall(visitor, "?topic=policy")
    async with rt.db.begin() as conn:
        await withhold_entry(conn, DISTRICT, ticket)
        entry = await entry_of(conn, ticket)
    assert entry is not None and entry["state"] == "withdrawn" and "窗口排队" not in await wall(visitor)
    actions = await rt.db.fetch(
        "select action, detail from audit_event where action like 'wall.%%' order by id"
    )
    assert [row["action"] for row in actions] == ["wall.publish", "wall.withdraw"]
    assert "窗口" not in str(actions)


async def test_who_does_not_agree_is_answered_and_not_shown(visitor: Visitor, vault: Vault) -> None:
    await visitor.enter()
    ticket = await leave(visitor, may_publish="")
    with pytest.raises(Conflict, match="没有同意"):
        await publish(visitor, vault, ticket)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("请打 13900001111 找我。", ANSWER),
        ("我的证号 110101199003070014 登记错了。", ANSWER),
        ("我多缴了 3,000 元。", ANSWER),
        ("看 https://example.com 就知道。", ANSWER),
        (f"我们{COMPANY.name}等了一小时。", ANSWER),
        (f"我是{PERSON.name}，等了一小时。", ANSWER),
        (WORDS, "再投诉将处罚。"),
        (WORDS, "请拨 010-12345678。"),
        ("", ANSWER),
        (WORDS, " "),
    ],
)
async def test_what_tells_of_a_person_is_not_shown(
    visitor: Visitor, vault: Vault, text: str, answer: str
) -> None:
    household = PERSON if PERSON.name in text else COMPANY
    await visitor.enter(taxpayer_ids=[household.id], person_id=household.id)
    ticket = await leave(visitor, WORDS)
    async with visitor.rt.db.begin() as conn:
        await answer_ticket(conn, vault, CITY, ticket, ANSWER)
    with pytest.raises(InvalidInput) as refused:
        async with visitor.rt.db.begin() as conn:
            await publish_entry(conn, vault, CITY, ticket, text, answer)
    # The reason names the rule and repeats nothing of it.
    assert not text or text.rstrip("。") not in refused.value.message
    assert "1390000" not in refused.value.message and COMPANY.name not in refused.value.message


async def test_scope_and_place_in_the_line(visitor: Visitor, vault: Vault) -> None:
    rt = visitor.rt
    await visitor.enter()
    ticket = await leave(visitor)
    async with rt.db.begin() as conn:
        await answer_ticket(conn, vault, DISTRICT, ticket, ANSWER)
        counts = {row["topic"]: row for row in await topic_counts(conn, CITY)}
        assert (counts["waiting"]["total"], counts["waiting"]["month"], counts["policy"]["total"]) == (
            1,
            1,
            0,
        )
        assert counts["waiting"]["waiting"] == 0 and next(iter(counts)) == "waiting"
        assert {row["total"] for row in await topic_counts(conn, NEIGHBOUR)} == {0}
        assert await to_review(conn, NEIGHBOUR) == []
    with pytest.raises(NotFound):
        async with rt.db.begin() as conn:
            await publish_entry(conn, vault, NEIGHBOUR, ticket, WORDS, ANSWER)
    other = await leave(visitor)
    async with rt.db.begin() as conn:
        await move_ticket(conn, vault, DISTRICT, other, None, "请上级答复")
    with pytest.raises(NotAllowed):
        async with rt.db.begin() as conn:
            await withhold_entry(conn, DISTRICT, other)


async def test_the_code_of_a_place_needs_no_log_in_and_says_nobody(visitor: Visitor, vault: Vault) -> None:
    rt = visitor.rt
    assert "请从税务机关发给您的链接进入" in (await visitor.http.get("/wall/write")).text
    data = {"text": WORDS, "topic": "waiting"}
    assert (await visitor.http.post("/wall/write", data=data)).status_code == 401
    async with rt.db.begin() as conn:
        await make_places(conn, CITY, 3, "window", "一号窗口")
        (place,) = await list_places(conn, CITY)
    assert "一号窗口" in (await visitor.http.get(f"/wall/write?place={place['token']}")).text
    assert (await visitor.http.get("/wall/write?place=nothing")).status_code == 404
    answer = await visitor.http.post("/wall/write", data={**data, "place": place["token"]})
    assert answer.headers["location"] == "/thanks" and "thanks=" in answer.headers["set-cookie"]
    async with rt.db.begin() as conn:
        (row,) = (await list_tickets(conn, vault, DISTRICT, WantedTickets(source="feedback"))).rows
    assert row["taxpayer_id"] is None and row["place"] == "一号窗口" and row["text"] == WORDS
    for wrong in ({"topic": "none"}, {"text": ""}, {"text": "长" * 501}):
        posted = await visitor.http.post("/wall/write", data={**data, "place": place["token"], **wrong})
        assert posted.status_code == 400
    foreign = {"Origin": "https://evil.example"}
    posted = await visitor.http.post("/wall/write", data={**data, "place": place["token"]}, headers=foreign)
    assert posted.status_code == 400
    await rt.db.execute(
        f"insert into public_post (network) select '203.0.113.0/24' from generate_series(1, {POSTS})"
    )
    posted = await visitor.http.post("/wall/write", data={**data, "place": place["token"]})
    assert posted.status_code == 429


async def test_many_entries_are_read_page_by_page(visitor: Visitor, vault: Vault) -> None:
    await visitor.enter()
    for number in range(PAGE + 1):
        ticket = await leave(visitor)
        await publish(visitor, vault, ticket, f"第{number:02d}条")
        await visitor.rt.db.execute("delete from public_post")
    first = await wall(visitor)
    assert "第20条" in first and "第01条" in first and "第00条" not in first
    (earlier,) = [part.split('"')[0] for part in first.split('href="/wall?')[1:]]
    second = await wall(visitor, "?" + earlier.replace("&amp;", "&"))
    assert "第00条" in second and "第01条" not in second
    for odd in ("?before=x", "?before=" + "9" * 40, "?topic=%00", "?before=-1"):
        assert (await visitor.http.get("/wall" + odd)).status_code == 200
