"""Verification of findings: who may, what a decision moves, and that nothing unverified can be sent."""

from pathlib import Path

import psycopg
import pytest

from campaigns.selection import select_households
from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound
from outreach.governance.audit import verify_audit
from outreach.labels.cache import SetCache
from outreach.labels.catalogue import import_labels, load_builtin
from outreach.labels.derived import refresh_derived
from outreach.labels.tree import ExpressionInvalid
from outreach.runtime import Runtime
from outreach.statements.findings import Policy, decide, decide_all
from outreach.statements.scan_run import run_scan
from tests.integration.finding_stage import HEADER, findings, members, row, verifier
from tests.integration.statement_samples import COMPANY, ELSEWHERE, SHOP, load_text, make_city

WORD = "finding.dpf_small_exempt.unclaimed"
KEY = ("DPF_SMALL_EXEMPT", "unclaimed")


@pytest.fixture
async def city(rt: Runtime, tmp_path: Path) -> Runtime:
    """A scanned city; both counties have a company that has not claimed a benefit."""
    await make_city(rt, tmp_path)
    async with rt.db.begin() as conn:
        await load_builtin(conn)
        await refresh_derived(conn, source="测试")
    open_ = row(ELSEWHERE.tax_no, 202509, KEY[0], "应享未享", 在职职工人数="20", 应缴税额="9000.00")
    await load_text(rt, tmp_path, f"{HEADER}\n{open_}\n")
    await run_scan(rt, 2025, scope_org_id=1, by="test")
    return rt


async def number_of(rt: Runtime, household: int) -> int:
    return int((await findings(rt, household))[KEY]["id"])


async def test_only_what_is_confirmed_stands_in_the_set(city: Runtime) -> None:
    assert await members(city, WORD) == set(), "found, and nobody has verified it"
    assert await decide(city, verifier(), [await number_of(city, COMPANY.id)], "confirm") == 1
    assert await members(city, WORD) == {COMPANY.id}
    assert await members(city, "「应享未享·30人（含）以下企业免征残疾人就业保障金」") == {COMPANY.id}
    told = (await findings(city, COMPANY.id))[KEY]
    assert (told["state"], told["verified_by"]) == ("confirmed", "verifier") and told[
        "verified_at"
    ] is not None
    await decide(city, verifier(), [told["id"]], "reject", "合同已终止")
    assert await members(city, WORD) == set(), "a confirmation may be withdrawn"
    audit = await city.db.fetch(
        "select action, actor from audit_event where action like 'finding.%' order by id"
    )
    assert [(one["action"], one["actor"]) for one in audit] == [
        ("finding.confirm", "verifier"),
        ("finding.reject", "verifier"),
    ]
    assert await verify_audit(city) is None


async def test_a_round_never_plans_an_unverified_household(city: Runtime, tmp_path: Path) -> None:
    """Found, confirmed, changed: only in between is she anybody's audience."""

    async def audience() -> set[int]:
        row = {
            "campaign_segment": "everyone",
            "segment": WORD,
            "done_segment": "nobody",
            "dispute_segment": "nobody",
            "exempt_segment": "nobody",
            "org_id": 1,
            "kind": "policy_push",
            "holdout_permille": 0,
            "holdout_seed": 0,
            "quota_messages": 0,
            "quota_days": 0,
            "contact_roles": [],
        }
        async with city.db.begin() as conn:
            chosen = await select_households(conn, SetCache(), row, ["visit"], moment=await city.now())
        assert set(chosen.planned) <= set(chosen.audience)
        return set(chosen.audience)

    assert await audience() == set()
    await decide(city, verifier(), [await number_of(city, COMPANY.id)], "confirm")
    assert await audience() == {COMPANY.id}
    changed = row(COMPANY.tax_no, 202509, KEY[0], "应享未享", 在职职工人数="27", 应缴税额="18600.00")
    await load_text(city, tmp_path, f"{HEADER}\n{changed}\n")
    await run_scan(city, 2025, scope_org_id=1, by="test")
    assert await audience() == set(), "other facts: nobody has verified these"
    told = (await findings(city, COMPANY.id))[KEY]
    assert (told["state"], told["version"], told["verified_by"]) == ("found", 2, None)
    old = await city.db.fetch_one("select * from finding where id = %(id)s", {"id": told["supersedes"]})
    assert old is not None and (old["state"], old["is_current"], old["verified_by"]) == (
        "closed", False, "verifier",
    )  # fmt: skip


async def test_a_verification_survives_a_scan_without_changes(city: Runtime) -> None:
    number = await number_of(city, COMPANY.id)
    await decide(city, verifier(), [number], "confirm")
    await run_scan(city, 2025, scope_org_id=1, by="test")
    assert (await findings(city, COMPANY.id))[KEY]["id"] == number
    assert await members(city, WORD) == {COMPANY.id}


async def test_who_claims_it_after_all_leaves_the_set(city: Runtime, tmp_path: Path) -> None:
    await decide(city, verifier(), [await number_of(city, COMPANY.id)], "confirm")
    claimed = row(COMPANY.tax_no, 202509, KEY[0], 在职职工人数="28", 应缴税额="18600.00")
    await load_text(city, tmp_path, f"{HEADER}\n{claimed}\n")
    await run_scan(city, 2025, scope_org_id=1, by="test")
    assert await members(city, WORD) == set()


async def test_another_year_keeps_her_in_the_set(city: Runtime, tmp_path: Path) -> None:
    earlier = row(COMPANY.tax_no, 202409, KEY[0], "应享未享", 在职职工人数="28", 应缴税额="100.00")
    await load_text(city, tmp_path, f"{HEADER}\n{earlier}\n")
    await run_scan(city, 2024, scope_org_id=1, by="test")
    rows = await city.db.fetch(
        "select id from finding where taxpayer_id = 1 and benefit_code = %(code)s and direction = 'unclaimed'"
        " order by year",
        {"code": KEY[0]},
    )
    await decide(city, verifier(), [one["id"] for one in rows], "confirm")
    await decide(city, verifier(), [rows[0]["id"]], "reject", "那一年已注销")
    assert await members(city, WORD) == {COMPANY.id}


async def test_decisions_stay_within_the_scope(city: Runtime) -> None:
    county = verifier(3, "1.2.3.")
    with pytest.raises(NotFound):
        await decide(city, county, [await number_of(city, ELSEWHERE.id)], "confirm")
    with pytest.raises(NotFound):
        await decide(city, county, [await number_of(city, n) for n in (COMPANY.id, ELSEWHERE.id)], "confirm")
    assert (await findings(city, COMPANY.id))[KEY]["state"] == "found", "all or none"
    policy = Policy(*KEY, 2025)
    with pytest.raises(Conflict, match="现在是 1 条，不是 2 条"):
        await decide_all(city, county, policy, "confirm", expected=2)
    assert await decide_all(city, county, policy, "confirm", expected=1) == 1
    assert await members(city, WORD) == {COMPANY.id}
    assert await decide_all(city, verifier(), policy, "confirm", expected=1, reason="已电话核对") == 1
    assert await members(city, WORD) == {COMPANY.id, ELSEWHERE.id}


async def test_a_decision_that_does_not_fit_is_refused(city: Runtime) -> None:
    number = await number_of(city, COMPANY.id)
    with pytest.raises(NotAllowed, match="接口密钥不能代替"):
        await decide(city, verifier(account=0), [number], "confirm")
    with pytest.raises(InvalidInput, match="理由"):
        await decide(city, verifier(), [number], "reject", "  ")
    with pytest.raises(InvalidInput, match="勾选"):
        await decide(city, verifier(), [], "confirm")
    await decide(city, verifier(), [number], "reject", "残疾人就业服务机构已核减")
    for verdict in ("confirm", "reject"):
        with pytest.raises(Conflict):
            await decide(city, verifier(), [number], verdict, "再来一次")
    assert await members(city, WORD) == set()


async def test_no_catalogue_can_take_the_word_of_a_finding(city: Runtime) -> None:
    """Labels are what imports, surveys and events write; the words of findings are none."""
    row = {"code": WORD, "name": "假的", "kind": "flag"}
    async with city.db.begin() as conn:
        (problem,) = (await import_labels(conn, [row], version="x", local=True)).problems
    assert (problem.field, "不能以 finding. 开头" in problem.reason) == ("code", True)
    with pytest.raises(psycopg.errors.CheckViolation):
        await city.db.execute("insert into label (code, name, kind) values (%(code)s, '假的', 'flag')", row)


async def test_a_policy_without_findings_has_no_word(city: Runtime) -> None:
    with pytest.raises(ExpressionInvalid):
        await members(city, "finding.dpf_tiered.unclaimed")
    assert SHOP.id not in await members(city, "finding.six_tax_half.unclaimed")
