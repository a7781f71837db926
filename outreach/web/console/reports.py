"""分析: the report of a campaign; every figure within the scope, every sum checked on the page."""

from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from outreach.analytics.effect import campaign_effect
from outreach.analytics.report import CampaignReport, campaign_report
from outreach.governance.audit import append_audit
from outreach.ledger.reasons import DETOURS, REASONS
from outreach.ledger.states import NAMES, State
from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.web.console.access import cache_of, console_routes, runtime_of
from outreach.web.console.pieces import STATE_ORDER, Balance, message_balance
from outreach.web.console.render import page
from outreach.web.console.report_sheet import report_workbook
from outreach.web.console.show_rounds import audience_balance
from outreach.web.console.wording import CHANNELS
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import list_campaigns
from outreach.web.reads.figures import RoundFigures

routes = console_routes()
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a reach table: a round, a channel or an org unit, in messages and household-times."""

    name: str
    href: str
    messages: dict[State, int]
    household_times: int

    @property
    def total(self) -> int:
        """All messages."""
        return sum(self.messages.values())

    @property
    def arrived(self) -> int:
        """Delivered or read."""
        return self.messages.get(State.DELIVERED, 0) + self.messages.get(State.READ, 0)

    def of(self, state: State) -> int:
        """Messages in one state."""
        return self.messages.get(state, 0)


@routes.get("/reports", permission="report.read")
async def show_list(request: Request, cursor: str = "") -> HTMLResponse:
    """Campaigns that have something to report."""
    async with runtime_of(request).db.begin() as conn:
        found = await list_campaigns(conn, actor_of(request), cursor=cursor)
    rows = [row for row in found.rows if row["state"] not in ("draft", "approved")]
    return page(request, "reports.html", place="reports", title="分析", rows=rows, found=found)


@routes.get("/reports/{campaign_id}", permission="report.read")
async def show(request: Request, campaign_id: int) -> HTMLResponse:
    """The report page."""
    report = await _report(request, campaign_id)
    scope = actor_of(request).org_id
    effect = await campaign_effect(runtime_of(request), cache_of(request), campaign_id, scope)
    by_org = [Line(org.name, "", org.messages, _arrived(org.household_times)) for org in report.orgs]
    by_channel = [
        Line(CHANNELS[channel], "", states, _channel_times(report, channel))
        for channel, states in report.channels.items()
    ]
    by_round = [
        Line(
            f"第 {part.ordinal} 轮 {part.name}",
            f"/console/rounds/{part.id}",
            part.outcomes,
            part.household_times,
        )
        for part in report.rounds
    ]
    return page(
        request,
        "report.html",
        place="reports",
        title=report.name,
        report=report,
        detour_names=DETOURS,
        document_kinds=DOCUMENT_KINDS,
        effect=effect,
        people=[_people(part) for part in report.rounds if part.audience],
        messages=message_balance(
            _whole(by_round), title="全部消息", href=f"/console/messages?campaign={campaign_id}"
        ),
        tables=[("按轮次", "轮次", by_round), ("按渠道", "渠道", by_channel), ("按机构", "机构", by_org)],
        state_columns=[(state, NAMES[state]) for state in STATE_ORDER if _whole(by_round).get(int(state))],
        chart=_chart(by_org or by_channel),
        chart_lines=len(by_org or by_channel),
        State=State,
    )


@routes.get("/reports/{campaign_id}/export", permission="report.export")
async def export(request: Request, campaign_id: int) -> Response:
    """The same figures as an Excel file; the export goes into the audit chain."""
    rt, actor = runtime_of(request), actor_of(request)
    report = await _report(request, campaign_id)
    async with rt.db.begin() as conn:
        detail = {"scope": actor.org_id}
        await append_audit(conn, actor, "report.export", f"campaign:{campaign_id}", detail)
    name = f"report-{report.code}-{report.at:%Y%m%d}.xlsx"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(report_workbook(report), media_type=_XLSX, headers=headers)


async def _report(request: Request, campaign_id: int) -> CampaignReport:
    return await campaign_report(
        runtime_of(request), cache_of(request), campaign_id, actor_of(request).org_id
    )


def _people(part: Any) -> Balance:
    figures = RoundFigures(part.audience, part.planned, tuple(_in_order(part.exclusions)))
    return audience_balance(figures, part.id, f"第 {part.ordinal} 轮 {part.name}")


def _in_order(exclusions: dict[str, int]) -> list[tuple[str, int]]:
    known = [(reason, exclusions[reason]) for reason in REASONS if reason in exclusions]
    return known + [(reason, size) for reason, size in exclusions.items() if reason not in REASONS]


def _whole(lines: list[Line]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for line in lines:
        for state, n in line.messages.items():
            sums[int(state)] = sums.get(int(state), 0) + n
    return sums


def _arrived(times: dict[State, int]) -> int:
    return times.get(State.DELIVERED, 0) + times.get(State.READ, 0)


def _channel_times(report: CampaignReport, channel: str) -> int:
    steps = [step for part in report.rounds for step in part.steps if step.channel == channel]
    return sum(_arrived(step.household_times) for step in steps)


def _chart(lines: list[Line]) -> str:
    """Data of the bar chart: at most twelve lines, the largest on top, one series for each shown state."""
    shown = sorted(lines, key=lambda line: line.total, reverse=True)[:12]
    series = [
        {"name": NAMES[state], "state": state.name.lower(), "values": [line.of(state) for line in shown]}
        for state in STATE_ORDER
        if any(line.of(state) for line in shown)
    ]
    return orjson.dumps({"names": [line.name for line in shown], "series": series}).decode()
