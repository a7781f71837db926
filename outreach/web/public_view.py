"""What the templates of the documents show that is not in the document word for word: sentences, bars."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from outreach.statements.content import DIGESTS, digest_of
from outreach.statements.documents import Document
from outreach.statements.how_to import steps
from outreach.statements.leaflets import Reading, reading_of
from outreach.statements.money import yuan
from outreach.statements.person import GOOD_OUTCOMES

_MOST_BARS = 6
_OTHERS = {"zh-CN": "其他", "en": "Others"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One benefit this year and last; widths are percentages of the longest bar."""

    name: str
    amount: str
    last_year: str
    width: str
    last_width: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A part of the benefits against last year (`direction`: more, less, same) and over all years."""

    text: str
    direction: str
    cumulative: str


@dataclass(frozen=True, slots=True)
class DocumentView:
    """What the pages of all kinds of documents share; `compared` by the names of the parts of its benefits,
    `data_as_of` is empty where the document does not say it; `steps` tells of a line what to do, `reading`
    of a code where it is explained."""

    title: str
    lead: str
    compared: Mapping[str, Comparison]
    due: Sequence[tuple[str, str]]
    issued: str
    data_as_of: str
    steps: Callable[[Mapping[str, Any]], Sequence[tuple[str, str]]]
    reading: Callable[[str], Reading | None]
    digest_name: str
    digest_groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class BillView:
    """The sentences and figures around the tables of a yearly bill."""

    spared: str
    bars: Sequence[Bar]
    person_outcome: str
    person_good: bool
    unclaimed_lead: str
    taxes_before: bool
    sections: Sequence[tuple[str, Mapping[str, Any]]]


def document_view(document: Document, w: Mapping[str, str], month: int) -> DocumentView:
    """Prepare what a document of any kind shows, in the words of a language; `month` (yyyymm) is that in
    which it is read."""
    content = document.content
    return DocumentView(
        title=w[f"title_{document.kind}"].format(year=document.year),
        lead=w["withdrawn"] if "withdrawn" in content else _LEADS[document.kind](content, w),
        compared={name: _comparison(part, w) for name, part in _parts(content).items()},
        due=[(_due_day(due, w), _due_what(due, w)) for due in content["due"]],
        issued=datetime.fromisoformat(content["issue"]["at"]).strftime("%Y-%m-%d %H:%M"),
        data_as_of=content["issue"].get("data_as_of", ""),
        steps=partial(steps, issued_at=content["issue"]["at"]),
        reading=partial(reading_of, month=month),
        digest_name=DIGESTS[digest_of(content)],
        digest_groups=[document.digest[start : start + 8] for start in range(0, 64, 8)],
    )


def bill_view(document: Document, w: Mapping[str, str]) -> BillView | None:
    """Prepare the tables of a yearly bill; None for the other kinds and for one that is withdrawn."""
    content = document.content
    if document.kind != "yearly_bill" or "withdrawn" in content:
        return None
    reduction = content["enjoyed"]["reduction"]
    return BillView(
        spared=yuan(Decimal(reduction["total"])),
        bars=_bars(reduction["lines"], w),
        person_outcome=w[f"person_{content['person']['outcome']}"] if content["person"] else "",
        person_good=bool(content["person"]) and content["person"]["outcome"] in GOOD_OUTCOMES,
        unclaimed_lead=_unclaimed_lead(Decimal(content["unclaimed"]["total"]), w),
        # Documents that were issued before do not compare tax by tax.
        taxes_before=all("last_year" in row for row in content["paid"]["rows"]),
        sections=[(name, content["enjoyed"][name]) for name in ("refund", "deduction", "timing")],
    )


def _lead(content: Mapping[str, Any], w: Mapping[str, str]) -> str:
    if content["person"]:
        return w["bill_lead_person"].format(year=content["year"])
    paid, enjoyed = content["paid"]["total"], content["enjoyed"]
    lead = w["bill_lead"].format(
        year=content["year"],
        paid=yuan(Decimal(paid["paid"])),
        spared=yuan(Decimal(enjoyed["reduction"]["total"])),
    )
    refunded = Decimal(paid["refunded"])
    return f"{lead} {w['bill_lead_refund'].format(refunded=yuan(refunded))}" if refunded else lead


def _parts(content: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    parts: Mapping[str, Mapping[str, Any]] = content.get("enjoyed") or content.get("parts") or {}
    return parts


def _comparison(part: Mapping[str, Any], w: Mapping[str, str]) -> Comparison:
    text, direction = _compared(Decimal(part["total"]), Decimal(part["last_year"]), w)
    cumulative = w["spared_cumulative"].format(amount=yuan(Decimal(part["cumulative"])))
    return Comparison(text, direction, cumulative)


def _compared(now: Decimal, before: Decimal, w: Mapping[str, str]) -> tuple[str, str]:
    if now == before:
        return w["spared_same"], "same"
    key = "spared_more" if now > before else "spared_less"
    text = w[key].format(amount=yuan(abs(now - before)))
    share = f"（{abs(now - before) / before:.2%}）" if before else ""
    return text + share, "more" if now > before else "less"


def _bars(lines: Sequence[Mapping[str, Any]], w: Mapping[str, str]) -> list[Bar]:
    """The largest ones, the rest as one bar, so that the bars' sum is the total."""
    pairs = [(line["name"], Decimal(line["amount"]), Decimal(line["last_year"])) for line in lines]
    shown, rest = pairs[:_MOST_BARS], pairs[_MOST_BARS:]
    if rest:
        others = (sum((p[1] for p in rest), Decimal(0)), sum((p[2] for p in rest), Decimal(0)))
        shown = [*shown[: _MOST_BARS - 1], (_OTHERS[w["html_lang"]], *_plus(shown[-1][1:], others))]
    longest = max((max(amount, last) for _, amount, last in shown), default=Decimal(0)) or Decimal(1)
    return [
        Bar(name, yuan(amount), yuan(last), f"{amount / longest:.2%}", f"{last / longest:.2%}")
        for name, amount, last in shown
    ]


def _plus(one: tuple[Decimal, ...], other: tuple[Decimal, ...]) -> tuple[Decimal, Decimal]:
    return one[0] + other[0], one[1] + other[1]


def _unclaimed_lead(total: Decimal, w: Mapping[str, str]) -> str:
    return w["unclaimed_lead"].format(amount=yuan(total)) if total else w["unclaimed_lead_plain"]


def _due_day(due: Mapping[str, Any], w: Mapping[str, str]) -> str:
    unknown = w["due_unknown"].format(year=due["month"] // 100, month=due["month"] % 100)
    return due["day"] or unknown


def _due_what(due: Mapping[str, Any], w: Mapping[str, str]) -> str:
    # Documents that were issued before hold no day that holidays have yet to move.
    what: str = due["what"]
    return what + w["due_statutory"] if "statutory" in due else what


def _lead_pack(content: Mapping[str, Any], w: Mapping[str, str]) -> str:
    lead = w["pack_lead"].format(count=content["count"])
    waiting = content["unclaimed"]
    if not waiting["count"]:
        return lead
    total = Decimal(waiting["total"])
    amount = w["pack_lead_amount"].format(amount=yuan(total)) if total else ""
    return f"{lead} {w['pack_lead_unclaimed'].format(count=waiting['count'], amount=amount)}"


def _lead_checkup(content: Mapping[str, Any], w: Mapping[str, str]) -> str:
    return w["checkup_lead"].format(**content["counts"])


def _lead_benefits(content: Mapping[str, Any], w: Mapping[str, str]) -> str:
    return w["benefits_lead"].format(year=content["year"])


_LEADS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, str]], str]] = {
    "yearly_bill": _lead,
    "benefit_bill": _lead_benefits,
    "gift_pack": _lead_pack,
    "checkup": _lead_checkup,
}
