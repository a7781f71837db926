"""Gift packs, check-ups and benefit bills: from records and labels to frozen documents, pages and PDFs."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyroaring import BitMap

from outreach.errors import InvalidInput
from outreach.labels.catalogue import load_builtin
from outreach.labels.derived import refresh_derived
from outreach.labels.keys import label_key
from outreach.labels.sets import change_set
from outreach.labels.slices import write_values
from outreach.runtime import Runtime
from outreach.statements.documents import check_digest, read_documents
from outreach.statements.issue import issue_documents
from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.statements.pdf import render_pdf
from tests import town
from tests.integration.statement_samples import COMPANY, PERSON, SHOP, TAX_HEADER, load_text, make_city


@pytest.fixture
async def city(rt: Runtime, tmp_path: Path) -> Runtime:
    """Households with two years of records, and the national catalogue of labels."""
    await make_city(rt, tmp_path)
    async with rt.db.begin() as conn:
        await load_builtin(conn)
        await refresh_derived(conn, source="登记")
    return rt


async def mark(rt: Runtime, household: int, *labels: str) -> None:
    async with rt.db.begin() as conn:
        for label in labels:
            code, _, value = label.partition("=")
            await change_set(conn, label_key(code, value or None), add=BitMap([household]), source="测试")


async def content_of(rt: Runtime, household: int, kind: str) -> Mapping[str, Any] | None:
    found = [one.content for one in await read_documents(rt, [household]) if one.kind == kind]
    return found[0] if found else None


def lines_of(pack: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {line["code"]: line for group in pack["groups"] for line in group["lines"]}


async def test_a_pack_holds_what_is_enjoyed_open_and_entitled(city: Runtime) -> None:
    await mark(city, COMPANY.id, "hnte", "sme_low_profit")
    issued = await issue_documents(city, "gift_pack", 2025, scope_org_id=1)
    assert issued.households == issued.documents + issued.unchanged + issued.empty == 4
    pack = await content_of(city, COMPANY.id, "gift_pack")
    assert pack is not None
    lines = lines_of(pack)
    assert {code: lines[code]["state"] for code in ("CIT_SLP_2023", "DPF_SMALL_EXEMPT", "CIT_RND_100")} == {
        "CIT_SLP_2023": "enjoyed",
        "DPF_SMALL_EXEMPT": "unclaimed",
        "CIT_RND_100": "enjoyed",
    }
    assert "SURCHARGE_10W_EXEMPT" not in lines and "CIT_HNTE_15" not in lines, "she has the better rate"
    assert pack["count"] == len(lines) and pack["unclaimed"] == {"count": 1, "total": "18600.00"}
    assert [group["delivery"] for group in pack["groups"]] == ["免申即享", "申报享受"]
    for line in lines.values():
        assert (
            line["how_to"] and line["caveat"].endswith("以主管税务机关核定为准") and "起执行" in line["basis"]
        )
    assert await content_of(city, PERSON.id, "gift_pack") is None, "one pack, one company"


async def test_a_benefit_by_list_needs_the_label_of_the_list(city: Runtime) -> None:
    await mark(city, SHOP.id, "manufacturing", "hnte")
    await mark(city, COMPANY.id, "integrated_circuit")
    await issue_documents(city, "gift_pack", 2025, scope_org_id=1)
    listed = await content_of(city, COMPANY.id, "gift_pack")
    other = await content_of(city, SHOP.id, "gift_pack")
    assert listed is not None and lines_of(listed)["VAT_ADDDED_IC"]["state"] == "entitled"
    assert other is not None and not {"VAT_ADDDED_ADVMFG", "VAT_ADDDED_IC", "VAT_ADDDED_MTOOL"} & set(
        lines_of(other)
    )


async def test_a_pack_of_the_new_year_names_the_new_rules(city: Runtime) -> None:
    """What was enjoyed under a rule that has ended is told under the rule that follows it."""
    await town.set_clock(city, town.START.replace(year=2026, month=3))
    await issue_documents(city, "gift_pack", 2026, scope_org_id=1)
    pack = await content_of(city, SHOP.id, "gift_pack")
    assert pack is not None and pack["month"] == 202603
    codes = set(lines_of(pack))
    assert "VAT_SS_THRESHOLD_2026" in codes and "VAT_SS_EXEMPT_2023" not in codes


async def test_a_check_up_tells_what_can_be_mended_without_a_threat(city: Runtime) -> None:
    await mark(city, COMPANY.id, "filing_overdue", "tax_arrears", "risk_class=mid", "cit_filed")
    async with city.db.begin() as conn:
        ids, fen = np.array([COMPANY.id], dtype=np.uint32), np.array([123_456], dtype=np.int64)
        await write_values(conn, "arrears", ids, fen, source="测试")
    await issue_documents(city, "checkup", 2025, scope_org_id=1)
    report = await content_of(city, COMPANY.id, "checkup")
    assert report is not None
    found = {finding["topic"]: finding for finding in report["findings"]}
    assert found["按期申报"]["state"] == "mend" and "1,234.56" in found["税款缴纳"]["text"]
    assert found["风险自查"]["state"] == "note" and found["汇算清缴"]["state"] == "good"
    assert "25.00" not in found["滞纳金"]["text"] and "12.50" in found["滞纳金"]["text"]
    assert report["counts"] == {
        state: sum(f["state"] == state for f in report["findings"]) for state in ("good", "note", "mend")
    }
    words = "".join(finding["text"] + finding["how_to"] for finding in report["findings"])
    assert not any(hard in words for hard in ("必须", "责令", "立即", "否则", "后果", "清缴税款", "违法"))


async def test_a_doubt_that_is_not_verified_is_not_told(city: Runtime) -> None:
    await mark(city, COMPANY.id, "risk_class=high", "risk_unverified", "benefit_wrong")
    await issue_documents(city, "checkup", 2025, scope_org_id=1)
    report = await content_of(city, COMPANY.id, "checkup")
    assert report is not None and not {"风险自查", "优惠核对"} & {f["topic"] for f in report["findings"]}


async def test_a_benefit_bill_keeps_the_kinds_apart(city: Runtime, tmp_path: Path) -> None:
    header = "纳税人识别号,所属期,优惠代码,序号,应缴税额,企业规模\n"
    rows = "".join(f"{COMPANY.tax_no},2022{month:02d},DEFER_MFG_SME_2022,1,50000,中型\n" for month in (1, 2))
    await load_text(city, tmp_path, header + rows)
    await issue_documents(city, "benefit_bill", 2022, scope_org_id=1)
    await issue_documents(city, "benefit_bill", 2025, scope_org_id=1)
    old, new = [one.content for one in await read_documents(city, [COMPANY.id])][::-1]
    assert [(row["period"], row["amount"], row["matures"]) for row in old["deferrals"]] == [
        (202201, "25000.00", 202208),
        (202202, "25000.00", 202209),
    ]
    assert old["parts"]["deferral"]["total"] == "50000.00" and old["parts"]["reduction"]["count"] == 0
    assert new["parts"]["timing"]["total"] == "2060000.00" and new["refunded"] == "3200.00"
    stored = await city.db.fetch_one(
        "select sum(amount) as n from benefit_record where taxpayer_id = 1 and claimed and month > 202500"
    )
    assert stored is not None
    assert sum(Decimal(part["total"]) for part in new["parts"].values()) == stored["n"]


async def test_corrections_name_the_version_that_they_replace(city: Runtime, tmp_path: Path) -> None:
    kinds = list(DOCUMENT_KINDS)
    for kind in kinds:
        first = await issue_documents(city, kind, 2025, scope_org_id=1)
        again = await issue_documents(city, kind, 2025, scope_org_id=1)
        assert (again.documents, again.unchanged) == (0, first.documents), kind
    old = {one.kind: one for one in await read_documents(city, [COMPANY.id])}
    assert list(old) == kinds
    await load_text(city, tmp_path, f"{TAX_HEADER}\n{COMPANY.tax_no},202503,增值税,9,8,1,1\n")
    for kind in ("yearly_bill", "benefit_bill", "checkup"):
        assert (await issue_documents(city, kind, 2025, scope_org_id=1, reason="更正")).corrections == 1
    new = {one.kind: one for one in await read_documents(city, [COMPANY.id])}
    for kind in ("yearly_bill", "benefit_bill", "checkup"):
        assert new[kind].content["issue"]["supersedes"] == old[kind].content["issue"]["number"]
        proofs = [await check_digest(city, one.digest) for one in (old[kind], new[kind])]
        assert [(proof.kind, proof.current) for proof in proofs if proof] == [(kind, False), (kind, True)]
    assert new["gift_pack"] == old["gift_pack"]


async def test_every_kind_is_a_pdf(city: Runtime) -> None:
    await mark(city, COMPANY.id, "filing_overdue", "hnte")
    for kind in DOCUMENT_KINDS:
        await issue_documents(city, kind, 2025, scope_org_id=1)
    for one in await read_documents(city, [COMPANY.id, SHOP.id, PERSON.id]):
        assert render_pdf(one.content, one.digest, "https://t.example.gov.cn").startswith(b"%PDF")


async def test_unknown_kinds_are_named(city: Runtime) -> None:
    with pytest.raises(InvalidInput, match="gift_pack"):
        await issue_documents(city, "gift", 2025, scope_org_id=1)
