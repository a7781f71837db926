"""A document by e-mail, for a visitor who has passed the identity check.

It goes to the address on file and to no other. That address came from a file and may be a stranger's, so
before the first document a code goes there: whoever enters it in the verified visit reads that mailbox. A new
address on file has to be proved again. Three codes, five wrong entries and three documents a day and person.
"""

import hmac
import secrets
from dataclasses import dataclass

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.audit import append_audit
from outreach.governance.vault import Vault, open_vault
from outreach.registry.search import mask_address
from outreach.runtime import Runtime
from outreach.statements.access import StatementSession, record_access
from outreach.statements.documents import Document

_SQL = load_queries(__file__)
CODE_DIGITS = 6
CODE_SECONDS = 600
CODES_A_DAY = 3
MOST_TRIES = 5
MAILS_A_DAY = 3


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The address on file of the person of a visit, masked. `is_proved`: a code that went there came back."""

    person_id: int
    shown: str
    dest: int
    is_proved: bool


async def find_mailbox(rt: Runtime, session: StatementSession) -> Mailbox | None:
    """Where her documents may go; None without a usable address on file."""
    row = await rt.db.fetch_one(_SQL["mailbox"], {"hash": session.token_hash})
    if row is None:
        return None
    told = open_vault(rt.settings).decrypt("address", "value_enc", row["address_id"], row["value_enc"])
    return Mailbox(row["person_id"], mask_address("email", told), row["dest"], row["is_proved"])


async def begin_proof(rt: Runtime, mailbox: Mailbox) -> str | None:
    """A code for the mailbox, to be sent at once; None when the day's codes are used up."""
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    params = {
        "person_id": mailbox.person_id,
        "dest": mailbox.dest,
        "code": _code_hash(open_vault(rt.settings), mailbox, code),
        "seconds": CODE_SECONDS,
        "most": CODES_A_DAY,
    }
    return code if await rt.db.fetch_one(_SQL["begin_code"], params) else None


async def prove(rt: Runtime, mailbox: Mailbox, code: str) -> bool:
    """Whether the code is the one that went to the mailbox; from then on it is proved."""
    given = _code_hash(open_vault(rt.settings), mailbox, code.strip())
    keys = {"person_id": mailbox.person_id, "dest": mailbox.dest}
    async with rt.db.begin() as conn:
        row = await (await conn.execute(_SQL["try_code"], {**keys, "most": MOST_TRIES})).fetchone()
        if row is None or not hmac.compare_digest(bytes(row["code_hash"]), given):
            return False
        return await (await conn.execute(_SQL["prove"], keys)).fetchone() is not None


async def allow_mail(
    conn: Connection, session: StatementSession, mailbox: Mailbox, document: Document, remote: str
) -> bool:
    """Count and audit that a document leaves for a proved mailbox; false when the day's are used up. To be
    committed before it leaves."""
    if not mailbox.is_proved:
        return False
    keys = {"person_id": mailbox.person_id, "most": MAILS_A_DAY}
    if await (await conn.execute(_SQL["count_mail"], keys)).fetchone() is None:
        return False
    await record_access(conn, session, "mailed", remote, document.taxpayer_id, document.id)
    detail = {"person": mailbox.person_id, "digest": document.digest}
    await append_audit(conn, "taxpayer", "statement.mail", f"statement:{document.id}", detail)
    return True


def _code_hash(vault: Vault, mailbox: Mailbox, code: str) -> bytes:
    return vault.keyed_hash("mailbox.code").digest(f"{mailbox.person_id}|{mailbox.dest}|{code}".encode())
