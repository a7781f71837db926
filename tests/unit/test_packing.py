"""Documents packed: the same text again, small, and readable for as long as anybody keeps one."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdCompressor, train_dictionary

from outreach.governance.vault import SealBroken
from outreach.statements.packing import FIRST_ID, dictionary_path, pack_many, unpack
from tests.statement_dictionary import texts

TEXTS = list(texts(100, seed=7))
DIGESTS = {1: "0c9390254a599ee40cfa6a773e1f707d365141c5fb150193e91ae4a31e7d9b72"}
"""Of every dictionary that was ever shipped: a document packed with it is lost when it changes."""


def test_documents_come_back_as_they_were_and_take_a_fifth_of_the_room() -> None:
    packed = pack_many(TEXTS)
    assert [unpack(one) for one in packed] == TEXTS
    assert sum(map(len, packed)) < sum(map(len, TEXTS)) / 5


@given(st.binary(max_size=4_000))
def test_anything_comes_back(text: bytes) -> None:
    assert unpack(pack_many([text])[0]) == text


def test_threads_do_not_disturb_each_other() -> None:
    with ThreadPoolExecutor(4) as pool:
        for packed in pool.map(pack_many, [TEXTS] * 8):
            assert list(pool.map(unpack, packed)) == TEXTS


@pytest.mark.parametrize("number", DIGESTS)
def test_dictionaries_never_change(number: int) -> None:
    assert hashlib.sha256(dictionary_path(number).read_bytes()).hexdigest() == DIGESTS[number]


def test_every_dictionary_is_held() -> None:
    shipped = {path.name for path in dictionary_path(1).parent.glob("*.zstd")}
    assert shipped == {dictionary_path(number).name for number in DIGESTS}


def test_a_document_that_was_sealed_as_it_was_still_opens() -> None:
    assert unpack(TEXTS[0]) == TEXTS[0]


def test_a_document_of_a_newer_version_is_refused() -> None:
    newer = train_dictionary(4_096, TEXTS, dict_id=FIRST_ID + 99)
    with pytest.raises(SealBroken, match="升级"):
        unpack(ZstdCompressor(dict_data=newer).compress(TEXTS[0]))
