"""疑点核实: what a scan has found by policy, with its evidence, confirmed or rejected singly or together."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.errors import InvalidInput, NotFound
from outreach.governance.scope import scope_choices
from outreach.governance.vault import open_vault
from outreach.statements.finding_sets import term_of
from outreach.statements.findings import LONGEST_REASON, STATES, Policy, Verdict, decide, decide_all
from outreach.statements.money import plain
from outreach.statements.rules import catalogue
from outreach.statements.scan import DIRECTIONS
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import fragment, page
from outreach.web.console.work import ticked
from outreach.web.permissions import actor_of
from outreach.web.reads.findings import (
    Wanted,
    count_findings,
    find_finding,
    list_findings,
    scanned_years,
)

routes = console_routes()
TONES = {"found": "warn", "confirmed": "good", "rejected": "quiet", "closed": "quiet"}
_VERDICTS: dict[str, Verdict] = {"confirm": "confirm", "reject": "reject"}
_DONE = {"confirm": "已确认 {n} 条，可以用于活动。", "reject": "{n} 条不成立，不会用于任何活动。"}
_LARGEST = 2**63


@routes.get("/findings", permission="finding.read")
async def show_policies(request: Request, year: int = 0) -> HTMLResponse:
    """Figures by policy and direction."""
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        years = await scanned_years(conn)
        chosen = year or next(iter(years), 0)
        policies = await count_findings(conn, actor, chosen)
    context: dict[str, Any] = {
        "years": years,
        "year": chosen,
        "policies": policies,
        "directions": DIRECTIONS,
        "states": STATES,
    }
    return page(request, "findings.html", place="statements", title="疑点核实", **context)


@routes.get("/findings/list", permission="finding.read")
async def show_list(
    request: Request,
    year: int,
    code: str = "",
    direction: str = "",
    state: str = "",
    unit: int = 0,
    cursor: str = "",
    done: str = "",
) -> HTMLResponse:
    """The findings of a policy, narrowed by direction, state and unit."""
    wanted = Wanted(_year(year), code, direction, state, unit)
    return await _list(request, wanted, cursor=cursor, done=done)


@routes.get("/findings/{finding_id}", permission="finding.read")
async def show(request: Request, finding_id: int, done: str = "") -> HTMLResponse:
    """One finding: the rule, the figures, what has changed since the version before."""
    return await _one(request, finding_id, {}, done=done)


@routes.post("/findings/decide", permission="finding.verify")
async def decide_chosen(request: Request) -> Response:
    """Confirm or reject the ticked findings, or all of the policy that wait."""
    form = await request.form()
    typed = {name: str(value) for name, value in form.items() if isinstance(value, str)}
    wanted = _wanted(typed)
    rt, actor, reason = runtime_of(request), actor_of(request), typed.get("reason", "")
    try:
        verdict = _verdict(typed.get("verdict", ""))
        if typed.get("which") == "all":
            policy = Policy(wanted.code, wanted.direction, wanted.year)
            expected = _number(typed.get("expected", ""))
            n = await decide_all(rt, actor, policy, verdict, expected=expected, reason=reason)
        else:
            n = await decide(rt, actor, ticked(form.getlist("items")), verdict, reason)
    except InvalidInput as error:
        return await _list(request, wanted, errors={error.details.get("field", "ids"): error.message})
    address = _address(wanted)
    return RedirectResponse(f"{address}&{urlencode({'done': _DONE[verdict].format(n=f'{n:,}')})}", 303)


@routes.post("/findings/{finding_id}/{verdict}", permission="finding.verify")
async def decide_one(request: Request, finding_id: int, verdict: str) -> Response:
    """Confirm or reject one."""
    reason = str((await request.form()).get("reason", ""))
    known = _VERDICTS.get(verdict)
    if known is None:
        raise NotFound("没有这个操作。")
    try:
        await decide(runtime_of(request), actor_of(request), [finding_id], known, reason)
    except InvalidInput as error:
        return await _one(request, finding_id, {"reason": error.message})
    said = urlencode({"done": _DONE[known].format(n=1)})
    return RedirectResponse(f"/console/findings/{finding_id}?{said}", 303)


async def _list(
    request: Request,
    wanted: Wanted,
    *,
    cursor: str = "",
    done: str = "",
    errors: dict[str, str] | None = None,
) -> HTMLResponse:
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        found = await list_findings(conn, open_vault(rt.settings), actor, wanted, cursor=cursor)
        counts = [] if cursor else await count_findings(conn, actor, wanted.year)
        units = [] if cursor else await scope_choices(conn, actor)
    own = [one for one in counts if (one.code, one.direction) == (wanted.code, wanted.direction)]
    context: dict[str, Any] = {
        "found": found,
        "wanted": wanted,
        "more": _address(wanted),
        "states": STATES,
        "tones": TONES,
        "directions": DIRECTIONS,
        "months": months_of,
    }
    if cursor and request.headers.get("hx-request"):
        return fragment(request, "findings_rows.html", **context)
    context |= {
        "rule": catalogue().get(wanted.code),
        "counts": own[0] if own else None,
        "word": term_of(wanted.code, wanted.direction) if own else "",
        "units": [unit for unit in units if actor.reaches(unit["path"])],
        "errors": errors or {},
        "done": done,
        "longest": LONGEST_REASON,
    }
    status = 422 if errors else 200
    return page(request, "findings_list.html", place="statements", title="疑点清单", status=status, **context)


async def _one(request: Request, finding_id: int, errors: dict[str, str], *, done: str = "") -> HTMLResponse:
    if not 0 < finding_id < _LARGEST:
        raise NotFound("没有这条疑点，或者它不在您的数据范围内。")
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        found = await find_finding(conn, open_vault(rt.settings), actor, finding_id)
    rule = catalogue()[found["benefit_code"]]
    context: dict[str, Any] = {
        "one": found,
        "rule": rule,
        "eligible": rule.eligible,
        "figure": figure,
        "states": STATES,
        "tones": TONES,
        "directions": DIRECTIONS,
        "errors": errors,
        "done": done,
        "longest": LONGEST_REASON,
        "word": term_of(found["benefit_code"], found["direction"]),
        "back": _address(Wanted(found["year"], found["benefit_code"], found["direction"])),
    }
    status = 422 if errors else 200
    return page(
        request, "finding.html", place="statements", title=found["household"], status=status, **context
    )


def figure(text: str) -> str:
    """A figure of the evidence as it is read: 3,000,000.01."""
    return plain(Decimal(text))


def months_of(entries: list[dict[str, Any]]) -> str:
    """The periods of some entries: 2025-09, or the first and the last."""
    months = sorted({entry["month"] for entry in entries})
    shown = [f"{month // 100}-{month % 100:02d}" for month in (months[0], months[-1])]
    return shown[0] if len(months) == 1 else f"{shown[0]} 至 {shown[1]}，{len(months)} 期"


def _wanted(typed: dict[str, str]) -> Wanted:
    return Wanted(
        _year(_number(typed.get("year", ""))),
        typed.get("code", ""),
        typed.get("direction", ""),
        typed.get("state", ""),
        _number(typed.get("unit", "")),
    )


def _address(wanted: Wanted) -> str:
    chosen = {
        "year": wanted.year,
        "code": wanted.code,
        "direction": wanted.direction,
        "state": wanted.state,
        "unit": wanted.unit,
    }
    return "/console/findings/list?" + urlencode({name: value for name, value in chosen.items() if value})


def _verdict(text: str) -> Verdict:
    known = _VERDICTS.get(text)
    if known is None:
        raise InvalidInput("请选择「成立」或「不成立」。", field="verdict")
    return known


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _year(year: int) -> int:
    if not 2000 <= year < 3000:
        raise InvalidInput("请选择年度。", field="year")
    return year
