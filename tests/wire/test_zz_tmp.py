"""Typed fields: what leaves, what is cut, what is refused, here and at the platform."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.gateways.wechat_official.rules import FIELDS
from channels.wechat_official.fields import RULES, FieldInvalid, fit

GOOD = {
    "thing1": ["汇算清缴", "a" * 20],
    "short_thing2": ["已受理"],
    "number3": ["12", "3.50", "9" * 32],
    "letter4": ["ABC"],
    "symbol5": ["!?"],
    "character_string6": ["SN-2026/08"],
    "time7": ["15:01", "2026年3月1日 15:01", "2026-03-01 08:00~2026-03-31 18:00"],
    "date8": ["2026年3月1日", "2026-03-01", "2026年3月1日~2026年6月30日"],
    "amount9": ["100元", "¥12.50", "￥1234567.89元"],
    "phone_number10": ["12366", "+86-10-88886666"],
    "car_number11": ["粤A8Z888挂"],
    "name12": ["张三", "Zhang San"],
    "phrase13": ["待办理"],
    "const14": ["审核通过"],
    "enum15": ["是"],
}
BAD = {
    "thing1": [""],
    "short_thing2": ["超过五个汉字"],
    "number3": ["12a", "9" * 33, "-1", "1."],
    "letter4": ["AB1", "a" * 33],
    "symbol5": ["!a", "!" * 6],
    "character_string6": ["编号1", "a" * 33],
    "time7": ["明天", "15点", "2026年3月1日"],
    "date8": ["3月1日", "2026/03/01x"],
    "amount9": ["一百元", "1,000.00", "12345678901"],
    "phone_number10": ["1" * 18, "12366转2"],
    "car_number11": ["粤A8Z888挂88"],
    "name12": ["一二三四五六七八九十一", "a" * 21],
    "phrase13": ["办理中ing", "超过五个汉字"],
    "first": ["您好"],
    "thing": ["无编号"],
    "keyword1": ["旧模板"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in GOOD for value in GOOD[key]])
def test_good_values_pass_here_and_there(key: str, value: str) -> None:
    assert fit(key, value) == value
    assert FIELDS[key.rstrip("0123456789")](value)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in BAD for value in BAD[key]])
def test_bad_values_are_refused(key: str, value: str) -> None:
    with pytest.raises(FieldInvalid):
        fit(key, value)
    rule = FIELDS.get(key.rstrip("0123456789"))
    assert rule is None or not key[-1].isdigit() or not value or not rule(value)


def test_every_type_of_the_sheet_has_a_rule() -> None:
    assert set(RULES) == set(FIELDS)


@given(st.text(min_size=1, max_size=60))
def test_a_thing_is_short_enough_or_refused(value: str) -> None:
    try:
        fitted = fit("thing1", value)
    except FieldInvalid:
        assert not "".join(char for char in value if char.isprintable()).strip()
        return
    assert 1 <= len(fitted) <= 20
    assert "\n" not in fitted
    assert not fitted.endswith(("\u200d…", "\u200d"))


@given(st.sampled_from(sorted(RULES)), st.text(max_size=60))
@settings(max_examples=20000, deadline=None)
def test_what_is_refused_here_would_be_refused_there(kind: str, value: str) -> None:
    if value != value.strip() or not value.isprintable() or kind == "thing":
        return
    try:
        fit(f"{kind}1", value)
    except FieldInvalid:
        assert not value or not FIELDS[kind](value)


def test_cut_keeps_emoji_whole() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    cut = fit("thing1", "税" * 16 + family + "务")
    assert cut == "税" * 16 + "…"
