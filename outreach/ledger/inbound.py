"""What taxpayers send back: recognised, kept, and acted upon at once where the law or courtesy wants it.

What a reply says is read in one place for every channel (reply_words.py).
"""

from collections.abc import Sequence
from typing import Any

from pyroaring import BitMap

from channels.base import Inbound, InboundKind
from outreach.clock import utc_now
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.vault import open_vault
from outreach.labels.keys import optout_key, reach_key
from outreach.labels.sets import change_sets
from outreach.ledger.codes import fit_ref, fit_text
from outreach.ledger.gateways import ADDRESS_KINDS, Gateway
from outreach.ledger.keys import MESSAGES_PER_BATCH, decode_key, shard_of
from outreach.ledger.kinds import KINDS
from outreach.ledger.reply_words import action_of
from outreach.ledger.tokens import read_unsubscribe_token
from outreach.logs import get_log
from outreach.registry.consent import record_opt_out
from outreach.registry.people import CASELESS_KINDS
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_TEXT_LENGTH = 2000
_ADDRESS_LENGTH = 320


async def record_inbound(rt: Runtime, gateway: Gateway, message: Inbound) -> None:
    """Keep what came in and act on it, in one transaction; repetition changes nothing."""
    vault = open_vault(rt.settings)
    kind = ADDRESS_KINDS[gateway.channel]
    address = fit_text(message.address, _ADDRESS_LENGTH)
    address = address.lower() if kind in CASELESS_KINDS else address
    dest = vault.dest(vault.blind_index(f"address.{kind}", address)) if address else None
    message_id = decode_key(message.key) if message.key else None
    action = action_of(message)
    async with rt.db.begin() as conn:
        person_id = await _person(conn, dest, kind, message_id)
        text = fit_text(message.text, _TEXT_LENGTH)
        cursor = await conn.execute(
            SQL["add_inbound"],
            {
                "gateway_id": gateway.id,
                "provider_id": fit_ref(message.provider_id) or "",
                "person_id": person_id,
                "message_id": message_id,
                "kind": message.kind.value,
                "dest": dest,
                "text": vault.encrypt("inbound", "text_enc", gateway.id, text) if text else None,
                "address": vault.encrypt("inbound", "address_enc", gateway.id, address) if address else None,
                "action": action,
                "at": message.at,
            },
        )
        if await cursor.fetchone() is None or person_id is None:
            return
        if action == "opt_out":
            # It is the number that refuses: also for whoever else is reached there.
            sharing = await (await conn.execute(SQL["persons_at"], {"dest": dest, "kind": kind})).fetchall()
            persons = sorted({person_id, *(row["person_id"] for row in sharing)})
            await opt_out(conn, persons, gateway.channel, f"inbound:{gateway.name}")
        elif action in ("follow", "unfollow"):
            await _reachable(conn, person_id, gateway.channel, action == "follow")
    get_log().info("inbound.recorded", gateway=gateway.id, kind=message.kind.value, action=action)


async def _person(conn: Connection, dest: int | None, kind: str, message_id: int | None) -> int | None:
    if message_id is not None:
        sent = await _sent(conn, message_id)
        if sent is not None:
            return int(sent["person_id"])
    if dest is None:
        return None
    row = await (await conn.execute(SQL["person_of"], {"dest": dest, "kind": kind})).fetchone()
    return int(row["person_id"]) if row else None


async def _sent(conn: Connection, message_id: int) -> dict[str, Any] | None:
    """Person and account of a message of ours, and its campaign's kind (null outside any round)."""
    keys = {
        "message_id": message_id,
        "shard": shard_of(message_id),
        "batch_id": message_id // MESSAGES_PER_BATCH,
    }
    return await (await conn.execute(SQL["person_of_message"], keys)).fetchone()


async def opt_out(conn: Connection, persons: Sequence[int], channel: str, source: str) -> None:
    """Stop publicity to persons, by a channel or about a topic. A number that refuses stops both SMS and 5G:
    they reach the same phone."""
    channels = ("sms", "rcs") if channel in ("sms", "rcs") else (channel,)
    rows = await (await conn.execute(SQL["households_of"], {"persons": list(persons)})).fetchall()
    households = BitMap([row["taxpayer_id"] for row in rows])
    for person_id in persons:
        for one in channels:
            await record_opt_out(conn, person_id, one, source, utc_now())
    changes = {optout_key(one): (households, BitMap()) for one in channels}
    await change_sets(conn, changes, source=source)


async def opt_out_by_token(rt: Runtime, token: str, *, only_topic: bool = False) -> bool:
    """The unsubscribe page and the one-click POST: no publicity by mail any more, or none about the topic of
    the message that carried the token. False if the token is not ours."""
    message_id = read_unsubscribe_token(rt.settings, token)
    if message_id is None:
        return False
    async with rt.db.begin() as conn:
        sent = await _sent(conn, message_id)
        if sent is None:
            return False
        row = {
            **dict.fromkeys(("dest", "text", "address", "at")),
            "gateway_id": sent["gateway_id"],
            "provider_id": f"link:{message_id}",
            "person_id": sent["person_id"],
            "message_id": message_id,
            "kind": InboundKind.UNSUBSCRIBE.value,
            "action": "opt_out",
        }
        await conn.execute(SQL["add_inbound"], row)
        topic = KINDS[sent["kind"]].topic if only_topic and sent["kind"] else ""
        await opt_out(conn, [sent["person_id"]], topic or "email", "one-click")
    return True


async def _reachable(conn: Connection, person_id: int, channel: str, usable: bool) -> None:
    keys = {
        "person_id": person_id,
        "kind": ADDRESS_KINDS[channel],
        "usable": usable,
        "reason": None if usable else "取消关注",
    }
    await conn.execute(SQL["close_address"], keys)
    rows = await (await conn.execute(SQL["households_of"], {"persons": [person_id]})).fetchall()
    households = BitMap([row["taxpayer_id"] for row in rows])
    change = (households, BitMap()) if usable else (BitMap(), households)
    await change_sets(conn, {reach_key(channel): change}, source="follow state")
