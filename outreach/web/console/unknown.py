"""结果未知: the messages of which nobody can tell whether they left, by account and reason, each with its
next step; as a page and as a file."""

from dataclasses import replace
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from outreach.analytics.unknown import Choice, count_unknown, list_unknown
from outreach.analytics.unknown_reasons import Reason
from outreach.analytics.unknown_sheet import unknown_csv
from outreach.db.pool import Connection
from outreach.errors import InvalidInput
from outreach.governance.audit import append_audit
from outreach.ledger.second_sends import second_sends
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import fragment, page
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign, find_round
from outreach.web.reads.paging import PAGE, decode_numbers, encode_cursor

routes = console_routes()
DONE = {
    "asked": "已提交。由另一位有审批权限的人同意后，才会再发一次。",
    "approve": "已同意。这些消息将各再发一次，之后不会再有第三次。",
    "decline": "已退回，一条也不会再发。",
}
"""What a button has done."""
_MOST = 100_000


@routes.get("/unknown", permission="message.read")
async def show(
    request: Request,
    round: int | None = None,
    campaign: int | None = None,
    gateway: int | None = None,
    why: str = "",
    cursor: str = "",
    done: str = "",
) -> HTMLResponse:
    """The list with its sums."""
    rt = runtime_of(request)
    async with rt.db.begin() as conn:
        choice, here, back = await _found(request, conn, round, campaign, gateway, why)
        counts = await count_unknown(conn, choice)
        asked = await second_sends(conn, round) if round is not None else []
    after = decode_numbers(cursor, 1)[0] if cursor else 0
    found = await list_unknown(rt, choice, after=after, limit=PAGE + 1)
    context: dict[str, Any] = {
        "rows": found[:PAGE],
        "next": encode_cursor(found[PAGE - 1].id) if len(found) > PAGE else None,
        "counts": counts,
        "total": sum(count.n for count in counts),
        "overdue": sum(count.overdue for count in counts),
        "back": back,
        "here": here,
        "more": here + _narrowed(choice),
        "gateway": gateway,
        "why": choice.reason,
        "round": round,
        "asked": asked,
        "done": DONE.get(done, ""),
    }
    if cursor and request.headers.get("hx-request"):
        return fragment(request, "unknown_rows.html", **context)
    return page(request, "unknown.html", place="campaigns", title="结果未知", **context)


@routes.get("/unknown/export", permission="report.export")
async def export(
    request: Request,
    round: int | None = None,
    campaign: int | None = None,
    gateway: int | None = None,
    why: str = "",
) -> Response:
    """The same list as CSV, addresses masked; the export goes into the audit chain."""
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        choice, _, _ = await _found(request, conn, round, campaign, gateway, why)
        thing = f"round:{round}" if round is not None else f"campaign:{campaign}"
        await append_audit(conn, actor, "unknown.export", thing, {"scope": actor.org_id})
    rows = await list_unknown(rt, choice, limit=_MOST)
    headers = {"Content-Disposition": f'attachment; filename="unknown-{thing.replace(":", "-")}.csv"'}
    return Response(unknown_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)


async def _found(
    request: Request, conn: Connection, round: int | None, campaign: int | None, gateway: int | None, why: str
) -> tuple[Choice, str, tuple[str, str]]:
    """What is asked for, the address of the page, and the way back. Raises NotFound, InvalidInput."""
    actor = actor_of(request)
    if why and why not in set(Reason):
        raise InvalidInput("没有这种原因。", field="why")
    choice = Choice(actor.org_path, gateway_id=gateway, reason=Reason(why) if why else None)
    if round is not None:
        row = await find_round(conn, actor, round)
        back = (f"/console/rounds/{round}", f"{row['campaign_name']} 第 {row['ordinal']} 轮 {row['name']}")
        return replace(choice, round_id=round), f"/console/unknown?round={round}", back
    if campaign is not None:
        found = await find_campaign(conn, actor, campaign)
        back = (f"/console/campaigns/{campaign}", found["name"])
        return replace(choice, campaign_id=campaign), f"/console/unknown?campaign={campaign}", back
    raise InvalidInput("请从活动或轮次进入结果未知的名单。", field="round")


def _narrowed(choice: Choice) -> str:
    gateway = f"&gateway={choice.gateway_id}" if choice.gateway_id is not None else ""
    return gateway + (f"&why={choice.reason}" if choice.reason else "")
