"""The kinds of documents: what each is called, how it is built, which labels and attributes it needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from outreach.errors import InvalidInput
from outreach.statements import checkup
from outreach.statements.benefit_bill import build_benefit_bill
from outreach.statements.content import build_bills
from outreach.statements.entitlements import entitled_in
from outreach.statements.gift_pack import build_gift_pack, pack_month
from outreach.statements.household import Household

Document = dict[str, Any] | None
Build = Callable[[Sequence[Household], int, date, Mapping[int, date] | None], list[Document]]
"""Documents of households in order, None where there is nothing to tell."""


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """`title` follows the year; `labels(year, today)` gives the marks of the kind (name to expression),
    `attributes` are codes of amounts; a kind that `asks_scan` gets the mark SCANNED of households that a scan
    of the year has looked at."""

    name: str
    title: str
    build: Build
    labels: Callable[[int, date], Mapping[str, str]]
    attributes: Sequence[str] = ()
    asks_scan: bool = False


def _no_labels(year: int, today: date) -> Mapping[str, str]:
    return {}


def _entitlement_labels(year: int, today: date) -> Mapping[str, str]:
    return {name: one.expression for name, one, _ in entitled_in(pack_month(year, today))}


def _checkup_labels(year: int, today: date) -> Mapping[str, str]:
    return checkup.LABELS


def _build_bills(
    homes: Sequence[Household], year: int, today: date, entered: Mapping[int, date] | None
) -> list[Document]:
    bills = iter(build_bills([home for home in homes if not home.is_empty], year, today, entered))
    return [None if home.is_empty else next(bills) for home in homes]


def _one_by_one(build: Callable[[Household, int, date, Mapping[int, date] | None], Document]) -> Build:
    def build_all(
        homes: Sequence[Household], year: int, today: date, entered: Mapping[int, date] | None
    ) -> list[Document]:
        return [build(home, year, today, entered) for home in homes]

    return build_all


DOCUMENT_KINDS: Mapping[str, DocumentKind] = {
    kind.name: kind
    for kind in (
        DocumentKind("yearly_bill", "年度纳税缴费账单", _build_bills, _no_labels),
        DocumentKind("benefit_bill", "年度税费优惠红利账单", _one_by_one(build_benefit_bill), _no_labels),
        DocumentKind("gift_pack", "年税费优惠政策大礼包", _one_by_one(build_gift_pack), _entitlement_labels),
        DocumentKind(
            "checkup",
            "年度涉税体检报告",
            _one_by_one(checkup.build_checkup),
            _checkup_labels,
            checkup.ATTRIBUTES,
            asks_scan=True,
        ),
    )
}


def document_kind(name: str) -> DocumentKind:
    """Raises InvalidInput for an unknown kind."""
    kind = DOCUMENT_KINDS.get(name)
    if kind is None:
        names = "、".join(f"{one.name}（{one.title}）" for one in DOCUMENT_KINDS.values())
        raise InvalidInput(f"没有「{name}」这种文书，可选：{names}。", field="kind")
    return kind
