"""What the law allows within a year, over the records of one household."""

from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outreach.statements.alternatives import excluded_by, has_another
from outreach.statements.rules import catalogue
from outreach.statements.yearly import CHECKED_CODES, Key, Reported, refusals

Rows = dict[Key, Reported | None]


def rows(*records: tuple[int, str, Mapping[str, str]], item: int = 1) -> dict[Key, Reported]:
    return {(month, code, item): Reported(month, code, item, dict(inputs)) for month, code, inputs in records}


def monthly(code: str, months: str, count: int = 12) -> dict[Key, Reported]:
    return rows(*((202500 + month, code, {"months": months}) for month in range(1, count + 1)))


def refused(new: Mapping[Key, Reported | None], stored: Mapping[Key, Reported] | None = None) -> list[Key]:
    return list(refusals(stored or {}, new))


@pytest.mark.parametrize(
    "code",
    ["CIT_SLP_2023", "IIT_SAD_ILLNESS", "IIT_PENSION", "IIT_BIZ_HALF_200", "EMP_VETERAN_HIRE", "CIT_HNTE_15"],
)
def test_what_the_law_measures_by_the_year_stands_once(code: str) -> None:
    quarters = rows(*((month, code, {"income": "1"}) for month in (202503, 202506, 202509, 202512)))
    found = refusals({}, quarters)
    assert list(found) == list(quarters)[1:]
    told = found[202506, code, 1]
    assert "每年只填一行" in told.message and "2025年3月已有一行" in told.message
    assert catalogue()[code].name in told.message and told.details["field"] == "所属期"


def test_months_add_up_to_a_year() -> None:
    for code in ("IIT_SAD_CHILD", "IIT_SAD_LOAN", "EMP_VETERAN_SELF", "IIT_SAD_ELDER"):
        assert not refused(monthly(code, "1"))
        assert refused(monthly(code, "12")) == [(202500 + month, code, 1) for month in range(2, 13)]
    (told,) = refusals(monthly("IIT_SAD_LOAN", "1"), rows((202512, "IIT_SAD_LOAN", {"months": "2"}))).values()
    assert "13 个月" in told.message and told.details["field"] == "月数"


def test_children_of_one_period_have_months_of_their_own() -> None:
    older = rows((202512, "IIT_SAD_CHILD", {"months": "12", "children": "1"}))
    younger = rows((202512, "IIT_SAD_CHILD", {"months": "4", "children": "1"}), item=2)
    assert not refused({**older, **younger})
    elsewhere = rows((202509, "IIT_SAD_CHILD", {"months": "4"}), item=2)
    assert refused({**older, **elsewhere}) == list(elsewhere)
    assert refused(
        {
            **rows((202512, "IIT_SAD_LOAN", {"months": "12"})),
            **rows((202512, "IIT_SAD_LOAN", {"months": "1"}), item=2),
        }
    )


def test_education_by_months_and_one_certificate() -> None:
    degree = rows((202512, "IIT_SAD_CONTEDU", {"education": "学历", "months": "12"}))
    papers = rows((202506, "IIT_SAD_CONTEDU", {"education": "证书"}))
    assert not refused({**degree, **papers})
    assert refused(rows((202507, "IIT_SAD_CONTEDU", {"education": "证书"})), papers)


def test_a_threshold_is_used_once_a_period() -> None:
    code = "VAT_SS_EXEMPT_2023"
    quarter = rows((202503, code, {"sales": "1", "period": "季"}))
    assert not refused(rows((202506, code, {"sales": "1", "period": "季"})), quarter)
    for month, period in ((202501, "月"), (202502, "季"), (202503, "月")):
        again = rows((month, code, {"sales": "1", "period": period}), item=2)
        (told,) = refusals(quarter, again).values()
        assert "2025年3月已有一行" in told.message and told.details["field"] == "计税期"
    assert not refused(monthly_sales(code))
    assert refused(rows((202503, code, {"sales": "1", "period": "月"}), item=2), monthly_sales(code))
    occasions = {
        **rows((202601, "VAT_SS_THRESHOLD_2026", {"sales": "9", "period": "次"})),
        **rows((202601, "VAT_SS_THRESHOLD_2026", {"sales": "9", "period": "次"}), item=2),
    }
    assert not refused(occasions)


def monthly_sales(code: str) -> dict[Key, Reported]:
    return rows(*((202500 + month, code, {"sales": "1", "period": "月"}) for month in range(1, 13)))


def test_fees_of_one_period_are_measured_by_the_same_sales() -> None:
    code, said = "SURCHARGE_10W_EXEMPT", {"period": "季", "sales": "5.0"}
    one = rows((202503, code, {**said, "due": "3"}))
    assert not refused(rows((202503, code, {**said, "sales": "5", "due": "2"}), item=2), one)
    assert refused(rows((202503, code, {**said, "sales": "6", "due": "2"}), item=2), one)


@pytest.mark.parametrize(
    ("one", "other"), [("IIT_SAD_LOAN", "IIT_SAD_RENT"), ("CIT_SLP_2023", "CIT_HNTE_15")]
)
def test_alternatives_of_a_year_are_refused_with_both_names(one: str, other: str) -> None:
    first, second = (rows((202512, code, {"months": "6"})) for code in (one, other))
    for stored, new in ((first, second), (second, first)):
        (told,) = refusals(stored, new).values()
        assert all(catalogue()[code].name in told.message for code in (one, other))
        assert told.details["field"] == "优惠代码"
    withdrawn: Rows = {**dict.fromkeys(first), **second}
    assert not refused(withdrawn, first)


def test_a_file_may_put_right_what_an_earlier_one_said() -> None:
    """All twelve at once, in any order; and a row that is refused leaves what stood in its place."""
    wrong, right = monthly("IIT_SAD_CHILD", "12"), monthly("IIT_SAD_CHILD", "1")
    assert not refused(right, wrong)
    yearly = rows((202512, "IIT_SAD_LOAN", {"months": "12"}))
    assert not refused(monthly("IIT_SAD_LOAN", "1"), yearly)
    half = {**monthly("IIT_SAD_LOAN", "1", 11), **rows((202512, "IIT_SAD_LOAN", {"months": "3"}))}
    assert refusals(yearly, half).keys() == half.keys(), (
        "beside the twelve months that stay none of them fits"
    )


def test_what_stands_is_not_judged_against_itself() -> None:
    for stored in (monthly("IIT_SAD_CHILD", "1"), rows((202512, "CIT_SLP_2023", {"income": "1"}))):
        assert not refused(stored, stored)


months = st.dictionaries(
    st.tuples(st.integers(202501, 202512), st.just("IIT_SAD_RENT"), st.integers(1, 2)),
    st.integers(1, 12),
    max_size=6,
)


@given(months, months)
@example(
    {(202501, "IIT_SAD_RENT", 1): 2, (202501, "IIT_SAD_RENT", 2): 2},
    {
        (202502, "IIT_SAD_RENT", 1): 9,
        (202503, "IIT_SAD_RENT", 1): 1,
        (202501, "IIT_SAD_RENT", 1): 1,
        (202503, "IIT_SAD_RENT", 2): 1,
    },
)
def test_whatever_is_loaded_no_year_has_more_than_twelve_months(
    first: dict[Key, int], second: dict[Key, int]
) -> None:
    stored: dict[Key, Reported] = {}
    for file in (first, second):
        new = {key: Reported(*key, {"months": str(count)}) for key, count in file.items()}
        fine = refusals(stored, new)
        stored |= {key: row for key, row in new.items() if key not in fine}
        assert refusals(stored, new).keys() == fine.keys(), "loading a file twice changes nothing"
        assert sum(int(row.inputs["months"]) for row in stored.values()) <= 12


def test_families_of_the_checks_exist() -> None:
    families = {rule.family for rule in catalogue().values()}
    assert {catalogue()[code].family for code in CHECKED_CODES} <= families and len(CHECKED_CODES) == 26
    assert excluded_by("CIT_SLP") == {"CIT_HNTE_15", "CIT_WEST_15"} and not excluded_by("SIX_TAX_HALF")


def test_what_is_of_no_use_beside_another() -> None:
    nobody: frozenset[str] = frozenset()
    assert has_another("VAT_SS_3TO1", nobody, {"VAT_SS_EXEMPT"})
    assert has_another("CIT_HNTE_15", nobody, {"CIT_SLP"})
    assert not has_another("CIT_SLP", nobody, {"CIT_HNTE_15"})
    assert has_another("CIT_SLP", {"CIT_HNTE_15"}, nobody)
    assert not has_another("VAT_SS_EXEMPT", {"VAT_SS_3TO1"}, {"VAT_SS_3TO1"})
