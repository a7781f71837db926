"""The starter templates: every text, its length and its parts, and the code by which it is checked."""

from pathlib import Path

import pytest

from outreach.rendering.errors import TemplateInvalid
from outreach.rendering.expressions import compile_template
from outreach.rendering.guard import find_forbidden
from outreach.rendering.sms_parts import count_parts
from outreach.rendering.starters import FOLDER, Season, Starter, load_season

SIGNATURE = "国家税务总局某某市税务局"

# The texts say what the domain's table says, a little shorter where the code would have made a second part.
TABLE = [
    (
        "A1",
        67,
        1,
        "您的2025年度个税汇算将于3月1日开始。请先在个人所得税APP核对收入和专项附加扣除。核验码7KQ2MX",
    ),
    (
        "A2",
        67,
        1,
        "如需在3月1日至20日办理个税汇算，可在个人所得税APP首页预约；3月21日起无需预约。核验码7KQ2MX",
    ),
    (
        "A3",
        69,
        1,
        "您所在单位本批次办理时段为4月1日至15日，请届时登录个人所得税APP办理2025年度汇算。核验码7KQ2MX",
    ),
    (
        "A4",
        70,
        1,
        "如需单位代办2025年度个税汇算，请按单位通知以短信、邮件等方式确认，并补充单位外收入和扣除。核验码7KQ2MX",
    ),
    (
        "B1",
        69,
        1,
        "您2025年度个税汇算可能有退税，尚未申报。可登录个人所得税APP自愿办理，不收取任何费用。核验码7KQ2MX",
    ),
    (
        "B2",
        69,
        1,
        "您2025年度个税汇算尚未办理，可能需要补税。请于6月30日前登录个人所得税APP核对办理。核验码7KQ2MX",
    ),
    (
        "B3",
        70,
        1,
        "您2025年度个税汇算已申报、未缴款。请于6月30日前在个人所得税APP缴款，以免产生滞纳金。核验码7KQ2MX",
    ),
    (
        "B4",
        65,
        1,
        "您已完成2025年度个税汇算申报，尚未提交退税申请。请登录个人所得税APP继续操作。核验码7KQ2MX",
    ),
    (
        "B5",
        69,
        1,
        "个税汇算退税因账户原因未成功。请在个人所得税APP核对银行卡后重新提交，勿外泄卡号和验证码。核验码7KQ2MX",
    ),
    ("B6", 64, 1, "您的个税汇算退税申请需补充或更正，请登录个人所得税APP查看原因。咨询12366。核验码7KQ2MX"),
    (
        "B7",
        70,
        1,
        "您的2025年度个税汇算退税已办结，请留意到账。请评价本次服务，回复1满意2基本满意3不满意。核验码7KQ2MX",
    ),
    (
        "C1",
        69,
        1,
        "2025年度个税汇算6月30日截止，您尚未办理。请登录个人所得税APP办理；如已办理请忽略。核验码7KQ2MX",
    ),
    (
        "D1",
        84,
        2,
        "您2025年度个税汇算仍未办理，可能已产生滞纳金。请尽快登录个人所得税APP办理。如有困难请联系主管税务机关或12366。核验码7KQ2MX",
    ),
    (
        "D2",
        70,
        1,
        "经核对，您2025年度个税汇算未办理或申报有误。请于7月31日前在个人所得税APP办理或更正。核验码7KQ2MX",
    ),
    (
        "D3",
        70,
        1,
        "请于工作时间联系主管税务机关，沟通2025年度个税汇算事项。请经12366转接核实，谨防冒充。核验码7KQ2MX",
    ),
    (
        "D4",
        67,
        1,
        "主管税务机关已向您送达税务文书，请登录个人所得税APP查阅。本短信仅为提醒，不代替文书。核验码7KQ2MX",
    ),
]


@pytest.fixture(scope="module")
def season() -> Season:
    return load_season()


def stage(season: Season, code: str) -> Starter:
    return next(stage for stage in season.stages if stage.code == code)


def test_every_stage_is_there_once(season: Season) -> None:
    assert [stage.code for stage in season.stages] == [code for code, *_ in TABLE]


@pytest.mark.parametrize(("code", "units", "parts", "text"), TABLE, ids=[row[0] for row in TABLE])
def test_the_sms_is_as_long_as_it_was_billed(
    season: Season, code: str, units: int, parts: int, text: str
) -> None:
    source = stage(season, code).contents["sms"]["text"]
    rendered = compile_template(source, channel="sms").render({**season.samples, "code": "7KQ2MX"})
    counted = count_parts(rendered, SIGNATURE)
    assert rendered == text
    assert (counted.units, counted.parts) == (units, parts)


@pytest.mark.parametrize("code", [row[0] for row in TABLE])
def test_no_text_breaks_its_own_rules(season: Season, code: str) -> None:
    contents = stage(season, code).contents
    assert find_forbidden(contents["sms"]["text"], code) == []
    card = contents["rcs"]["title"] + contents["rcs"]["body"]
    assert find_forbidden(card, code, channel="rcs") == []
    assert find_forbidden(contents["email"]["text"], code, channel="email") == []


@pytest.mark.parametrize("code", [row[0] for row in TABLE])
def test_cards_and_typed_fields_fit_their_limits(season: Season, code: str) -> None:
    contents = stage(season, code).contents
    card = contents["rcs"]
    assert 1 <= len(render(season, card["title"])) <= 200
    assert 1 <= len(render(season, card["body"])) <= 2000
    for suggestion in [*card["actions"], *card["chips"]]:
        assert 1 <= len(suggestion["label"]) <= 25
    for key, source in contents["wechat"]["fields"].items():
        assert key.rstrip("0123456789") in ("thing", "time", "character_string")
        assert len(render(season, source)) <= (20 if key.startswith("thing") else 64)


def render(season: Season, source: str) -> str:
    return compile_template(source, channel="rcs").render({**season.samples, "code": "7KQ2MX"})


def test_the_letter_is_a_whole_page_and_carries_its_ways_out(season: Season) -> None:
    letter = stage(season, "A2").contents["email"]
    values = {
        **season.samples,
        "org": "国家税务总局某某市税务局<测试>",
        "code": "7KQ2MX",
        "unsubscribe_url": "https://example.com/u?a=1&b=2",
    }
    html = compile_template(letter["html"], channel="email_html", autoescape=True).render(values)
    assert html.startswith("<!doctype html>")
    assert "[[" not in html
    assert "{{" not in html
    assert "某某市税务局&lt;测试&gt;" in html
    assert 'href="https://example.com/u?a=1&amp;b=2"' in html
    assert "3月1日至20日" in html
    text = compile_template(letter["text"], channel="email").render(values)
    assert "7KQ2MX" in text
    assert "https://example.com/u?a=1&b=2" in text


def test_a_wrong_name_in_a_stage_is_found_when_it_is_loaded(tmp_path: Path) -> None:
    for path in FOLDER.iterdir():
        (tmp_path / path.name).write_text(
            path.read_text(encoding="utf-8").replace("{{ correct_by|", "{{ corect_by|"), encoding="utf-8"
        )
    with pytest.raises(TemplateInvalid, match="correct_by"):
        load_season(tmp_path)
