"""Parts of an SMS: the borders of 3GPP TS 23.040 and what is really cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.rendering.sms_parts import PER_PART, Header, count_parts, cut_parts, signed

HEADERS: tuple[Header, ...] = ("udh8", "udh16")
characters = st.text(alphabet=st.sampled_from("字a。😀𠮷\u0301"), max_size=300)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    ("length", "header", "parts"),
    [
        (0, "udh8", 1),
        (70, "udh8", 1),
        (71, "udh8", 2),
        (134, "udh8", 2),
        (135, "udh8", 3),
        (201, "udh8", 3),
        (202, "udh8", 4),
        (70, "udh16", 1),
        (71, "udh16", 2),
        (132, "udh16", 2),
        (133, "udh16", 3),
    ],
)
def test_borders(length: int, header: Header, parts: int) -> None:
    counted = count_parts("字" * length, header=header)
    assert (counted.units, counted.parts, counted.encoding) == (length, parts, "ucs2")


def test_the_signature_counts_with_its_brackets() -> None:
    assert signed("字", "示例局") == "【示例局】字"
    assert count_parts("字" * 56, "国家税务总局某某市税务局").units == 70
    assert count_parts("字" * 57, "国家税务总局某某市税务局").parts == 2


def test_latin_letters_are_not_cheaper() -> None:
    assert count_parts("a" * 71).parts == 2


def test_an_emoji_is_two_units_and_is_not_cut() -> None:
    assert count_parts("😀" * 35).parts == 1
    # 66 units and an emoji would be 68: the emoji moves on, and a third part is needed.
    text = "字" * 66 + "😀" + "字" * 66
    assert units(text) == 134
    assert count_parts(text).parts == 3
    assert cut_parts(text) == ["字" * 66, "😀" + "字" * 65, "字"]


def test_a_lone_surrogate_is_counted_and_does_no_harm() -> None:
    assert count_parts("\ud83d" * 71).parts == 2


@given(characters, st.sampled_from(HEADERS))
def test_counting_is_cutting(text: str, header: Header) -> None:
    parts = cut_parts(text, header)
    counted = count_parts(text, header=header)
    assert "".join(parts) == text
    assert len(parts) == counted.parts
    assert counted.units == units(text)
    if len(parts) > 1:
        assert counted.units > 70
        assert all(0 < units(part) <= PER_PART[header] for part in parts)
        assert all(units(part) >= PER_PART[header] - 1 for part in parts[:-1])


@given(characters, characters)
def test_more_text_is_never_fewer_parts(text: str, more: str) -> None:
    assert count_parts(text).parts <= count_parts(text + more).parts
