"""What records and labels of one household say of each benefit. Pure.

Four answers: enjoyed, entitled and not claimed (应享未享), claimed and not entitled (违规享受), near a cliff.
Who is entitled and to how much is decided by the rules that also make the bills: the computations of
`benefits.py` on what was reported, the expressions of `entitlements.py` where nothing was. A benefit by
another ministry's list has the label of the list and nothing else. Every answer is a doubt (疑点) until
somebody has verified it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from outreach.errors import InvalidInput
from outreach.statements.alternatives import has_another
from outreach.statements.benefits import Line, compute_line
from outreach.statements.cliffs import Near, is_beyond, near_cliffs
from outreach.statements.entitlements import ENTITLEMENTS, Entitlement
from outreach.statements.inputs import BY_KEY
from outreach.statements.money import ZERO
from outreach.statements.rules import CATALOGUE_VERSION, LISTED, Rule, RuleNotInForce, catalogue, current_rule

Direction = Literal["unclaimed", "wrong", "cliff"]
DIRECTIONS: Mapping[str, str] = {"unclaimed": "应享未享", "wrong": "违规享受", "cliff": "临界提醒"}
"""What staff read."""

FROM_ATTRIBUTES: Mapping[str, str] = {
    "sales": "monthly_sales",
    "income": "taxable_income",
    "staff": "employees",
    "employees": "employees",
    "assets": "assets",
    "research": "rnd_expense",
    "annual_income": "income_total",
    "top_up": "amount_due",
}
"""Input of a computation to the attribute that stands for it where no record names it."""
_FILLED = ("staff", "assets")
_BESIDE = {"sales": ("period", "月"), "top_up": ("withheld", "是")}
DUE_TYPES: Mapping[str, frozenset[str]] = {
    "SURCHARGE_10W_EXEMPT": frozenset({"教育费附加", "地方教育附加", "水利建设基金"}),
    "DPF_SMALL_EXEMPT": frozenset({"残疾人就业保障金"}),
    "SIX_TAX_HALF": frozenset(
        {
            "资源税", "城市维护建设税", "房产税", "城镇土地使用税", "印花税", "耕地占用税", "教育费附加",
            "地方教育附加",
        }
    ),
}  # fmt: skip
"""Benefits that reduce what is due, with the tax types whose declared amounts are that."""
SMALL_SCALE = "vat_small_scale"
OTHER_STATUS = "vat_other_status"
_CLIFFS_BY_LABEL = (
    ("VAT_SS_EXEMPT", SMALL_SCALE, ("enterprise", "individual_business")),
    ("CIT_SLP", "", ("enterprise",)),
    ("IIT_RECON_EXEMPT", "", ("natural_person",)),
)
_BOUND_TO_STATUS = frozenset(
    one.code for one in ENTITLEMENTS if one.expression.split(" and ")[0] == "vat_status = small_scale"
)
_NOT_LISTED = "没有主管部门名单的标签"
_OTHER_STATUS = "登记为一般纳税人等，不是小规模纳税人"
_OTHER_KIND = "该优惠不适用于这类户"


class Record(NamedTuple):
    """A reported benefit."""

    month: int
    code: str
    claimed: bool
    inputs: Mapping[str, str]


class Due(NamedTuple):
    """A tax declared in a month, in yuan."""

    month: int
    tax_type: str
    declared: Decimal


@dataclass(slots=True)
class Home:
    """All that is known of a household for a scan: `marks` are names of sets, `values` attributes by code."""

    taxpayer_id: int
    kind: str
    province: str
    records: list[Record] = field(default_factory=list)
    dues: list[Due] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)
    values: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """What is the same for all households of a scan. `month`: whose rules tell who is entitled by labels;
    `entitled`: name of a set, entitlement and rule in force then; `loaded`: codes whose list has members."""

    year: int
    month: int
    entitled: Sequence[tuple[str, Entitlement, Rule]]
    loaded: frozenset[str]


class Found(NamedTuple):
    """One finding; the evidence holds texts only, so that its canonical JSON is the same everywhere."""

    code: str
    direction: Direction
    evidence: dict[str, Any]


@dataclass(slots=True)
class Judged:
    """A household's findings in order, the codes that she enjoys, and how many records were refused."""

    found: list[Found] = field(default_factory=list)
    enjoyed: set[str] = field(default_factory=set)
    refused: int = 0


Entries = dict[tuple[str, Direction], list[dict[str, Any]]]


def judge(home: Home, task: Task) -> Judged:
    """Everything that is to be said of one household."""
    result, entries = Judged(), Entries()
    for record in home.records:
        try:
            _judge_record(home, task, record, result, entries)
        except InvalidInput:
            result.refused += 1
    sources = dict.fromkeys(entries, "records")
    for code, direction, entry in (*_by_labels(home, task), *_cliffs_by_labels(home, task)):
        sources.setdefault((code, direction), "labels")
        entries.setdefault((code, direction), []).append(entry)
    result.found = [
        Found(code, direction, _evidence(code, sources[code, direction], entries[code, direction]))
        for code, direction in sorted(entries)
    ]
    return result


def _judge_record(home: Home, task: Task, record: Record, result: Judged, entries: Entries) -> None:
    """Raises RuleNotInForce and InvalidInput: a record that cannot be computed makes no finding."""
    inputs = {**_bound(home, _FILLED), **record.inputs}
    line = compute_line(record.code, record.month, inputs, province=home.province)
    reason = _contradiction(home, task, record.code)
    if record.claimed:
        if not reason and line.amount == ZERO and is_beyond(record.code, inputs):
            reason = line.formula
        if reason:
            entry = {**_entry(line, inputs), "reason": reason}
            entries.setdefault((record.code, "wrong"), []).append(entry)
            return
        result.enjoyed.add(record.code)
    elif reason or (record.code in LISTED and not _is_listed(home, record.code)):
        return
    elif line.amount > ZERO:
        entries.setdefault((record.code, "unclaimed"), []).append(_entry(line, inputs))
    for near in near_cliffs(record.code, record.month, inputs, home.province):
        entries.setdefault((record.code, "cliff"), []).append(_cliff_entry(near))


def _contradiction(home: Home, task: Task, code: str) -> str:
    """Why she cannot be entitled, as far as labels say so; empty where they do not."""
    kinds = [one.kinds for one in ENTITLEMENTS if one.code == code]
    if kinds and not any(home.kind in some for some in kinds):
        return _OTHER_KIND
    if code in LISTED:
        return "" if _is_listed(home, code) or code not in task.loaded else _NOT_LISTED
    return _OTHER_STATUS if code in _BOUND_TO_STATUS and OTHER_STATUS in home.marks else ""


def _is_listed(home: Home, code: str) -> bool:
    return any(name.partition("#")[0] == code for name in home.marks)


def _by_labels(home: Home, task: Task) -> Iterator[tuple[str, Direction, dict[str, Any]]]:
    """Where labels say entitled and no record of the year names the benefit."""
    reported = {catalogue()[record.code].family for record in home.records if record.code in catalogue()}
    entitled = {
        rule.family for name, one, rule in task.entitled if name in home.marks and home.kind in one.kinds
    }
    for name, one, rule in task.entitled:
        if home.kind not in one.kinds or name not in home.marks or rule.family in reported:
            continue
        if has_another(rule.family, reported, entitled):
            continue
        for month, inputs in _readings(home, task, rule.code):
            entry = _open_entry(home, one, rule, month, inputs)
            if entry is not None:
                yield rule.code, "unclaimed", entry


def _readings(home: Home, task: Task, code: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Months and what is known for them; for benefits that reduce what is due, each month with a tax due."""
    known = _known(home)
    if code in LISTED:
        known["listed"] = "是"
    if code not in DUE_TYPES:
        yield task.month, known
        return
    months: dict[int, Decimal] = {}
    for due in home.dues:
        if due.tax_type in DUE_TYPES[code] and due.declared > ZERO:
            months[due.month] = months.get(due.month, ZERO) + due.declared
    for month, amount in sorted(months.items()):
        yield month, {**known, "due": f"{amount:f}"}


def _open_entry(
    home: Home, one: Entitlement, rule: Rule, month: int, inputs: Mapping[str, str]
) -> dict[str, Any] | None:
    try:
        line = compute_line(rule.code, month, inputs, province=home.province)
    except RuleNotInForce:
        return None
    except InvalidInput:
        # What comes without an application and cannot be computed is most likely nothing due, not a doubt.
        told = {"month": month, "amount": None, "condition": one.expression}
        return None if rule.delivery == "免申即享" else told
    return {**_entry(line, inputs), "condition": one.expression} if line.amount > ZERO else None


def _cliffs_by_labels(home: Home, task: Task) -> Iterator[tuple[str, Direction, dict[str, Any]]]:
    reported = {record.code for record in home.records}
    for family, mark, kinds in _CLIFFS_BY_LABEL:
        if home.kind not in kinds or (mark and mark not in home.marks):
            continue
        try:
            code = current_rule(family, task.month).code
        except RuleNotInForce:
            continue
        if code not in reported:
            for near in near_cliffs(code, task.month, _known(home), home.province):
                yield code, "cliff", _cliff_entry(near)


def _bound(home: Home, keys: Sequence[str]) -> dict[str, str]:
    known = {key: home.values.get(FROM_ATTRIBUTES[key]) for key in keys}
    return {key: f"{value:f}" for key, value in known.items() if value is not None}


def _known(home: Home) -> dict[str, str]:
    """What attributes say where no record speaks. Their sales are a month's; that tax was withheld by law is
    supposed, because a finding is verified before anybody hears of it."""
    known = _bound(home, tuple(FROM_ATTRIBUTES))
    return known | dict(beside for key, beside in _BESIDE.items() if key in known)


def _entry(line: Line, inputs: Mapping[str, str]) -> dict[str, Any]:
    said = {BY_KEY[key].header: inputs[key] for key in sorted(inputs) if key in BY_KEY}
    return {"month": line.month, "amount": f"{line.amount:f}", "formula": line.formula, "inputs": said}


def _cliff_entry(near: Near) -> dict[str, Any]:
    return {
        "month": near.inside.month,
        "amount": f"{near.inside.amount:f}",
        "what": BY_KEY[near.cliff.key].header,
        "value": f"{near.value:f}",
        "limit": f"{near.limit:f}",
        "included": near.cliff.included,
        "distance": f"{near.distance:f}",
        "inside": near.inside.formula,
        "beyond": near.beyond.formula,
    }


def _evidence(code: str, source: str, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rule = catalogue()[code]
    amounts = [Decimal(entry["amount"]) for entry in entries if entry["amount"] is not None]
    return {
        "code": code,
        "name": rule.name,
        "effect": rule.effect,
        "legal_doc": rule.legal_doc,
        "since": rule.since,
        "catalogue": CATALOGUE_VERSION,
        "confidence": rule.confidence,
        "source": source,
        "amount": f"{sum(amounts, ZERO):f}" if amounts else None,
        "entries": sorted(entries, key=lambda entry: entry["month"]),
    }
