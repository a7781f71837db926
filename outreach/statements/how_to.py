"""What a household does to have a benefit: in plain words, until when, and what is left for periods that have
been declared already.

`benefit_how_to.csv` holds it rule by rule. `ends` says when the period ends in which the benefit is claimed:
`filing` with the return of the following month, `applied` with that of the month itself, `0331`, `0531` and
`0630` with the yearly return of the year after, empty where the law gives no day.
"""

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from outreach.statements.due import FILING_DAY, filing_deadline, last_day
from outreach.statements.rules import Delivery, Rule

HOW_TO = Path(__file__).with_name("benefit_how_to.csv")


class Advice(NamedTuple):
    """One rule's sentences; `late` is empty where nothing is left to do."""

    ends: str
    how_to: str
    late: str


_BY_DELIVERY: Mapping[Delivery, str] = {
    "免申即享": "不用申请：符合条件的，申报时系统自动减免，提交前请核对申报表。",
    "申报享受": "自行判断符合条件后，在申报表中填写该项减免，相关资料留存备查。",
    "申请": "在规定的期限内通过电子税务局提交申请，由主管税务机关审核。",
}
_LATE = "已经申报的：可以在电子税务局更正申报，多缴的可以申请退还。"


@cache
def _advices() -> Mapping[str, Advice]:
    with HOW_TO.open(encoding="utf-8", newline="") as file:
        return {code: Advice(*sentences) for code, *sentences in list(csv.reader(file))[1:]}


def advice_of(rule: Rule) -> Advice:
    """The sentences of a rule; those of its way of delivery for one that has none of its own."""
    return _advices().get(rule.code) or Advice("", _BY_DELIVERY[rule.delivery], _LATE)


def statutory_end(ends: str, month: int) -> date | None:
    """The last day, by law and before holidays move it, on which the benefit of a tax period (yyyymm) is
    claimed in the ordinary way; None where the law gives no day."""
    year, number = divmod(month, 100)
    if ends == "applied":
        return date(year, number, FILING_DAY)
    if ends == "filing":
        return date(year, number + 1, FILING_DAY) if number < 12 else date(year + 1, 1, FILING_DAY)
    return date(year + 1, int(ends[:2]), int(ends[2:])) if ends else None


def told_to_do(rule: Rule, month: int) -> dict[str, str | None]:
    """What a line says that has not been claimed; `month` is its last tax period. `by` is the day of the law:
    a day that holidays move would make a new version of the document as soon as they are published."""
    advice = advice_of(rule)
    by = statutory_end(advice.ends, month)
    return {
        "how_to": advice.how_to,
        "how_to_late": advice.late,
        "by": by.isoformat() if by else None,
    }


def steps(line: Mapping[str, Any], issued_at: str) -> Sequence[tuple[str, str]]:
    """What a reader is told of a line, as names (`how_to`, `by`, `how_to_late`) with their texts: the way
    that was open when the document was issued (ISO 8601), or what was left when it had closed."""
    if "how_to" not in line:
        return ()
    # Documents that were issued before have one sentence, and no day.
    late, by = line.get("how_to_late"), _moved(line["by"]) if line.get("by") else ""
    if by and late and by[:10] < issued_at[:10]:
        return (("how_to", late),)
    rows = (("how_to", line["how_to"]), ("by", by), ("how_to_late", late))
    return [(name, text) for name, text in rows if text]


@lru_cache(maxsize=256)
def _moved(by: str) -> str:
    """The day of the law moved by the published holidays, or with the remark that they move it."""
    day = date.fromisoformat(by)
    last = filing_deadline(day.year, day.month) if day.day == FILING_DAY else last_day(day)
    return last.isoformat() if last else f"{by}（遇法定节假日顺延）"
