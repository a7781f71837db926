"""Messages by round and state: the list behind every figure of outcomes."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from outreach.db.pool import Connection
from outreach.errors import InvalidInput
from outreach.governance.vault import open_vault
from outreach.ledger.states import NAMES, State
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.pieces import STATE_STYLES, STATE_WHY
from outreach.web.console.render import fragment, page
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign, find_round
from outreach.web.reads.messages import list_messages
from outreach.web.reads.taxpayers import taxpayers_by_id

routes = console_routes()


@routes.get("/messages", permission="message.read")
async def show(
    request: Request,
    round: int | None = None,
    campaign: int | None = None,
    step: int | None = None,
    state: int | None = None,
    cursor: str = "",
) -> HTMLResponse:
    """A list of messages."""
    actor = actor_of(request)
    if state is not None and state not in set(State):
        raise InvalidInput("没有这种消息状态。", field="state")
    async with runtime_of(request).db.begin() as conn:
        if round is not None:
            row = await find_round(conn, actor, round)
            back = (
                f"/console/rounds/{round}",
                f"{row['campaign_name']} 第 {row['ordinal']} 轮 {row['name']}",
            )
            here = f"/console/messages?round={round}"
        elif campaign is not None:
            found_campaign = await find_campaign(conn, actor, campaign)
            back = (f"/console/campaigns/{campaign}", found_campaign["name"])
            here = f"/console/messages?campaign={campaign}"
        else:
            raise InvalidInput("请从活动或轮次进入消息明细。", field="round")
        found = await list_messages(
            conn, actor, round_id=round, campaign_id=campaign, step=step, state=state, cursor=cursor
        )
        names = await _names(request, conn, found.rows)
    base = here + (f"&step={step}" if step is not None else "")
    context: dict[str, Any] = {
        "found": found,
        "back": back,
        "base": base,
        "state": state,
        "step": step,
        "more": base + (f"&state={state}" if state is not None else ""),
        "households": names,
        "names": {int(key): name for key, name in NAMES.items()},
        "styles": {int(key): style for key, style in STATE_STYLES.items()},
        "reasons": {int(key): text for key, text in STATE_WHY.items()},
    }
    if cursor and request.headers.get("hx-request"):
        return fragment(request, "message_rows.html", **context)
    title = "消息明细" if state is None else f"{NAMES[State(state)]}的消息"
    return page(request, "messages.html", place="campaigns", title=title, **context)


async def _names(request: Request, conn: Connection, rows: list[dict[str, Any]]) -> dict[int, str]:
    actor = actor_of(request)
    if not actor.may("taxpayer.read"):
        return {}
    vault = open_vault(runtime_of(request).settings)
    ids = sorted({row["taxpayer_ids"][0] for row in rows})
    return {row["id"]: row["name"] for row in await taxpayers_by_id(conn, vault, actor, ids)}
