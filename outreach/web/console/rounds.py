"""One round: balance bars, ladder, why it is not moving, and the buttons that stop it and let it go on."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.analytics.stalls import round_progress
from outreach.errors import InvalidInput, NotFound
from outreach.ledger.reasons import REASONS
from outreach.registry.fields import ROLES
from outreach.web.actions import control_round
from outreach.web.console.access import cache_of, console_routes, runtime_of
from outreach.web.console.render import fragment, page
from outreach.web.console.show_rounds import RoundShow, audience_balance, show_round
from outreach.web.console.wording import number
from outreach.web.forecasts import show_forecast
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_round, steps_of
from outreach.web.reads.figures import message_counts, round_figures
from outreach.web.reads.slices import occurrences_of, slices_ahead, slices_of
from outreach.web.reads.triggers import triggers_today
from outreach.web.reads.work_items import handed_counts

routes = console_routes()
TYPED_ABOVE = 10_000
"""From here on the number of households is typed before something irreversible or large happens."""


@dataclass(frozen=True, slots=True)
class Control:
    """A button of a round: what it says with the number, what it does, from which states."""

    verb: str
    states: tuple[str, ...]
    style: str
    icon: str
    consequence: str
    dangerous: bool = False


CONTROLS = (
    Control(
        "pause", ("running",), "", "pause",
        "两秒内停止发出新消息；已经发出的不受影响，之后可以原地继续，不会重复。",
    ),
    Control(
        "resume", ("paused",), "button--primary", "play",
        "从停下的地方继续；已经收到的人不会再收到第二条。",
    ),
    Control(
        "cancel", ("scheduled", "running", "paused"), "button--danger", "stop",
        "没有发出的消息全部放弃，不能恢复；已经发出的不受影响。", dangerous=True,
    ),
)  # fmt: skip


DONE = {
    "pause": "已暂停。两秒内不再发出新消息：已发 {sent} 条，余 {rest} 条在原地等待。",
    "resume": "已继续，不会重复发送，已发 {sent} 条，余 {rest} 条。",
    "cancel": "已取消。已发 {sent} 条照收回执，余 {rest} 条不再发送。",
}
"""What a button has done, with the numbers of this moment."""


@routes.get("/rounds/{round_id}", permission="campaign.read")
async def show(request: Request, round_id: int, done: str = "") -> HTMLResponse:
    """The page of a round, with what the button before it has done."""
    return await _page(request, round_id, done=done)


@routes.get("/rounds/{round_id}/live", permission="campaign.read")
async def live(request: Request, round_id: int) -> HTMLResponse:
    """The part of the page that moves."""
    return fragment(request, "round_live.html", **await _context(request, round_id))


@routes.get("/rounds/{round_id}/forecast", permission="campaign.read")
async def foretell(request: Request, round_id: int) -> HTMLResponse:
    """What the round would do if it started now, with the message of every step in a phone."""
    rt, actor, cache = runtime_of(request), actor_of(request), cache_of(request)
    async with rt.db.begin() as conn:
        row = await find_round(conn, actor, round_id)
        steps = await steps_of(conn, [round_id])
    shown = await show_forecast(rt, cache, actor, round_id, steps)
    balance = audience_balance(shown.figures, None, "试算：按现在的数据")
    context: dict[str, Any] = {
        "shown": shown,
        "told": shown.told,
        "balance": balance,
        "reasons": REASONS,
        "role_names": ROLES,
    }
    context["slices"] = slices_ahead(shown.told.slices)
    return fragment(request, "forecast.html", round=row, **context)


@routes.post("/rounds/{round_id}/{verb}", permission="round.control")
async def control(request: Request, round_id: int, verb: str) -> Response:
    """Pause, resume or cancel, with the typed number where one is asked for."""
    wanted = next((control for control in CONTROLS if control.verb == verb), None)
    if wanted is None:
        raise NotFound("没有这个操作。")
    context = await _context(request, round_id)
    shown: RoundShow = context["shown"]
    try:
        check_typed(shown, wanted, str((await request.form()).get("typed", "")))
    except InvalidInput as error:
        return await _page(request, round_id, error=error, verb=verb)
    await control_round(runtime_of(request), actor_of(request), context["round"], verb)
    return RedirectResponse(f"/console/rounds/{round_id}?done={verb}", 303)


def check_typed(shown: RoundShow, control: Control, typed: str) -> None:
    """Raises InvalidInput unless the number was typed that a large or irreversible step asks for."""
    if needs_number(shown, control) and typed.replace(",", "").replace("，", "").strip() != str(
        shown.households
    ):
        raise InvalidInput(f"请输入数字 {number(shown.households)} 再确认，以免误操作。", field="typed")


def needs_number(shown: RoundShow, control: Control) -> bool:
    """Whether this button wants the number typed. A pause never does: it must be quick and can be undone."""
    return control.verb != "pause" and shown.households > TYPED_ABOVE


async def _page(
    request: Request, round_id: int, *, error: InvalidInput | None = None, verb: str = "", done: str = ""
) -> HTMLResponse:
    context = await _context(request, round_id)
    shown: RoundShow = context["shown"]
    figures = {"sent": number(shown.sent), "rest": number(shown.remaining)}
    context["done"] = DONE[done].format(**figures) if done in DONE else ""
    title = f"第 {context['round']['ordinal']} 轮 {context['round']['name']}"
    status = 200 if error is None else 422
    context |= {"error": error, "error_verb": verb}
    return page(request, "round.html", place="campaigns", title=title, status=status, **context)


async def _context(request: Request, round_id: int) -> dict[str, Any]:
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        row = await find_round(conn, actor, round_id)
        steps = await steps_of(conn, [round_id])
        figures = await round_figures(conn, cache_of(request), actor, [round_id])
        counts = await message_counts(conn, actor, [round_id])
        handed = await handed_counts(conn, actor, [round_id])
        progress = await round_progress(conn, round_id, with_numbers=row["is_own"])
        slices = await slices_of(conn, round_id) if row["is_own"] else []
        occurrences = await occurrences_of(conn, round_id)
        today = (await triggers_today(conn, actor, [row])).get(round_id)
    shown = show_round(row, steps, figures.get(round_id), counts, handed)
    controls = [
        (control, needs_number(shown, control))
        for control in CONTROLS
        if row["state"] in control.states and row["is_own"] and actor.may("round.control")
    ]
    return {
        "round": row,
        "shown": shown,
        "controls": controls,
        "progress": progress,
        "slices": slices,
        "occurrences": occurrences,
        "today": today,
        "is_moving": row["state"] in ("running", "planning", "paused", "cancelled")
        and not row["finished_at"],
    }
