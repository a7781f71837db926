"""Documents tell of a doubt once somebody has confirmed it, and not before."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from outreach.labels.catalogue import load_builtin
from outreach.labels.derived import refresh_derived
from outreach.runtime import Runtime
from outreach.statements.documents import read_documents
from outreach.statements.findings import decide
from outreach.statements.issue import issue_documents
from outreach.statements.scan_run import run_scan
from tests.integration.finding_stage import HEADER, findings, give, mark, row, verifier
from tests.integration.statement_samples import COMPANY, load_text, make_city

OPEN = ("DPF_SMALL_EXEMPT", "unclaimed")


@pytest.fixture
async def city(rt: Runtime, tmp_path: Path) -> Runtime:
    """Households with records, one of which says of a benefit that it was not claimed."""
    await make_city(rt, tmp_path)
    async with rt.db.begin() as conn:
        await load_builtin(conn)
        await refresh_derived(conn, source="测试")
    return rt


async def told(rt: Runtime, kind: str) -> Mapping[str, Any]:
    """The document of a kind as it stands when issued now."""
    await issue_documents(rt, kind, 2025, scope_org_id=1)
    (found,) = [one.content for one in await read_documents(rt, [COMPANY.id]) if one.kind == kind]
    return found


def open_codes(document: Mapping[str, Any]) -> list[str]:
    return [line["code"] for line in document["unclaimed"]["lines"]]


def said(report: Mapping[str, Any], topic: str) -> list[tuple[str, str]]:
    return [(one["state"], one["text"]) for one in report["findings"] if one["topic"] == topic]


def offered(pack: Mapping[str, Any]) -> list[str]:
    return [line["code"] for group in pack["groups"] for line in group["lines"]]


async def verify(rt: Runtime, key: tuple[str, str], verdict: Any, reason: str = "") -> None:
    await decide(rt, verifier(), [(await findings(rt, COMPANY.id))[key]["id"]], verdict, reason)


async def test_a_scan_holds_a_record_back_until_it_is_confirmed(city: Runtime) -> None:
    assert OPEN[0] in open_codes(await told(city, "yearly_bill")), "what was reported, and nobody doubts"
    await run_scan(city, 2025, scope_org_id=1, by="test")
    for kind in ("yearly_bill", "checkup"):
        assert OPEN[0] not in open_codes(await told(city, kind)), "found, and nobody has verified it"
    await verify(city, OPEN, "confirm")
    for kind in ("yearly_bill", "checkup"):
        assert OPEN[0] in open_codes(await told(city, kind))
    await verify(city, OPEN, "reject", "合同已终止")
    assert OPEN[0] not in open_codes(await told(city, "yearly_bill")), "a confirmation may be withdrawn"


async def test_what_was_confirmed_is_told_though_no_record_names_it(city: Runtime) -> None:
    await mark(city, COMPANY.id, "vat_status=small_scale")
    await give(city, COMPANY.id, monthly_sales=8_000_000)
    await run_scan(city, 2025, scope_org_id=1, by="test")
    key = next(key for key in await findings(city, COMPANY.id) if key[0].startswith("VAT_SS_EXEMPT"))
    assert key[0] not in open_codes(await told(city, "yearly_bill"))
    assert key[0] not in offered(await told(city, "gift_pack")), "a label says it, and nobody has verified it"
    await verify(city, key, "confirm")
    (line,) = [
        line for line in (await told(city, "yearly_bill"))["unclaimed"]["lines"] if line["code"] == key[0]
    ]
    assert key[0] in offered(await told(city, "gift_pack"))
    evidence = (await findings(city, COMPANY.id))[key]["evidence"]
    assert line["amount"] == evidence["amount"] != "0.00"
    assert [one["formula"] for one in line["entries"]] == [one["formula"] for one in evidence["entries"]]


async def test_a_check_up_says_good_only_after_somebody_has_looked(city: Runtime, tmp_path: Path) -> None:
    claimed = row(COMPANY.tax_no, 202509, OPEN[0], "已享受", 在职职工人数="20", 应缴税额="9000.00")
    await load_text(city, tmp_path, f"{HEADER}\n{claimed}\n")
    assert said(await told(city, "checkup"), "应享未享") == [], "no scan, so nobody knows"
    await run_scan(city, 2025, scope_org_id=1, by="test")
    assert said(await told(city, "checkup"), "应享未享") == [("good", "没有发现您应享未享的优惠。")]


async def test_wrongly_claimed_and_near_a_limit_are_told_when_confirmed(
    city: Runtime, tmp_path: Path
) -> None:
    wrong = row(COMPANY.tax_no, 202512, "CIT_SLP_2023", 应纳税所得额="3200000")
    near = row(COMPANY.tax_no, 202509, "VAT_SS_EXEMPT_2023", 销售额="299000", 计税期="季")
    await load_text(city, tmp_path, f"{HEADER}\n{wrong}\n{near}\n")
    await run_scan(city, 2025, scope_org_id=1, by="test")
    keys = ("CIT_SLP_2023", "wrong"), ("VAT_SS_EXEMPT_2023", "cliff")
    report = await told(city, "checkup")
    assert not said(report, "优惠核对") and not said(report, "临界提醒")
    for key in keys:
        await verify(city, key, "confirm")
    report = await told(city, "checkup")
    ((state, text),) = said(report, "优惠核对")
    assert state == "note" and "小型微利企业" in text
    ((state, text),) = said(report, "临界提醒")
    assert state == "note" and "299,000.00 元" in text and "300,000.00 元" in text
