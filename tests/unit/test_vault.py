"""Personal data at rest: what must open, and what must not."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.config import Settings
from outreach.errors import InvalidInput
from outreach.governance.vault import KeyedHash, SealBroken, Vault, open_vault

KEY, OLD_KEY = "a1" * 32, "b2" * 32


@pytest.fixture(params=[KEY, f"sm4:{KEY}"], ids=["aes", "sm4"])
def vault(request: pytest.FixtureRequest) -> Vault:
    return Vault([request.param], "sample")


@given(st.text(max_size=60), st.integers(0, 2**31 - 1))
@pytest.mark.parametrize("key", [KEY, f"sm4:{KEY}"])
def test_a_value_comes_back(key: str, text: str, row_id: int) -> None:
    vault = Vault([key], "sample")
    blob = vault.encrypt("person", "name_enc", row_id, text)
    assert vault.decrypt("person", "name_enc", row_id, blob) == text


def test_many_values_come_back_in_order(vault: Vault) -> None:
    texts = [f"1380013{number:04}" for number in range(500)]
    blobs = vault.encrypt_many("address", "value_enc", range(500), texts)
    assert [vault.decrypt("address", "value_enc", n, blob) for n, blob in enumerate(blobs)] == texts


def test_equal_values_do_not_look_equal(vault: Vault) -> None:
    assert len({vault.encrypt("person", "name_enc", 1, "张三") for _ in range(100)}) == 100


def test_the_text_does_not_stand_in_the_envelope(vault: Vault) -> None:
    assert b"13800138000" not in vault.encrypt("address", "value_enc", 1, "13800138000")


@pytest.mark.parametrize(
    ("table", "column", "row_id"),
    [("person", "name_enc", 8), ("person", "id_no_enc", 7), ("address", "name_enc", 7)],
)
def test_a_moved_value_does_not_open(vault: Vault, table: str, column: str, row_id: int) -> None:
    blob = vault.encrypt("person", "name_enc", 7, "张三")
    with pytest.raises(SealBroken):
        vault.decrypt(table, column, row_id, blob)


def test_every_flipped_bit_is_noticed(vault: Vault) -> None:
    blob = vault.encrypt("person", "name_enc", 7, "张三")
    for position in range(len(blob) * 8):
        broken = bytearray(blob)
        broken[position // 8] ^= 1 << position % 8
        with pytest.raises(SealBroken):
            vault.decrypt("person", "name_enc", 7, bytes(broken))


def test_a_shortened_value_is_noticed(vault: Vault) -> None:
    blob = vault.encrypt("person", "name_enc", 7, "张三")
    for length in range(len(blob)):
        with pytest.raises(SealBroken):
            vault.decrypt("person", "name_enc", 7, blob[:length])


def test_another_tenant_opens_nothing_and_indexes_differently() -> None:
    ours, theirs = Vault([KEY], "one"), Vault([KEY], "two")
    with pytest.raises(SealBroken):
        theirs.decrypt("person", "name_enc", 7, ours.encrypt("person", "name_enc", 7, "张三"))
    assert ours.blind_index("mobile", "13800138000") != theirs.blind_index("mobile", "13800138000")


@pytest.mark.parametrize("new", ["c3" * 32, "sm4:" + "c3" * 32])
def test_rotation_keeps_old_values_and_indexes(new: str) -> None:
    before, during = Vault([OLD_KEY], "t"), Vault([new, OLD_KEY], "t")
    old = before.encrypt("person", "name_enc", 7, "张三")
    assert during.decrypt("person", "name_enc", 7, old) == "张三"
    assert not during.is_current(old)
    fresh = during.encrypt("person", "name_enc", 7, "张三")
    assert during.is_current(fresh)
    with pytest.raises(SealBroken):
        before.decrypt("person", "name_enc", 7, fresh)
    assert before.blind_index("id_no", "x") == during.blind_index("id_no", "x")


def test_blind_indexes(vault: Vault) -> None:
    one = vault.blind_index("mobile", "13800138000")
    assert len(one) == 16
    assert one == vault.blind_indexes("mobile", ["13800138000"])[0]
    assert one != vault.blind_index("tax_no", "13800138000")
    assert one != vault.blind_index("mobile", "13800138001")


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=64))
def test_the_keyed_hash_is_hmac(message: bytes, key: bytes) -> None:
    assert KeyedHash(key).digest(message) == hmac.digest(key, message, "sha256")


def test_dest_is_a_signed_number_of_eight_bytes() -> None:
    assert Vault.dest(b"\xff" * 16) == -1
    assert Vault.dest(b"\x00" * 7 + b"\x01" + b"\xff" * 8) == 1
    assert Vault.dest(b"\x80" + b"\x00" * 15) == -(2**63)


def test_settings_open_one_vault_and_refuse_a_weak_key() -> None:
    settings = Settings(master_key=KEY)  # type: ignore[arg-type]
    assert open_vault(settings) is open_vault(settings)
    with pytest.raises(InvalidInput, match="至少需要"):
        open_vault(Settings(master_key="short"))  # type: ignore[arg-type]
