"""The words of messages that ask for a confirmation, kept as they leave.

What a text was made of changes afterwards: names, attributes, who has acted. An answer by words is worth as
much as one on paper only while what it answers can be shown (电子签名法 article 5: 能够可靠地保证自最终形成
时起，内容保持完整、未被更改).
"""

import hashlib
from collections.abc import Sequence

from pyroaring import AbstractBitMap

from channels.base import Card, Outbound
from outreach.db.sql import load_queries
from outreach.governance.vault import open_vault
from outreach.ledger.letters import Letter
from outreach.runtime import Runtime

SQL = load_queries(__file__)
KEPT_KINDS = frozenset({"confirmation"})
"""Kinds of message whose words are kept."""
TABLE, COLUMN = "sent_text", "text_enc"


async def keep_sent_texts(
    rt: Runtime, written: Sequence[tuple[Letter, Outbound, int]], acted: AbstractBitMap
) -> None:
    """Keep the words of messages that are about to leave, sealed, in a transaction of its own. `acted`: the
    households that no text names any more."""
    if not written:
        return
    texts = [words_of(message) for _, message, _ in written]
    ids = [letter.message_id for letter, _, _ in written]
    rows = {
        "ids": ids,
        "digests": [hashlib.sha256(text.encode()).digest() for text in texts],
        "named": [
            "{" + ",".join(str(one) for one in letter.taxpayer_ids if one not in acted) + "}"
            for letter, _, _ in written
        ],
        "texts": open_vault(rt.settings).encrypt_many(TABLE, COLUMN, ids, texts),
    }
    async with rt.db.begin() as conn:
        await conn.execute(SQL["keep"], rows)


def words_of(message: Outbound) -> str:
    """What she reads, part by part: subject, text with its signature, values of a filed text, card, link, and
    the HTML of a mail."""
    signed = f"【{message.signature}】{message.text}" if message.signature and message.text else message.text
    card = _words_of_card(message.card) if message.card else ""
    # The fixed words around these values stand with the provider, under this number.
    filed = [f"模板 {message.template}", *(f"{name}：{value}" for name, value in message.params.items())]
    values = [] if message.text else filed if message.params else []
    parts = (message.subject, signed, *values, card, message.url, message.html)
    return "\n".join(part for part in parts if part)


def _words_of_card(card: Card) -> str:
    buttons = [action.label for action in (*card.actions, *card.chips)]
    parts = (card.title, card.body, *buttons, *(_words_of_card(one) for one in card.more))
    return "\n".join(part for part in parts if part)
