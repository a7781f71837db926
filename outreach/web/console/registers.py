"""底册台账: per policy the households that enjoy it or should, with what was tried and why they do not."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.db.pool import Connection
from outreach.errors import InvalidInput, NotFound
from outreach.governance.audit import append_audit
from outreach.governance.vault import open_vault
from outreach.statements.register import (
    REASONS,
    SOURCES,
    STATES,
    Sums,
    give_reason,
    reached_count,
    register_rows,
    register_sums,
    rounds_of,
    take_results,
)
from outreach.statements.rules import catalogue
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.pieces import Balance, Part
from outreach.web.console.register_sheet import contact_of, register_workbook
from outreach.web.console.render import fragment, page
from outreach.web.console.work import ticked
from outreach.web.permissions import actor_of
from outreach.web.reads.findings import scanned_years
from outreach.web.reads.paging import PAGE, Page, decode_numbers, encode_cursor

routes = console_routes()
TONES = {"enjoyed": "good", "open": "warn"}
_STYLES = {
    "enjoyed": "state-delivered",
    "open": "state-planned",
    "cannot": "state-withheld",
    "unwilling": "state-failed",
    "unreachable": "state-unknown",
}
_MOST = 100_000
_EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@routes.get("/register", permission="finding.read")
async def show_policies(request: Request, year: int = 0) -> HTMLResponse:
    """The registers of a year with their sums."""
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        years = await scanned_years(conn)
        chosen = year or next(iter(years), 0)
        sums = await register_sums(conn, actor, chosen)
    context: dict[str, Any] = {"years": years, "year": chosen, "sums": sums, "states": STATES}
    return page(request, "registers.html", place="statements", title="底册台账", **context)


@routes.get("/register/{year}/{code}", permission="finding.read")
async def show(
    request: Request, year: int, code: str, state: str = "", cursor: str = "", done: str = ""
) -> HTMLResponse:
    """One register."""
    return await _register(request, year, code, state, cursor=cursor, done=done)


@routes.get("/register/{year}/{code}/export", permission="report.export")
async def export(request: Request, year: int, code: str, state: str = "") -> Response:
    """The same as an Excel file, at most 100,000 households; the export goes into the audit chain."""
    rt, actor, vault = runtime_of(request), actor_of(request), open_vault(runtime_of(request).settings)
    async with rt.db.begin() as conn:
        sums = await _sums(request, conn, year, code)
        rounds = await rounds_of(conn, code)
        rows = await register_rows(conn, vault, actor, code, year, rounds, state=state, limit=_MOST)
        detail = {"scope": actor.org_id, "year": year, "rows": len(rows)}
        await append_audit(conn, actor, "register.export", f"policy:{code}", detail)
    body = await asyncio.to_thread(register_workbook, sums, rows, year)
    name = f"register-{year}-{code}.xlsx"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(body, media_type=_EXCEL, headers=headers)


@routes.post("/register/{year}/{code}/reasons", permission="work.write")
async def reasons(request: Request, year: int, code: str) -> Response:
    """Why the ticked households do not claim it."""
    form = await request.form()
    reason, state = str(form.get("reason", "")), str(form.get("state", ""))
    try:
        households = ticked(form.getlist("items"))
        n = await give_reason(runtime_of(request), actor_of(request), code, year, households, reason)
    except InvalidInput as error:
        return await _register(request, year, code, state, error=error.message)
    said = f"已登记 {n:,} 户：{REASONS[reason]}" if reason else f"已恢复 {n:,} 户为待办"
    return RedirectResponse(f"{_address(year, code, state)}{urlencode({'done': said})}", 303)


@routes.post("/register/{year}/{code}/results", permission="work.write")
async def results(request: Request, year: int, code: str) -> Response:
    """Take over what calls and visits have said."""
    n = await take_results(runtime_of(request), actor_of(request), code, year)
    said = urlencode({"done": f"按外呼和走访结果更新了 {n:,} 户"})
    return RedirectResponse(f"{_address(year, code, '')}{said}", 303)


async def _register(
    request: Request, year: int, code: str, state: str, *, cursor: str = "", done: str = "", error: str = ""
) -> HTMLResponse:
    rt, actor = runtime_of(request), actor_of(request)
    after = decode_numbers(cursor, 1)[0] if cursor else 0
    async with rt.db.begin() as conn:
        sums = await _sums(request, conn, year, code)
        rounds = await rounds_of(conn, code)
        rows = await register_rows(
            conn, open_vault(rt.settings), actor, code, year, rounds, state=state, after=after, limit=PAGE + 1
        )
        reached = await reached_count(conn, actor, code, year, rounds)
    following = encode_cursor(rows[PAGE - 1].taxpayer_id) if len(rows) > PAGE else None
    context: dict[str, Any] = {
        "found": Page([], following),
        "rows": rows[:PAGE],
        "year": year,
        "code": code,
        "state": state,
        "states": STATES,
        "reasons": REASONS,
        "sources": SOURCES,
        "tones": TONES,
        "contact_of": contact_of,
        "more": _address(year, code, state).rstrip("?&"),
    }
    if cursor and request.headers.get("hx-request"):
        return fragment(request, "register_rows.html", **context)
    context |= {
        "sums": sums,
        "balance": _balance(sums, year),
        "reached": reached,
        "rounds": len(rounds.ids),
        "done": done,
        "error": error,
    }
    status = 422 if error else 200
    return page(request, "register.html", place="statements", title="底册台账", status=status, **context)


async def _sums(request: Request, conn: Connection, year: int, code: str) -> Sums:
    """Raises NotFound for a policy without a register in the scope."""
    found = await register_sums(conn, actor_of(request), year, code) if code in catalogue() else []
    if not found:
        raise NotFound("您的数据范围内没有这项政策的底册。")
    return found[0]


def _balance(sums: Sums, year: int) -> Balance:
    parts = tuple(
        Part(STATES[state], count, _STYLES[state], _address(year, sums.code, state).rstrip("&"))
        for state, count in sums.by_state.items()
    )
    return Balance("应享受", sums.entitled, "户", parts)


def _address(year: int, code: str, state: str) -> str:
    return f"/console/register/{year}/{code}?" + (f"state={state}&" if state else "")
