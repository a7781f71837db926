"""What a message that asks for a confirmation said is kept before it leaves, and only for such messages."""

import hashlib

import psycopg
import pytest

from outreach.governance.vault import open_vault
from outreach.ledger.content import compile_content, compose
from outreach.ledger.sent_texts import COLUMN, TABLE, words_of
from outreach.runtime import Runtime
from tests import town
from tests.integration.ledger_stage import staged


async def kept(rt: Runtime) -> list[tuple[int, list[int], str]]:
    rows = await rt.db.fetch(
        "select message_id, digest, taxpayer_ids, text_enc from sent_text order by message_id"
    )
    vault = open_vault(rt.settings)
    found = []
    for row in rows:
        text = vault.decrypt(TABLE, COLUMN, row["message_id"], row["text_enc"])
        assert hashlib.sha256(text.encode()).digest() == row["digest"]
        found.append((row["message_id"], row["taxpayer_ids"], text))
    return found


async def test_the_words_that_left_are_kept_as_they_left(rt: Runtime) -> None:
    people = [town.Household(n, 1, town.mobile(1)) for n in (1, 2)] + [town.Household(3, 3, town.mobile(3))]
    async with staged(rt, people, launch={"kind": "confirmation"}) as stage:
        # Who has acted is named no more, and is not among those whom the answer can mean.
        await town.add_label(rt, "iit.filed", [2])
        await stage.drain()
        entries = {entry.address: entry.text for entry in stage.books.entries}
        words = await kept(rt)
        assert [named for _, named, _ in words] == [[1], [3]]
        for (_, _, text), number in zip(words, (1, 3), strict=True):
            assert text.endswith(entries[town.mobile(number)].rpartition("】")[2]) and "示例企业" in text
        # What was registered later changes nothing.
        await rt.db.execute("update taxpayer set name = '改名公司'")
        assert await kept(rt) == words


async def test_other_messages_are_not_kept(rt: Runtime) -> None:
    async with staged(rt, town.households(2)) as stage:
        await stage.drain()
        assert len(stage.books.entries) == 2 and await kept(rt) == []


async def test_nothing_leaves_whose_words_cannot_be_kept(rt: Runtime) -> None:
    async with staged(rt, town.households(2), launch={"kind": "confirmation"}) as stage:
        await rt.db.execute("alter table sent_text rename to sent_text_away")
        with pytest.raises(psycopg.errors.UndefinedTable):
            await stage.drain()
        assert stage.books.entries == []


@pytest.mark.parametrize("channel", sorted(town.CONTENT))
def test_every_channel_has_words(channel: str) -> None:
    values = {"taxpayers": ["甲公司", "乙公司"], "tax_year": "2025"}
    shape = town.CONTENT[channel]
    content = compile_content(channel, shape)
    message = compose(content, values, key="k", address="a", signature="某局", filing="T1", unsubscribe="")
    words = words_of(message)
    assert "2025" in words and "{{" not in words
    assert ("甲公司" in words) == ("taxpayers" in str(shape))
    if channel == "sms":
        assert words.startswith("【某局】甲公司、乙公司")
    if channel == "wechat":
        assert words.startswith("模板 T1\n")
    for button in (*shape.get("actions", ()), *shape.get("chips", ())):
        assert button["label"] in words
