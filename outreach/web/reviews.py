"""What a campaign's page says about its approval."""

from typing import Any

from campaigns.approval import look_over
from campaigns.approval_text import cover, differences
from campaigns.roles import role_words
from campaigns.wording_guard import ALLOWABLE
from outreach.errors import OutreachError
from outreach.governance.actor import Actor
from outreach.labels.cache import SetCache
from outreach.runtime import Runtime
from outreach.web.actions import needs_proof
from outreach.web.reads.campaigns import reviews_of


async def review_context(
    rt: Runtime, cache: SetCache, actor: Actor, campaign: dict[str, Any]
) -> dict[str, Any]:
    """Findings of the wording guard, what has changed since the last decision, the history, and which
    buttons this actor has. `trouble`: why the conditions can no longer be read, empty if they can."""
    state = campaign["state"]
    trouble = ""
    async with rt.db.begin() as conn:
        reviews = await reviews_of(conn, campaign["id"])
        findings = await look_over(conn, campaign["id"]) if state in ("draft", "in_review") else []
        judged = next((row for row in reviews if row["decision"] in ("approved", "sent_back")), None)
        changes = []
        if state in ("draft", "in_review"):
            try:
                covered = await cover(conn, campaign["id"])
                changes = differences(judged["covered"], covered.parts) if judged else []
            except OutreachError as error:
                trouble = error.message
    waiting = next((row for row in reviews if row["what"] == "campaign" and row["decision"] is None), None)
    is_maker = actor.name in campaign["editors"]
    may_sign = state == "in_review" and campaign["is_own"] and actor.may("campaign.approve")
    asks = may_sign and not is_maker and not trouble
    return {
        "reviews": reviews,
        "findings": sorted(findings, key=lambda one: not one.is_error),
        "changes": changes,
        "trouble": trouble,
        "waiting": waiting,
        "sent_back": reviews[0] if reviews and reviews[0]["decision"] == "sent_back" else None,
        "is_maker": is_maker,
        "allowable": ALLOWABLE,
        "told": role_words(campaign["contact_roles"]),
        "may_sign": may_sign,
        "asks_proof": asks and await needs_proof(rt, cache, campaign),
        "again": next(
            (row for row in reviews if row["what"] == "re_evaluation" and not row["decision"]), None
        ),
        "longer": next((row for row in reviews if row["what"] == "extension" and not row["decision"]), None),
        "may_extend": state in ("approved", "running", "paused")
        and campaign["is_own"]
        and actor.may("campaign.write"),
        "may_answer": campaign["is_own"] and actor.may("campaign.approve") and not is_maker,
        "may_submit": state == "draft" and campaign["is_own"] and actor.may("campaign.write"),
        "may_edit": campaign["is_own"]
        and actor.may("campaign.write")
        and state in ("draft", "in_review", "approved")
        and not campaign["has_started"],
    }
