"""Records, bills, corrections, links, one-time codes and their limits, on a real PostgreSQL."""

import asyncio
import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from outreach.errors import InvalidInput, NotFound
from outreach.governance.vault import SealBroken, open_vault
from outreach.runtime import Runtime
from outreach.statements.access import (
    ask_code,
    enter_code,
    find_session,
)
from outreach.statements.bill import issue_yearly_bills
from outreach.statements.canonical import canonical
from outreach.statements.content import content_hash
from outreach.statements.documents import check_digest, read_documents
from outreach.statements.links import (
    ALPHABET,
    LinkRequest,
    issue_links,
    new_tokens,
    revoke_links,
    token_hash,
)
from outreach.statements.packing import unpack
from outreach.statements.records import load_records
from tests import town
from tests.integration.statement_samples import (
    COMPANY,
    ELSEWHERE,
    EVERYBODY,
    HOME,
    PERSON,
    SHOP,
    TAX_HEADER,
    annual_rows,
    ask,
    benefit_rows,
    load_text,
    make_city,
    one_link,
    tax_rows,
)

_NUMBER = re.compile(r"\d{1,3}(,\d{3})*\.\d\d")


@pytest.fixture
async def city(rt: Runtime, tmp_path: Path) -> Runtime:
    """Households with two years of records."""
    await make_city(rt, tmp_path)
    return rt


async def test_what_is_due_follows_the_bureau_s_calendar(city: Runtime) -> None:
    """2027 is not in the library: without the bureau the statutory day, with it the day it falls on."""
    await town.set_clock(city, town.START.replace(year=2026, month=8))
    await issue_yearly_bills(city, 2025, scope_org_id=3)
    assert [due["what"][:2] for due in await _dues(city, PERSON.id) if "statutory" in due] == ["个人"]
    await city.db.execute(
        "insert into calendar_year (org_id, year, set_by) values (1, 2027, 'admin');"
        "insert into calendar_day (org_id, day, is_workday, note, set_by) values"
        " (3, '2027-06-30', false, '', 'admin')"
    )
    await city.db.execute("delete from statement")
    await issue_yearly_bills(city, 2025, scope_org_id=3, deadlines={202608: date(2026, 8, 20)})
    assert {
        "what": "个人所得税综合所得汇算清缴（3月1日至6月30日办理）",
        "month": 202706,
        "day": "2027-07-01",
    } in (await _dues(city, PERSON.id))
    assert (await _dues(city, COMPANY.id))[0]["day"] == "2026-08-20"


async def _dues(rt: Runtime, household: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await read_documents(rt, [household]))[0].content["due"]
    return found


class TestRecords:
    async def test_loading_twice_changes_nothing(self, city: Runtime, tmp_path: Path) -> None:
        for text in (tax_rows(), benefit_rows(), annual_rows()):
            loaded = await load_text(city, tmp_path, text)
            assert loaded.good == loaded.same > 0 and loaded.new == loaded.changed == loaded.bad == 0

    async def test_gbk_and_corrections(self, city: Runtime, tmp_path: Path) -> None:
        line = f"{COMPANY.tax_no},2025-03,增值税,1.10,1.10,0,0\n{COMPANY.tax_no.lower()},202403,印花税,5,5,,"
        loaded = await load_text(city, tmp_path, f"{TAX_HEADER}\n{line}\n", encoding="gbk")
        assert (loaded.changed, loaded.new, loaded.bad) == (1, 1, 0)
        row = await city.db.fetch_one(
            "select paid from tax_record where taxpayer_id = 1 and month = 202503 and tax_type = '增值税'"
        )
        assert row == {"paid": Decimal("1.10")}

    async def test_bad_rows_say_where_and_why(self, city: Runtime, tmp_path: Path) -> None:
        bad = [
            ("91999999MA0NOBODY9,202501,增值税,1,1,,", "纳税人识别号", "没有登记"),
            (f"{COMPANY.tax_no},2025-13,增值税,1,1,,", "所属期", "年月"),
            (f"{COMPANY.tax_no},202501,,1,1,,", "税种", "为空"),
            (f"{COMPANY.tax_no},202501,增值税,-1,1,,", "申报税额", "不为负"),
            (f"{COMPANY.tax_no},202501,增值税,1,,,", "已缴税额", "填 0"),
            (f"{COMPANY.tax_no},202501,增值税,1,1.234,,", "已缴税额", "两位小数"),
            (f"{COMPANY.tax_no},202501,增值税,1,1e9,,", "已缴税额", "不是金额"),
            ("9.11E+17,202501,增值税,1,1,,", "纳税人识别号", "科学计数"),
        ]
        good = f"{COMPANY.tax_no},202001,增值税,1,1,,"
        text = "\n".join([TAX_HEADER, *(row for row, _, _ in bad), good, good]) + "\n"
        loaded = await load_text(city, tmp_path, text)
        assert (loaded.read, loaded.good, loaded.bad) == (10, 1, 9)
        errors = await city.db.fetch(
            "select row_number, field, reason from import_error where import_id = %(id)s order by row_number",
            {"id": loaded.import_id},
        )
        for (number, (_, field, reason)), error in zip(enumerate(bad, start=2), errors, strict=False):
            assert (error["row_number"], error["field"]) == (number, field)
            assert reason in error["reason"]
        assert errors[-1]["row_number"] == 11 and "两次" in errors[-1]["reason"]

    async def test_rows_of_the_short_way_are_judged_alike(self, city: Runtime, tmp_path: Path) -> None:
        """The first row of a period and tax type is read with care, the others the short way; faults show."""
        number = COMPANY.tax_no
        lines = [
            f"{number},202001,增值税,1,1,,",
            f"{SHOP.tax_no},202001,增值税,2.5,2.50,0.1,",
            f"{number},202001,增值税,3,3,,",
            f"{ELSEWHERE.tax_no},202001,增值税,4,4.001,,",
            "91999999MA0NOBODY9,202001,增值税,5,5,,",
            f"{number},202001,税\\t种,6,6,6,6",
        ]
        done: list[tuple[int, int | None]] = []
        path = tmp_path / "tax.csv"
        path.write_text("\n".join([TAX_HEADER, *lines]) + "\n", encoding="utf-8")
        loaded = await load_records(city, path, progress=lambda at, total: done.append((at, total)))
        assert (loaded.read, loaded.new, loaded.bad) == (6, 3, 3) and done[-1] == (6, 6)
        errors = await city.db.fetch(
            "select row_number from import_error where import_id = %(id)s order by 1",
            {"id": loaded.import_id},
        )
        assert [error["row_number"] for error in errors] == [4, 5, 6]
        rows = await city.db.fetch(
            "select tax_type, paid, refunded from tax_record where month = 202001 order by declared"
        )
        assert [(row["tax_type"], row["paid"], row["refunded"]) for row in rows] == [
            ("增值税", Decimal("1.00"), Decimal("0.00")),
            ("增值税", Decimal("2.50"), Decimal("0.10")),
            ("税\\t种", Decimal("6.00"), Decimal("6.00")),
        ]

    async def test_benefits_out_of_force_are_refused_when_loaded(self, city: Runtime, tmp_path: Path) -> None:
        header = "纳税人识别号,所属期,优惠代码,销售额\n"
        loaded = await load_text(city, tmp_path, f"{header}{SHOP.tax_no},202601,VAT_SS_EXEMPT_2023,90000\n")
        error = await city.db.fetch_one(
            "select reason from import_error where import_id = %(id)s", {"id": loaded.import_id}
        )
        assert loaded.bad == 1 and error is not None and "VAT_SS_THRESHOLD_2026" in error["reason"]

    async def test_the_wrong_file_is_named(self, city: Runtime, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="缺少列：纳税人识别号"):
            await load_text(city, tmp_path, "姓名,电话\n张三,13800138000\n")


class TestBills:
    async def test_issue_counts_every_household(self, city: Runtime) -> None:
        seen: list[tuple[int, int]] = []

        async def progress(done: int, of: int) -> None:
            seen.append((done, of))

        issued = await issue_yearly_bills(city, 2025, scope_org_id=1, progress=progress)
        assert issued.households == issued.documents + issued.unchanged + issued.empty == len(EVERYBODY)
        assert seen[-1] == (4, 4)
        run = await city.db.fetch_one("select * from statement_run")
        assert run is not None and (run["documents"], run["benefits"]) == (4, issued.benefits)

    async def test_scope_and_choice(self, city: Runtime) -> None:
        county = await issue_yearly_bills(city, 2025, scope_org_id=4)
        assert county.households == 1 and await read_documents(city, [COMPANY.id]) == []
        chosen = await issue_yearly_bills(city, 2025, scope_org_id=3, taxpayer_ids=[SHOP.id, ELSEWHERE.id])
        assert chosen.households == 1, "a household outside the scope is not reached by naming it"
        with pytest.raises(NotFound):
            await issue_yearly_bills(city, 2025, scope_org_id=99)

    async def test_figures_are_those_of_the_records(self, city: Runtime) -> None:
        await issue_yearly_bills(city, 2025, scope_org_id=1)
        content = (await read_documents(city, [COMPANY.id]))[0].content
        paid = await city.db.fetch_one(
            "select sum(paid) filter (where month > 202500) as now,"
            " sum(paid) filter (where month < 202500) as before"
            " from tax_record where taxpayer_id = 1"
        )
        assert paid is not None
        assert Decimal(content["paid"]["total"]["paid"]) == paid["now"]
        assert Decimal(content["paid"]["last_year"]) == paid["before"]
        stored = await city.db.fetch_one(
            "select sum(amount) filter (where month > 202500) as now, sum(amount) as all from benefit_record"
            " where taxpayer_id = 1 and claimed and benefit_code <> 'CIT_EQUIP_500'"
        )
        reduction = content["enjoyed"]["reduction"]
        assert stored == {"now": Decimal(reduction["total"]), "all": Decimal(reduction["cumulative"])}
        assert content["credit"] == {"grade": "A", "last_grade": "B"}
        assert content["payer"]["tax_no"] == "9115**********MPL1"

    async def test_natural_person_is_named_by_the_person(self, city: Runtime) -> None:
        await issue_yearly_bills(city, 2025, scope_org_id=1)
        content = (await read_documents(city, [PERSON.id]))[0].content
        assert content["payer"]["name"] == PERSON.name
        assert (content["person"]["outcome"], content["person"]["balance"]) == ("refund", "720.00")

    async def test_issuing_again_changes_nothing(self, city: Runtime) -> None:
        first = await issue_yearly_bills(city, 2025, scope_org_id=1)
        again = await issue_yearly_bills(city, 2025, scope_org_id=1)
        assert (again.documents, again.unchanged) == (0, first.documents)

    async def test_a_correction_names_the_old_version(self, city: Runtime, tmp_path: Path) -> None:
        await issue_yearly_bills(city, 2025, scope_org_id=1)
        old = (await read_documents(city, [COMPANY.id]))[0]
        await load_text(city, tmp_path, f"{TAX_HEADER}\n{COMPANY.tax_no},202503,增值税,9,9,,\n")
        issued = await issue_yearly_bills(city, 2025, scope_org_id=1, reason="更正三月申报")
        assert (issued.documents, issued.corrections) == (1, 1)
        new = (await read_documents(city, [COMPANY.id]))[0]
        assert new.content["issue"]["supersedes"] == old.content["issue"]["number"]
        assert (new.content["issue"]["version"], new.content["issue"]["reason"]) == (2, "更正三月申报")
        row = await city.db.fetch_one("select supersedes from statement where id = %(id)s", {"id": new.id})
        assert row == {"supersedes": old.id}
        proofs = [await check_digest(city, document.digest) for document in (old, new)]
        assert [(proof.version, proof.current) for proof in proofs if proof] == [(1, False), (2, True)]

    async def test_two_issues_at_once_make_one_document_each(self, city: Runtime) -> None:
        issued = await asyncio.gather(*(issue_yearly_bills(city, 2025, scope_org_id=1) for _ in range(2)))
        assert sum(one.documents for one in issued) == 4 and sum(one.corrections for one in issued) == 0

    async def test_other_processes_make_the_same_documents(self, city: Runtime) -> None:
        first = await issue_yearly_bills(city, 2025, scope_org_id=1, processes=2)
        again = await issue_yearly_bills(city, 2025, scope_org_id=1)
        assert first.documents == again.unchanged == 4 and again.documents == 0

    async def test_amounts_are_sealed(self, city: Runtime) -> None:
        await issue_yearly_bills(city, 2025, scope_org_id=1)
        rows = await city.db.fetch("select id, content_enc, content_hash from statement order by id")
        for row in rows:
            text = unpack(
                open_vault(city.settings).unseal("statement", "content_enc", row["id"], row["content_enc"])
            ).decode()
            assert content_hash(text) == bytes(row["content_hash"]) and _NUMBER.search(text)
            assert "账单".encode() not in bytes(row["content_enc"]) and b"amount" not in bytes(
                row["content_enc"]
            )

    async def test_what_was_altered_is_not_shown(self, city: Runtime) -> None:
        await issue_yearly_bills(city, 2025, scope_org_id=1)
        document = (await read_documents(city, [COMPANY.id]))[0]
        forged = canonical({**document.content, "year": 2024})
        sealed = open_vault(city.settings).encrypt("statement", "content_enc", document.id, forged)
        await city.db.execute(
            "update statement set content_enc = %(sealed)s where id = %(id)s",
            {"sealed": sealed, "id": document.id},
        )
        with pytest.raises(SealBroken, match="校验值"):
            await read_documents(city, [COMPANY.id])

    async def test_a_document_moved_to_another_row_does_not_open(self, city: Runtime) -> None:
        await issue_yearly_bills(city, 2025, scope_org_id=1)
        await city.db.execute(
            "update statement s set content_enc = o.content_enc, content_hash = o.content_hash"
            " from statement o where s.taxpayer_id = 1 and o.taxpayer_id = 2"
        )
        with pytest.raises(SealBroken):
            await read_documents(city, [COMPANY.id])

    @pytest.mark.parametrize("year", [1999, 2027])
    async def test_years_out_of_reach(self, city: Runtime, year: int) -> None:
        with pytest.raises(InvalidInput):
            await issue_yearly_bills(city, year, scope_org_id=1)

    @pytest.mark.parametrize("digest", ["", "zz", "00" * 32, "00" * 31])
    async def test_unknown_digests(self, city: Runtime, digest: str) -> None:
        assert await check_digest(city, digest) is None


class TestLinks:
    async def test_tokens_are_not_stored(self, city: Runtime) -> None:
        now = await city.now()
        requests = [LinkRequest([1, 2], 7, n, now + timedelta(days=1), 1) for n in range(50)]
        async with city.db.begin() as conn:
            tokens = await issue_links(conn, open_vault(city.settings), requests)
        rows = {bytes(row["token_hash"]): row for row in await city.db.fetch("select * from link")}
        assert len(rows) == len(set(tokens)) == 50
        for number, token in enumerate(tokens):
            row = rows[token_hash(open_vault(city.settings), token)]
            assert (row["message_id"], row["taxpayer_ids"], row["person_id"]) == (number, [1, 2], 1)
            assert token.encode() not in bytes(row["token_hash"])

    def test_tokens_are_uniform(self) -> None:
        tokens = new_tokens(6_200)
        assert all(len(token) == 11 and set(token) <= set(ALPHABET) for token in tokens)
        assert len(set(tokens)) == len(tokens)
        counts = [sum(token.count(character) for token in tokens) for character in ALPHABET]
        expected = len(tokens) * 11 / 62
        assert sum((count - expected) ** 2 / expected for count in counts) < 130, "chi-square, p < 1e-6"

    async def test_revoking_a_round_ends_links_and_sessions(self, city: Runtime) -> None:
        token, other = await one_link(city, round_id=5), await one_link(city, round_id=6)
        secret = await enter_code(city, token, (await ask(city, token)).code, HOME)
        assert secret and await find_session(city, secret)
        async with city.db.begin() as conn:
            assert await revoke_links(conn, 5) == 1
        assert await find_session(city, secret) is None and await ask_code(city, token, HOME) is None
        assert await ask_code(city, other, HOME) is not None


async def test_check_values_by_sm3_stand_beside_those_by_sha256(city: Runtime) -> None:
    await issue_yearly_bills(city, 2024, scope_org_id=1, taxpayer_ids=[COMPANY.id])
    chosen = city.settings.model_copy(update={"digest": "sm3"})
    national = Runtime(chosen, city.db, city.redis, city.http)
    await issue_yearly_bills(national, 2025, scope_org_id=1, taxpayer_ids=[COMPANY.id])
    newer, older = await read_documents(city, [COMPANY.id])
    assert (newer.content["issue"]["digest"], "digest" in older.content["issue"]) == ("sm3", False)
    assert newer.digest == content_hash(canonical(newer.content), "sm3").hex()
    assert older.digest == content_hash(canonical(older.content)).hex()
    assert await check_digest(city, newer.digest) is not None
    # GB/T 32905-2016, example 1.
    assert content_hash("abc", "sm3").hex().startswith("66c7f0f462eeedd9d1f2d46bdc10e4e2")
    assert (await issue_yearly_bills(national, 2024, scope_org_id=1)).corrections == 0
