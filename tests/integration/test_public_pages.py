"""The taxpayers' pages over HTTP: nothing before verification, the same answers for dead and live links."""

import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from outreach.runtime import Runtime
from outreach.statements.access import MOST_TRIES, note_miss
from outreach.statements.bill import issue_yearly_bills
from outreach.web import public_entry
from outreach.web.public import PublicDeps, make_public_router
from outreach.web.public_pages import FOLDER, LANGUAGES
from tests.integration.public_site import Site, open_site, shape
from tests.integration.statement_samples import COMPANY, PERSON, SHOP, Sample, events, one_link

DEAD = "aaaaaaaaaaa"
AMOUNT = re.compile(r"\d{1,3}(,\d{3})*\.\d\d")


@pytest.fixture
async def site(rt: Runtime, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(rt, tmp_path) as made:
        yield made


class TestBeforeVerification:
    async def test_dead_and_live_links_look_the_same(self, site: Site) -> None:
        live, expired = await one_link(site.rt), await one_link(site.rt, days=-1)
        locked = await one_link(site.rt)
        await site.http.post(f"/t/{locked}/code")
        for _ in range(MOST_TRIES):
            await site.http.post(f"/t/{locked}/verify", data={"code": "000000"})
        for step in ("", "?step=code", "?step=again"):
            shapes = [shape(await site.http.get(f"/t/{t}{step}"), t) for t in (live, DEAD, expired, locked)]
            assert shapes.count(shapes[0]) == 4
        for path, data in (("code", None), ("verify", {"code": "123456"})):
            answers = []
            for token in (live, DEAD, expired, locked):
                started = time.monotonic()
                answers.append(shape(await site.http.post(f"/t/{token}/{path}", data=data), token))
                assert time.monotonic() - started >= public_entry.ANSWER_SECONDS - 0.005
            assert answers.count(answers[0]) == 4

    async def test_nothing_personal_before_the_code(self, site: Site) -> None:
        token = await one_link(site.rt)
        for path in (f"/t/{token}", f"/t/{token}?step=code", "/check", "/why", "/privacy", "/statement"):
            text = (await site.http.get(path)).text
            assert COMPANY.name not in text and "9115" not in text and not AMOUNT.search(text)

    async def test_previewers_leave_no_trace(self, site: Site) -> None:
        token = await one_link(site.rt)
        for _ in range(3):
            await site.http.get(f"/t/{token}")
            await site.http.head(f"/t/{token}")
        row = await site.rt.db.fetch_one("select opened_at, read_at from link")
        assert row == {"opened_at": None, "read_at": None} and await events(site.rt) == []

    async def test_a_gateway_that_is_down_shows_nothing(self, site: Site) -> None:
        site.gateway_down = True
        token = await one_link(site.rt)
        live = shape(await site.http.post(f"/t/{token}/code"), token)
        assert live == shape(await site.http.post(f"/t/{DEAD}/code"), DEAD)

    async def test_what_is_no_token_is_not_repeated(self, site: Site) -> None:
        text = (await site.http.get("/t/%3Cscript%3Ealert(1)%3C%2Fscript%3E")).text
        assert "alert(1)" not in text
        answer = await site.http.post("/t/..%2F..%2Fevil.example/code")
        assert answer.status_code in (303, 404) and "evil" not in answer.headers.get("location", "")

    async def test_a_network_that_guesses_is_stopped(self, site: Site) -> None:
        for _ in range(public_entry.TRIES_TO_STOP + 1):
            await note_miss(site.rt, "203.0.113.99")
        token = await one_link(site.rt)
        answers = [await site.http.post(f"/t/{t}/code") for t in (token, DEAD)]
        assert [a.status_code for a in answers] == [429, 429] and answers[0].text == answers[1].text
        assert answers[0].headers["retry-after"] == "60" and site.codes == []

    async def test_form_without_a_code(self, site: Site) -> None:
        token = await one_link(site.rt)
        assert (await site.http.post(f"/t/{token}/verify")).headers["location"] == f"/t/{token}?step=again"
        assert (await site.http.post(f"/t/{token}/verify", data={"code": "9" * 99})).status_code == 400


class TestStatement:
    async def test_shows_the_households_of_the_link_only(self, site: Site) -> None:
        await site.open(taxpayer_ids=[COMPANY.id, SHOP.id])
        first, second = await site.http.get("/statement"), await site.http.get("/statement?n=1")
        assert COMPANY.name in first.text and "495,140.00" in first.text
        assert f'<p class="name">{SHOP.name}</p>' in second.text
        assert PERSON.name not in first.text + second.text
        beyond = await site.http.get("/statement?n=99")
        assert f'<p class="name">{COMPANY.name}</p>' in beyond.text
        assert (await events(site.rt))[-3:] == ["viewed"] * 3

    async def test_every_line_shows_formula_document_and_caveat(self, site: Site) -> None:
        await site.open()
        text = (await site.http.get("/statement")).text
        for expected in (
            "应缴 5,000.00 × 50% = 减征 2,500.00 元",
            "公告2023年第12号（2023-01-01起执行",
            "以主管税务机关核定为准",
            "不是减免",
            "30人（含）以下企业免征残疾人就业保障金",
            "更正《残疾人就业保障金缴费申报表》",
        ):
            assert expected in text

    async def test_weight_and_no_inline_code(self, site: Site) -> None:
        await site.open()
        page = (await site.http.get("/statement")).text
        assets = sum(
            (FOLDER / "static" / name).stat().st_size for name in ("public.css", "public.js", "mark.svg")
        )
        assert len(page.encode()) + assets < 100_000
        assert not re.search(
            r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|javascript:|https?://(?!127)", page
        )

    async def test_pdf(self, site: Site) -> None:
        await site.open()
        answer = await site.http.get("/statement.pdf")
        assert answer.headers["content-type"] == "application/pdf" and answer.content.startswith(b"%PDF")
        assert re.fullmatch(
            r'attachment; filename="ZD2025-\d{9}\.pdf"', answer.headers["content-disposition"]
        )
        assert (await events(site.rt))[-1] == "downloaded"

    async def test_the_pdf_reads_as_the_page_does(self, site: Site) -> None:
        """Mongolian beside the Chinese for whoever has chosen it, on the page or by the address."""
        await site.open()
        chinese = (await site.http.get("/statement.pdf")).content
        assert (await site.http.get("/statement.pdf?lang=en")).content == chinese
        mongolian = (await site.http.get("/statement.pdf?lang=mn")).content
        assert b"/FontFile2" not in chinese and len(mongolian) > len(chinese)
        await site.http.get("/statement?lang=mn")
        assert (await site.http.get("/statement.pdf")).content == mongolian
        leaflets = [await site.http.get(f"/leaflet/car/pdf?lang={language}") for language in ("zh", "mn")]
        assert len(leaflets[0].content) < len(leaflets[1].content)

    async def test_leaving(self, site: Site) -> None:
        await site.open()
        answer = await site.http.post("/statement/end")
        assert answer.headers["location"] == "/statement/left"
        assert (await site.http.get("/statement")).status_code == 401
        assert (await site.http.get("/statement.pdf")).status_code == 401

    async def test_without_a_session(self, site: Site) -> None:
        for cookie in ("", "forged", "x" * 4000):
            answer = await site.http.get("/statement", headers={"Cookie": f"statement={cookie}"})
            assert answer.status_code == 401 and not AMOUNT.search(answer.text)

    async def test_a_broken_seal_shows_no_amount(self, site: Site) -> None:
        await site.open()
        await site.rt.db.execute("update statement set content_hash = sha256('x') where taxpayer_id = 1")
        answer = await site.http.get("/statement")
        assert answer.status_code == 500 and "完整性校验" in answer.text and not AMOUNT.search(answer.text)

    async def test_names_are_text(self, site: Site, tmp_path: Path) -> None:
        name = "<script>alert('x')</script>&\"公司"
        await site.rt.db.execute("update taxpayer set name = %(name)s where id = 1", {"name": name})
        await site.rt.db.execute(
            "update tax_record set paid = paid + 1 where taxpayer_id = 1 and month = 202501"
        )
        await issue_yearly_bills(site.rt, 2025, scope_org_id=1)
        await site.open()
        text = (await site.http.get("/statement")).text
        assert "<script>alert" not in text and "&lt;script&gt;alert" in text
        assert (await site.http.get("/statement.pdf")).status_code == 200

    async def test_a_correction_is_told(self, site: Site) -> None:
        await site.rt.db.execute(
            "update tax_record set paid = paid + 1 where taxpayer_id = 1 and month = 202501"
        )
        await issue_yearly_bills(site.rt, 2025, scope_org_id=1, reason="更正一月申报")
        await site.open()
        text = (await site.http.get("/statement")).text
        assert "这是第 2 版，替代 ZD2025-" in text and "更正一月申报" in text

    async def test_natural_person(self, site: Site) -> None:
        await site.open(taxpayer_ids=[PERSON.id])
        text = (await site.http.get("/statement")).text
        assert "可申请退税" in text and "720.00" in text and "不等于退税额" in text

    async def test_rating(self, site: Site) -> None:
        await site.open()
        answer = await site.http.post("/statement/rate", data={"stars": "4", "n": "0"})
        assert answer.headers["location"] == "/statement?n=0&rated=1#rate"
        assert [(r.taxpayer_id, r.stars) for r in site.ratings] == [(COMPANY.id, 4)]
        for data in ({}, {"stars": "6"}, {"stars": "-1"}, {"stars": "x"}):
            assert (await site.http.post("/statement/rate", data=data)).status_code == 400
        assert len(site.ratings) == 1

    async def test_other_sites_cannot_post(self, site: Site) -> None:
        await site.open()
        evil = {"Origin": "https://evil.example"}
        assert (await site.http.post("/statement/end", headers=evil)).status_code == 400
        assert (await site.http.post("/statement/rate", data={"stars": "1"}, headers=evil)).status_code == 400
        assert (await site.http.get("/statement")).status_code == 200 and site.ratings == []


class TestEverybody:
    async def test_a_message_is_checked_by_its_code(self, site: Site) -> None:
        good = await site.http.post("/check", data={"code": " 〔k7m2-qx〕 "})
        assert "是税务机关发出的消息" in good.text and "汇算提醒" in good.text
        bad = await site.http.post("/check", data={"code": "AAAAAA"})
        assert "没有查到" in bad.text and await events(site.rt) == ["miss"]
        assert "没有查到" not in (await site.http.post("/check", data={"code": "  "})).text

    async def test_a_document_is_checked_by_its_digest(self, site: Site) -> None:
        row = await site.rt.db.fetch_one(
            "select encode(content_hash, 'hex') as hex from statement where taxpayer_id = 1"
        )
        assert row is not None
        good = (await site.http.get(f"/check?d={row['hex']}")).text
        assert "是税务机关出具的文书" in good and "2025 年度纳税缴费账单 第 1 版" in good
        assert COMPANY.name not in good and not AMOUNT.search(good)
        assert "与任何已出具的账单都不一致" in (await site.http.get(f"/check?d={'0' * 64}")).text

    async def test_why(self, site: Site) -> None:
        assert "您有应办事项" in (await site.http.post("/why", data={"code": "K7M2QX"})).text
        assert "没有查到" in (await site.http.post("/why", data={"code": "ZZZZZZ"})).text

    async def test_unsubscribing_needs_a_post(self, site: Site) -> None:
        await site.http.get("/u/some-token")
        await site.http.head("/u/some-token")
        assert site.stopped == []
        page = await site.http.post("/u/some-token")
        assert page.headers["location"] == "/stopped"
        one_click = await site.http.post("/u/some-token", data={"List-Unsubscribe": "One-Click"})
        assert one_click.status_code == 204 and "set-cookie" not in one_click.headers
        assert site.stopped == [("some-token", "page"), ("some-token", "one-click")]

    @pytest.mark.parametrize(
        "path", ["/t/aaaaaaaaaaa", "/check", "/why", "/privacy", "/stop", "/stopped", "/u/x"]
    )
    async def test_headers_and_languages(self, site: Site, path: str) -> None:
        for language in LANGUAGES:
            answer = await site.http.get(path, params={"lang": language, "size": "large"})
            assert answer.status_code == 200 and 'class="large"' in answer.text
            assert ("writing-mode" in answer.text or 'class="mongol"' in answer.text) == (language == "mn")
            headers = answer.headers
            assert headers["cache-control"] == "no-store" and headers["referrer-policy"] == "no-referrer"
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"] and "noindex" in headers["x-robots-tag"]
        assert "size=large" in answer.headers["set-cookie"]

    async def test_choice_is_kept_and_bad_choices_are_not(self, site: Site) -> None:
        await site.http.get("/privacy?lang=en&size=large")
        page = await site.http.get("/privacy")
        assert 'lang="en" class="large"' in page.text
        odd = await site.http.get('/privacy?lang="><script>&size=9')
        assert (
            "<script>" not in odd.text.replace('<script src="/public', "") and "set-cookie" not in odd.headers
        )

    async def test_static_files(self, site: Site) -> None:
        page = (await site.http.get("/privacy")).text
        for address in re.findall(r'(?:href|src)="(/public/[^"]+)"', page):
            answer = await site.http.get(address)
            assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        for name in ("..%2Fbase.html", "base.html", "words%2Fzh.json"):
            assert (await site.http.get(f"/public/{name}")).status_code == 404

    async def test_every_route_is_declared_public(self, site: Site) -> None:
        deps = PublicDeps(site.rt, site.send_code, site.check, site.explain, site.stop, site.rate)
        routes = make_public_router(deps).routes
        assert len(routes) > 15
        for route in routes:
            assert isinstance(route, APIRoute) and (route.openapi_extra or {}).get("x-permission") == "public"

    async def test_cookie_over_https(self, rt: Runtime, site: Site) -> None:
        secure = Runtime(rt.settings.model_copy(update={"secure_cookies": True}), rt.db, rt.redis, rt.http)
        app = FastAPI()
        deps = PublicDeps(secure, site.send_code, site.check, site.explain, site.stop, site.rate)
        app.include_router(make_public_router(deps))
        token = await one_link(rt)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="https://t.example.gov.cn"
        ) as http:
            await http.post(f"/t/{token}/code")
            answer = await http.post(f"/t/{token}/verify", data={"code": site.codes[-1]})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-statement=")
        for part in ("HttpOnly", "Secure", "Path=/", "SameSite=strict"):
            assert part in cookie
        assert "Domain" not in cookie


def test_words_are_complete_in_both_languages() -> None:
    chinese, english = (json.loads((FOLDER / "words" / f"{name}.json").read_text()) for name in ("zh", "en"))
    assert chinese.keys() == english.keys()
    for key in chinese:
        assert set(re.findall(r"{\w+}", chinese[key])) == set(re.findall(r"{\w+}", english[key])), key
        if key not in ("html_lang",):
            assert not re.search(r"[一-鿿]", english[key]), key
    used = "".join(path.read_text() for path in FOLDER.iterdir() if path.suffix in (".html", ".svg"))
    used += "".join(path.read_text() for path in Path(public_entry.__file__).parent.glob("public*.py"))
    generated = re.compile(
        r"(rate_\d|privacy_\w+|person_\w+|\w+_(title|note)|(title|delivery|state|treatment|checkup)_\w+)$"
    )
    unused = [key for key in chinese if key not in used and not generated.match(key)]
    assert unused == []


async def test_unknown_household_has_no_statement(site: Site) -> None:
    nobody = Sample(9, "enterprise", "无记录公司", "91150100MA0EXAMPL9")
    await site.open(taxpayer_ids=[nobody.id], person_id=COMPANY.id)
    assert (await site.http.get("/statement")).status_code == 401
