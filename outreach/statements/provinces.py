"""Parameters that provinces set within limits that the law draws: data with dates, `province_values.csv`.

Columns: code of the rule; province (first two digits of GB/T 2260, blank for the law's own limit); value; ISO
dates; `limit` of the law's own row (floor: a province may set more, ceiling: it may set less); the document,
blank where the catalogue's sources name none. A province without a row of its own gets the law's limit, and
the line says so.
"""

import csv
from collections.abc import Sequence
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from outreach.statements.rules import month_of

PROVINCE_VALUES = Path(__file__).with_name("province_values.csv")
_NOTES = {
    "floor": "；按国家最低标准计算，本省标准以主管税务机关为准",
    "ceiling": "；按国家标准上限计算，本省标准以主管税务机关为准",
    "": "",
}


class ProvinceValue(NamedTuple):
    """One dated value. `note` ends the formula of a line: empty where the province's own value is known."""

    code: str
    province: str
    value: Decimal
    first_month: int
    last_month: int
    note: str
    legal_doc: str


@cache
def province_values() -> Sequence[ProvinceValue]:
    """All of them."""
    with PROVINCE_VALUES.open(encoding="utf-8", newline="") as file:
        return [
            ProvinceValue(
                row["code"],
                row["province"],
                Decimal(row["value"]),
                month_of(row["valid_from"]),
                month_of(row["valid_to"]),
                _NOTES[row["limit"]],
                row["legal_doc"],
            )
            for row in csv.DictReader(file)
        ]


@lru_cache(maxsize=1_024)
def province_value(code: str, province: str, month: int) -> ProvinceValue:
    """What holds in a province (GB/T 2260 code, '' when unknown) in a month (yyyymm): its own value, else the
    law's limit. Every rule that asks has the latter for all its months (a test holds it)."""
    fitting = [
        one
        for one in province_values()
        if one.code == code
        and one.province in (province[:2], "")
        and one.first_month <= month <= one.last_month
    ]
    return max(fitting, key=lambda one: one.province)
