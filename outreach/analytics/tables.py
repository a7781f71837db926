"""Reports as tables for the terminal."""

from rich.table import Table

from outreach.analytics.report import CampaignReport
from outreach.ledger.reasons import REASONS
from outreach.ledger.states import NAMES, State

_CHANNELS = {"sms": "短信", "rcs": "5G消息", "wechat": "微信", "email": "电子邮件"}


def reach_table(report: CampaignReport) -> list[Table]:
    """Households of each round with their sum, and messages of each rung with theirs."""
    return [_households(report), _messages(report)]


def _households(report: CampaignReport) -> Table:
    reasons = [reason for reason in REASONS if any(part.exclusions.get(reason) for part in report.rounds)]
    table = Table(title=f"{report.name} · 户数", title_justify="left")
    headers = ["轮次", "受众", *(f"剔除·{REASONS[reason]}" for reason in reasons), "计划", "差额", "送达户", "已办户"]
    for number, header in enumerate(headers):
        table.add_column(header, justify="right" if number else "left")
    for part in report.rounds:
        cells = [part.audience, *(part.exclusions.get(reason, 0) for reason in reasons), part.planned, part.gap]
        table.add_row(part.name, *(f"{n:,}" for n in [*cells, part.reached, part.acted]))
    return table


def _messages(report: CampaignReport) -> Table:
    states = [state for state in State if any(part.outcomes.get(state) for part in report.rounds)]
    table = Table(title="消息条数", title_justify="left")
    for number, header in enumerate(["轮次", "渠道", "合计", *(NAMES[state] for state in states)]):
        table.add_column(header, justify="right" if number > 1 else "left")
    for part in report.rounds:
        for step in part.steps:
            counts = [step.messages.get(state, 0) for state in states]
            table.add_row(part.name, _CHANNELS[step.channel], *(f"{n:,}" for n in [step.total, *counts]))
    return table
