"""Recipes: those that come with the product, and a campaign's way into one and out again."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft
from campaigns.recipes import Recipe, body_of, draft_of, load_recipes
from outreach.clock import BEIJING
from outreach.errors import InvalidInput
from outreach.labels.language import parse
from outreach.ledger.kinds import KINDS
from outreach.rendering.guard import find_forbidden
from outreach.rendering.starters import STATEMENTS, load_season

RECIPES = load_recipes()


def at(year: int, month: int, day: int, hour: int = 9) -> datetime:
    return datetime(year, month, day, hour, tzinfo=BEIJING)


def test_the_six_recipes_of_the_product_are_there() -> None:
    assert set(RECIPES) == {
        "iit", "credit_refund", "small_firm", "medical_insurance", "yearly_bill", "first_invoice",
    }  # fmt: skip


@pytest.mark.parametrize("code", RECIPES)
def test_each_becomes_a_campaign_of_any_year(code: str) -> None:
    for year in (2025, 2027, 2028):
        draft = draft_of(RECIPES[code], year=year, org_id=3, code=f"{code}-{year}")
        assert str(year) in draft.name
        assert draft.kind in KINDS
        assert draft.holdout_permille == 0 or KINDS[draft.kind].may_hold_out
        for text in (draft.segment, draft.done_segment, draft.exempt_segment, draft.dispute_segment):
            parse(text)
        before = None
        for part in draft.rounds:
            parse(part.segment)
            assert part.starts_at < part.ends_at
            assert before is None or before <= part.starts_at, "rounds follow one another"
            before = part.ends_at
            assert part.starts_at.year in (year, year + 1)


@pytest.mark.parametrize("code", RECIPES)
def test_its_templates_come_with_it_or_are_the_seasons(code: str) -> None:
    recipe = RECIPES[code]
    seasons = [recipe.wording] if recipe.wording else [load_season(), load_season(STATEMENTS)]
    known = {
        (f"{season.code}_{stage.code}", channel)
        for season in seasons
        for stage in season.stages
        for channel in stage.contents
    }
    draft = draft_of(recipe, year=2026, org_id=1, code="x")
    used = {(step.template, step.channel) for part in draft.rounds for step in part.steps}
    assert used <= known
    told = {variable.name for season in seasons for variable in season.variables}
    assert told >= set(draft.variables)
    if recipe.wording:
        assert told == set(draft.variables)


@pytest.mark.parametrize("code", [code for code, recipe in RECIPES.items() if recipe.wording])
def test_its_texts_say_nothing_that_a_tax_bureau_must_not_say(code: str) -> None:
    season = RECIPES[code].wording
    assert season is not None
    for stage in season.stages:
        sms = stage.contents["sms"]["text"]
        assert find_forbidden(sms, publicity=KINDS[stage.kind].lane.value == "bulk") == []


DRAFT = CampaignDraft(
    "own-2026",
    "2026年阳光行动",
    "告知",
    "do_it_reminder",
    "某公告",
    5,
    "everyone",
    (
        RoundDraft("一", at(2026, 11, 20), at(2026, 12, 1, 20), (StepDraft("sms", "t", timedelta(days=3)),)),
        RoundDraft("二", at(2027, 1, 5), at(2027, 2, 28, 18), (StepDraft("sms", "t"),), "iit.must_file"),
    ),
    variables={"tax_year": 2026, "deadline": "2027-02-28", "place": "大厅"},
    holdout_permille=10,
    holdout_seed=77,
)


def test_a_campaign_becomes_a_recipe_and_the_same_campaign_again() -> None:
    recipe = Recipe("own", "阳光行动", "", "年度", body_of(DRAFT, 2026))
    assert "2026" not in str(recipe.body)
    assert draft_of(recipe, year=2026, org_id=5, code="own-2026") == DRAFT


def test_another_year_moves_every_day_and_another_unit_runs_it() -> None:
    recipe = Recipe("own", "阳光行动", "", "年度", body_of(DRAFT, 2026))
    moved = draft_of(recipe, year=2030, org_id=9, code="b")
    assert moved.name == "2030年阳光行动"
    assert [part.starts_at for part in moved.rounds] == [at(2030, 11, 20), at(2031, 1, 5)]
    assert moved.variables == {"tax_year": 2030, "deadline": "2031-02-28", "place": "大厅"}
    assert (moved.org_id, moved.code) == (9, "b")


def test_a_condition_on_documents_moves_with_the_year_and_no_other_number_does() -> None:
    told = "document.yearly_bill = 2026 and 已出具的涉税体检报告 != 2026 and annual_sales > 2026"
    kept = "document.gift_pack = 2024"
    body = body_of(replace(DRAFT, segment=told, done_segment=kept), 2026)
    assert "document.yearly_bill = {year} and" in body["segment"]
    moved = draft_of(Recipe("own", "x", "", "年度", body), year=2030, org_id=9, code="b")
    assert moved.segment == told.replace("= 2026", "= 2030")
    assert moved.done_segment == kept


def test_the_29th_of_february_is_the_28th_in_other_years() -> None:
    body = {**body_of(DRAFT, 2026), "variables": {"deadline": "+0-02-29"}}
    recipe = Recipe("own", "x", "", "年度", body)
    days = [
        draft_of(recipe, year=year, org_id=1, code="x").variables["deadline"] for year in (2027, 2028, 2100)
    ]
    assert days == ["2027-02-28", "2028-02-29", "2100-02-28"]


def test_what_is_wrong_is_told() -> None:
    with pytest.raises(InvalidInput, match="年份应在"):
        draft_of(RECIPES["iit"], year=1999, org_id=1, code="x")
    with pytest.raises(InvalidInput, match="请换一个年份"):
        body_of(DRAFT, 2027)
    broken = Recipe("x", "x", "", "年度", {**body_of(DRAFT, 2026), "rounds": [{"name": "一"}]})
    with pytest.raises(InvalidInput, match=r"rounds\.0"):
        draft_of(broken, year=2026, org_id=1, code="x")
