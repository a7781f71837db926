"""A block of a labels or attributes file, checked: pure computation, run in helper processes.

Wide files have a column per label or attribute, long files one row per fact (number, label, value). Either
way a check gives facts: for each label the texts' option codes, for each attribute numbers, by row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from outreach.config import Settings
from outreach.governance.vault import open_vault
from outreach.imports.blocks import Layout, Problem, Table
from outreach.imports.cells import lost_digits, normalise_all
from outreach.imports.mapping import Field
from outreach.imports.values import (
    DATE_FORMAT,
    FLAG_FORMAT,
    INTEGER_FORMAT,
    PERCENT_FORMAT,
    money_reason,
    parse_all,
    parse_date,
    parse_flag,
    parse_integer,
    parse_money,
    parse_percent,
    parse_ten_thousands,
)
from outreach.labels.keys import INDUSTRY, industry_prefixes
from outreach.labels.units import LARGEST

NUMBER = Field(
    "tax_no",
    "纳税人识别号",
    ("统一社会信用代码", "社会信用代码", "税号", "身份证号", "身份证号码", "证件号码"),
    required=True,
)
LONG_NAME = Field("fact_name", "标签代码", ("标签", "标签名称", "指标", "指标代码", "指标名称", "属性"))
LONG_VALUE = Field("fact_value", "标签值", ("值", "取值", "指标值", "属性值", "数值"))

NO, YES = "no", "yes"
LOST = "数字已被表格软件改成科学计数，末位丢失，请把该列设为文本后重新填写"
EMPTY_NUMBER = "为空"
UNKNOWN_NAME = "目录中没有这个标签或指标"
TOO_LARGE = "数字太大"


@dataclass(frozen=True, slots=True)
class LabelColumn:
    """A label that a file may hold; `options` maps what a cell may say to the value's code."""

    code: str
    name: str
    options: Mapping[str, str]

    def read(self, text: str) -> str | None:
        """`yes` or `no` for a flag, the code of a value; None if the text says neither."""
        if not self.options:
            said = parse_flag(text)
            return None if said is None else YES if said else NO
        if self.code == INDUSTRY and industry_prefixes(text.upper()) is not None:
            return text.upper()
        return self.options.get(text)

    def reason(self, _: str) -> str:
        """Why a text was not read."""
        if not self.options:
            return FLAG_FORMAT
        names = list(dict.fromkeys(name for name, code in self.options.items() if name != code))
        return f"应为：{'、'.join(names[:8])}{'等' if len(names) > 8 else ''}"


@dataclass(frozen=True, slots=True)
class AttributeColumn:
    """An attribute that a file may hold; `ten_thousands`: its column was mapped as one in 万元."""

    code: str
    name: str
    type: str
    ten_thousands: bool = False

    def read(self, text: str) -> int | None:
        """The stored number."""
        if self.type == "date":
            found = parse_date(text)
            return found.toordinal() if found else None
        return _PARSERS["ten_thousands" if self.ten_thousands else self.type](text)

    def reason(self, text: str) -> str:
        """Why a text was not read."""
        if lost_digits(text):
            return LOST
        reasons = {"date": DATE_FORMAT, "integer": INTEGER_FORMAT, "percent": PERCENT_FORMAT}
        return reasons.get(self.type) or money_reason(text)


_PARSERS: dict[str, Callable[[str], int | None]] = {
    "money": parse_money,
    "integer": parse_integer,
    "percent": parse_percent,
    "ten_thousands": parse_ten_thousands,
}


@dataclass(slots=True)
class LabelFacts:
    """Which rows say what of one label: `said[at]` is an index of `words` (codes, yes, no)."""

    code: str
    rows: NDArray[np.int64]
    said: NDArray[np.int64]
    words: list[str]


@dataclass(slots=True)
class AttributeFacts:
    """Which rows give which stored value of one attribute."""

    code: str
    rows: NDArray[np.int64]
    values: NDArray[np.int64]


@dataclass(slots=True)
class FactRows:
    """A block's numbers and facts. `rows` count in the block, those inside facts count in these lists."""

    rows: list[int] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    bidx: list[bytes] = field(default_factory=list)
    labels: list[LabelFacts] = field(default_factory=list)
    attributes: list[AttributeFacts] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """Checks blocks of one file; `labels` and `attributes` by code, `by_name` for the long form."""

    settings: Settings
    labels: Mapping[str, LabelColumn]
    attributes: Mapping[str, AttributeColumn]
    by_name: Mapping[str, str]

    def __call__(self, table: Table, layout: Layout) -> FactRows:
        """The facts; `problems` holds what is wrong."""
        out = FactRows(rows=table.rows, numbers=normalise_all(table.column("tax_no")))
        out.bidx = open_vault(self.settings).blind_indexes("tax_no", out.numbers)
        for at, number in enumerate(out.numbers):
            if not number or lost_digits(number):
                reason = LOST if number else EMPTY_NUMBER
                out.problems.append(Problem(table.rows[at], layout.header_of("tax_no"), number, reason, True))
        if LONG_NAME.name in layout.columns:
            out.is_long = True
            self._long(table, layout, out)
        else:
            for code in layout.columns:
                everyone = np.arange(len(table))
                self._read(code, everyone, table.column(code), layout.header_of(code), out)
        return out

    def _long(self, table: Table, layout: Layout, out: FactRows) -> None:
        names, values = table.column(LONG_NAME.name), table.column(LONG_VALUE.name)
        places: dict[str, list[int]] = {}
        for at, name in enumerate(names):
            places.setdefault(name, []).append(at)
        for name, rows in places.items():
            code = self.by_name.get(name)
            if code is None:
                header = layout.header_of(LONG_NAME.name)
                out.problems += [Problem(table.rows[at], header, name, UNKNOWN_NAME, True) for at in rows]
                continue
            texts = [values[at] for at in rows]
            self._read(code, np.array(rows), texts, layout.header_of(LONG_VALUE.name), out)

    def _read(self, code: str, rows: NDArray[np.int64], texts: list[str], header: str, out: FactRows) -> None:
        if code in self.labels:
            _read_label(self.labels[code], rows, texts, header, out)
        elif code in self.attributes:
            _read_attribute(self.attributes[code], rows, texts, header, out)


def _read_label(
    label: LabelColumn, rows: NDArray[np.int64], texts: list[str], header: str, out: FactRows
) -> None:
    meaning = {text: label.read(text) for text in set(texts) if text}
    words = sorted({word for word in meaning.values() if word is not None})
    place = {text: words.index(word) if word is not None else -2 for text, word in meaning.items()}
    place[""] = -1
    said = np.fromiter((place[text] for text in texts), np.int64, len(texts))
    for at in np.flatnonzero(said == -2):
        text = texts[int(at)]
        out.problems.append(Problem(out.rows[int(rows[at])], header, text, label.reason(text), False))
    filled = said >= 0
    out.labels.append(LabelFacts(label.code, rows[filled], said[filled], words))


def _read_attribute(
    attribute: AttributeColumn, rows: NDArray[np.int64], texts: list[str], header: str, out: FactRows
) -> None:
    values = parse_all(attribute.read, texts)
    kept: list[int] = []
    for at, value in enumerate(values):
        if value is not None and abs(value) <= LARGEST:
            kept.append(at)
        elif texts[at]:
            reason = attribute.reason(texts[at]) if value is None else TOO_LARGE
            out.problems.append(Problem(out.rows[int(rows[at])], header, texts[at], reason, False))
    numbers = np.fromiter((values[at] for at in kept), np.int64, len(kept))
    out.attributes.append(AttributeFacts(attribute.code, rows[kept], numbers))
