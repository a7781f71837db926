"""Who holds a document, as a condition of the audience language: exact after every run of issuing."""

import pytest

from outreach.labels.bitmaps import EMPTY
from outreach.labels.cache import SetCache
from outreach.labels.catalogue import list_catalogue
from outreach.labels.evaluate import evaluate_text
from outreach.labels.explain import explain
from outreach.labels.keys import document_key
from outreach.labels.sets import replace_set
from outreach.labels.tree import ExpressionInvalid
from outreach.runtime import Runtime
from outreach.statements.issue import issue_documents
from outreach.statements.kinds import DOCUMENT_KINDS
from tests import town

HELD = "document.yearly_bill = 2025"


@pytest.fixture
async def county(rt: Runtime) -> Runtime:
    """Five shops of a county; of the last nothing is known."""
    await town.settle_town(rt, town.households(5))
    await town.set_clock(rt, town.START)
    await rt.db.execute(
        "insert into tax_record (taxpayer_id, month, tax_type, declared, paid)"
        " select id, 202503, '增值税', id, id from taxpayer where id < 5"
    )
    return rt


async def members(rt: Runtime, text: str) -> set[int]:
    return set((await evaluate_text(rt, SetCache(), text, 1)).members)


async def issue(rt: Runtime, kind: str = "yearly_bill", chosen: list[int] | None = None) -> None:
    await issue_documents(rt, kind, 2025, scope_org_id=1, taxpayer_ids=chosen)


async def test_a_campaign_can_pick_whoever_has_her_bill(county: Runtime) -> None:
    assert await members(county, HELD) == set()
    await issue(county, chosen=[1, 3, 5])
    assert await members(county, HELD) == {1, 3}
    assert await members(county, "已出具的纳税缴费账单 = 2025") == {1, 3}
    assert await members(county, "document.yearly_bill = 2024") == set()
    assert await members(county, f"not {HELD}") == {2, 4, 5}
    await issue(county)
    assert await members(county, HELD) == {1, 2, 3, 4}


async def test_a_withdrawn_document_is_held_by_nobody_until_there_is_another(county: Runtime) -> None:
    enjoyed = (
        "insert into benefit_record (taxpayer_id, month, benefit_code, claimed, inputs, amount) values"
        " (2, 202503, 'SIX_TAX_HALF', true, '{\"due\": \"200.00\"}', 100)"
    )
    for step, holders in (
        (enjoyed, {2}),
        ("delete from benefit_record", set()),
        ("select 1", set()),
        (enjoyed, {2}),
    ):
        await county.db.execute(step)
        await issue(county, "benefit_bill")
        assert await members(county, "document.benefit_bill = 2025") == holders
    assert await members(county, HELD) == set()


async def test_documents_of_before_the_label_come_into_it_with_the_next_run(county: Runtime) -> None:
    await issue(county)
    async with county.db.begin() as conn:
        await replace_set(conn, document_key("yearly_bill", 2025), EMPTY, source="测试")
    assert await members(county, HELD) == set()
    await issue(county)
    assert await members(county, HELD) == {1, 2, 3, 4}


async def test_what_is_said_of_it(county: Runtime) -> None:
    await issue(county, chosen=[1])
    said = await explain(county, SetCache(), HELD, 1, 1)
    assert "已出具的纳税缴费账单是2025年度" in str(said)
    assert "出具文书" in str(said)
    with pytest.raises(ExpressionInvalid, match="没有取值 2031"):
        await members(county, "document.yearly_bill = 2031")
    async with county.db.begin() as conn:
        listed = {row["code"]: row["name"] for row in (await list_catalogue(conn))["labels"]}
    shown = {
        code.removeprefix("document."): name for code, name in listed.items() if code.startswith("document.")
    }
    assert shown == {
        kind.name: "已出具的" + kind.title.removeprefix("年度").removeprefix("年")
        for kind in DOCUMENT_KINDS.values()
    }


async def test_the_years_that_can_be_asked_for(county: Runtime) -> None:
    async def years() -> list[str]:
        row = await county.db.fetch_one("select options from document_term where code = 'document.gift_pack'")
        assert row is not None
        return sorted(row["options"])

    assert await years() == [str(year) for year in range(2021, 2027)]
    await issue_documents(county, "checkup", 2018, scope_org_id=1, taxpayer_ids=[1])
    assert (await years())[0] == "2018"
