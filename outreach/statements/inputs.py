"""The inputs of benefit computations: one name each, with the column header under which they arrive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from outreach.errors import InvalidInput
from outreach.statements.money import parse_decimal

Kind = Literal["money", "ratio", "count", "choice", "yes_no"]


@dataclass(frozen=True, slots=True)
class Input:
    """One input; `default` is what the rules say when nothing is reported. It is None where something must be
    reported: whatever decides an amount or whether there is one."""

    key: str
    header: str
    kind: Kind
    options: tuple[str, ...] = ()
    default: str | None = None


_ALL = (
    Input("sales", "销售额", "money"),
    Input("gross_sales", "含税销售额", "money"),
    Input("period", "计税期", "choice", ("月", "季", "次")),
    Input("service", "服务类别", "choice", ("生产性", "生活性")),
    Input("refund_industry", "行业类别", "choice", ("制造业等四行业", "房地产", "其他")),
    Input("input_vat", "可抵扣进项税额", "money"),
    Input("payable_before", "抵减前应纳税额", "money"),
    Input("added_credit", "增量留抵税额", "money"),
    Input("existing_credit", "存量留抵税额", "money", default="0"),
    Input("input_ratio", "进项构成比例", "ratio"),
    Input("interest", "利息收入", "money"),
    Input("rate", "适用税率", "ratio"),
    Input("income", "应纳税所得额", "money"),
    Input("staff", "从业人数", "count"),
    Input("assets", "资产总额", "money"),
    Input("research", "研发费用", "money"),
    Input("treatment", "处理方式", "choice", ("费用化", "资本化"), "费用化"),
    Input("unit_price", "设备单价", "money"),
    Input("wages", "残疾职工工资", "money"),
    Input("due", "应缴税额", "money"),
    Input("other_relief", "其他减免税额", "money", default="0"),
    Input("employees", "在职职工人数", "count"),
    Input("disabled_ratio", "安排残疾人比例", "ratio"),
    Input("price", "不含税价", "money"),
    Input("size", "企业规模", "choice", ("小微", "中型")),
    Input("extended", "是否再延期", "yes_no", ("是", "否"), "否"),
    Input("listed", "核对名单", "yes_no", ("是", "否")),
    Input("hired", "招用人数", "count"),
    Input("months", "月数", "count"),
    Input("children", "子女数", "count"),
    Input("share", "分摊比例", "ratio"),
    Input("education", "继续教育类型", "choice", ("学历", "证书")),
    Input("medical", "自付医药费", "money"),
    Input("rent", "住房租金标准", "choice", ("1500", "1100", "800")),
    Input("only_child", "是否独生子女", "yes_no", ("是", "否")),
    Input("bonus", "奖金", "money"),
    Input("other_taxable", "其他应纳税所得额", "money"),
    Input("pension", "个人养老金缴费", "money"),
    Input("marginal_rate", "边际税率", "ratio"),
    Input("annual_income", "年综合所得", "money"),
    Input("top_up", "应补税额", "money"),
    Input("withheld", "是否依法预扣", "yes_no", ("是", "否")),
    Input("old_price", "原住房售价", "money"),
    Input("tax_paid", "已缴个税", "money"),
    Input("new_price", "新住房价款", "money"),
)
BY_KEY: Mapping[str, Input] = {item.key: item for item in _ALL}
BY_HEADER: Mapping[str, Input] = {item.header: item for item in _ALL}
_MOST = Decimal(10) ** 14


def parse_input(item: Input, text: str) -> str:
    """The canonical text of one cell, as it is stored. Raises InvalidInput naming the column."""
    text = text.strip()
    if item.options:
        if text not in item.options:
            raise InvalidInput(f"「{item.header}」只能填写：{'、'.join(item.options)}。", field=item.header)
        return text
    try:
        number = parse_decimal(text)
    except ValueError as error:
        raise InvalidInput(
            f"「{item.header}」不是数字，请填写如 1234.50 的数值。", field=item.header
        ) from error
    _check_number(item, number)
    return f"{number:f}"


def _check_number(item: Input, number: Decimal) -> None:
    limits = {"money": (_MOST, 2), "ratio": (Decimal(1), 6), "count": (Decimal(10) ** 7, 0)}
    most, places = limits[item.kind]
    exponent = number.normalize().as_tuple().exponent
    if not 0 <= number <= most or not isinstance(exponent, int) or -exponent > places:
        wanted = {
            "money": "不为负、至多两位小数的金额",
            "ratio": "0 到 1（或 0% 到 100%）之间的比例",
            "count": "不为负的整数",
        }
        raise InvalidInput(f"「{item.header}」须为{wanted[item.kind]}。", field=item.header)


class Inputs:
    """The inputs of one record, typed on access."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def has(self, key: str) -> bool:
        """Whether the input was reported."""
        return key in self._values

    def text(self, key: str) -> str:
        """A choice. Raises InvalidInput, naming the column, when it must be reported and was not."""
        value = self._values.get(key)
        if value is None:
            value = BY_KEY[key].default
        if value is None:
            raise InvalidInput(
                f"缺少「{BY_KEY[key].header}」，请补齐该列后重新导入。", field=BY_KEY[key].header
            )
        return value

    def number(self, key: str) -> Decimal:
        """An amount, a ratio or a count. Raises InvalidInput as `text` does."""
        value = self._values.get(key)
        return Decimal(self.text(key) if value is None else value)

    def yes(self, key: str) -> bool:
        """A yes-or-no input. Raises InvalidInput as `text` does."""
        return self.text(key) == "是"


def parse_inputs(cells: Mapping[str, str]) -> dict[str, str]:
    """Header to cell text, blank cells left out; returns key to canonical text. Raises InvalidInput."""
    return {
        BY_HEADER[header].key: parse_input(BY_HEADER[header], text)
        for header, text in cells.items()
        if header in BY_HEADER and text.strip()
    }


def input_headers(keys: Sequence[str]) -> str:
    """The headers of some inputs, for messages and documentation."""
    return "、".join(BY_KEY[key].header for key in keys)
