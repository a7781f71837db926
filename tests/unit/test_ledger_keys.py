"""The key that travels with a message: short, ordered, and not to be mistaken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.ledger.keys import (
    DIRECT_FROM,
    MESSAGES_PER_BATCH,
    SHARDS,
    decode_key,
    encode_key,
    shard_of,
)

IDS = st.integers(0, 2**63 - 1)
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@given(IDS)
def test_a_key_tells_its_message(message_id: int) -> None:
    key = encode_key(message_id)
    assert len(key) == 15
    assert set(key) <= set(ALPHABET)
    assert decode_key(key) == message_id


@given(IDS, IDS)
def test_keys_sort_like_their_messages(one: int, other: int) -> None:
    assert (encode_key(one) < encode_key(other)) == (one < other)


@given(IDS, st.integers(0, 14), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_never_another_message(message_id: int, place: int, wrong: str) -> None:
    key = encode_key(message_id)
    changed = key[:place] + wrong + key[place + 1 :]
    assert decode_key(changed) == (message_id if changed == key else None)


@given(IDS, st.integers(0, 12))
def test_two_neighbours_in_the_wrong_order_are_never_another_message(message_id: int, place: int) -> None:
    key = encode_key(message_id)
    swapped = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
    assert decode_key(swapped) == (message_id if swapped == key else None)


@given(st.text(max_size=40))
def test_what_is_not_ours_is_nobodys(text: str) -> None:
    found = decode_key(text)
    assert found is None or encode_key(found) == text


@pytest.mark.parametrize("key", ["", "0" * 14, "0" * 16, "O" * 15, "i" * 15, "00000000000000 ", "０" * 15])
def test_wrong_lengths_and_letters_are_nobodys(key: str) -> None:
    assert decode_key(key) is None


def test_a_number_beyond_the_ids_is_nobodys() -> None:
    beyond = 1 << 63
    digits = "".join(ALPHABET[(beyond >> shift) & 31] for shift in range(60, -1, -5))
    check = beyond % 1021
    assert decode_key(digits + ALPHABET[check >> 5] + ALPHABET[check & 31]) is None


@given(st.integers(0, (DIRECT_FROM - 1) // MESSAGES_PER_BATCH), st.integers(0, MESSAGES_PER_BATCH - 1))
def test_a_message_lies_in_the_shard_of_its_batch(batch_id: int, position: int) -> None:
    assert shard_of(batch_id * MESSAGES_PER_BATCH + position) == batch_id % SHARDS
