"""What there is to answer in the console's town: a confirmation, a survey, a window's code, a complaint."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from playwright.async_api import Page

from outreach.governance.actor import Actor
from outreach.governance.permissions import permissions_of
from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.service.confirmations import publish_matter
from outreach.service.places import list_places, make_places
from outreach.service.surveys import publish_survey, save_survey
from outreach.service.tickets import NewTicket, answer_ticket, open_tickets
from outreach.service.wall import leave_feedback, publish_entry
from outreach.statements.links import LinkRequest, issue_links, token_hash

CITY = Actor(1, "planner", "李文静", permissions_of(["planner"]), 2, "1.2.", 2, "1.2.")
QUESTIONS = """[单选*] 退税款您主要用在哪里？
周转经营
购买设备
还没想好 → 结束

[打分5] 您对退税速度打几分？

[填写文字] 经营上还有什么困难？"""

FEEDBACK = "电子税务局上传附件总是失败，要反复试好几次，希望能一次传成功，也希望写清楚文件多大才行。"
FEEDBACK_ANSWER = "已请技术人员扩大附件上限，并在上传页面写明文件格式和大小。仍有问题请拨打 12366。"


@dataclass(frozen=True)
class Asked:
    """What there is to answer: ids, and the cookie of a verified visit."""

    campaign: int
    survey: int
    ticket: int
    feedback: int
    token: str
    cookie: str


async def settle_answers(rt: Runtime, households: Sequence[int] = (1, 2), office: int = 7) -> Asked:
    """A campaign that asks households to confirm, a survey, a code at an office's window, a complaint."""
    async with rt.db.begin() as conn:
        campaign = await (
            await conn.execute(
                "insert into campaign"
                " (code, name, purpose, kind, legal_basis, org_id, segment, created_by, state)"
                " values ('mshy', '小微企业减免免申请享受确认', '请符合条件的纳税人确认', 'confirmation',"
                " '示例依据', 2, 'everyone', 'planner', 'running') returning id"
            )
        ).fetchone()
        assert campaign is not None
        made = await (
            await conn.execute(
                "insert into round (campaign_id, ordinal, name, starts_at, ends_at, segment, state)"
                " values (%s, 1, '第一轮', business_now(), business_now() + interval '30 days', '',"
                " 'finished') returning id",
                (campaign["id"],),
            )
        ).fetchone()
        assert made is not None
        await publish_matter(
            conn,
            campaign["id"],
            "planner",
            title="小型微利企业“六税两费”减半征收",
            body="您单位符合减半征收条件，系统将自动为您办理，无需申请。\n不同意的，仍可在申报时自行选择。",
        )
        survey = await save_survey(
            conn,
            CITY,
            None,
            title="退税款使用情况",
            intro="共 3 题，约 1 分钟。",
            questions=QUESTIONS,
            campaign_id=None,
        )
        await publish_survey(conn, CITY, survey)
        await make_places(conn, CITY, office, "window", "一号综合窗口\n二号社保窗口")
        place = (await list_places(conn, CITY))[0]
        complaint = NewTicket(
            "complaint",
            "scan",
            office,
            "上午排队一小时，窗口只开了一个。",
            "13900000000",
            place_id=place["id"],
        )
        vault = open_vault(rt.settings)
        (opened,) = await open_tickets(conn, vault, [complaint], "taxpayer")
        words = NewTicket("feedback", "scan", office, FEEDBACK, place_id=place["id"])
        said = await leave_feedback(conn, vault, words, "online", may_publish=True)
        await answer_ticket(conn, vault, CITY, said.id, FEEDBACK_ANSWER)
        await publish_entry(conn, vault, CITY, said.id, FEEDBACK, FEEDBACK_ANSWER)
    cookie = await _verified(rt, made["id"], households)
    return Asked(campaign["id"], survey, opened.id, said.id, place["token"], cookie)


async def _verified(rt: Runtime, round_id: int, households: Sequence[int]) -> str:
    vault, secret = open_vault(rt.settings), secrets.token_urlsafe(16)
    async with rt.db.begin() as conn:
        wish = LinkRequest(list(households), round_id, None, await rt.now() + timedelta(days=30), 1)
        (token,) = await issue_links(conn, vault, [wish])
        await conn.execute(
            "insert into role (taxpayer_id, person_id, role)"
            " select id, 1, 'tax_filer' from unnest(%s::int[]) as id on conflict do nothing",
            (list(households),),
        )
        await conn.execute(
            "insert into statement_session (session_hash, token_hash, expires_at)"
            " values (%s, %s, now() + interval '1 hour')",
            (vault.keyed_hash("statement.session").digest(secret.encode()), token_hash(vault, token)),
        )
    return secret


def public_pages(asked: Asked) -> list[str]:
    """The pages of a taxpayer who answers."""
    return [
        "/answers",
        "/answers/rate",
        "/answers/choices",
        f"/answers/survey/{asked.survey}",
        f"/p/{asked.token}",
        "/thanks",
        "/ticket",
        "/wall",
        "/wall/write",
        f"/wall/write?place={asked.token}",
    ]


async def verify(page: Page, base: str, asked: Asked) -> None:
    """The visitor of the page has typed her code."""
    await page.context.add_cookies([{"name": "statement", "value": asked.cookie, "url": base}])
