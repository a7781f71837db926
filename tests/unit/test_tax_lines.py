"""The short way for tax records gives what the careful reading gives, and takes nothing else."""

from decimal import Decimal

import pytest

from outreach.errors import InvalidInput
from outreach.statements.record_files import KINDS
from outreach.statements.tax_lines import UsualRows, copy_line

HEADERS = ["纳税人识别号", "所属期", "税种", "申报税额", "已缴税额", "已退税额", "滞纳金"]


def reader() -> UsualRows:
    usual = UsualRows(HEADERS)
    usual.remember(["", "2025-03", " 增值税", "1", "1", "", ""], 202503, "增值税")
    return usual


AMOUNTS = ["0", "1.5", "007.50", "99999999999999.99", "100000000000000", "1.234", "-1", "+1", "1e3", "",
           " 1 ", "1,000", "１２",
           "٣", "1.", ".5", "NaN", "1\t2", "1\n", "12%", "\\N", "0x1", "1_0"]  # fmt: skip


@pytest.mark.parametrize("column", [3, 4, 5, 6])
@pytest.mark.parametrize("amount", AMOUNTS)
def test_it_takes_only_what_the_careful_reading_takes(column: int, amount: str) -> None:
    row = ["", "2025-03", " 增值税", "1", "2", "3", "4"]
    row[column] = amount
    taken = reader().read(row)
    if taken is None:
        return
    careful = KINDS["tax_records"].parse(dict(zip(HEADERS, row, strict=True)), "150000")
    month, tax_type, *amounts = taken[2].removesuffix("\n").split("\t")
    assert taken[:2] == careful[:2] == (int(month), tax_type)
    assert [Decimal(text) for text in amounts] == list(careful[2:])


def test_plain_rows_take_the_short_way() -> None:
    row = ["", "2025-03", " 增值税", "1.5", "2", "", "0.00"]
    assert reader().read(row) == (202503, "增值税", "202503\t增值税\t1.5\t2\t0.00\t0.00\n")


def test_what_was_never_accepted_is_left_to_the_careful_reading() -> None:
    row = ["", "2025-13", " 增值税", "1", "1", "", ""]
    assert reader().read(row) is None
    assert reader().read(["", "2025-03", "增值税", "1", "1", "", ""]) is None
    with pytest.raises(InvalidInput):
        KINDS["tax_records"].parse(dict(zip(HEADERS, row, strict=True)), "150000")


@pytest.mark.parametrize("width", range(7))
def test_short_rows_and_missing_columns(width: int) -> None:
    row = ["", "2025-03", " 增值税", "1", "1", "1", "1"]
    assert reader().read(row[:width]) is None
    few = UsualRows(HEADERS[:width])
    few.remember(row, 202503, "增值税")
    assert few.read(row) is None


def test_what_copy_would_misread_is_escaped() -> None:
    assert copy_line((1, 202503, "a\tb\\N\n", Decimal("1.50"))) == "1\t202503\ta\\tb\\\\N\\n\t1.50\n"
