"""Who may see a statement: a one-time code to the phone of record, then a short session.

Limits (all in PostgreSQL): a code has 6 digits and lives 5 minutes; in 24 hours 3 codes per link and 6 per
person; 5 wrong entries lock the link for 24 hours, 10 over all her links stop the person for as long. Half of
what a person has is kept for the links of her messages: links that were made for a number (by_number.py) use
the other half only. Callers cannot tell an unknown link from an expired, revoked or locked one, or from one
whose person acts for nobody any more: the answers are the same, and so are the statements that the database
runs for them. Every step is recorded in statement_access.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outreach.db.pool import Connection, Database
from outreach.db.sql import load_queries
from outreach.governance.vault import Vault, open_vault
from outreach.runtime import Runtime
from outreach.statements.links import is_token, token_hash

_SQL = load_queries(__file__)
CODE_DIGITS = 6
CODE_SECONDS = 300
CODES_A_DAY = 3
MOST_TRIES = 5
CODES_OF_PERSON = 6
TRIES_OF_PERSON = 10
CODES_BY_NUMBER = 3
TRIES_BY_NUMBER = 5
_MISSES_THAT_COUNT = 20
SESSION_SECONDS = 1_800


@dataclass(frozen=True, slots=True)
class CodeToSend:
    """A fresh code, for whoever sends messages; it is nowhere else in clear."""

    person_id: int
    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class MissShare:
    """Attempts on links over all networks within some minutes, and how many found no link."""

    attempts: int
    misses: int

    @property
    def is_alarming(self) -> bool:
        """Somebody guesses: more than 1 %, and more than a few who copied an address wrongly."""
        return self.misses >= _MISSES_THAT_COUNT and self.misses * 100 > self.attempts


@dataclass(frozen=True, slots=True)
class StatementSession:
    """A verified visit: the households that the link named and for which its person still acts."""

    token_hash: bytes
    taxpayer_ids: tuple[int, ...]
    expires_at: datetime


def network_of(remote: str) -> str:
    """The /24 (IPv4) or /48 (IPv6) of a visitor; 0.0.0.0/32 when the address cannot be read."""
    try:
        address = ipaddress.ip_address(remote)
    except ValueError:
        return "0.0.0.0/32"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


async def ask_code(rt: Runtime, token: str, remote: str) -> CodeToSend | None:
    """Make a one-time code for the person of the link; None when there is nothing to send.

    The caller answers the visitor in the same words either way.
    """
    vault = open_vault(rt.settings)
    hashed = token_hash(vault, token)
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    async with rt.db.begin() as conn:
        link = await _lock(conn, token, hashed)
        send = link.usable and link.may_have_code
        params = {
            "hash": hashed,
            "code": _code_hash(vault, hashed, code),
            "seconds": CODE_SECONDS,
            "person": link.person_id,
            "send": send,
        }
        row = await (await conn.execute(_SQL["add_code"], params)).fetchone()
        event = "code_sent" if send else "code_refused" if link.known else "miss"
        await _record(conn, event, hashed, remote)
    return CodeToSend(link.person_id, code, row["expires_at"]) if row and link.person_id else None


async def enter_code(rt: Runtime, token: str, code: str, remote: str) -> str | None:
    """Open a session when the code is right; returns its secret (128 bits) for the cookie, else None.

    A code opens one session only. A wrong one counts; the fifth within 24 hours locks the link.
    """
    vault = open_vault(rt.settings)
    hashed = token_hash(vault, token)
    async with rt.db.begin() as conn:
        link = await _lock(conn, token, hashed)
        found = await (await conn.execute(_SQL["code_hash"], {"hash": hashed})).fetchone()
        if not _is_right(link, found, _code_hash(vault, hashed, code.strip())):
            await _count_try(conn, link, found, hashed, remote)
            return None
        assert found is not None
        await conn.execute(_SQL["use_code"], {"id": found["id"]})
        secret = secrets.token_urlsafe(16)
        params = {
            "hash": hashed,
            "session": _session_hash(vault, secret),
            "seconds": SESSION_SECONDS,
            "person": link.person_id,
        }
        await conn.execute(_SQL["open_session"], params)
        await _record(conn, "verified", hashed, remote)
    return secret


async def find_session(rt: Runtime, secret: str) -> StatementSession | None:
    """The session of a cookie, while it and its link live and its person acts for one of the households."""
    rows = await _rows_of(rt, "find_session", secret)
    return _session(rows[0]) if rows else None


async def find_sealed(rt: Runtime, secret: str) -> tuple[StatementSession, list[dict[str, Any]]] | None:
    """As `find_session`, and with it the rows of the documents that the visit may see, still sealed."""
    rows = await _rows_of(rt, "visit", secret)
    return (_session(rows[0]), [row for row in rows if row["id"] is not None]) if rows else None


async def end_session(rt: Runtime, secret: str, remote: str) -> None:
    """The visitor leaves; the cookie opens nothing any more."""
    async with rt.db.begin() as conn:
        params = {"session": _session_hash(open_vault(rt.settings), secret)}
        row = await (await conn.execute(_SQL["end_session"], params)).fetchone()
        if row is not None:
            await _record(conn, "ended", bytes(row["token_hash"]), remote)


async def record_access(
    on: Connection | Database,
    session: StatementSession,
    event: str,
    remote: str,
    taxpayer_id: int,
    statement_id: int,
) -> None:
    """Audit that a document was `viewed`, `downloaded` or `mailed`; whoever sees it has read it. In the
    transaction of a connection, or on a database by itself: then it is durable when this returns."""
    params = {"event": event, "hash": session.token_hash, "network": network_of(remote)}
    await on.execute(_SQL["add_document"], params | {"taxpayer": taxpayer_id, "statement": statement_id})


async def note_miss(rt: Runtime, remote: str) -> None:
    """Record that a network asked for a message or a ticket that there is not."""
    async with rt.db.begin() as conn:
        await _record(conn, "miss", None, remote)


async def count_tries(rt: Runtime, remote: str) -> int:
    """Tries of this network within the last minute that were not verified since, whatever the links were."""
    row = await rt.db.fetch_one(_SQL["tries"], {"network": network_of(remote)})
    return int(row["n"]) if row else 0


async def note_stop(rt: Runtime, remote: str) -> None:
    """Record that a network is refused for now; the link that it wanted is not looked at."""
    await rt.db.execute(_SQL["add_stop"], {"network": network_of(remote)})


async def read_miss_share(conn: Connection, minutes: int = 10) -> MissShare:
    """Attempts on links of the last minutes and misses among them; wrong codes of messages are none."""
    row = await (await conn.execute(_SQL["miss_share"], {"minutes": minutes})).fetchone()
    return MissShare(row["attempts"], row["misses"]) if row else MissShare(0, 0)


@dataclass(frozen=True, slots=True)
class _Link:
    """A link as far as an entry depends on it; one that is not known looks like one that is dead."""

    known: bool = False
    usable: bool = False
    person_id: int | None = None
    tries: int = 0
    may_have_code: bool = False


async def _rows_of(rt: Runtime, query: str, secret: str) -> list[dict[str, Any]]:
    if not secret or len(secret) > 64:
        return []
    return await rt.db.fetch(_SQL[query], {"session": _session_hash(open_vault(rt.settings), secret)})


def _session(row: Mapping[str, Any]) -> StatementSession:
    return StatementSession(bytes(row["token_hash"]), tuple(row["taxpayer_ids"]), row["expires_at"])


async def _lock(conn: Connection, token: str, hashed: bytes) -> _Link:
    row = await (await conn.execute(_SQL["lock_link"], {"hash": hashed})).fetchone()
    person = row["person_id"] if row else None
    # Nobody's key is negative: visitors with unknown links do not wait for each other.
    key = person if person is not None else -1 - secrets.randbelow(2**31)
    await conn.execute(_SQL["lock_person"], {"key": key})
    today = await (await conn.execute(_SQL["today"], {"hash": hashed, "person": person})).fetchone()
    if row is None or not is_token(token):
        return _Link()
    assert today is not None
    usable = row["alive"] and not row["locked"] and today["tries"] < TRIES_OF_PERSON
    may_have_code = today["of_link"] < CODES_A_DAY and today["of_person"] < CODES_OF_PERSON
    if row["by_number"]:
        usable = usable and today["tries_by_number"] < TRIES_BY_NUMBER
        may_have_code = may_have_code and today["by_number"] < CODES_BY_NUMBER
    return _Link(True, usable, person, row["tries"], may_have_code)


def _is_right(link: _Link, found: dict[str, Any] | None, given: bytes) -> bool:
    kept = bytes(found["code_hash"]) if found else bytes(len(given))
    equal = hmac.compare_digest(kept, given)
    return link.usable and found is not None and found["usable"] and equal


async def _count_try(
    conn: Connection, link: _Link, found: dict[str, Any] | None, hashed: bytes, remote: str
) -> None:
    tries = link.tries + 1 if link.usable else None
    params = {"hash": hashed, "tries": tries, "most": MOST_TRIES, "code": found["id"] if found else None}
    await conn.execute(_SQL["count_try"], params)
    event = "miss" if not link.known else "code_refused"
    if tries is not None:
        event = "locked" if tries >= MOST_TRIES else "code_wrong"
    await _record(conn, event, hashed, remote)


async def _record(conn: Connection, event: str, hashed: bytes | None, remote: str) -> None:
    params = {"event": event, "hash": hashed, "network": network_of(remote)}
    await conn.execute(_SQL["add_access"], params)


def _code_hash(vault: Vault, hashed: bytes, code: str) -> bytes:
    return vault.keyed_hash("link.code").digest(hashed + code.encode())


def _session_hash(vault: Vault, secret: str) -> bytes:
    return vault.keyed_hash("statement.session").digest(secret.encode())
