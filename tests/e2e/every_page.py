"""Every page that a taxpayer sees, with real content in one town, and how each is reached."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fastapi import APIRouter
from playwright.async_api import Page

from outreach.errors import TooMany, Unavailable
from outreach.governance.vault import open_vault
from outreach.service.tickets import NewTicket, answer_ticket, open_tickets
from outreach.statements.issue import issue_documents
from outreach.web.explanations import explain_link
from outreach.web.public import PublicDeps, make_public_router
from outreach.web.public_types import Binding, Mailing, MessageProof, PdfMail
from tests.conftest import TestServers
from tests.e2e.answers_stage import CITY, Asked, settle_answers, verify
from tests.e2e.public_phone import Phone, open_phone
from tests.integration.public_site import Site
from tests.integration.statement_samples import COMPANY, ELSEWHERE, PERSON, SHOP, load_text

MODES = {
    "normal": "lang=zh&size=normal",
    "large": "lang=zh&size=large",
    "mongolian": "lang=mn&size=normal",
    "mongolian-large": "lang=mn&size=large",
    "english": "lang=en&size=normal",
}
HOUSEHOLDS = (COMPANY, SHOP, PERSON, ELSEWHERE)
_PUT = "([where, what]) => { document.querySelector(where).value = what }"
_PRESS = "button => { button.form.noValidate = true; button.click() }"
_GO, _CODE = "main .primary", "#code"


@dataclass(frozen=True)
class Stop:
    """One page: its address, a text of its Chinese form, what is put in and pressed to see it."""

    address: str
    says: str
    put: Mapping[str, str] = field(default_factory=dict)
    press: str = ""

    async def open(self, page: Page, mode: str) -> None:
        """Go there in a mode; where something is pressed, the page that comes next is meant."""
        await page.goto(self.address + ("&" if "?" in self.address else "?") + MODES[mode])
        for where, what in self.put.items():
            await page.evaluate(_PUT, [where, what])
        if self.press:
            async with page.expect_navigation():
                await page.locator(self.press).first.evaluate(_PRESS)
        assert mode == "english" or self.says in await page.inner_text("main"), self


@dataclass(frozen=True)
class Town:
    """The town and what there is to answer; `ticket` is the number of an answered complaint, `documents` how
    many documents there are."""

    phone: Phone
    asked: Asked
    ticket: str
    digest: str
    documents: int

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[Page]:
        """A visitor who has typed her code."""
        # Every mode asks for a code, more often than one person may in a day.
        await self.phone.site.rt.db.execute("delete from statement_mailbox")
        async with self.phone.visit(r"status of (4|503)", reduced_motion="reduce") as page:
            await verify(page, self.phone.base, self.asked)
            yield page

    def stops(self) -> dict[str, Stop]:
        """All pages by name, in the order in which she meets them."""
        return _outside(self.digest) | _documents(self.documents) | _answers(self.asked, self.ticket)


def _outside(digest: str) -> dict[str, Stop]:
    link = "/t/aaaaaaaaaaa"
    return {
        "entry": Stop(link, "获取验证码"),
        "code": Stop(f"{link}?step=code", "没有收到"),
        "code refused": Stop(f"{link}?step=again", "验证码没有通过"),
        "find": Stop("/find", "账单查询"),
        "find refused": Stop("/find", "请填写完整", press=_GO),
        "find code": Stop("/find", "没有收到", {"#number": COMPANY.tax_no}, _GO),
        "check": Stop("/check", "核验码"),
        "check message": Stop("/check", "是税务机关发出的消息", {_CODE: "K7M2QX"}, _GO),
        "check unknown": Stop("/check", "没有查到这个核验码", {_CODE: "AAAAAA"}, _GO),
        "check document": Stop(f"/check?d={digest}", "是税务机关出具的文书"),
        "check no document": Stop(f"/check?d={'0' * 64}", "没有查到这份账单"),
        "why": Stop("/why", "符合以下条件的户"),
        "why found": Stop("/why", "您有应办事项", {_CODE: "K7M2QX"}, _GO),
        "why unknown": Stop("/why", "没有查到这个核验码", {_CODE: "AAAAAA"}, _GO),
        "privacy": Stop("/privacy", "您的权利"),
        "stop": Stop("/stop", "按渠道拒收"),
        "stop link": Stop("/u/aaaaaaaaaaa", "不再接收任何宣传邮件"),
        "stopped": Stop("/stopped", "已为您停止"),
        "leaflets": Stop("/leaflets", "政策明白纸"),
        "leaflet": Stop("/leaflet/own-business", "个体工商户"),
        "missing": Stop("/leaflet/nothing", "没有这个页面"),
        "busy": Stop("/check", "请稍等一会儿再试", {_CODE: "BUSY00"}, _GO),
        "failed": Stop("/check", "告知编号", {_CODE: "FAILED"}, _GO),
    }


def _documents(count: int) -> dict[str, Stop]:
    mail = "/statement/mail?n=0"
    return {
        **{f"document {n}": Stop(f"/statement?n={n}", "校验值") for n in range(count)},
        "rated": Stop("/statement?n=0&rated=1", "已收到您的评价"),
        "rating missing": Stop("/statement?n=0", "请先选择一个满意程度", press="#rate button"),
        "share": Stop("/statement/share?n=0", "分享图"),
        "mail": Stop(mail, "向邮箱发送验证码"),
        "mail code": Stop(f"{mail}&step=code", "10 分钟内有效"),
        "mail code refused": Stop(f"{mail}&step=again", "验证码不对"),
        "mail unsent": Stop(mail, "暂时无法发送邮件", press=_GO),
        "mail sent": Stop(f"{mail}&step=sent", "已发送到"),
        "wechat": Stop("/wechat", "用微信接收提醒"),
        "wechat confirm": Stop("/wechat/confirm?state=x", "确认绑定"),
        "wechat failed": Stop("/wechat/back?state=x&code=y", "没有绑定成功"),
        "wechat done": Stop("/wechat/done", "已绑定"),
        "left": Stop("/statement/left", "您已退出"),
    }


def _answers(asked: Asked, ticket: str) -> dict[str, Stop]:
    survey, stale = f"/answers/survey/{asked.survey}", {"[name=seen]": "0"}
    said = {"#text": "排队一小时，窗口只开了一个。"}
    return {
        "answers": Stop("/answers", "需要您确认"),
        "confirmation refused": Stop("/answers", "内容刚刚更新", stale, "button[value=confirmed]"),
        "question refused": Stop("/answers", "返回上一页检查", press="form[action='/answers/ask'] button"),
        "rate": Stop("/answers/rate", "评价这次服务"),
        "choices": Stop("/answers/choices", "接收哪些消息"),
        "choices saved": Stop("/answers?done=choices", "已保存"),
        "survey": Stop(survey, "购买设备"),
        "survey unanswered": Stop(survey, "这一题需要回答", press=_GO),
        "thanks": Stop("/answers", "您的编号是", said, "form[action='/answers/ask'] button"),
        "wall": Stop("/wall", "上传附件总是失败"),
        "wall empty": Stop("/wall?topic=messages", "还没有公开的留言"),
        "wall write": Stop("/wall/write", "同意审核后公开"),
        "wall at place": Stop(f"/wall/write?place={asked.token}", "不记录您是谁"),
        "place": Stop(f"/p/{asked.token}", "一号综合窗口"),
        "place thanks": Stop(f"/p/{asked.token}", "您的编号是", said, _GO),
        "ticket": Stop("/ticket", "10 位编号"),
        "ticket found": Stop("/ticket", "已答复", {_CODE: ticket}, _GO),
        "ticket unknown": Stop("/ticket", "没有查到这个编号", {_CODE: "AAAAAAAAAA"}, _GO),
    }


@asynccontextmanager
async def open_town(servers: TestServers, folder: Path) -> AsyncIterator[Town]:
    """A made-up city where everything is offered: documents, mail, WeChat, answers, a survey, a window."""
    async with open_phone(servers, folder, database="every_page") as phone:
        site, rt = phone.site, phone.site.rt
        await _defer(site, folder)
        await _withdraw(site, folder)
        households = [one.id for one in HOUSEHOLDS]
        asked = await settle_answers(rt, households, office=COMPANY.org_id)
        ticket = await _answered(site)
        await _offer_the_rest(site)
        rows = await rt.db.fetch("select content_hash from statement order by id")
        current = await rt.db.fetch("select from statement where version = 1")
        yield Town(phone, asked, ticket, bytes(rows[0]["content_hash"]).hex(), len(current))


async def _defer(site: Site, folder: Path) -> None:
    """A benefit bill with deferrals of large amounts."""
    header = "纳税人识别号,所属期,优惠代码,序号,应缴税额,企业规模\n"
    line = f"{ELSEWHERE.tax_no},2022{{month:02d}},DEFER_MFG_SME_2022,1,246913578.24,中型\n"
    await load_text(site.rt, folder, header + "".join(line.format(month=month) for month in (1, 2)))
    await issue_documents(site.rt, "benefit_bill", 2022, scope_org_id=ELSEWHERE.org_id)


async def _withdraw(site: Site, folder: Path) -> None:
    """A benefit bill of which nothing is left."""
    header = "纳税人识别号,所属期,优惠代码,应缴税额,享受状态\n"
    for state in ("已享受", "作废"):
        await load_text(site.rt, folder, f"{header}{ELSEWHERE.tax_no},202405,SIX_TAX_HALF,1000.00,{state}\n")
        await issue_documents(site.rt, "benefit_bill", 2024, scope_org_id=ELSEWHERE.org_id)


async def _answered(site: Site) -> str:
    rt = site.rt
    said = "上午排队一小时，窗口只开了一个，轮到我时系统又说要回单位补一份材料，来回跑了两趟。"
    wanted = [
        NewTicket("question", "page", COMPANY.org_id, said, taxpayer_id=COMPANY.id, person_id=COMPANY.id),
        NewTicket("complaint", "scan", COMPANY.org_id, said),
    ]
    async with rt.db.begin() as conn:
        vault = open_vault(rt.settings)
        opened = await open_tickets(conn, vault, wanted, "taxpayer")
        for one in opened:
            await answer_ticket(conn, vault, CITY, one.id, "已增开两个窗口，材料可以在线补传，欢迎再来。")
    return opened[1].number


async def _offer_the_rest(site: Site) -> None:
    """A mailbox on file and a platform for WeChat; nothing leaves, and two codes show how pages fail."""
    rt = site.rt
    sealed = open_vault(rt.settings).encrypt("address", "value_enc", 900, "finance@example.com")
    await rt.db.execute(
        "insert into address (id, person_id, kind, value_enc, bidx, dest)"
        " values (900, %(person)s, 'email', %(sealed)s, '', 7)",
        {"person": COMPANY.id, "sealed": sealed},
    )
    await rt.db.execute(
        "insert into gateway (name, channel, adapter, config_enc, secret, rate, burst)"
        " values ('公众号', 'wechat', 'wechat_official', '', 'x', 100, 100)"
    )

    async def check(code: str) -> MessageProof | None:
        if code == "BUSY00":
            raise TooMany("请稍后再试。")
        if code == "FAILED":
            raise Unavailable("没有连接。")
        return await site.check(code)

    async def begin(_link: bytes) -> str | None:
        return None

    async def never(*_: object) -> bool:
        return False

    async def no_gateway(_person: int, _what: str | PdfMail) -> bool:
        raise Unavailable("没有网关。")

    await rt.db.execute("update round set started_at = business_now()")
    await rt.db.execute(
        "insert into round_set (round_id, ordinal, kind, size, data, expression)"
        " select id, 0, 'audience', 1, '', %(rule)s from round",
        {"rule": "kind in (enterprise, individual_business) and (credit_score > 80 or filing_due)"},
    )
    site.app.router.routes.clear()
    deps = PublicDeps(
        rt, site.send_code, check, site.explain, site.stop, site.rate,
        Binding(begin, never, never), Mailing(no_gateway, no_gateway), partial(explain_link, rt),
    )  # fmt: skip
    router: APIRouter = make_public_router(deps)
    site.app.include_router(router)
