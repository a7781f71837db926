"""上行消息: what taxpayers send back on all channels, in one list."""

from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse

from outreach.clock import BEIJING
from outreach.errors import InvalidInput
from outreach.governance.vault import open_vault
from outreach.ledger.gateways import ADDRESS_KINDS
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import fragment, page
from outreach.web.permissions import actor_of
from outreach.web.reads.taxpayers import taxpayers_by_id
from outreach.web.reads.uplinks import TOPICS, Wanted, list_uplinks

routes = console_routes()
_KNOWN = {"": None, "yes": True, "no": False}
DONE = {
    "opt_out": "已停止向其发送宣传类消息",
    "confirm": "已记为确认",
    "rating": "已记为评价",
    "follow": "已恢复微信送达",
    "unfollow": "已停止微信送达",
}
"""What was done about a reply, by its topic."""


@routes.get("/service/uplinks", permission="service.read")
async def show(
    request: Request,
    channel: str = "",
    topic: str = "",
    known: str = "",
    since: str = "",
    until: str = "",
    cursor: str = "",
) -> HTMLResponse:
    """The list, narrowed by channel, topic, sender and days."""
    if (channel and channel not in ADDRESS_KINDS) or (topic and topic not in TOPICS) or known not in _KNOWN:
        raise InvalidInput("没有这种筛选条件。", field="topic")
    last = _day(until, "until")
    wanted = Wanted(
        channel, topic, _KNOWN[known], _day(since, "since"), last + timedelta(days=1) if last else None
    )
    rt, actor = runtime_of(request), actor_of(request)
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        found = await list_uplinks(conn, vault, actor, wanted, cursor=cursor)
        ids = sorted({row["taxpayer_ids"][0] for row in found.rows if row["taxpayer_ids"]})
        shown = await taxpayers_by_id(conn, vault, actor, ids) if actor.may("taxpayer.read") else []
    chosen = {"channel": channel, "topic": topic, "known": known, "since": since, "until": until}
    context: dict[str, Any] = {
        "found": found,
        "chosen": chosen,
        "more": "/console/service/uplinks?" + urlencode({k: v for k, v in chosen.items() if v}),
        "households": {row["id"]: row["name"] for row in shown},
        "channels": list(ADDRESS_KINDS),
        "topics": TOPICS,
        "done": DONE,
    }
    if cursor and request.headers.get("hx-request"):
        return fragment(request, "uplink_rows.html", **context)
    return page(request, "uplinks.html", place="service", title="上行消息", **context)


def _day(text: str, field: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), BEIJING)
    except ValueError as error:
        raise InvalidInput("日期写作 2026-03-15。", field=field) from error
