"""The report of a campaign: as JSON, as an Excel file, as CSV; cut to the scope, and its sums agree."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query, Request
from fastapi.responses import Response

from outreach.analytics.opened import LinksOpened
from outreach.analytics.report import CampaignReport, campaign_report
from outreach.governance.audit import append_audit
from outreach.ledger.states import State
from outreach.web.api.access import api_routes, cache_of, runtime_of
from outreach.web.api.fields import Model, PathId
from outreach.web.api.report_csv import report_csv
from outreach.web.api.rounds import StateName
from outreach.web.console.report_sheet import report_workbook
from outreach.web.permissions import actor_of

routes = api_routes("/campaigns", "报表")
_MEDIA = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}
Counts = dict[StateName, int]


class StepTold(Model):
    """A rung: messages and household-times by state."""

    step: int
    channel: str
    messages: Counts
    household_times: Counts


class FellBackTold(Model):
    """5G messages that became SMS: sent by the operator, or by a later rung of the ladder; and the SMS parts
    that are billed for both."""

    by_operator: int
    by_ladder: int
    parts: int


class LinksTold(Model):
    """What was done with the links, in distinct households: `opened` = `read` + `only_opened`. Opened: a
    one-time code was asked for; read: a document was shown after the identity check. `documents`: households
    by the kind of document that they read; their sum is `read_documents`. Previewers count for nothing."""

    opened: int
    only_opened: int
    read: int
    read_documents: int
    documents: dict[str, int]


class RoundTold(Model):
    """A round in households: `audience = planned + Σ exclusions`; `gap` is 0 unless the sums do not agree.
    `fell_back` is null once the round's messages are in the archive, where nobody counts them."""

    id: int
    ordinal: int
    name: str
    state: str
    starts_at: datetime
    ends_at: datetime
    audience: int
    exclusions: dict[str, int]
    planned: int
    gap: int
    reached: int
    acted: int
    held_out_acted: int
    messages: int
    outcomes: Counts
    steps: list[StepTold]
    fell_back: FellBackTold | None
    links: LinksTold


class OrgTold(Model):
    """One unit right below the scope."""

    org_id: int
    name: str
    messages: Counts
    household_times: Counts


class ReportTold(Model):
    """Households (户) and household-times (户次) are never mixed."""

    id: int
    code: str
    name: str
    kind: str
    state: str
    at: datetime
    households_targeted: int
    households_reached: int
    household_times_reached: int
    acted: int
    opted_out: int
    links: LinksTold
    channels: dict[str, Counts]
    rounds: list[RoundTold]
    orgs: list[OrgTold]


@routes.get("/{campaign_id}/report", permission="report.read", summary="活动报表")
async def show(request: Request, campaign_id: PathId) -> ReportTold:
    """目标户、剔除原因、列入发送、各状态消息、送达户和已办户，一次快照内取得。"""
    return _told(await _report(request, campaign_id))


@routes.get(
    "/{campaign_id}/report/export",
    permission="report.export",
    summary="导出活动报表",
    response_class=Response,
)
async def export(
    request: Request,
    campaign_id: PathId,
    format: Annotated[Literal["xlsx", "csv"], Query(description="文件格式")] = "xlsx",
) -> Response:
    """单元格一律按文字写入，不会被表格软件当作公式；每次导出都记入审计日志。"""
    rt, actor = runtime_of(request), actor_of(request)
    report = await _report(request, campaign_id)
    async with rt.db.begin() as conn:
        detail = {"scope": actor.org_id, "format": format}
        await append_audit(conn, actor, "report.export", f"campaign:{campaign_id}", detail)
    body = report_workbook(report) if format == "xlsx" else report_csv(report)
    name = f"report-{campaign_id}-{report.at:%Y%m%d}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=_MEDIA[format], headers=headers)


async def _report(request: Request, campaign_id: int) -> CampaignReport:
    return await campaign_report(
        runtime_of(request), cache_of(request), campaign_id, actor_of(request).org_id
    )


def _links(links: LinksOpened) -> LinksTold:
    return LinksTold(
        opened=links.opened,
        only_opened=links.only_opened,
        read=links.read,
        read_documents=links.read_documents,
        documents=links.documents,
    )


def _told(report: CampaignReport) -> ReportTold:
    return ReportTold(
        id=report.id,
        code=report.code,
        name=report.name,
        kind=report.kind,
        state=report.state,
        at=report.at,
        households_targeted=report.households_targeted,
        households_reached=report.households_reached,
        household_times_reached=report.household_times_reached,
        acted=report.acted,
        opted_out=report.opted_out,
        links=_links(report.links),
        channels={channel: _named(counts) for channel, counts in report.channels.items()},
        rounds=[
            RoundTold(
                id=part.id,
                ordinal=part.ordinal,
                name=part.name,
                state=part.state,
                starts_at=part.starts_at,
                ends_at=part.ends_at,
                audience=part.audience,
                exclusions=part.exclusions,
                planned=part.planned,
                gap=part.gap,
                reached=part.reached,
                acted=part.acted,
                held_out_acted=part.held_out_acted,
                messages=part.messages,
                outcomes=_named(part.outcomes),
                steps=[
                    StepTold(
                        step=step.step,
                        channel=step.channel,
                        messages=_named(step.messages),
                        household_times=_named(step.household_times),
                    )
                    for step in part.steps
                ],
                fell_back=FellBackTold(**asdict(part.fell_back)) if part.fell_back else None,
                links=_links(part.links),
            )
            for part in report.rounds
        ],
        orgs=[
            OrgTold(
                org_id=org.org_id,
                name=org.name,
                messages=_named(org.messages),
                household_times=_named(org.household_times),
            )
            for org in report.orgs
        ],
    )


def _named(counts: dict[State, int]) -> Counts:
    named: Counts = {state.name.lower(): n for state, n in counts.items()}  # type: ignore[misc]
    return named
