"""The report as an Excel file. Every text is written as a string, never as a formula (ASVS 5.0, 1.2.10)."""

import io
from typing import Any

import xlsxwriter

from outreach.analytics.opened import LinksOpened
from outreach.analytics.report import CampaignReport, OrgReport, RoundReport
from outreach.ledger.reasons import REASONS
from outreach.ledger.states import NAMES
from outreach.web.console.pieces import STATE_ORDER
from outreach.web.console.wording import CHANNELS, moment

Row = list[str | int]
_LINKS = ("打开链接户数", "已读账单户数", "只打开未读户数", "已读账单份数")


def report_workbook(report: CampaignReport) -> bytes:
    """Two sheets: households by round with every exclusion, messages by round, step, channel and unit."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False})
    try:
        bold = book.add_format({"bold": True})
        figure = book.add_format({"num_format": "#,##0"})
        _write(book.add_worksheet("受众（户）"), _people_rows(report), bold, figure)
        _write(book.add_worksheet("消息（条）"), _message_rows(report), bold, figure)
        _write(book.add_worksheet("各机构（条）"), _org_rows(report), bold, figure)
        if report.has_fallen_back:
            _write(book.add_worksheet("5G转短信（条）"), _fallen_rows(report), bold, figure)
    finally:
        book.close()
    return buffer.getvalue()


def _people_rows(report: CampaignReport) -> list[Row]:
    title: Row = [report.name, f"数据时间 {moment(report.at)}"]
    head: Row = ["轮次", "受众", "列入发送", *REASONS.values(), "差额", "送达户数", "已办户数", *_LINKS]
    return [title, head, *(_people_row(part) for part in report.rounds)]


def _people_row(part: RoundReport) -> Row:
    reasons = [part.exclusions.get(reason, 0) for reason in REASONS]
    name = f"第 {part.ordinal} 轮 {part.name}"
    return [
        name,
        part.audience,
        part.planned,
        *reasons,
        part.gap,
        part.reached,
        part.acted,
        *_links(part.links),
    ]


def _links(links: LinksOpened) -> Row:
    return [links.opened, links.read, links.only_opened, links.read_documents]


def _message_rows(report: CampaignReport) -> list[Row]:
    head: Row = ["轮次", "级", "渠道", "合计", *(NAMES[state] for state in STATE_ORDER)]
    rows: list[Row] = [
        [
            f"第 {part.ordinal} 轮 {part.name}",
            step.step + 1,
            CHANNELS[step.channel],
            step.total,
            *(step.messages.get(state, 0) for state in STATE_ORDER),
        ]
        for part in report.rounds
        for step in part.steps
    ]
    return [head, *rows]


def _org_rows(report: CampaignReport) -> list[Row]:
    head: Row = ["机构", "合计", *(NAMES[state] for state in STATE_ORDER)]
    return [head, *(_org_row(org) for org in report.orgs)]


def _fallen_rows(report: CampaignReport) -> list[Row]:
    rows: list[Row] = [["轮次", "转短信", "运营商转发", "本系统补发", "短信计费条数"]]
    for part in report.rounds:
        name, fell = f"第 {part.ordinal} 轮 {part.name}", part.fell_back
        if fell.total:
            rows.append([name, fell.total, fell.by_operator, fell.by_ladder, fell.parts])
    return rows


def _org_row(org: OrgReport) -> Row:
    return [
        org.name,
        sum(org.messages.values()),
        *(org.messages.get(state, 0) for state in STATE_ORDER),
    ]


def _write(sheet: Any, rows: list[Row], bold: Any, figure: Any) -> None:
    sheet.set_column(0, 0, 36)
    sheet.set_column(1, 20, 12, figure)
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            if isinstance(value, str):
                sheet.write_string(number, column, value, bold if number < 2 else None)
            else:
                sheet.write_number(number, column, value)
