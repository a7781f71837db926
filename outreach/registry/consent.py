"""What a person has refused. It stops publicity, never a statutory reminder (domain: suppression gate).

The sets `optout:<channel>` and `optout:topic:<topic>` that planning uses follow by `outreach.labels.derived`;
the row here is the truth, and it is asked again just before a batch is sent.
"""

from datetime import datetime

from outreach.db.pool import Connection
from outreach.db.sql import load_queries

_SQL = load_queries(__file__)


async def record_opt_out(conn: Connection, person_id: int, channel: str, source: str, at: datetime) -> bool:
    """Note that a person refuses a channel (`sms`, `rcs`, `wechat`, `email`, ... or `all`), or a topic on
    every channel (`topic:policy`, ...), since `at`.

    `source` says where the refusal came from, as evidence. False if it was refused before: the first
    refusal and its evidence stay.
    """
    params = {"person_id": person_id, "channel": channel, "source": source, "at": at}
    return (await conn.execute(_SQL["record"], params)).rowcount == 1


async def withdraw_opt_out(conn: Connection, person_id: int, channel: str) -> bool:
    """Take a refusal back at the person's own wish; `all` takes back that of all channels only, not those of
    single channels. False if there was none. The caller writes the audit event.
    """
    params = {"person_id": person_id, "channel": channel}
    return (await conn.execute(_SQL["withdraw"], params)).rowcount == 1


async def opt_outs_of(conn: Connection, person_id: int) -> dict[str, datetime]:
    """Refused channels and topics of a person and since when."""
    rows = await (await conn.execute(_SQL["of_person"], {"person_id": person_id})).fetchall()
    return {row["channel"]: row["at"] for row in rows}
