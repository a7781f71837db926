"""Mobile numbers, e-mail addresses, openids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.imports.contacts import (
    EMAIL_FORMAT,
    MOBILE_LENGTH,
    MOBILE_PREFIX,
    OPENID_FORMAT,
    check_emails,
    check_mobiles,
    check_openids,
    normal_mobile,
)
from outreach.imports.numbers import CHARACTERS, EMPTY, FINE

NEWER_PREFIXES = ("162", "165", "166", "167", "190", "191", "192", "193", "195", "196", "197", "198", "199")
NO_PREFIXES = (
    "100",
    "120",
    "140",
    "141",
    "144",
    "154",
    "160",
    "161",
    "163",
    "164",
    "168",
    "169",
    "179",
    "200",
)


@pytest.mark.parametrize("prefix", NEWER_PREFIXES)
def test_newer_prefixes_are_known(prefix: str) -> None:
    assert check_mobiles([f"{prefix}00138000"]).tolist() == [FINE]


@pytest.mark.parametrize("prefix", NO_PREFIXES)
def test_prefixes_that_nobody_has(prefix: str) -> None:
    assert check_mobiles([f"{prefix}00138000"]).tolist() == [MOBILE_PREFIX]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("13800138000", FINE),
        ("", EMPTY),
        ("1380013800", MOBILE_LENGTH),
        ("138001380000", MOBILE_LENGTH),
        ("1380013800a", CHARACTERS),
        ("１３８００１３８０００", CHARACTERS),
        ("-1380013800", CHARACTERS),
    ],
)
def test_mobiles(text: str, fault: int) -> None:
    assert check_mobiles([text]).tolist() == [fault]


@pytest.mark.parametrize(
    "text",
    ["13800138000", "138 0013 8000", "138-0013-8000", "+86 13800138000", "8613800138000", "008613800138000"],
)
def test_the_ways_to_write_a_number(text: str) -> None:
    assert normal_mobile(text) == "13800138000"


def test_a_number_that_only_begins_with_86_stays() -> None:
    assert normal_mobile("86138001380") == "86138001380"


@pytest.mark.parametrize(
    "text", ["a@example.com", "a.b+c@mail.example.com.cn", "1@qq.example", "x_y-z@a-b.cn"]
)
def test_good_emails(text: str) -> None:
    assert check_emails([text]).tolist() == [FINE]


@pytest.mark.parametrize(
    "text",
    [
        "a", "a@", "@example.com", "a@b", "a b@example.com", "a@example..com", ".a@example.com",
        "a.@example.com", "a..b@example.com", "a@-example.com", "a@example.com,b@example.com",
        "a@example.com\r\nBcc: x@example.com", "张三@example.com", "a@example.c", "x" * 65 + "@example.com",
        "a@" + "b" * 250 + ".com",
    ],
)  # fmt: skip
def test_bad_emails(text: str) -> None:
    assert check_emails([text]).tolist() == [EMAIL_FORMAT]


def test_openids() -> None:
    good, bad = "o" + "A1b2C3d-_" * 3, "o" + "中" * 27
    assert check_openids([good, "", bad, "short"]).tolist() == [FINE, EMPTY, OPENID_FORMAT, OPENID_FORMAT]


@given(st.lists(st.text(max_size=20), max_size=20))
def test_anything_may_stand_in_a_column(texts: list[str]) -> None:
    assert len(check_mobiles(texts)) == len(check_emails(texts)) == len(texts)
