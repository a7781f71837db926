"""What a verified person wants no publicity by or about. No choice here reaches statutory messages."""

from collections.abc import Collection

from pyroaring import BitMap

from outreach.clock import utc_now
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.audit import append_audit
from outreach.labels.keys import TOPICS, optout_key
from outreach.labels.sets import change_sets
from outreach.registry.consent import opt_outs_of, record_opt_out, withdraw_opt_out

_SQL = load_queries(__file__)
CHOICES: dict[str, tuple[str, ...]] = {
    "all": ("all",),
    "sms": ("sms", "rcs"),
    "wechat": ("wechat",),
    "email": ("email",),
    "wecom": ("wecom",),
    "dingtalk": ("dingtalk",),
    **{topic: (topic,) for topic in TOPICS},
}
"""What can be refused, as channels and topics: SMS and 5G messages reach the same number and go together."""


async def refused_by(conn: Connection, person_id: int) -> frozenset[str]:
    """The choices that a person has made."""
    refused = await opt_outs_of(conn, person_id)
    return frozenset(name for name, channels in CHOICES.items() if refused.keys() & set(channels))


async def choose(conn: Connection, person_id: int, refused: Collection[str]) -> None:
    """Refuse exactly these; what was refused before and is not among them is taken back at her own wish."""
    wanted = {one for name in refused if name in CHOICES for one in CHOICES[name]}
    before = (await opt_outs_of(conn, person_id)).keys()
    offered = {channel for channels in CHOICES.values() for channel in channels}
    added, withdrawn = wanted - before, (before & offered) - wanted
    if not added and not withdrawn:
        return
    for channel in sorted(added):
        await record_opt_out(conn, person_id, channel, "page", utc_now())
    for channel in sorted(withdrawn):
        await withdraw_opt_out(conn, person_id, channel)
    rows = await (await conn.execute(_SQL["households"], {"person_id": person_id})).fetchall()
    households, nobody = BitMap([row["taxpayer_id"] for row in rows]), BitMap()
    changes = {optout_key(one): (households, nobody) for one in added}
    changes |= {optout_key(one): (nobody, households) for one in withdrawn}
    await change_sets(conn, changes, source="本人在网页选择")
    detail = {"refused": sorted(added), "withdrawn": sorted(withdrawn)}
    await append_audit(conn, "taxpayer", "consent.choose", f"person:{person_id}", detail)
