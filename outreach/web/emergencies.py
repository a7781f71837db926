"""An emergency notice from the console and the API: who may start and review it, and what its page shows."""

from collections.abc import Mapping
from typing import Any

from campaigns.emergency import ALLOWED, latest_emergency, review_emergency, start_emergency
from outreach.errors import InvalidInput, NotAllowed
from outreach.governance.actor import Actor
from outreach.governance.reconfirm import reconfirm
from outreach.runtime import Runtime
from outreach.web.actions import Signature

_ABOVE = "这个活动由上级机构管理，在这里只能查看。"


async def start(
    rt: Runtime, actor: Actor, campaign: Mapping[str, Any], reason: str, signature: Signature
) -> None:
    """Start it on one signature; she always proves again who she is. Raises InvalidInput at `reason` and
    `proof`, NotAllowed, Conflict, TooMany."""
    if not campaign["is_own"]:
        raise NotAllowed(_ABOVE)
    if not reason.strip():
        raise InvalidInput("请写明为什么等不到审批，复核人会看到", field="reason")
    if not signature.proof:
        raise InvalidInput("应急发出前请再次输入登录密码，或手机上的一次性验证码", field="proof")
    await reconfirm(rt, actor, signature.proof, remote=signature.remote)
    await start_emergency(rt, campaign["id"], actor.name, reason=reason, seen=signature.seen)


async def review(rt: Runtime, actor: Actor, campaign: Mapping[str, Any], agrees: bool, note: str) -> None:
    """The second person's word afterwards. Raises InvalidInput at `note`, NotAllowed, Conflict."""
    if not campaign["is_own"]:
        raise NotAllowed(_ABOVE)
    await review_emergency(rt, campaign["id"], actor.name, agrees=agrees, note=note)


async def emergency_context(rt: Runtime, actor: Actor, campaign: Mapping[str, Any]) -> dict[str, Any]:
    """What a campaign's page says about it: the last start, and which buttons this actor has."""
    async with rt.db.begin() as conn:
        found = await latest_emergency(conn, campaign["id"])
    owed = found if found and not found["decision"] else None
    may_review = owed is not None and campaign["is_own"] and actor.may("campaign.approve")
    return {
        "emergency": found,
        "owed": owed,
        "is_starter": owed is not None and actor.name in (owed["started_by"], *campaign["editors"]),
        "may_review_emergency": may_review,
        "may_start_emergency": campaign["state"] in ("draft", "in_review")
        and campaign["kind"] in ALLOWED
        and campaign["is_own"]
        and actor.may("campaign.emergency"),
        "review_hours": rt.settings.emergency_review_hours,
    }
