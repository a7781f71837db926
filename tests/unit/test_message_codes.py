"""Whoever doubts a message checks it by its code: so every text that comes with the product carries it."""

import re
from pathlib import Path

import pytest

from campaigns.recipes import load_recipes
from outreach.ledger.content import compile_content
from outreach.rendering.expressions import compile_template
from outreach.rendering.sms_parts import count_parts
from outreach.rendering.starters import STATEMENTS, Season, Starter, load_season

TEMPLATES = Path(__file__).parents[2] / "templates"
SIGNATURE = "国家税务总局某某市税务局"
SEASONS = [load_season(), load_season(STATEMENTS)]
SEASONS += [recipe.wording for recipe in load_recipes().values() if recipe.wording]
STAGES = [(season, stage) for season in SEASONS for stage in season.stages]
TWO_PARTS = {"iit_D1", "first_invoice_A"}
"""Texts that had two parts before they carried a code."""


def name_of(value: Season | Starter) -> str:
    return value.code


@pytest.mark.parametrize(("season", "stage"), STAGES, ids=name_of)
def test_every_text_of_every_channel_carries_its_code(season: Season, stage: Starter) -> None:
    values = {**season.samples, "code": "7KQ2MX", "org": "", "link": "", "unsubscribe_url": ""}
    assert set(stage.contents) == {"sms", "rcs", "wechat", "email", "wecom", "dingtalk"}
    for channel, shape in stage.contents.items():
        content = compile_content(channel, shape)
        if channel == "wechat":
            assert content.render("fields.character_string4", values) == "7KQ2MX"
            continue
        # Of 5G what stands on the card and what falls back to SMS; of mail both forms.
        for path in {"text", "body", "html"} & content.strings.keys():
            said = content.render(path, values)
            assert re.search("核验码：?7KQ2MX", said), (channel, path)
            assert "验真码" not in said


@pytest.mark.parametrize(("season", "stage"), STAGES, ids=name_of)
def test_the_code_makes_no_sms_dearer(season: Season, stage: Starter) -> None:
    text = compile_template(stage.contents["sms"]["text"], channel="sms")
    # The longest day of a month; a year has four digits.
    days = {name: "2026-12-31" for name, value in season.samples.items() if re.match("20..-", str(value))}
    said = text.render({**season.samples, "code": "7KQ2MX"})
    parts = 2 if f"{season.code}_{stage.code}" in TWO_PARTS else 1
    assert count_parts(said, SIGNATURE).parts == parts, said
    if season.code not in ("iit", "first_invoice"):
        late = text.render({**season.samples, **days, "code": "7KQ2MX"})
        assert count_parts(late, SIGNATURE).parts == parts, late


@pytest.mark.parametrize("stage", SEASONS[1].stages, ids=name_of)
def test_the_sms_of_a_document_names_a_way_that_there_is(stage: Starter) -> None:
    said = stage.contents["sms"]["text"]
    assert "“账单查询”" in said and "电子税务局" not in said
    assert '"find": "账单查询"' in (TEMPLATES / "public" / "words" / "zh.json").read_text(encoding="utf-8")


def test_it_has_one_name() -> None:
    for path in TEMPLATES.rglob("*"):
        if path.suffix in (".html", ".toml", ".json"):
            assert "验真码" not in path.read_text(encoding="utf-8"), path
