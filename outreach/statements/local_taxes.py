"""Property and behaviour taxes, fees, vehicle purchase tax, and fixed amounts for hiring and start-ups."""

from collections.abc import Mapping
from decimal import Decimal

from outreach.errors import InvalidInput
from outreach.statements.computed import Computation, Computed, Context, computed, nothing
from outreach.statements.inputs import BY_KEY, Inputs
from outreach.statements.money import percent, plain, yuan
from outreach.statements.provinces import province_value

_HALF = Decimal("0.5")


def _half_of_due(inputs: Inputs, context: Context) -> Computed:
    return _share_of_due(inputs, _HALF)


def _six_taxes_2022(inputs: Inputs, context: Context) -> Computed:
    set_by = province_value(context.code, context.province, context.month)
    return _share_of_due(inputs, set_by.value, set_by.note)


def _share_of_due(inputs: Inputs, share: Decimal, note: str = "") -> Computed:
    """Other relief is taken off first, then the share is reduced (announcement 12 of 2023)."""
    due, other = inputs.number("due"), inputs.number("other_relief")
    base = max(due - other, Decimal(0))
    saved = base * share
    shown = f"（{yuan(due)} − 其他减免 {yuan(other)}）" if other else yuan(due)
    return computed(
        saved, f"应缴 {shown} × {percent(share)} = 减征 {yuan(saved)} 元{note}", payable=base - saved
    )


def _surcharge(inputs: Inputs, context: Context) -> Computed:
    """The threshold is included (财税〔2016〕12号), other than that of VAT from 2026."""
    months = {"月": 1, "季": 3}.get(inputs.text("period"))
    if months is None:
        raise InvalidInput(
            "该优惠按月或按季计算，「计税期」请填写「月」或「季」。", field=BY_KEY["period"].header
        )
    sales, due, limit = inputs.number("sales"), inputs.number("due"), Decimal(100_000 * months)
    if sales > limit:
        return nothing(f"销售额 {yuan(sales)} 元超过 {yuan(limit)} 元，应缴 {yuan(due)} 元", payable=due)
    return computed(
        due,
        f"销售额 {yuan(sales)} 元未超过 {yuan(limit)} 元（含本数），应缴 {yuan(due)} 元全部免征",
        payable=Decimal(0),
    )


def _few_employees(inputs: Inputs, context: Context) -> Computed:
    people, due = inputs.number("employees"), inputs.number("due")
    if people > 30:
        return nothing(f"在职职工 {plain(people)} 人超过 30 人，应缴 {yuan(due)} 元", payable=due)
    return computed(
        due, f"在职职工 {plain(people)} 人不超过 30 人，应缴 {yuan(due)} 元全部免征", payable=Decimal(0)
    )


def _tiered_fund(inputs: Inputs, context: Context) -> Computed:
    due, ratio = inputs.number("due"), inputs.number("disabled_ratio")
    share = _HALF if ratio >= Decimal("0.01") else Decimal("0.9")
    payable = due * share
    saved = due - payable
    return computed(
        saved,
        f"安排残疾人比例 {percent(ratio)}，按应缴 {yuan(due)} × {percent(share)} = {yuan(payable)} 元缴纳，"
        f"减缴 {yuan(saved)} 元",
        payable=payable,
    )


def _new_energy_car(share: str, most: int) -> Computation:
    def compute(inputs: Inputs, context: Context) -> Computed:
        price = inputs.number("price")
        tax = price * Decimal("0.10")
        saved = min(tax * Decimal(share), Decimal(most))
        return computed(
            saved,
            f"不含税价 {yuan(price)} × 10% = {yuan(tax)} 元，"
            f"减免 {yuan(saved)} 元（每辆不超过 {yuan(Decimal(most))} 元），"
            f"缴纳 {yuan(tax - saved)} 元",
            payable=tax - saved,
            tax=tax,
        )

    return compute


def _own_business(inputs: Inputs, context: Context) -> Computed:
    """A fixed amount a year, by months, taken off the taxes in their order until used up."""
    set_by = province_value(context.code, context.province, context.month)
    each, months, due = set_by.value, inputs.number("months"), inputs.number("due")
    if not 1 <= months <= 12:
        raise InvalidInput("「月数」须在 1 到 12 之间。", field=BY_KEY["months"].header)
    quota = each * months / 12
    saved = min(quota, due)
    return computed(
        saved,
        f"限额 {yuan(each)} ÷ 12 × {plain(months)} 个月 = {yuan(quota)} 元，"
        f"应缴 {yuan(due)} 元，扣减 {yuan(saved)} 元{set_by.note}",
        payable=due - saved,
        quota=quota,
    )


def _hired_veterans(inputs: Inputs, context: Context) -> Computed:
    set_by, hired = province_value(context.code, context.province, context.month), inputs.number("hired")
    each = set_by.value
    quota = each * hired
    saved = min(quota, inputs.number("due")) if inputs.has("due") else quota
    limit = (
        f"，以应缴 {yuan(inputs.number('due'))} 元为限，扣减 {yuan(saved)} 元" if inputs.has("due") else ""
    )
    formula = f"{yuan(each)} × {plain(hired)} 人 = {yuan(quota)} 元{limit}{set_by.note}"
    return computed(saved, formula, quota=quota)


COMPUTATIONS: Mapping[str, Computation] = {
    "SIX_TAX_HALF_2022": _six_taxes_2022,
    "SIX_TAX_HALF": _half_of_due,
    "SURCHARGE_10W_EXEMPT": _surcharge,
    "DPF_SMALL_EXEMPT": _few_employees,
    "DPF_TIERED": _tiered_fund,
    "LUT_LOGISTICS_HALF": _half_of_due,
    "VPT_NEV_FULL": _new_energy_car("1", 30_000),
    "VPT_NEV_HALF": _new_energy_car("0.5", 15_000),
    "EMP_VETERAN_SELF": _own_business,
    "EMP_VETERAN_HIRE": _hired_veterans,
    "EMP_KEYGROUP_SELF": _own_business,
}
BY_MONTH = frozenset({"SIX_TAX_HALF_2022", "EMP_VETERAN_SELF", "EMP_VETERAN_HIRE", "EMP_KEYGROUP_SELF"})
"""Computations that look at the month of the tax period, for the values of provinces; the others get 0."""
