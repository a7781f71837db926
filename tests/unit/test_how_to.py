"""How a benefit is claimed: a sentence of its own for every rule, by a day, and what is left afterwards."""

import csv
import re
from dataclasses import replace
from datetime import date

import pytest

from outreach.statements.household import BenefitFact
from outreach.statements.how_to import HOW_TO, advice_of, statutory_end, steps, told_to_do
from outreach.statements.leaflets import TOPICS, reading_of
from outreach.statements.rules import catalogue
from tests.unit.bill_households import read_bill
from tests.unit.test_bill import TODAY, half, household

with HOW_TO.open(encoding="utf-8", newline="") as _file:
    ROWS = {row["code"]: row for row in csv.DictReader(_file)}
RULES = catalogue()


def test_every_rule_has_sentences_of_its_own() -> None:
    assert list(ROWS) == list(RULES)


@pytest.mark.parametrize("code", ROWS)
def test_sentences_are_print_and_neither_threaten_nor_promise(code: str) -> None:
    row, rule = ROWS[code], RULES[code]
    assert row["ends"] in ("", "filing", "applied", "0331", "0531", "0630")
    for text in (row["how_to"], row["how_to_late"]):
        assert text.endswith("。") and not re.search(r"[<>=*;:()'\"|/]|->", text), text
        assert not any(word in text for word in ("必须", "责令", "立即", "否则", "保证", "一定能"))
    if rule.delivery == "申请":
        assert "申请" in row["how_to"] and (row["ends"] or "至" in row["how_to_late"]), "until when"
    if rule.delivery_mode.startswith("免申"):
        assert re.search("不用|自动|按提示确认", row["how_to"]), "she need not ask for it"


def test_only_special_deductions_are_called_so() -> None:
    for code, row in ROWS.items():
        said = "专项附加扣除" in row["how_to"].replace("不是专项附加扣除", "")
        assert said == (code.startswith("IIT_SAD_") and code != "IIT_SAD_ILLNESS"), code


def test_who_need_not_file_is_not_told_to() -> None:
    assert "不需要办理汇算" in ROWS["IIT_RECON_EXEMPT"]["how_to"]
    assert "更正" not in "".join(ROWS["IIT_RECON_EXEMPT"].values())


def test_a_rule_without_sentences_says_those_of_its_way_of_delivery() -> None:
    new = replace(RULES["VAT_CREDIT_REFUND_2025"], code="NEW")
    assert "提交申请" in advice_of(new).how_to and "更正" in advice_of(new).late
    assert "不用申请" in advice_of(replace(RULES["SIX_TAX_HALF"], code="NEW")).how_to


@pytest.mark.parametrize(
    ("ends", "month", "day"),
    [
        ("filing", 202509, date(2025, 10, 15)),
        ("filing", 202512, date(2026, 1, 15)),
        ("applied", 202509, date(2025, 9, 15)),
        ("0531", 202501, date(2026, 5, 31)),
        ("0630", 202512, date(2026, 6, 30)),
        ("0331", 202612, date(2027, 3, 31)),
        ("", 202512, None),
    ],
)
def test_until_when_by_law(ends: str, month: int, day: date | None) -> None:
    assert statutory_end(ends, month) == day


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("2026-01-15", "2026-01-20"),
        ("2026-05-31", "2026-06-01"),
        ("2099-05-31", "2099-05-31（遇法定节假日顺延）"),
    ],
)
def test_holidays_move_the_day_that_is_told_and_not_the_one_that_is_frozen(by: str, told: str) -> None:
    line = {"how_to": "说明。", "how_to_late": "补办。", "by": by}
    assert dict(steps(line, "2026-01-20T09:30+08:00"))["by"] == told


def test_what_has_closed_is_told_as_what_is_left() -> None:
    """SIX_TAX_HALF of March and September: the last of them ended on 27 October 2025."""
    bill = read_bill(household(benefits=[half(202503, "10", False), half(202509, "10", False)]), 2025, TODAY)
    (line,) = bill["unclaimed"]["lines"]
    assert line["by"] == "2025-10-15" and line["eligible"] == RULES["SIX_TAX_HALF"].eligible
    closed, still = steps(line, "2025-10-28T08:00+08:00"), steps(line, "2025-10-27T23:59+08:00")
    assert [name for name, _ in closed] == ["how_to"] and "更正该期申报" in closed[0][1]
    assert [name for name, _ in still] == ["how_to", "by", "how_to_late"] and still[1][1] == "2025-10-27"


def test_a_person_s_deduction_stays_open_until_the_yearly_return() -> None:
    facts = [BenefitFact(202512, "IIT_SAD_RENT", False, {"rent": "1500", "months": "12"})]
    (line,) = read_bill(household(kind="natural_person", benefits=facts), 2025, TODAY)["unclaimed"]["lines"]
    assert dict(steps(line, "2026-01-20T09:30+08:00"))["by"] == "2026-06-30"


def test_lines_of_older_documents_keep_their_one_sentence() -> None:
    assert list(steps({"how_to": "旧句子。"}, "2025-01-20T09:30+08:00")) == [("how_to", "旧句子。")]
    assert not steps({"amount": "1.00"}, "2025-01-20T09:30+08:00")
    assert told_to_do(RULES["VPT_NEV_HALF"], 202601)["by"] is None


def test_a_benefit_leads_to_the_leaflet_that_tells_of_it_now() -> None:
    old = reading_of("VAT_SS_EXEMPT_2023", 202603)
    assert old is not None and old.address == "/leaflet/small-scale#VAT_SS_THRESHOLD_2026"
    assert old.title == TOPICS["small-scale"][0]
    assert reading_of("IIT_HOUSE_SWAP", 202603) is None, "no longer in force"
    assert reading_of("DEFER_MFG_SME_2022", 202204) is None, "no leaflet tells of it"
