"""Reports as tables for the terminal."""

from rich.table import Table

from outreach.analytics.report import CampaignReport
from outreach.labels.keys import CHANNEL_NAMES
from outreach.ledger.reasons import DETOURS, REASONS
from outreach.ledger.states import NAMES, State

SPOKEN = {"call": "电话", "visit": "上门"}


def reach_table(report: CampaignReport) -> list[Table]:
    """Households of each round with their sum, messages of each rung with theirs, and what 5G messages that
    became SMS cost, if there are any."""
    fallen = [_fallen_back(report)] if report.has_fallen_back else []
    handed = [_handed(report)] if any(part.handed for part in report.rounds) else []
    return [_households(report), _messages(report), *handed, *fallen]


def _households(report: CampaignReport) -> Table:
    table = Table(title=f"{report.name} · 户数", title_justify="left")
    table.add_column("")
    for part in report.rounds:
        table.add_column(part.name, justify="right")
    lines = [("受众", [part.audience for part in report.rounds])]
    for reason, name in REASONS.items():
        lines.append((f"− {name}", [part.exclusions.get(reason, 0) for part in report.rounds]))
    lines += [
        ("= 计划", [part.planned for part in report.rounds]),
        ("差额", [part.gap for part in report.rounds]),
        ("送达户", [part.reached for part in report.rounds]),
        ("已办户", [part.acted for part in report.rounds]),
    ]
    if any(part.links.opened or part.links.read for part in report.rounds):
        lines += [
            ("打开户", [part.links.opened for part in report.rounds]),
            ("已读户", [part.links.read for part in report.rounds]),
        ]
    lines += [
        (name, [part.detours.get(reason, 0) for part in report.rounds])
        for reason, name in DETOURS.items()
        if any(part.detours.get(reason) for part in report.rounds)
    ]
    for name, numbers in lines:
        table.add_row(name, *(f"{number:,}" for number in numbers))
    return table


def _messages(report: CampaignReport) -> Table:
    states = [state for state in State if any(part.outcomes.get(state) for part in report.rounds)]
    table = Table(title="消息条数", title_justify="left")
    for number, header in enumerate(["轮次", "渠道", "合计", *(NAMES[state] for state in states)]):
        table.add_column(header, justify="right" if number > 1 else "left")
    for part in report.rounds:
        for step in part.steps:
            counts = [step.messages.get(state, 0) for state in states]
            table.add_row(part.name, CHANNEL_NAMES[step.channel], *(f"{n:,}" for n in [step.total, *counts]))
    return table


def _handed(report: CampaignReport) -> Table:
    table = Table(title="交给电话和上门的户次", title_justify="left")
    for number, header in enumerate(["轮次", "方式", "交办", "办理中", "已告知或办结", "已终止"]):
        table.add_column(header, justify="right" if number > 1 else "left")
    for part in report.rounds:
        for rung in part.handed:
            figures = (rung.total, rung.open, rung.done, rung.given_up)
            table.add_row(part.name, SPOKEN[rung.channel], *(f"{number:,}" for number in figures))
    return table


def _fallen_back(report: CampaignReport) -> Table:
    table = Table(title="5G 消息转短信", title_justify="left")
    for number, header in enumerate(["轮次", "转短信", "运营商转发", "本系统补发", "短信计费条数"]):
        table.add_column(header, justify="right" if number else "left")
    for part in report.rounds:
        fell = part.fell_back
        if fell.total:
            figures = (fell.total, fell.by_operator, fell.by_ladder, fell.parts)
            table.add_row(part.name, *(f"{number:,}" for number in figures))
    return table
