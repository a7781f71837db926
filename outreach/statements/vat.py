"""Value-added tax: small-scale taxpayers, additional credits, refunds of carried-forward credits."""

from collections.abc import Mapping
from decimal import Decimal

from outreach.errors import InvalidInput
from outreach.statements.computed import Computation, Computed, Context, computed, nothing
from outreach.statements.inputs import BY_KEY, Inputs
from outreach.statements.money import percent, yuan

_LEVY = Decimal("0.03")
_REDUCED = Decimal("0.01")
_MONTHS = {"月": 1, "季": 3}
_NIL = Decimal(0)


def _exempt_up_to(monthly: int) -> Computation:
    """Exempt when sales do not exceed the threshold, which is included (announcements up to 2025)."""
    limits = {period: Decimal(monthly * months) for period, months in _MONTHS.items()}
    thresholds = {period: (limit, yuan(limit)) for period, limit in limits.items()}

    def compute(inputs: Inputs, context: Context) -> Computed:
        sales, threshold = inputs.number("sales"), thresholds.get(inputs.text("period"))
        if threshold is None:
            raise InvalidInput(
                "该优惠按月或按季计算，「计税期」请填写「月」或「季」。", field=BY_KEY["period"].header
            )
        limit, shown = threshold
        if sales > limit:
            return nothing(f"销售额 {yuan(sales)} 元超过 {shown} 元，不适用免税")
        saved, sold = sales * _LEVY, yuan(sales)
        return computed(
            saved,
            f"销售额 {sold} 元未超过 {shown} 元（含本数），免征：{sold} × 3% = {yuan(saved)} 元",
            payable=_NIL,
        )

    return compute


def _below_threshold_2026(inputs: Inputs, context: Context) -> Computed:
    """From 2026 sales that reach the threshold are taxed in full (VAT Law art. 23, No. 10 of 2026)."""
    thresholds = {"月": 100_000, "季": 300_000, "次": 1_000}
    sales, threshold = inputs.number("sales"), Decimal(thresholds[inputs.text("period")])
    if sales >= threshold:
        tax = sales * _REDUCED
        return nothing(
            f"销售额 {yuan(sales)} 元已达到起征点 {yuan(threshold)} 元，就全部销售额计税："
            f"{yuan(sales)} × 1% = {yuan(tax)} 元",
            payable=tax,
        )
    saved = sales * _LEVY
    return computed(
        saved,
        f"销售额 {yuan(sales)} 元未达到起征点 {yuan(threshold)} 元，免征："
        f"{yuan(sales)} × 3% = {yuan(saved)} 元",
        payable=Decimal(0),
    )


def _all_exempt(inputs: Inputs, context: Context) -> Computed:
    sales = inputs.number("sales")
    saved = sales * _LEVY
    return computed(
        saved, f"3%征收率销售额全部免征：{yuan(sales)} × 3% = {yuan(saved)} 元", payable=Decimal(0)
    )


def _three_to_one(inputs: Inputs, context: Context) -> Computed:
    sales, prefix = _net_sales(inputs)
    tax, saved, shown = sales * _REDUCED, sales * (_LEVY - _REDUCED), yuan(sales)
    return computed(
        saved,
        f"{prefix}{shown} ×（3% − 1%）= {yuan(saved)} 元（应缴 {shown} × 1% = {yuan(tax)} 元）",
        payable=tax,
        sales=sales,
    )


def _net_sales(inputs: Inputs) -> tuple[Decimal, str]:
    if inputs.has("sales") or not inputs.has("gross_sales"):
        return inputs.number("sales"), ""
    gross = inputs.number("gross_sales")
    net = gross / (1 + _REDUCED)
    return net, f"不含税销售额 {yuan(gross)} ÷ 1.01 = {yuan(net)} 元；"


def _extra_credit(inputs: Inputs, rate: Decimal) -> Computed:
    """Additional credit; what exceeds the tax payable is carried forward."""
    base = inputs.number("input_vat")
    credit = base * rate
    formula = f"{yuan(base)} × {percent(rate)} = {yuan(credit)} 元"
    if not inputs.has("payable_before"):
        return computed(credit, f"当期可抵扣进项税额 {formula}", credit=credit)
    before = inputs.number("payable_before")
    used = min(credit, before)
    carried = credit - used
    formula += f"，抵减前应纳 {yuan(before)} 元，实际抵减 {yuan(used)} 元"
    formula += f"，结转下期 {yuan(carried)} 元" if carried else f"，缴纳 {yuan(before - used)} 元"
    return computed(
        used, f"当期可抵扣进项税额 {formula}", credit=credit, payable=before - used, carried_forward=carried
    )


def _service_2019(inputs: Inputs, context: Context) -> Computed:
    # Life services: 15 % from 2019-10 (announcement 87 of 2019).
    living = inputs.has("service") and inputs.text("service") == "生活性" and context.month >= 201910
    return _extra_credit(inputs, Decimal("0.15") if living else Decimal("0.10"))


def _service_2023(inputs: Inputs, context: Context) -> Computed:
    living = inputs.text("service") == "生活性"
    return _extra_credit(inputs, Decimal("0.10") if living else Decimal("0.05"))


def _listed_credit(rate: str) -> Computation:
    def compute(inputs: Inputs, context: Context) -> Computed:
        return _extra_credit(inputs, Decimal(rate))

    return compute


def _credit_refund_2022(inputs: Inputs, context: Context) -> Computed:
    added, existing = inputs.number("added_credit"), inputs.number("existing_credit")
    ratio = inputs.number("input_ratio")
    refund = (added + existing) * ratio
    parts = f"（{yuan(added)} + {yuan(existing)}）" if existing else yuan(added)
    return computed(refund, f"留抵税额 {parts} × 进项构成比例 {percent(ratio)} × 100% = {yuan(refund)} 元")


def _credit_refund_2025(inputs: Inputs, context: Context) -> Computed:
    """Announcement 7 of 2025, article 1; that six months running were positive is for the bureau to check."""
    added, ratio = inputs.number("added_credit"), inputs.number("input_ratio")
    industry = inputs.text("refund_industry")
    if industry == "制造业等四行业":
        refund = added * ratio
        return computed(refund, f"期末留抵 {yuan(added)} × 进项构成比例 {percent(ratio)} = {yuan(refund)} 元")
    if added < 500_000:
        return nothing(f"新增留抵 {yuan(added)} 元不足 500,000.00 元，不予退还")
    if industry == "房地产":
        refund = added * Decimal("0.6") * ratio
        return computed(
            refund, f"新增留抵 {yuan(added)} × 60% × 进项构成比例 {percent(ratio)} = {yuan(refund)} 元"
        )
    return _tiered_refund(added, ratio)


def _tiered_refund(added: Decimal, ratio: Decimal) -> Computed:
    limit = Decimal(100_000_000)
    low, high = min(added, limit), max(added - limit, Decimal(0))
    refund = (low * Decimal("0.6") + high * Decimal("0.3")) * ratio
    more = f" + {yuan(high)} × 30%" if high else ""
    formula = f"（{yuan(low)} × 60%{more}）× 进项构成比例 {percent(ratio)} = {yuan(refund)} 元"
    return computed(refund, formula)


def _loan_interest(inputs: Inputs, context: Context) -> Computed:
    interest, rate = inputs.number("interest"), inputs.number("rate")
    saved = interest * rate
    return computed(
        saved,
        f"小微企业贷款利息收入 {yuan(interest)} × {percent(rate)} = {yuan(saved)} 元",
        payable=Decimal(0),
    )


COMPUTATIONS: Mapping[str, Computation] = {
    "VAT_SS_EXEMPT_2019": _exempt_up_to(100_000),
    "VAT_SS_EXEMPT_2021": _exempt_up_to(150_000),
    "VAT_SS_EXEMPT_2023": _exempt_up_to(100_000),
    "VAT_SS_THRESHOLD_2026": _below_threshold_2026,
    "VAT_SS_EXEMPT_ALL_2022": _all_exempt,
    "VAT_SS_3TO1_2020": _three_to_one,
    "VAT_SS_3TO1_2023": _three_to_one,
    "VAT_SS_3TO1_2026": _three_to_one,
    "VAT_ADDDED_SERVICE_10": _service_2019,
    "VAT_ADDDED_SERVICE_2023": _service_2023,
    "VAT_ADDDED_ADVMFG": _listed_credit("0.05"),
    "VAT_ADDDED_IC": _listed_credit("0.15"),
    "VAT_ADDDED_MTOOL": _listed_credit("0.15"),
    "VAT_CREDIT_REFUND_2022": _credit_refund_2022,
    "VAT_CREDIT_REFUND_2025": _credit_refund_2025,
    "VAT_SMALL_LOAN_INT": _loan_interest,
}
BY_MONTH = frozenset({"VAT_ADDDED_SERVICE_10"})
"""Computations that look at the month of the tax period; the others get 0."""
