"""What the law allows a household within a year. Checked when records are loaded, because amounts are
computed record by record, and each of them alone may be right. Pure.

A benefit whose limits, floors or brackets are those of a year has one record a year; what is counted by the
month has twelve of them; a threshold of a month or quarter is used once; alternatives exclude each other.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from outreach.errors import InvalidInput
from outreach.statements.alternatives import FAMILIES_OF_CHOICE, excluded_by
from outreach.statements.inputs import BY_KEY
from outreach.statements.rules import catalogue

_ONCE = frozenset(
    {
        "CIT_SLP",
        "CIT_HNTE_15",
        "CIT_WEST_15",
        "IIT_BIZ_HALF",
        "EMP_VETERAN_HIRE",
        "IIT_SAD_ILLNESS",
        "IIT_BONUS_SEPARATE",
        "IIT_PENSION",
        "IIT_RECON_EXEMPT",
    }
)
_BY_MONTHS = frozenset(
    {
        "EMP_VETERAN_SELF",
        "EMP_KEYGROUP_SELF",
        "IIT_SAD_CHILD",
        "IIT_SAD_INFANT",
        "IIT_SAD_CONTEDU",
        "IIT_SAD_LOAN",
        "IIT_SAD_RENT",
        "IIT_SAD_ELDER",
    }
)
_PER_CHILD = frozenset({"IIT_SAD_CHILD", "IIT_SAD_INFANT"})
_THRESHOLDS = frozenset({"VAT_SS_EXEMPT", "SURCHARGE_10W_EXEMPT"})
_YEAR = 12
_SPARE = "已导入而多余的行，可把「享受状态」填为「作废」再导入。"
_CHECKED = _ONCE | _BY_MONTHS | _THRESHOLDS | FAMILIES_OF_CHOICE
CHECKED_CODES = frozenset(rule.code for rule in catalogue().values() if rule.family in _CHECKED)
"""Codes whose records are looked at together, year by year."""

Key = tuple[int, str, int]
"""Month, code, item: what identifies a household's record."""


class Reported(NamedTuple):
    """One record of a household."""

    month: int
    code: str
    item: int
    inputs: Mapping[str, str]


def refusals(stored: Mapping[Key, Reported], rows: Mapping[Key, Reported | None]) -> dict[Key, InvalidInput]:
    """Which rows of a file cannot stand beside the others, and why; of one household and one year.

    `rows` in the order of the file, None where a record is withdrawn. A row that replaces a stored one is
    judged without it, so that a file can put right what an earlier one said; where such a row is refused, the
    stored one stays and the others are judged beside it. What was taken may make room for what was refused:
    it is looked at until nothing more fits, so that the same file again changes nothing.
    """
    while True:
        refused = _refused_once(stored, rows)
        kept = {key: row for key, row in stored.items() if rows.get(key, row) is not None}
        taken = {key: row for key, row in rows.items() if row is not None and key not in refused}
        settled = {**kept, **taken}
        if not refused or settled == stored:
            return refused
        stored = settled


def _refused_once(
    stored: Mapping[Key, Reported], rows: Mapping[Key, Reported | None]
) -> dict[Key, InvalidInput]:
    replaced = {key for key, row in rows.items() if row != stored.get(key)}
    held: dict[Key, InvalidInput] = {}
    while True:
        standing = {key: row for key, row in stored.items() if key not in replaced or key in held}
        refused = dict(held)
        for key, row in rows.items():
            if row is None or key in held:
                continue
            fault = _fault(row, [other for at, other in standing.items() if at != key])
            if fault is None:
                standing[key] = row
            else:
                refused[key] = fault
        staying = {key: refused[key] for key in replaced & refused.keys() & stored.keys()}
        if staying.keys() == held.keys():
            return refused
        held = staying


def _fault(row: Reported, others: Collection[Reported]) -> InvalidInput | None:
    family = _family(row.code)
    alternatives = excluded_by(family)
    for other in others:
        if _family(other.code) in alternatives:
            return _both(row, other)
    same = [other for other in others if _family(other.code) == family and _kind(other) == _kind(row)]
    if family in _BY_MONTHS and _kind(row) != "证书":
        return _months(row, same)
    if family in _THRESHOLDS:
        return next((_twice(row, other) for other in same if _overlap(row, other)), None)
    return _again(row, same[0]) if same and (family in _ONCE or _kind(row) == "证书") else None


def _family(code: str) -> str:
    return catalogue()[code].family


def _kind(row: Reported) -> str:
    """A certificate is deducted once, education month by month: both may stand in one year."""
    return row.inputs.get("education", "")


def _both(row: Reported, other: Reported) -> InvalidInput:
    mine, theirs = catalogue()[row.code].name, catalogue()[other.code].name
    return InvalidInput(
        f"「{mine}」与「{theirs}」同一年度只能享受一项，{_place(other)}已有后者。请只保留一项；"
        f"要改报本项，请先把那一行的「享受状态」填为「作废」导入。",
        field="优惠代码",
    )


def _again(row: Reported, other: Reported) -> InvalidInput:
    return InvalidInput(
        f"「{catalogue()[row.code].name}」按年计算，每户每年只填一行，{_place(other)}已有一行。"
        f"请合并为一行、填写全年数，所属期、优惠代码和序号与那一行相同。",
        field="所属期",
    )


def _months(row: Reported, same: Iterable[Reported]) -> InvalidInput | None:
    counted: dict[int, list[Decimal]] = {}
    for one in (*same, row):
        counted.setdefault(one.month, []).append(Decimal(one.inputs.get("months", _YEAR)))
    # Rows of one period are different children, each with months of its own.
    apart = _family(row.code) in _PER_CHILD
    total = sum(max(months) if apart else sum(months) for months in counted.values())
    if total <= _YEAR:
        return None
    children = "；不同子女填在同一所属期、用不同的「序号」" if apart else ""
    return InvalidInput(
        f"「{catalogue()[row.code].name}」{row.month // 100}年各行的「月数」相加为 {total} 个月，"
        f"超过 12 个月。请每年填一行、写全年月数，或每月一行、月数填 1{children}。{_SPARE}",
        field=BY_KEY["months"].header,
    )


def _overlap(row: Reported, other: Reported) -> bool:
    if row.inputs.get("period") == "次" or other.inputs.get("period") == "次":
        return False
    if row.code == "SURCHARGE_10W_EXEMPT" and _measured(row) == _measured(other):
        # Several fees of one period, each with what is due of it, measured once by the same sales.
        return False
    return not _covered(row).isdisjoint(_covered(other))


def _measured(row: Reported) -> tuple[int, str | None, Decimal]:
    return row.month, row.inputs.get("period"), Decimal(row.inputs.get("sales", 0))


def _covered(row: Reported) -> set[int]:
    """The months whose sales the record measures."""
    if row.inputs.get("period") != "季":
        return {row.month}
    first = row.month - (row.month % 100 - 1) % 3
    return {first, first + 1, first + 2}


def _twice(row: Reported, other: Reported) -> InvalidInput:
    return InvalidInput(
        f"「{catalogue()[row.code].name}」的限额每月（季）只用一次，{_place(other)}已有一行"
        f"（按{other.inputs.get('period', '月')}）。请把同一期间的销售额合并为一行，或更正「计税期」。"
        f"{_SPARE}",
        field=BY_KEY["period"].header,
    )


def _place(row: Reported) -> str:
    item = f"、序号 {row.item}" if row.item != 1 else ""
    return f"{row.month // 100}年{row.month % 100}月{item}"
