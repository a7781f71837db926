"""The files that the tax systems hand over: columns, encodings, and one parser per kind of row."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from outreach.errors import InvalidInput
from outreach.statements.benefits import compute_line
from outreach.statements.inputs import parse_inputs
from outreach.statements.money import parse_decimal
from outreach.statements.rules import catalogue

TAX_NO = "纳税人识别号"
_MONTH = re.compile(r"(20\d\d)[-年/]?(0[1-9]|1[0-2])月?")
_MOST = Decimal(10) ** 14
_OPEN, _WITHDRAWN = "应享未享", "作废"
_CLAIMED = {"": True, "已享受": True, _OPEN: False, _WITHDRAWN: None}
_YES_NO = {"": None, "是": True, "否": False}
_BLANK_MONEY = Decimal("0.00")
Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FileKind:
    """Columns that a file must have, the columns of its table (the first `key` identify a row, `repeated`
    is what is said of a second row with the same ones), and how one row is read.

    `parse(cells, province)` gives the values after the taxpayer's id. Raises InvalidInput.
    """

    name: str
    required: tuple[str, ...]
    table: tuple[tuple[str, str], ...]
    key: int
    repeated: str
    parse: Callable[[Cells, str], tuple[Any, ...]]


def _money(cells: Cells, header: str, blank: Decimal | None = None) -> Decimal | None:
    text = cells.get(header, "").strip()
    if not text:
        if blank is None and header in ("申报税额", "已缴税额"):
            raise InvalidInput(f"「{header}」为空，没有发生额请填 0。", field=header)
        return blank
    try:
        amount = parse_decimal(text)
    except ValueError as error:
        raise InvalidInput(f"「{header}」不是金额，请填写如 1234.50 的数值。", field=header) from error
    if not 0 <= amount < _MOST or amount != amount.quantize(_BLANK_MONEY):
        raise InvalidInput(f"「{header}」须为不为负、至多两位小数的金额。", field=header)
    return amount


def _month(cells: Cells) -> int:
    match = _MONTH.fullmatch(cells.get("所属期", "").strip())
    if match is None:
        raise InvalidInput("「所属期」须为年月，例如 202503 或 2025-03。", field="所属期")
    return int(match[1] + match[2])


def _tax_row(cells: Cells, province: str) -> tuple[Any, ...]:
    tax_type = cells.get("税种", "").strip()
    if not tax_type or len(tax_type) > 40:
        raise InvalidInput("「税种」为空或超过 40 个字。", field="税种")
    return (
        _month(cells),
        tax_type,
        _money(cells, "申报税额"),
        _money(cells, "已缴税额"),
        _money(cells, "已退税额", _BLANK_MONEY),
        _money(cells, "滞纳金", _BLANK_MONEY),
    )


def _benefit_row(cells: Cells, province: str) -> tuple[Any, ...]:
    month, code = _month(cells), cells.get("优惠代码", "").strip()
    state = cells.get("享受状态", "").strip()
    if state not in _CLAIMED:
        raise InvalidInput("「享受状态」只能填写：已享受、应享未享、作废。", field="享受状态")
    item = cells.get("序号", "").strip() or "1"
    if not (item.isascii() and item.isdigit() and 1 <= int(item) <= 9999):
        raise InvalidInput("「序号」须为 1 到 9999 的整数。", field="序号")
    if state == _WITHDRAWN:
        return month, _known(code), int(item), None, Jsonb({}), _BLANK_MONEY
    inputs = parse_inputs(cells)
    line = compute_line(code, month, inputs, province=province)
    if state == _OPEN and not line.amount:
        raise InvalidInput(
            f"按所填数据不是应享未享：{line.formula}。请核对数据；该户已不能享受的，请把「享受状态」填为「作废」。",
            field="享受状态",
        )
    return month, code, int(item), _CLAIMED[state], Jsonb(inputs), line.amount


def _known(code: str) -> str:
    if code not in catalogue():
        raise InvalidInput(f"优惠代码「{code}」不在规则目录中，请核对代码。", field="优惠代码")
    return code


def _annual_row(cells: Cells, province: str) -> tuple[Any, ...]:
    year, grade = cells.get("年度", "").strip(), cells.get("纳税信用级别", "").strip().upper()
    if not re.fullmatch(r"20\d\d", year):
        raise InvalidInput("「年度」须为四位年份，例如 2025。", field="年度")
    if grade not in ("", "A", "B", "M", "C", "D"):
        raise InvalidInput("「纳税信用级别」只能填写：A、B、M、C、D 或留空。", field="纳税信用级别")
    money = tuple(_money(cells, header) for header in ("综合所得收入额", "已预缴税额", "应纳税额"))
    withheld = cells.get("是否依法预扣", "").strip()
    if withheld not in _YES_NO:
        raise InvalidInput("「是否依法预扣」只能填写：是、否或留空。", field="是否依法预扣")
    return int(year), grade or None, *money, _YES_NO[withheld]


KINDS: Mapping[str, FileKind] = {
    kind.name: kind
    for kind in (
        FileKind(
            "tax_records",
            (TAX_NO, "所属期", "税种", "申报税额", "已缴税额"),
            (
                ("taxpayer_id", "int4"),
                ("month", "int4"),
                ("tax_type", "text"),
                ("declared", "numeric"),
                ("paid", "numeric"),
                ("refunded", "numeric"),
                ("late_fee", "numeric"),
            ),
            3,
            "同一户、所属期、税种在文件中出现了两次，请合并为一行",
            _tax_row,
        ),
        FileKind(
            "benefit_records",
            (TAX_NO, "所属期", "优惠代码"),
            (
                ("taxpayer_id", "int4"),
                ("month", "int4"),
                ("benefit_code", "text"),
                ("item", "int2"),
                ("claimed", "bool"),
                ("inputs", "jsonb"),
                ("amount", "numeric"),
            ),
            4,
            "同一户、所属期、优惠代码在文件中出现了两次，请填写不同的「序号」",
            _benefit_row,
        ),
        FileKind(
            "annual_records",
            (TAX_NO, "年度"),
            (
                ("taxpayer_id", "int4"),
                ("year", "int2"),
                ("credit_grade", "text"),
                ("income", "numeric"),
                ("prepaid", "numeric"),
                ("tax_due", "numeric"),
                ("withheld", "bool"),
            ),
            2,
            "同一户、年度在文件中出现了两次，请合并为一行",
            _annual_row,
        ),
    )
}


def detect_kind(headers: list[str]) -> FileKind:
    """Which of the files it is, by its headers. Raises InvalidInput naming what is missing."""
    present = set(headers)
    if "优惠代码" in present:
        kind = KINDS["benefit_records"]
    elif "年度" in present:
        kind = KINDS["annual_records"]
    else:
        kind = KINDS["tax_records"]
    missing = [header for header in kind.required if header not in present]
    if missing:
        raise InvalidInput(f"文件缺少列：{'、'.join(missing)}。请检查首行表头。", field=missing[0])
    return kind


def read_csv(path: Path) -> Iterator[list[str]]:
    """Lines of a CSV file in UTF-8 (with or without BOM) or GBK. Raises InvalidInput when it is neither."""
    with path.open(encoding=_encoding(path), newline="") as file:
        try:
            yield from csv.reader(file)
        except (csv.Error, UnicodeDecodeError) as error:
            raise InvalidInput("文件内容无法读取，请另存为 CSV（UTF-8 或 GBK）后重试。") from error


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        sample = file.read(1 << 16)
    # A character may be cut at the sample's end.
    for cut in range(4):
        try:
            sample[: len(sample) - cut].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        return "utf-8-sig"
    return "gb18030"
