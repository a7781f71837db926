"""Enterprise income tax."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from outreach.statements.computed import Computation, Computed, Context, computed, nothing
from outreach.statements.inputs import Inputs
from outreach.statements.money import percent, plain, yuan

_FULL = Decimal("0.25")
_MILLION = Decimal(1_000_000)
_CEILING = 3 * _MILLION


def _small_profit(low: str, high: str) -> Computation:
    """Small low-profit enterprises: effective rates up to 1 million yuan and from there to 3 million.

    Over 3 million, 300 people or 50 million of assets the whole income is taxed at 25 %.
    """
    rates = Decimal(low), Decimal(high)

    def compute(inputs: Inputs, context: Context) -> Computed:
        income = inputs.number("income")
        full = income * _FULL
        refused = _too_large(inputs, income)
        if refused:
            return nothing(
                f"{refused}，全额按 25% 计税：{yuan(income)} × 25% = {yuan(full)} 元", payable=full
            )
        tax, formula = _tiers(income, *rates)
        saved = full - tax
        return computed(
            saved,
            f"应纳税额 {formula} = {yuan(tax)} 元；按 25% 计为 {yuan(full)} 元，少缴 {yuan(saved)} 元",
            payable=tax,
        )

    return compute


def _too_large(inputs: Inputs, income: Decimal) -> str:
    if income > _CEILING:
        return f"应纳税所得额 {yuan(income)} 元超过 300 万元"
    if inputs.has("staff") and inputs.number("staff") > 300:
        return f"从业人数 {plain(inputs.number('staff'))} 人超过 300 人"
    if inputs.has("assets") and inputs.number("assets") > 50_000_000:
        return f"资产总额 {yuan(inputs.number('assets'))} 元超过 5000 万元"
    return ""


def _tiers(income: Decimal, low: Decimal, high: Decimal) -> tuple[Decimal, str]:
    first, rest = min(income, _MILLION), max(income - _MILLION, Decimal(0))
    if low == high or not rest:
        return income * low, f"{yuan(income)} × {percent(low)}"
    return first * low + rest * high, f"{yuan(first)} × {percent(low)} + {yuan(rest)} × {percent(high)}"


def _reduced_rate(inputs: Inputs, context: Context) -> Computed:
    income = inputs.number("income")
    tax, saved = income * Decimal("0.15"), income * Decimal("0.10")
    return computed(
        saved,
        f"{yuan(income)} ×（25% − 15%）= {yuan(saved)} 元（应缴 {yuan(income)} × 15% = {yuan(tax)} 元）",
        payable=tax,
    )


def _research(extra: str) -> Computation:
    """Super deduction: expensed cost is deducted again, capitalised cost amortised at 1 + extra."""
    rate = Decimal(extra)

    def compute(inputs: Inputs, context: Context) -> Computed:
        cost, tax_rate = inputs.number("research"), inputs.number("rate")
        deducted = cost * rate
        saved = deducted * tax_rate
        what = "费用化支出" if inputs.text("treatment") == "费用化" else "当期摊销额"
        return computed(
            saved,
            f"{what} {yuan(cost)} × {percent(rate)} 加计扣除 {yuan(deducted)} 元，"
            f"× 适用税率 {percent(tax_rate)} = 少缴 {yuan(saved)} 元",
            deduction=deducted,
        )

    return compute


def _equipment(inputs: Inputs, context: Context) -> Computed:
    """A timing difference: the same deduction would be taken over the years as depreciation."""
    price = inputs.number("unit_price")
    if price > 5_000_000:
        return nothing(f"设备单价 {yuan(price)} 元超过 500 万元，不适用一次性扣除")
    return computed(
        price,
        f"设备单价 {yuan(price)} 元，当年一次性扣除 {yuan(price)} 元（时间性差异，以后年度不再提折旧扣除）",
        deduction=price,
    )


def _disabled_wages(inputs: Inputs, context: Context) -> Computed:
    wages, rate = inputs.number("wages"), inputs.number("rate")
    saved = wages * rate
    return computed(
        saved,
        f"残疾职工工资 {yuan(wages)} × 100% 加计扣除 × 税率 {percent(rate)} = 少缴 {yuan(saved)} 元",
        deduction=wages,
    )


def _deferred(first: int, further: Callable[[Inputs], int]) -> Computation:
    """Deferral of tax for small (all) and medium (half) manufacturers: nothing is waived."""

    def compute(inputs: Inputs, context: Context) -> Computed:
        due, share = inputs.number("due"), Decimal(1) if inputs.text("size") == "小微" else Decimal("0.5")
        months, deferred = first + further(inputs), due * share
        # Tax of a month falls due in the following month; the deferral counts from there.
        matures = _months_later(context.month, months + 1)
        return computed(
            deferred,
            f"应缴 {yuan(due)} × {percent(share)} = 缓缴 {yuan(deferred)} 元，期限 {months} 个月，"
            f"{matures // 100}年{matures % 100}月到期缴纳（缓缴不是减免）",
            payable=due - deferred,
            months=Decimal(months),
            matures=Decimal(matures),
        )

    return compute


def _months_later(month: int, count: int) -> int:
    year, index = divmod(month // 100 * 12 + month % 100 - 1 + count, 12)
    return year * 100 + index + 1


def _always_six_more(inputs: Inputs) -> int:
    return 6


def _four_more_if_extended(inputs: Inputs) -> int:
    return 4 if inputs.yes("extended") else 0


COMPUTATIONS: Mapping[str, Computation] = {
    "CIT_SLP_2019": _small_profit("0.05", "0.10"),
    "CIT_SLP_2021": _small_profit("0.025", "0.10"),
    "CIT_SLP_2022": _small_profit("0.025", "0.05"),
    "CIT_SLP_2023": _small_profit("0.05", "0.05"),
    "CIT_RND_100": _research("1"),
    "CIT_RND_120": _research("1.2"),
    "CIT_EQUIP_500": _equipment,
    "CIT_HNTE_15": _reduced_rate,
    "CIT_WEST_15": _reduced_rate,
    "CIT_DISABLED_WAGE": _disabled_wages,
    "DEFER_MFG_SME_2021Q4": _deferred(3, _always_six_more),
    "DEFER_MFG_SME_2022": _deferred(6, _four_more_if_extended),
}
BY_MONTH = frozenset({"DEFER_MFG_SME_2021Q4", "DEFER_MFG_SME_2022"})
"""Computations that look at the month of the tax period; the others get 0."""
