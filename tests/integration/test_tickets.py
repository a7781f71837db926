"""One intake: questions, replies, complaints, bad ratings; a clock each, none closes without an answer."""

import hashlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from functools import partial

import pytest

from channels.base import Inbound, InboundKind
from outreach.clock import in_beijing
from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound
from outreach.governance.vault import Vault, open_vault
from outreach.ledger.gateways import load_gateways
from outreach.ledger.inbound import record_inbound
from outreach.registry.working_days import WorkCalendar
from outreach.rehearsal import add_gateways, free_ports
from outreach.runtime import Runtime
from outreach.service.confirmations import answers_of, read_evidence
from outreach.service.intake import take_replies
from outreach.service.places import POSTS, find_place, list_places, make_places
from outreach.service.tickets import (
    answer_ticket,
    call_back,
    close_ticket,
    move_ticket,
    note_ticket,
    reopen_ticket,
    take_ticket,
)
from outreach.web.reads.tickets import WantedTickets, find_ticket, list_tickets
from tests.integration.answer_stage import CITY, DISTRICT, NEIGHBOUR, Visitor, ask_to_confirm, visiting
from tests.integration.statement_samples import COMPANY, SHOP

QUESTION = "汇算退税多久到账？"

CLOCK = partial(WorkCalendar().add_workdays, guessing=True)


@pytest.fixture
async def visitor(rt: Runtime) -> AsyncIterator[Visitor]:
    async with visiting(rt) as made:
        yield made


@pytest.fixture
def vault(rt: Runtime) -> Vault:
    return open_vault(rt.settings)


async def only_ticket(rt: Runtime) -> dict[str, object]:
    (row,) = await rt.db.fetch("select * from ticket")
    return row


async def asked(visitor: Visitor) -> int:
    """Ask one question on the page; the ticket's id."""
    await visitor.enter()
    answer = await visitor.http.post("/answers/ask", data={"text": QUESTION})
    assert answer.headers["location"] == "/answers/thanks", answer.text
    return int(str((await only_ticket(visitor.rt))["id"]))


def test_clocks_count_working_days() -> None:
    assert CLOCK(date(2026, 2, 13), 1) == date(2026, 2, 14)  # a Saturday made up for the Spring Festival
    assert CLOCK(date(2026, 2, 14), 1) == date(2026, 2, 24)
    assert CLOCK(date(2026, 11, 20), 5) == date(2026, 11, 27)
    assert CLOCK(date(2090, 1, 6), 1) == date(2090, 1, 9)  # not published: Friday to Monday


async def test_a_question_is_answered_and_she_reads_it(visitor: Visitor, vault: Vault) -> None:
    ticket = await asked(visitor)
    rt = visitor.rt
    async with rt.db.begin() as conn:
        with pytest.raises(Conflict, match="还没有答复"):
            await close_ticket(conn, vault, DISTRICT, ticket)
        await take_ticket(conn, vault, DISTRICT, ticket)
        await note_ticket(conn, vault, DISTRICT, ticket, "先问征收科")
        with pytest.raises(InvalidInput):
            await answer_ticket(conn, vault, DISTRICT, ticket, "  ")
        await answer_ticket(conn, vault, DISTRICT, ticket, "一般 10 个工作日。")
        await close_ticket(conn, vault, DISTRICT, ticket)
    page = (await visitor.http.get("/answers")).text
    assert QUESTION in page and "一般 10 个工作日。" in page and "已办结" in page and "征收科" not in page
    number = (await only_ticket(rt))["number"]
    public = (await visitor.http.post("/ticket", data={"number": number})).text
    assert "已办结" in public and QUESTION not in public and "10 个工作日" not in public
    async with rt.db.begin() as conn:
        with pytest.raises(Conflict):
            await answer_ticket(conn, vault, DISTRICT, ticket, "再答")
        await reopen_ticket(conn, vault, DISTRICT, ticket, "她又来电")
        with pytest.raises(Conflict):
            await close_ticket(conn, vault, DISTRICT, ticket)
        kinds = [step["kind"] for step in (await find_ticket(conn, vault, CITY, ticket))["steps"]]
    assert kinds == ["opened", "taken", "noted", "answered", "closed", "reopened"]


async def test_it_is_passed_up_and_seen_but_not_touched_below(visitor: Visitor, vault: Vault) -> None:
    ticket = await asked(visitor)
    async with visitor.rt.db.begin() as conn:
        await move_ticket(conn, vault, DISTRICT, ticket, None, "政策问题，请市局答复")
    async with visitor.rt.db.begin() as conn:
        with pytest.raises(NotAllowed):
            await answer_ticket(conn, vault, DISTRICT, ticket, "我来答")
        assert (await find_ticket(conn, vault, DISTRICT, ticket))["is_own"] is False
        with pytest.raises(NotFound):
            await find_ticket(conn, vault, NEIGHBOUR, ticket)
        with pytest.raises(NotFound):
            await answer_ticket(conn, vault, NEIGHBOUR, ticket, "我来答")
        assert (await list_tickets(conn, vault, NEIGHBOUR, WantedTickets(""))).rows == []
        # Down again to a unit of the scope, not to one beside it.
        with pytest.raises(NotFound):
            await move_ticket(conn, vault, CITY, ticket, 1, "往上不是这样")
        await move_ticket(conn, vault, CITY, ticket, 3, "请区局答复")
        await answer_ticket(conn, vault, DISTRICT, ticket, "好的")


async def test_a_bad_rating_is_called_back_before_it_closes(visitor: Visitor, vault: Vault) -> None:
    rt = visitor.rt
    _, round_id = await ask_to_confirm(rt)
    await visitor.enter(round_id=round_id)
    for stars in ("4", "2", "1"):
        data = {"stars": stars, "reasons": ["slow", "unclear"], "note": "等了两周"}
        assert (await visitor.http.post("/answers/rate", data=data)).status_code == 303
    assert await rt.db.fetch("select stars, reasons from rating") == [
        {"stars": 1, "reasons": ["slow", "unclear"]}
    ]
    ticket = await only_ticket(rt)
    opened_at = ticket["opened_at"]
    assert isinstance(opened_at, datetime)
    assert (ticket["source"], ticket["due_on"]) == ("bad_rating", CLOCK(in_beijing(opened_at).date(), 5))
    one = int(str(ticket["id"]))
    async with rt.db.begin() as conn:
        await answer_ticket(conn, vault, DISTRICT, one, "已催办")
        with pytest.raises(Conflict, match="回访"):
            await close_ticket(conn, vault, DISTRICT, one)
        await call_back(conn, vault, DISTRICT, one, "unreached", "没人接")
        with pytest.raises(Conflict):
            await close_ticket(conn, vault, DISTRICT, one)
        await call_back(conn, vault, DISTRICT, one, "satisfied", "已到账")
        await close_ticket(conn, vault, DISTRICT, one)
        assert "等候或办理时间太长" in (await find_ticket(conn, vault, CITY, one))["text"]
    for data in ({"stars": "9"}, {"stars": "1", "reasons": ["invented"]}):
        assert (await visitor.http.post("/answers/rate", data=data)).status_code == 400


async def test_the_number_stands_in_no_address(visitor: Visitor) -> None:
    rt, http = visitor.rt, visitor.http
    async with rt.db.begin() as conn:
        await make_places(conn, DISTRICT, 3, "window", "一号窗口")
        token = (await list_places(conn, CITY))[0]["token"]
    done = await http.post(f"/p/{token}/complain", data={"text": "等了一小时"})
    number = str((await only_ticket(rt))["number"])
    assert done.headers["location"] == "/thanks"
    (cookie,) = done.headers.get_list("set-cookie")
    assert "Max-Age=600" in cookie and "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert number in (await http.get("/thanks")).text
    kept = http.cookies["thanks"]
    other = kept.replace(number, "2222222222")
    for forged in (other, other.replace("2222222222", "<b>x</b>"), kept[:-1], "x", ".", ""):
        http.cookies.clear()
        shown = await http.get("/thanks", headers={"Cookie": f"thanks={forged}"})
        assert "编号是" not in shown.text and "<b>" not in shown.text and "2222" not in shown.text
    await http.post(f"/p/{token}/complain", data={"text": "又等了一小时"})
    await http.post(f"/p/{token}/rate", data={"stars": "5"})
    assert "编号是" not in (await http.get("/thanks")).text, "a number from before does not stand there"


async def test_a_code_takes_complaints_without_log_in(visitor: Visitor, vault: Vault) -> None:
    rt, http = visitor.rt, visitor.http
    async with rt.db.begin() as conn:
        assert await make_places(conn, DISTRICT, 3, "window", "一号窗口\n二号窗口\n") == 2
        token = (await list_places(conn, CITY))[0]["token"]
        assert await list_places(conn, NEIGHBOUR) == []
        with pytest.raises(NotFound):
            await make_places(conn, NEIGHBOUR, 3, "window", "别人的窗口")
        assert (await find_place(conn, token)).name == "一号窗口"
    page = await http.get(f"/p/{token}")
    assert "一号窗口" in page.text and (await http.get("/p/AAAAAAAAAA")).status_code == 404
    done = await http.post(f"/p/{token}/complain", data={"text": "等了一小时", "contact": "13900000000"})
    thanks = (await http.get(done.headers["location"])).text
    ticket = await only_ticket(rt)
    assert ticket["number"] in thanks and ticket["org_id"] == 3 and ticket["source"] == "complaint"
    async with rt.db.begin() as conn:
        await answer_ticket(conn, vault, DISTRICT, int(str(ticket["id"])), "已加开窗口")
    public = (await http.post("/ticket", data={"number": f" {ticket['number']} ".lower()})).text
    assert "已加开窗口" in public and "13900000000" not in public
    assert "没有查到" in (await http.post("/ticket", data={"number": "2222222222"})).text
    # A rating at the window: a bad one without a number to call may be closed after its answer.
    await http.post(f"/p/{token}/rate", data={"stars": "5"})
    await http.post(f"/p/{token}/rate", data={"stars": "1", "reasons": ["attitude"]})
    bad = await rt.db.fetch_one("select id from ticket where source = 'bad_rating'")
    assert bad is not None
    async with rt.db.begin() as conn:
        await answer_ticket(conn, vault, DISTRICT, bad["id"], "已整改")
        await close_ticket(conn, vault, DISTRICT, bad["id"])
        row = next(row for row in await list_places(conn, CITY) if row["token"] == token)
    assert (row["ratings"], row["tickets"], float(row["average"])) == (2, 2, 3.0)


async def test_one_network_cannot_flood_a_desk(visitor: Visitor) -> None:
    async with visitor.rt.db.begin() as conn:
        await make_places(conn, DISTRICT, 3, "hall", "办税厅")
        token = (await list_places(conn, CITY))[0]["token"]
        await conn.execute(
            "insert into public_post (network) select '203.0.113.0/24' from generate_series(1, %s)", (POSTS,)
        )
    answer = await visitor.http.post(f"/p/{token}/complain", data={"text": "又来"})
    assert answer.status_code == 429
    assert await visitor.rt.db.fetch("select id from ticket") == []


async def say(rt: Runtime, text: str, number: int, person: int = 1) -> None:
    """A reply by SMS from a person's phone."""
    gateway = next(g for g in (await load_gateways(rt)).values() if g.channel == "sms")
    told = Inbound(
        InboundKind.TEXT,
        f"139000000{person:02d}",
        text,
        at=datetime.now(UTC),
        provider_id=f"p{number}",
    )
    await record_inbound(rt, gateway, told)


async def test_replies_become_answers_and_tickets(visitor: Visitor, vault: Vault) -> None:
    rt = visitor.rt
    await add_gateways(rt, free_ports(), rate=100, quiet_seconds=60)
    campaign, round_id = await ask_to_confirm(rt)
    await _reachable_by_phone(rt, vault, round_id, [COMPANY.id])
    words = "【示例局】示例市春风里商贸有限公司：请回复确认或不同意"
    async with rt.db.begin() as conn:
        await conn.execute(
            "insert into sent_text (message_id, digest, taxpayer_ids, text_enc)"
            " values (1001000, %s, '{1}', %s)",
            (hashlib.sha256(words.encode()).digest(), vault.encrypt("sent_text", "text_enc", 1001000, words)),
        )
    replies = ("确认", "收到", QUESTION, "退订", "不满意", "不同意")
    for number, text in enumerate(replies):
        await say(rt, text, number)
    made = await take_replies(rt)
    assert (made.replies, made.confirmations, made.tickets) == (6, 2, 2)
    assert (await take_replies(rt)).replies == 0
    async with rt.db.begin() as conn:
        kept = await answers_of(conn, campaign, COMPANY.id)
        assert [row["verdict"] for row in kept] == ["declined", "confirmed"]
        assert kept[0]["channel"] == "sms" and kept[0]["supersedes"] == kept[1]["id"]
        rows = (await list_tickets(conn, vault, DISTRICT, WantedTickets())).rows
        records, _ = await read_evidence(conn, vault, campaign, path="1.")
    # What is kept is what she was sent, word for word.
    assert {one.record["text"] for one in records} == {words}
    assert {one.record["text_is"] for one in records} == {"message"}
    assert {(row["source"], row["text"]) for row in rows} == {("reply", QUESTION), ("bad_rating", "不满意")}


@pytest.mark.parametrize("apart", [False, True])
async def test_words_that_may_mean_several_households_confirm_none(
    visitor: Visitor, vault: Vault, apart: bool
) -> None:
    rt = visitor.rt
    await add_gateways(rt, free_ports(), rate=100, quiet_seconds=60)
    campaign, round_id = await ask_to_confirm(rt)
    await _reachable_by_phone(rt, vault, round_id, [COMPANY.id] if apart else [COMPANY.id, SHOP.id])
    if apart:
        await _another_round(rt, campaign, [SHOP.id])
    await say(rt, "Y", 1)
    made = await take_replies(rt)
    assert (made.confirmations, made.tickets) == (0, 1)
    assert (await take_replies(rt)).replies == 0
    assert await rt.db.fetch("select id from confirmation") == []
    async with rt.db.begin() as conn:
        (listed,) = (await list_tickets(conn, vault, DISTRICT, WantedTickets())).rows
        steps = (await find_ticket(conn, vault, DISTRICT, listed["id"]))["steps"]
    assert listed["state"] == "open" and listed["text"] == "Y"
    assert [step["kind"] for step in steps] == ["opened", "told"] and SHOP.name in steps[1]["text"]
    # She reads it where she is asked to choose; answering there for one leaves one that words can mean.
    await visitor.enter(taxpayer_ids=[COMPANY.id, SHOP.id], round_id=round_id)
    page = (await visitor.http.get("/answers")).text
    assert "没有记为确认" in page
    seen = re.findall(r'name="seen" value="(\w{64})"', page)[0]
    await visitor.http.post("/answers/confirm", data={"verdict": "confirmed", "seen": seen, "n": 0})
    await say(rt, "Y", 2)
    assert (await take_replies(rt)).confirmations == (1 if apart else 0)


async def _another_round(rt: Runtime, campaign: int, households: list[int]) -> None:
    """The same person is asked once more, for another household."""
    await rt.db.execute(
        "insert into round (campaign_id, ordinal, name, starts_at, ends_at, segment, state, period)"
        " values (%(campaign)s, 2, '二', now(), now() + interval '9 days', '', 'running', 202601)",
        {"campaign": campaign},
    )
    await rt.db.execute(
        "insert into round_step (round_id, step, channel, template_id, version_id)"
        " select (select max(id) from round), step, channel, template_id, version_id from round_step limit 1"
    )
    await rt.db.execute(
        "insert into message (period, shard, id, round_id, step, person_id, org_id, reach, dest, state, at,"
        " sent_at, taxpayer_ids) select 202601, 1, id + 1, (select max(id) from round), 0, 1, 3, 1, dest, 3,"
        " now(), now(), %(households)s from message limit 1",
        {"households": households},
    )


async def test_words_without_a_request_are_no_consent(visitor: Visitor, vault: Vault) -> None:
    rt = visitor.rt
    await add_gateways(rt, free_ports(), rate=100, quiet_seconds=60)
    _, round_id = await ask_to_confirm(rt, kind="policy_push")
    await _reachable_by_phone(rt, vault, round_id, [COMPANY.id])
    await say(rt, "确认", 1)
    assert (await take_replies(rt)).confirmations == 0
    assert await rt.db.fetch("select id from confirmation") == []


async def _reachable_by_phone(rt: Runtime, vault: Vault, round_id: int, households: list[int]) -> None:
    """The company's contact has a phone and got one message for these households."""
    number = "13900000001"
    index = vault.blind_index("address.mobile", number)
    async with rt.db.begin() as conn:
        await conn.execute(
            "insert into address (id, person_id, kind, value_enc, bidx, dest)"
            " values (1, 1, 'mobile', %s, %s, %s)",
            (vault.encrypt("address", "value_enc", 1, number), index, vault.dest(index)),
        )
        await conn.execute("update contact set person_id = 1 where taxpayer_id = 2")
        template = await (
            await conn.execute(
                "insert into template (code, name, channel, org_id) values ('k', '确认', 'sms', 2)"
                " returning id"
            )
        ).fetchone()
        assert template is not None
        version = await (
            await conn.execute(
                "insert into template_version (template_id, version, content, variables, content_hash,"
                " created_by) values (%s, 1, '{\"text\": \"请回复确认或不同意\"}', '{}', '', 'maker')"
                " returning id",
                (template["id"],),
            )
        ).fetchone()
        assert version is not None
        await conn.execute(
            "insert into round_step (round_id, step, channel, template_id, version_id)"
            " values (%s, 0, 'sms', %s, %s)",
            (round_id, template["id"], version["id"]),
        )
        await conn.execute("create table message_202601 partition of message for values in (202601)")
        await conn.execute(
            "insert into message (period, shard, id, round_id, step, person_id, org_id, reach, dest, state,"
            " at, sent_at, taxpayer_ids)"
            " values (202601, 1, 1001000, %s, 0, 1, 3, 1, %s, 3, now(), now(), %s)",
            (round_id, vault.dest(index), households),
        )
