"""Individual income tax: business income, special deductions, bonus, pension, reconciliation, housing."""

from collections.abc import Mapping
from decimal import Decimal

from outreach.errors import InvalidInput
from outreach.statements.computed import Computation, Computed, Context, computed, nothing
from outreach.statements.inputs import BY_KEY, Inputs
from outreach.statements.money import percent, plain, yuan

Table = tuple[tuple[int | None, str, int], ...]
_BUSINESS: Table = (
    (30_000, "0.05", 0),
    (90_000, "0.10", 1_500),
    (300_000, "0.20", 10_500),
    (500_000, "0.30", 40_500),
    (None, "0.35", 65_500),
)
_YEARLY: Table = (
    (36_000, "0.03", 0),
    (144_000, "0.10", 2_520),
    (300_000, "0.20", 16_920),
    (420_000, "0.25", 31_920),
    (660_000, "0.30", 52_920),
    (960_000, "0.35", 85_920),
    (None, "0.45", 181_920),
)
_MONTHLY: Table = (
    (3_000, "0.03", 0),
    (12_000, "0.10", 210),
    (25_000, "0.20", 1_410),
    (35_000, "0.25", 2_660),
    (55_000, "0.30", 4_410),
    (80_000, "0.35", 7_160),
    (None, "0.45", 15_160),
)


def bracket(table: Table, base: Decimal) -> tuple[Decimal, Decimal]:
    """Rate and quick deduction for an amount (IIT Law, tables attached; 国税发 conversions by month)."""
    for limit, rate, quick in table:
        if limit is None or base <= limit:
            return Decimal(rate), Decimal(quick)
    raise AssertionError("the last row of a table has no limit")


def tax_by(table: Table, income: Decimal) -> Decimal:
    """Tax on an income by a progressive table."""
    rate, quick = bracket(table, income)
    return income * rate - quick


def _half_business(limit: int) -> Computation:
    """Half of the tax on the part of the income up to `limit`, after other relief in proportion."""

    def compute(inputs: Inputs, context: Context) -> Computed:
        income, other = inputs.number("income"), inputs.number("other_relief")
        part = min(income, Decimal(limit))
        tax = tax_by(_BUSINESS, part)
        share = part / income if income else Decimal(1)
        saved = max((tax - other * share) / 2, Decimal(0))
        rate, quick = bracket(_BUSINESS, part)
        formula = f"{yuan(part)} × {percent(rate)} − {plain(quick)} = {yuan(tax)} 元"
        relief = f"（{yuan(tax)} − 其他减免 {yuan(other * share)}）" if other else yuan(tax)
        return computed(saved, f"应纳税额 {formula}；{relief} × 50% = 减免 {yuan(saved)} 元", tax=tax)

    return compute


def _months(inputs: Inputs, most: int = 12) -> Decimal:
    months = inputs.number("months")
    if not 1 <= months <= most:
        raise InvalidInput(f"「月数」须在 1 到 {most} 之间。", field=BY_KEY["months"].header)
    return months


def _per_child(inputs: Inputs, context: Context) -> Computed:
    children, months, share = inputs.number("children"), _months(inputs), inputs.number("share")
    if share not in (Decimal(1), Decimal("0.5")):
        raise InvalidInput("「分摊比例」只能是 100% 或 50%。", field=BY_KEY["share"].header)
    deducted = 2000 * children * months * share
    return computed(
        deducted,
        f"2,000 元/月 × {plain(children)} 个子女 × {plain(months)} 个月 × {percent(share)}"
        f" = 扣除 {yuan(deducted)} 元",
    )


def _education(inputs: Inputs, context: Context) -> Computed:
    if inputs.text("education") == "证书":
        return computed(Decimal(3600), "取得职业资格证书当年定额扣除 3,600.00 元")
    return _monthly(inputs, Decimal(400), "学历（学位）继续教育")


def _monthly(inputs: Inputs, each: Decimal, what: str) -> Computed:
    months = _months(inputs)
    deducted = each * months
    return computed(deducted, f"{what} {plain(each)} 元/月 × {plain(months)} 个月 = 扣除 {yuan(deducted)} 元")


def _illness(inputs: Inputs, context: Context) -> Computed:
    own = inputs.number("medical")
    deducted = min(max(own - 15_000, Decimal(0)), Decimal(80_000))
    return computed(deducted, f"自付 {yuan(own)} − 15,000.00，最高 80,000.00 = 扣除 {yuan(deducted)} 元")


def _loan(inputs: Inputs, context: Context) -> Computed:
    return _monthly(inputs, Decimal(1000), "首套住房贷款利息")


def _rent(inputs: Inputs, context: Context) -> Computed:
    return _monthly(inputs, inputs.number("rent"), "住房租金")


def _elder(inputs: Inputs, context: Context) -> Computed:
    share = Decimal(1) if inputs.yes("only_child") else inputs.number("share")
    if not inputs.yes("only_child") and share > Decimal("0.5"):
        raise InvalidInput(
            "非独生子女每人分摊不超过 1,500 元/月，「分摊比例」不能超过 50%。", field=BY_KEY["share"].header
        )
    return _monthly(inputs, 3000 * share, "赡养老人")


def _bonus(inputs: Inputs, context: Context) -> Computed:
    """The tax on a bonus taxed by itself, against the tax if it is added to the other income."""
    bonus, other = inputs.number("bonus"), inputs.number("other_taxable")
    rate, quick = bracket(_MONTHLY, bonus / 12)
    apart = bonus * rate - quick
    together = tax_by(_YEARLY, bonus + other) - tax_by(_YEARLY, other)
    saved = max(together - apart, Decimal(0))
    better = "单独计税更省" if together > apart else "并入综合所得不多缴，可比较后选择"
    return computed(
        saved,
        f"{yuan(bonus)} × {percent(rate)} − {plain(quick)} = {yuan(apart)} 元；"
        f"并入综合所得为 {yuan(together)} 元，"
        f"{better}，少缴 {yuan(saved)} 元",
        tax=apart,
        merged=together,
    )


def _pension(inputs: Inputs, context: Context) -> Computed:
    paid, rate = inputs.number("pension"), inputs.number("marginal_rate")
    deducted = min(paid, Decimal(12_000))
    saved = deducted * rate
    return computed(
        saved,
        f"缴费 {yuan(paid)} 元，据实扣除 {yuan(deducted)} 元（每年不超过 12,000.00 元）"
        f"× 边际税率 {percent(rate)}"
        f" = 少缴 {yuan(saved)} 元",
        deduction=deducted,
    )


def _no_filing(inputs: Inputs, context: Context) -> Computed:
    """Announcement 32 of 2023: 'or' between the two conditions; not where tax was not withheld."""
    income, owed = inputs.number("annual_income"), inputs.number("top_up")
    if not inputs.yes("withheld"):
        return nothing("扣缴义务人未依法预扣预缴，不适用免予办理", payable=owed)
    if income <= 120_000:
        return computed(
            owed,
            f"年综合所得 {yuan(income)} 元不超过 120,000.00 元，应补 {yuan(owed)} 元免予补缴",
            payable=Decimal(0),
        )
    if owed <= 400:
        return computed(owed, f"应补税额 {yuan(owed)} 元不超过 400.00 元，免予补缴", payable=Decimal(0))
    return nothing(f"年综合所得 {yuan(income)} 元且应补 {yuan(owed)} 元，须办理汇算", payable=owed)


def _house_swap(inputs: Inputs, context: Context) -> Computed:
    old, new, tax = inputs.number("old_price"), inputs.number("new_price"), inputs.number("tax_paid")
    if new >= old:
        return computed(
            tax, f"新住房价款 {yuan(new)} 元不低于原住房售价 {yuan(old)} 元，全额退税 {yuan(tax)} 元"
        )
    refund = tax * new / old
    return computed(refund, f"{yuan(new)} ÷ {yuan(old)} × 已缴个税 {yuan(tax)} = 退税 {yuan(refund)} 元")


COMPUTATIONS: Mapping[str, Computation] = {
    "IIT_BIZ_HALF_100": _half_business(1_000_000),
    "IIT_BIZ_HALF_200": _half_business(2_000_000),
    "IIT_SAD_CHILD": _per_child,
    "IIT_SAD_INFANT": _per_child,
    "IIT_SAD_CONTEDU": _education,
    "IIT_SAD_ILLNESS": _illness,
    "IIT_SAD_LOAN": _loan,
    "IIT_SAD_RENT": _rent,
    "IIT_SAD_ELDER": _elder,
    "IIT_BONUS_SEPARATE": _bonus,
    "IIT_PENSION": _pension,
    "IIT_RECON_EXEMPT": _no_filing,
    "IIT_HOUSE_SWAP": _house_swap,
}
