"""Check digits: published examples, and an implementation of the standards of another kind beside ours."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.imports.numbers import (
    BIRTH_DATE,
    CHARACTERS,
    CHECK_DIGIT,
    CREDIT_ALPHABET,
    EMPTY,
    FINE,
    FORMAT,
    LENGTH_18,
    OLD_CARD,
    REGION,
    card_check_digit,
    check_credit_codes,
    check_identities,
    check_identity_cards,
    credit_check_digit,
)

TODAY = date(2026, 3, 15)


def card(first_17: str) -> str:
    return first_17 + card_check_digit(first_17)


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014"])
def test_the_examples_of_gb_11643(number: str) -> None:
    # Both stand in the standard; the second was born in 1880, which no taxpayer of today was.
    assert card_check_digit(number[:17]) == number[17]


@pytest.mark.parametrize("code", ["91350100M000100Y43", "91110000600037341L"])
def test_the_example_of_gb_32100_and_a_published_code(code: str) -> None:
    assert check_credit_codes([code]).tolist() == [FINE]


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("11010519491231002X", FINE),
        ("110105194912310021", CHECK_DIGIT),
        ("11010519491231002x", CHARACTERS),
        ("1101051949123100", LENGTH_18),
        ("11010519491231002XX", LENGTH_18),
        ("", EMPTY),
        ("1101051949123100２X", CHARACTERS),
        ("11010519491231OO2X", CHARACTERS),
        ("440524188001010014", BIRTH_DATE),
        (card("11010520230229001"), BIRTH_DATE),
        (card("11010520240229001"), FINE),
        (card("11010519000229001"), BIRTH_DATE),
        (card("11010520000229001"), FINE),
        (card("11010519901301001"), BIRTH_DATE),
        (card("11010519900431001"), BIRTH_DATE),
        (card("11010519900400001"), BIRTH_DATE),
        (card("11010520260315001"), FINE),
        (card("11010520260316001"), BIRTH_DATE),
        (card("70010519900101001"), REGION),
        (card("00010519900101001"), REGION),
        (card("81000019900101001"), FINE),
        (card("83000019900101001"), FINE),
        (card("91115619900101001"), FINE),
    ],
)
def test_identity_cards(number: str, fault: int) -> None:
    assert check_identity_cards([number], TODAY).tolist() == [fault]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("91350100M000100Y44", CHECK_DIGIT),
        ("9135010OM000100Y43", CHARACTERS),
        ("91350100m000100Y43", CHARACTERS),
        ("0" + "1350100M000100Y43", FORMAT),
        ("913501A0M000100Y4" + credit_check_digit("913501A0M000100Y4"), REGION),
        ("91350100M000100Y4", LENGTH_18),
        ("", EMPTY),
    ],
)
def test_wrong_credit_codes(code: str, fault: int) -> None:
    assert check_credit_codes([code]).tolist() == [fault]


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("E12345678", FINE),
        ("H12345678", FINE),
        ("H1234567890", FINE),
        ("USA110012345678", FINE),
        ("110105491231002", OLD_CARD),
        ("12345", LENGTH_18),
        ("E1234", LENGTH_18),
        # A card that lost a digit is no passport, although its X is a letter.
        ("1101051949123102X", LENGTH_18),
        ("11010519491231OO2X", CHARACTERS),
        ("E123456789012345678901", LENGTH_18),
    ],
)
def test_other_documents(number: str, fault: int) -> None:
    assert check_identities([number], TODAY).tolist() == [fault]


def slow_credit_digit(first_17: str) -> str:
    total = sum(CREDIT_ALPHABET.index(c) * 3**i for i, c in enumerate(first_17))
    return next(c for c in CREDIT_ALPHABET if (total + CREDIT_ALPHABET.index(c)) % 31 == 0)


def slow_card_digit(first_17: str) -> str:
    # ISO 7064 MOD 11-2: the number with its check digit leaves 1.
    for value in range(11):
        total = sum(int(d) * 2 ** (17 - i) for i, d in enumerate(first_17)) + value
        if total % 11 == 1:
            return "X" if value == 10 else str(value)
    raise AssertionError


@given(st.text(alphabet=CREDIT_ALPHABET, min_size=17, max_size=17))
def test_credit_digits_agree_with_the_definition(first: str) -> None:
    assert credit_check_digit(first) == slow_credit_digit(first)


@given(st.text(alphabet="0123456789", min_size=17, max_size=17))
def test_card_digits_agree_with_the_definition(first: str) -> None:
    assert card_check_digit(first) == slow_card_digit(first)


@given(st.dates(date(1901, 1, 1), TODAY), st.integers(0, 999), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(born: date, serial: int, place: int, shift: int) -> None:
    number = card(f"110105{born:%Y%m%d}{serial:03}")
    digit = str((int(number[place]) + shift) % 10)
    changed = number[:place] + digit + number[place + 1 :]
    assert check_identity_cards([number], TODAY).tolist() == [FINE]
    assert check_identity_cards([changed], TODAY).tolist() != [FINE]


@given(st.lists(st.text(max_size=25), max_size=30))
def test_anything_may_stand_in_a_column(texts: list[str]) -> None:
    for faults in (
        check_credit_codes(texts),
        check_identity_cards(texts, TODAY),
        check_identities(texts, TODAY),
    ):
        assert len(faults) == len(texts)


def test_a_column_is_checked_as_its_texts_are() -> None:
    numbers = ["11010519491231002X", "", "x", "110105194912310021", "91350100M000100Y43"]
    assert check_identity_cards(numbers, TODAY).tolist() == [
        check_identity_cards([number], TODAY).tolist()[0] for number in numbers
    ]
