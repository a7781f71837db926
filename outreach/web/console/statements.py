"""账单: what has been issued, the runs that did it, and one run with its figures, samples and what came of
it."""

import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pyroaring import AbstractBitMap

from outreach.analytics.opened import LinksOpened, links_opened
from outreach.db.pool import Connection
from outreach.errors import InvalidInput, NotFound
from outreach.governance.vault import open_vault
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_text, scope_set
from outreach.ledger.opened import opened_households
from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.statements.runs import NAMED, pace_of
from outreach.web.console.access import cache_of, console_routes, runtime_of
from outreach.web.console.pieces import Balance, Part
from outreach.web.console.render import fragment, page
from outreach.web.issuing import EVERYONE, drawn_by_chance, resume_issuing, stop_issuing
from outreach.web.permissions import actor_of
from outreach.web.reads.figures import scope_members
from outreach.web.reads.health import workers_alive
from outreach.web.reads.statements import (
    campaigns_after,
    find_run,
    held_by_unit,
    held_in_all,
    issued_years,
    list_runs,
    run_documents,
    run_units,
)

routes = console_routes()
KIND_NAMES = {
    "yearly_bill": "年度账单",
    "benefit_bill": "红利账单",
    "gift_pack": "政策大礼包",
    "checkup": "体检报告",
}
"""The kinds of documents by short names, for tables."""
STATES = {
    "waiting": ("等待处理", "quiet"),
    "running": ("正在出具", "accent"),
    "lost": ("已中断", "warn"),
    "finished": ("完成", "good"),
    "stopped": ("已停止", "warn"),
    "failed": ("没有完成", "bad"),
}
_DONE = {
    "ordered": "已安排出具，由后台进程处理。可以离开这个页面，做完后在这里看结果。",
    "stop": "已停止。已经写好的文书保留，其余的没有动；可以接着做完。",
    "resume": "接着做：已经完成的部分不会重做。",
}
_SAMPLED = 2_000
_SHOWN = 3


@routes.get("/statements", permission="statement.read")
async def show_all(request: Request, year: int = 0, kind: str = "", cursor: str = "") -> HTMLResponse:
    """Households and benefit lines by kind and unit in a year, and all runs."""
    actor = actor_of(request)
    kind = kind if kind in DOCUMENT_KINDS else ""
    async with runtime_of(request).db.begin() as conn:
        found = await list_runs(conn, actor, year=year, kind=kind, cursor=cursor)
        context: dict[str, Any] = {"found": found, **_words(), "kind": kind, "wanted": year}
        if cursor and request.headers.get("hx-request"):
            return fragment(request, "statement_rows.html", **context, more=_address(year, kind))
        years = await issued_years(conn, actor)
        shown = year or next(iter(years), 0)
        units = await held_by_unit(conn, actor, shown)
    context |= {"years": years, "year": shown, "units": units, "sums": held_in_all(units)}
    return page(
        request, "statements.html", place="statements", title="账单", more=_address(year, kind), **context
    )


@routes.get("/statements/runs/{run_id}", permission="statement.read")
async def show(request: Request, run_id: int, done: str = "") -> HTMLResponse:
    """One run."""
    context = await _live(request, run_id)
    run = context["run"]
    title = f"{run['year']} {DOCUMENT_KINDS[run['kind']].title}"
    async with runtime_of(request).db.begin() as conn:
        context["samples"] = await _samples(request, conn, run)
        context["sent"] = await _sent(request, conn, run)
    context["done"] = _DONE.get(done, "")
    return page(request, "statement_run.html", place="statements", title=title, **context)


@routes.get("/statements/runs/{run_id}/live", permission="statement.read")
async def live(request: Request, run_id: int) -> HTMLResponse:
    """The part of the page that moves."""
    return fragment(request, "statement_run_live.html", **await _live(request, run_id))


@routes.post("/statements/runs/{run_id}/{verb}", permission="statement.write")
async def control(request: Request, run_id: int, verb: str) -> Response:
    """Stop a run, or let it go on."""
    deeds = {"stop": stop_issuing, "resume": resume_issuing}
    if verb not in deeds:
        raise NotFound("没有这个操作。")
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        run = await find_run(conn, actor, run_id)
    await deeds[verb](rt, actor, run)
    return RedirectResponse(f"/console/statements/runs/{run_id}?done={verb}", 303)


async def _live(request: Request, run_id: int) -> dict[str, Any]:
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        run = await find_run(conn, actor, run_id)
        units = await run_units(conn, actor, run_id)
        is_moving = run["state"] in ("waiting", "running", "lost")
        pace = await pace_of(conn, run_id) if run["state"] == "running" else 0.0
        workers = await workers_alive(conn) if is_moving else 0
    left = max(0, (run["wanted"] or 0) - run["households"])
    return {
        "run": run,
        "units": units,
        "balance": balance_of(run),
        "is_moving": is_moving,
        "remaining": timedelta(seconds=left / pace) if pace else None,
        "workers": workers,
        **_words(),
    }


def balance_of(run: Mapping[str, Any]) -> Balance:
    """A run's households by what became of them."""
    parts = (
        Part("首次出具", run["documents"] - run["corrections"], "state-delivered"),
        Part(
            "更正", run["corrections"] - run["withdrawn"], "state-accepted",
            why="申报、缴税、优惠或标签数据变了，出具新的一版，写明更正原因。已收到链接的户打开就是新的一版。",
        ),
        Part(
            "撤回", run["withdrawn"], "state-failed",
            why="原来的文书写的内容都不在了，出具一版说明已撤回，旧版不再有效。",
        ),
        Part("未变", run["unchanged"], "out-4", why="内容和上次出具时一样，仍是原来那一份。"),
        Part("无内容", run["empty"], "out-6", why="这一年没有可告知的内容，不出具文书。"),
    )  # fmt: skip
    return Balance("已处理的户", run["households"], "户", tuple(part for part in parts if part.count))


async def _samples(request: Request, conn: Connection, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Some documents of the run, drawn by chance from the scope."""
    if not run["documents"]:
        return []
    rt, cache, actor = runtime_of(request), cache_of(request), actor_of(request)
    members = await _whom(conn, cache, run)
    inside = members & await scope_members(conn, cache, actor)
    ids = drawn_by_chance(inside, _SAMPLED)
    return await run_documents(conn, open_vault(rt.settings), actor, dict(run), ids, _SHOWN)


async def _whom(conn: Connection, cache: SetCache, run: Mapping[str, Any]) -> AbstractBitMap:
    if run["expression"] not in (EVERYONE, NAMED):
        # A label may have left the catalogue since: then the whole unit is drawn from.
        with contextlib.suppress(InvalidInput):
            return (await evaluate_text(conn, cache, run["expression"], run["org_id"])).members
    return await scope_set(conn, cache, run["org_id"])


async def _sent(
    request: Request, conn: Connection, run: Mapping[str, Any]
) -> list[tuple[dict[str, Any], LinksOpened]]:
    """The campaigns that have sent links to these documents since, with what was opened and read in the
    scope."""
    actor = actor_of(request)
    if run["state"] != "finished" or not actor.may("campaign.read"):
        return []
    campaigns = await campaigns_after(conn, actor, run["kind"], run["year"], run["started_at"])
    if not campaigns:
        return []
    scope = await scope_members(conn, cache_of(request), actor)
    found = []
    for campaign in campaigns:
        rounds = await opened_households(conn, campaign["id"])
        found.append((campaign, links_opened(list(rounds.values()), scope)))
    return found


def _words() -> dict[str, Any]:
    return {"kind_names": KIND_NAMES, "states": STATES, "everyone": EVERYONE, "named": NAMED}


def _address(year: int, kind: str) -> str:
    chosen = "&".join(f"{name}={value}" for name, value in (("year", year), ("kind", kind)) if value)
    return f"/console/statements?{chosen}" if chosen else "/console/statements"
