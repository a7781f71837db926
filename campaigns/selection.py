"""Which households a round is for: its audience, who falls out and why, who is left.

The planning of a round and its forecast ask here, so that what staff were told is what happens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyroaring import AbstractBitMap, BitMap

from campaigns.exclusions import Exclusion, exclude
from campaigns.holdout import held_out
from campaigns.quota import told_too_often
from campaigns.roles import Contacts, find_contacts
from outreach.db.pool import Connection
from outreach.labels.bitmaps import to_array, union
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import Frozen, evaluate_texts
from outreach.labels.keys import label_key, optout_key, reach_key
from outreach.ledger.gateways import ADDRESS_KINDS
from outreach.ledger.kinds import KINDS

_WAYS = {**ADDRESS_KINDS, "call": "mobile", "visit": ""}
"""Channel to the kind of address that it needs; a visit needs none."""
_CARE = tuple(label_key(code) for code in ("special_care", "elderly", "disabled", "no_phone"))
_MONGOLIAN = label_key("mongolian_reader")


@dataclass(frozen=True, slots=True)
class Selection:
    """`audience = planned + sum of exclusions`; `frozen` holds the audience's expression and versions. Of
    those planned, `care` are in special care and `mongolian` read Mongolian, by labels. `contacts`: who is
    told for a household, None where the register says it."""

    frozen: Frozen
    audience: BitMap
    planned: BitMap
    exclusions: list[Exclusion]
    care: BitMap
    mongolian: BitMap
    contacts: Contacts | None = None


async def select_households(
    conn: Connection,
    cache: SetCache,
    row: Mapping[str, Any],
    channels: Sequence[str],
    *,
    moment: datetime,
    within: AbstractBitMap | None = None,
    leave_out: AbstractBitMap | None = None,
    few: bool = False,
) -> Selection:
    """The households of a round at a moment of business time, within a scope if one is given. Whoever is in
    `leave_out` is no audience. `few`: the audience is small, so earlier messages are found by its persons.

    `row` holds the campaign's segments (`campaign_segment` and the others), the round's `segment`, `org_id`,
    `kind`, hold-out, quota and `contact_roles`. Raises ExpressionInvalid, NotFound.
    """
    frozen = await _evaluate(conn, cache, row)
    audience = BitMap(frozen["audience"].members)
    if within is not None:
        audience &= within
    if leave_out is not None:
        audience -= leave_out
    contacts = await choose_contacts(conn, row, channels, audience) if row["contact_roles"] else None
    candidates = await _candidates(conn, cache, row, channels, audience, frozen, contacts, moment, few)
    planned, exclusions = exclude(audience, candidates)
    apart = await cache.load(conn, [*_CARE, _MONGOLIAN])
    care = planned & union(apart[key] for key in _CARE)
    mongolian = planned & apart[_MONGOLIAN]
    return Selection(frozen["audience"], audience, planned, exclusions, care, mongolian, contacts)


async def choose_contacts(
    conn: Connection, row: Mapping[str, Any], channels: Sequence[str], households: BitMap
) -> Contacts:
    """Who is told for some households, where the campaign has chosen roles."""
    return await find_contacts(conn, households, row["contact_roles"], _ladder(row, channels))


def reach_parameters(
    row: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], chosen: Selection
) -> dict[str, Any]:
    """What `find_persons` wants to know; the sets as ascending arrays."""
    return {
        "planned": to_array(chosen.planned),
        "care": to_array(chosen.care),
        "mongolian": to_array(chosen.mongolian),
        "call_first": row["care_path"] == "call_first",
        "contacts": chosen.contacts.told if chosen.contacts else None,
        **_ladder(row, [step["channel"] for step in steps]),
        "steps": [step["step"] for step in steps],
    }


def _ladder(row: Mapping[str, Any], channels: Sequence[str]) -> dict[str, Any]:
    return {
        "steps": range(len(channels)),
        "channels": list(channels),
        "kinds": [_WAYS[channel] for channel in channels],
        "topic": KINDS[row["kind"]].topic,
    }


async def _evaluate(conn: Connection, cache: SetCache, row: Mapping[str, Any]) -> dict[str, Frozen]:
    texts = {
        "audience": f"({row['campaign_segment']}) and ({row['segment']})",
        "already_done": row["done_segment"],
        "disputed": row["dispute_segment"],
        "exempt": row["exempt_segment"],
    }
    return dict(await evaluate_texts(conn, cache, texts, row["org_id"]))


async def _candidates(
    conn: Connection,
    cache: SetCache,
    row: Mapping[str, Any],
    channels: Sequence[str],
    audience: BitMap,
    frozen: dict[str, Frozen],
    contacts: Contacts | None,
    moment: datetime,
    few: bool,
) -> dict[str, BitMap]:
    kind = KINDS[row["kind"]]
    if contacts is None:
        reachable, willing = await _reach(conn, cache, channels, audience, kind.topic)
        unreached, refused = {"no_address": audience - reachable}, reachable - willing
    else:
        unreached, refused = {"no_role": audience - contacts.households}, contacts.refused
    candidates = {
        **{reason: BitMap(frozen[reason].members) for reason in ("already_done", "disputed", "exempt")},
        "held_out": held_out(audience, row["holdout_permille"], row["holdout_seed"]),
        **unreached,
    }
    if kind.honours_opt_out:
        candidates["opted_out"] = refused
    if kind.under_quota:
        candidates["contacted_recently"] = await told_too_often(conn, row, moment, audience if few else None)
    return candidates


async def _reach(
    conn: Connection, cache: SetCache, channels: Sequence[str], audience: AbstractBitMap, topic: str
) -> tuple[BitMap, BitMap]:
    """Whom the ladder reaches on any rung, and whom it reaches on a rung that they have not closed, about a
    topic that they have not refused."""
    written = [channel for channel in channels if channel in ADDRESS_KINDS]
    keys = [reach_key(channel) for channel in written] + [optout_key(channel) for channel in written]
    whole = [optout_key(refused) for refused in ("all", topic) if refused]
    sets = await cache.load(conn, [*keys, reach_key("sms"), *whole])
    reachable, willing = BitMap(), BitMap()
    for channel in written:
        reachable |= sets[reach_key(channel)]
        willing |= sets[reach_key(channel)] - sets[optout_key(channel)]
    # Whoever wants no calls is told apart by the statement that writes the recipients.
    spoken = audience if "visit" in channels else sets[reach_key("sms")] if "call" in channels else BitMap()
    return reachable | spoken, (willing | spoken) - union(sets[key] for key in whole)
