"""The report as CSV: one figure a line, so that a program can sum it up again."""

import csv
import io
from collections.abc import Iterator

from outreach.analytics.report import CampaignReport, RoundReport
from outreach.imports.report import formula_safe
from outreach.ledger.reasons import REASONS
from outreach.ledger.states import NAMES
from outreach.statements.kinds import DOCUMENT_KINDS

Line = tuple[str, str, str, str, int, str]
_HEAD = ("活动", "轮次", "渠道或机构", "项目", "数量", "单位")


def report_csv(report: CampaignReport) -> bytes:
    """UTF-8 with a byte order mark, so that Excel opens it; what Excel would compute gets an apostrophe."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(_HEAD)
    for line in _lines(report):
        writer.writerow([formula_safe(str(cell)) for cell in line])
    return buffer.getvalue().encode("utf-8-sig")


def _lines(report: CampaignReport) -> Iterator[Line]:
    for part in report.rounds:
        yield from _households(report.name, part)
        yield from _links(report.name, part)
        for step in part.steps:
            for state, n in step.messages.items():
                yield report.name, _title(part), step.channel, NAMES[state], n, "条"
        yield from _fallen_back(report.name, part)
    for org in report.orgs:
        for state, n in org.messages.items():
            yield report.name, "", org.name, NAMES[state], n, "条"


def _households(name: str, part: RoundReport) -> Iterator[Line]:
    exclusions = [(f"剔除·{REASONS.get(reason, reason)}", n) for reason, n in part.exclusions.items()]
    figures = [("受众", part.audience), *exclusions, ("列入发送", part.planned)]
    for item, n in [*figures, ("送达", part.reached), ("已办", part.acted)]:
        yield name, _title(part), "", item, n, "户"


def _links(name: str, part: RoundReport) -> Iterator[Line]:
    links = part.links
    if links.opened or links.read:
        figures = [("打开链接", links.opened), ("已读账单", links.read), ("只打开未读", links.only_opened)]
        kinds = [(f"已读·{DOCUMENT_KINDS[kind].title}", n) for kind, n in links.documents.items()]
        for item, n in [*figures, *kinds]:
            yield name, _title(part), "", item, n, "户"


def _fallen_back(name: str, part: RoundReport) -> Iterator[Line]:
    fell = part.fell_back
    if fell and fell.total:
        figures = {"运营商转发": fell.by_operator, "本系统补发": fell.by_ladder, "短信计费": fell.parts}
        for item, n in figures.items():
            yield name, _title(part), "rcs", f"转短信·{item}", n, "条"


def _title(part: RoundReport) -> str:
    return f"第 {part.ordinal} 轮 {part.name}"
