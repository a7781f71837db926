"""Locator links: 11 random base62 characters that find a statement and prove nothing.

65.5 bits: with 45 million live links and 10,000 guesses a second, 0.02 hits in 30 days are expected. Only an
HMAC of the token is stored: a plain hash of 65 bits could be searched for offline by who steals the database.
"""

import os
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import scalar_row

from outreach.db.copy import copy_rows
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.vault import Vault
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
TOKEN_LENGTH = 11
_STEP = 5_000
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
# 248 = 4 x 62: bytes from there on are dropped, so that every character is equally likely.
_TABLE = bytes(ord(ALPHABET[byte % 62]) for byte in range(256))
_DROPPED = bytes(range(248, 256))
_COLUMNS = (
    ("token_hash", "bytea"),
    ("taxpayer_ids", "int4[]"),
    ("person_id", "int4"),
    ("round_id", "int4"),
    ("message_id", "int8"),
    ("expires_at", "timestamptz"),
)


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """A link to make: the households that it shows, and the message that carries it.

    `person_id` gets the one-time code; None stands for the contact of the first household. It shows those of
    the households for which she still acts.
    """

    taxpayer_ids: Sequence[int]
    round_id: int | None
    message_id: int | None
    expires_at: datetime
    person_id: int | None = None


@dataclass(frozen=True, slots=True)
class LinksSent:
    """Links of a campaign; `alive`: neither expired nor revoked."""

    sent: int
    alive: int


async def issue_links(conn: Connection, vault: Vault, rows: Sequence[LinkRequest]) -> list[str]:
    """Make one link per request, in order, in the caller's transaction (one COPY); returns the tokens."""
    tokens = new_tokens(len(rows))
    digest = vault.keyed_hash("link.token").digest
    await copy_rows(
        conn,
        "link",
        _COLUMNS,
        (
            (
                digest(token.encode()),
                list(r.taxpayer_ids),
                r.person_id,
                r.round_id,
                r.message_id,
                r.expires_at,
            )
            for token, r in zip(tokens, rows, strict=True)
        ),
    )
    return tokens


async def revoke_links(conn: Connection, round_id: int) -> int:
    """Revoke all links of a round; returns how many were alive. Sessions opened by them end too."""
    return (await conn.execute(_SQL["revoke_round"], {"round": round_id})).rowcount


async def revoke_campaign(rt: Runtime, campaign_id: int) -> int:
    """Revoke the links of all rounds of a campaign; as `revoke_links`. In steps, so that no visitor waits for
    millions of others: broken off, it is finished by doing it again."""
    revoked = 0
    async with rt.db.begin() as conn, conn.cursor("campaign_links", row_factory=scalar_row) as cursor:
        await cursor.execute(_SQL["alive_of_campaign"], {"campaign": campaign_id})
        while hashes := await cursor.fetchmany(_STEP):
            revoked += await rt.db.execute(_SQL["revoke_some"], {"hashes": hashes})
    return revoked


async def count_links(conn: Connection, campaign_id: int) -> LinksSent:
    """How many links the rounds of a campaign have sent, and how many of them still open something."""
    row = await (await conn.execute(_SQL["count_of_campaign"], {"campaign": campaign_id})).fetchone()
    assert row is not None
    return LinksSent(row["sent"], row["alive"])


async def forget_codes(rt: Runtime) -> int:
    """Delete codes and sessions that ended more than two days ago; to be called daily."""
    row = await rt.db.fetch_one(_SQL["forget"])
    return int(row["n"]) if row else 0


def token_hash(vault: Vault, token: str) -> bytes:
    """What is stored of a token: 32 bytes."""
    return vault.keyed_hash("link.token").digest(token.encode())


def is_token(text: str) -> bool:
    """Whether a text has the form of a token; what has not need not be looked up."""
    return len(text) == TOKEN_LENGTH and text.isascii() and text.isalnum()


def new_tokens(count: int) -> list[str]:
    """Random tokens, uniform over base62, from the system's generator."""
    needed = count * TOKEN_LENGTH
    drawn = b""
    while len(drawn) < needed:
        drawn += os.urandom(needed - len(drawn) + needed // 16 + 64).translate(_TABLE, _DROPPED)
    text = drawn.decode("ascii")
    return [text[start : start + TOKEN_LENGTH] for start in range(0, needed, TOKEN_LENGTH)]
