"""The starter templates against the table of the domain: every text, its length and its parts."""

from pathlib import Path

import pytest

from outreach.rendering.errors import TemplateInvalid
from outreach.rendering.expressions import compile_template
from outreach.rendering.guard import find_forbidden
from outreach.rendering.sms_parts import count_parts
from outreach.rendering.starters import FOLDER, Season, Starter, load_season

SIGNATURE = "国家税务总局某某市税务局"

# The texts stand as in the domain's table, each in one line.
TABLE = [
    (
        "A1",
        66,
        1,
        "您的2025年度个税汇算将于3月1日开始。请先在个人所得税APP核对收入和专项附加扣除。咨询12366。",
    ),
    (
        "A2",
        66,
        1,
        "如需在3月1日至20日办理个税汇算，可在个人所得税APP首页预约；3月21日起无需预约。咨询12366。",
    ),
    ("A3", 62, 1, "您所在单位本批次办理时段为4月1日至15日，请在该时段登录个人所得税APP办理2025年度汇算。"),
    (
        "A4",
        64,
        1,
        "您如需单位代办2025年度个税汇算，请按单位通知以短信、邮件等方式确认，并补充单位外收入和扣除信息。",
    ),
    ("B1", 60, 1, "您2025年度个税汇算可能有退税，尚未申报。可登录个人所得税APP自愿办理，不收取任何费用。"),
    (
        "B2",
        68,
        1,
        "您2025年度个税汇算尚未办理，可能需要补税。请于6月30日前登录个人所得税APP核对办理。咨询12366。",
    ),
    (
        "B3",
        66,
        1,
        "您已申报2025年度个税汇算，税款尚未缴纳。请于6月30日前在个人所得税APP完成缴款，以免产生滞纳金。",
    ),
    ("B4", 56, 1, "您已完成2025年度个税汇算申报，尚未提交退税申请。请登录个人所得税APP继续操作。"),
    (
        "B5",
        68,
        1,
        "您的个税汇算退税因收款账户原因未成功。请登录个人所得税APP核对银行卡后重新提交，勿向他人提供卡号和验证码。",
    ),
    ("B6", 55, 1, "您的个税汇算退税申请需补充或更正，请登录个人所得税APP查看原因。咨询12366。"),
    (
        "B7",
        64,
        1,
        "您的2025年度个税汇算退税已办结，请留意到账。请对本次服务作出评价，回复1满意2基本满意3不满意。",
    ),
    ("C1", 62, 1, "2025年度个税汇算将于6月30日截止，您尚未办理。请登录个人所得税APP办理；如已办理请忽略。"),
    (
        "D1",
        75,
        2,
        "您2025年度个税汇算仍未办理，可能已产生滞纳金。请尽快登录个人所得税APP办理。如有困难请联系主管税务机关或12366。",
    ),
    ("D2", 63, 1, "经核对，您2025年度个税汇算仍未办理或申报有误。请于7月31日前登录个人所得税APP办理或更正。"),
    (
        "D3",
        66,
        1,
        "请您于工作时间与主管税务机关联系，沟通2025年度个税汇算有关事项。请通过12366转接核实，谨防冒充。",
    ),
    ("D4", 58, 1, "主管税务机关已向您送达税务文书，请登录个人所得税APP查阅。本短信仅为提醒，不代替文书。"),
]


@pytest.fixture(scope="module")
def season() -> Season:
    return load_season()


def stage(season: Season, code: str) -> Starter:
    return next(stage for stage in season.stages if stage.code == code)


def test_every_stage_is_there_once(season: Season) -> None:
    assert [stage.code for stage in season.stages] == [code for code, *_ in TABLE]


@pytest.mark.parametrize(("code", "units", "parts", "text"), TABLE, ids=[row[0] for row in TABLE])
def test_the_sms_is_that_of_the_domain(season: Season, code: str, units: int, parts: int, text: str) -> None:
    source = stage(season, code).contents["sms"]["text"]
    rendered = compile_template(source, channel="sms").render(season.samples)
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
        assert key.rstrip("0123456789") in ("thing", "time")
        assert len(render(season, source)) <= (20 if key.startswith("thing") else 64)


def render(season: Season, source: str) -> str:
    return compile_template(source, channel="rcs").render(season.samples)


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
