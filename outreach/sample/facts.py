"""What is true of a household: labels, attributes and the tax systems' records, which agree."""

from collections.abc import Iterator
from random import Random

from outreach.sample.households import Household
from outreach.sample.money import yuan

YEAR = 2025
LABELS = (
    "必须办理汇算", "可免办汇算", "汇算应退税", "汇算应补税", "汇算已申报", "单位代办", "多处取得工资",
    "有经营所得", "特殊关怀", "老年人", "使用蒙古文", "增值税纳税人类型", "企业规模", "小型微利企业",
    "登记状态", "新办户", "纳税信用等级", "风险等级", "高新技术企业", "应享未享", "本期应申报",
    "无风险不打扰",
)  # fmt: skip
ATTRIBUTES = (
    "应补税额", "应退税额", "综合所得收入额", "已预缴税额", "年销售额", "月销售额", "从业人数", "资产总额",
    "利润总额", "应纳税所得额",
)  # fmt: skip
TAX_HEADER = ("纳税人识别号", "所属期", "税种", "申报税额", "已缴税额", "已退税额", "滞纳金")
BENEFIT_HEADER = (
    "纳税人识别号", "所属期", "优惠代码", "享受状态", "销售额", "计税期", "应纳税所得额", "从业人数",
    "资产总额", "子女数", "分摊比例", "是否独生子女", "月数",
)  # fmt: skip
ANNUAL_HEADER = (
    "纳税人识别号", "年度", "纳税信用级别", "综合所得收入额", "已预缴税额", "应纳税额", "是否依法预扣",
)  # fmt: skip

_QUARTER_ENDS = (f"{YEAR}03", f"{YEAR}06", f"{YEAR}09", f"{YEAR}12")
_EXEMPT_QUARTER = 30_000_000
_GRADES, _GRADE_WEIGHTS = ("A", "B", "M", "C", "D"), (12, 55, 22, 8, 3)
_RISKS, _RISK_WEIGHTS = ("无风险", "低风险", "中风险", "高风险"), (80, 14, 5, 1)
_SIZES = ((10, "微型"), (100, "小型"), (300, "中型"), (1 << 60, "大型"))
_CIT_LINE = 300_000_000

Record = tuple[str, ...]


def labels_of(household: Household, rng: Random) -> list[str]:
    """One cell per entry of LABELS; blank where the label is not for this kind of taxpayer."""
    said = _person_labels(household, rng) if household.year else _business_labels(household, rng)
    return [said.get(label, "") for label in LABELS]


def _yes(fact: bool) -> str:
    return "是" if fact else "否"


def _person_labels(household: Household, rng: Random) -> dict[str, str]:
    year, person = household.year, household.person
    assert year is not None and person is not None
    return {
        "必须办理汇算": _yes(year.must_file),
        "可免办汇算": _yes(year.top_up > 0 and not year.must_file),
        "汇算应退税": _yes(year.refund > 0),
        "汇算应补税": _yes(year.top_up > 0),
        "汇算已申报": "否",
        "单位代办": _yes(rng.random() < 0.25),
        "多处取得工资": _yes(rng.random() < 0.06),
        "有经营所得": _yes(rng.random() < 0.03),
        "特殊关怀": _yes(person.care),
        "老年人": _yes(person.elderly),
        "使用蒙古文": _yes(bool(person.language)),
        "无风险不打扰": _yes(rng.random() < 0.02),
    }


def _business_labels(household: Household, rng: Random) -> dict[str, str]:
    figures = household.business
    assert figures is not None
    is_company = household.kind == "企业"
    opened = household.registered_on
    said = {
        "增值税纳税人类型": "一般纳税人" if figures.general else "小规模纳税人",
        "登记状态": "正常" if rng.random() < 0.96 else "停业",
        "新办户": _yes(opened is not None and opened.year >= YEAR),
        "风险等级": rng.choices(_RISKS, _RISK_WEIGHTS)[0],
        "应享未享": _yes(rng.random() < 0.04),
        "本期应申报": _yes(rng.random() < 0.9),
        "无风险不打扰": _yes(rng.random() < 0.02),
    }
    if is_company:
        said["企业规模"] = next(size for limit, size in _SIZES if figures.staff <= limit)
        said["小型微利企业"] = _yes(figures.low_profit)
        said["纳税信用等级"] = grade_of(household)
        said["高新技术企业"] = _yes(figures.general and rng.random() < 0.08)
    return said


def grade_of(household: Household) -> str:
    """A company's credit grade; it follows from its number, so that all files agree."""
    return Random(household.tax_no).choices(_GRADES, _GRADE_WEIGHTS)[0]


def attributes_of(household: Household) -> list[str]:
    """One cell per entry of ATTRIBUTES, amounts in yuan; blank where it does not apply."""
    year, figures = household.year, household.business
    if year is not None:
        amounts = (year.top_up, year.refund, year.income, year.prepaid)
        return [*map(yuan, amounts), *[""] * 6]
    assert figures is not None
    sizes = [str(figures.staff), yuan(figures.assets), yuan(figures.profit), yuan(max(figures.profit, 0))]
    return ["", "", "", "", yuan(figures.sales), yuan(figures.quarters[3] // 3), *sizes]


def tax_records_of(household: Household, rng: Random) -> Iterator[Record]:
    """Rows of TAX_HEADER for the year."""
    number = household.tax_no
    if household.year is not None:
        paid = yuan(household.year.prepaid)
        yield number, _QUARTER_ENDS[3], "个人所得税", paid, paid, "0.00", "0.00"
        return
    figures = household.business
    assert figures is not None
    for month, sales in zip(_QUARTER_ENDS, figures.quarters, strict=True):
        late = rng.random() < 0.01
        tax = sales * 3 // 100 if figures.general else sales // 100 if sales > _EXEMPT_QUARTER else 0
        yield number, month, "增值税", yuan(tax), yuan(tax), "0.00", yuan(tax // 2000 * 10 if late else 0)
    profit = max(figures.profit, 0)
    if household.kind == "企业":
        tax = profit // 20 if figures.low_profit else profit // 4
        yield number, _QUARTER_ENDS[3], "企业所得税", yuan(tax), yuan(tax), "0.00", "0.00"
    else:
        yield (
            number,
            _QUARTER_ENDS[3],
            "个人所得税（经营所得）",
            yuan(profit // 40),
            yuan(profit // 40),
            "0.00",
            "0.00",
        )


def benefit_records_of(household: Household) -> Iterator[Record]:
    """Rows of BENEFIT_HEADER for the year."""
    number, year, figures = household.tax_no, household.year, household.business
    december = _QUARTER_ENDS[3]
    if year is not None:
        if year.children:
            yield _benefit(
                number, december, "IIT_SAD_CHILD", children=str(year.children), share="100%", months="12"
            )
        if year.elders:
            yield _benefit(number, december, "IIT_SAD_ELDER", only_child="是", months="12")
        return
    assert figures is not None
    if not figures.general:
        for month, sales in zip(_QUARTER_ENDS, figures.quarters, strict=True):
            code = "VAT_SS_EXEMPT_2023" if sales <= _EXEMPT_QUARTER else "VAT_SS_3TO1_2023"
            yield _benefit(number, month, code, sales=yuan(sales), period="季")
    if figures.profit <= 0:
        return
    if household.kind == "企业" and figures.low_profit:
        yield _benefit(
            number, december, "CIT_SLP_2023", income=yuan(figures.profit), staff=str(figures.staff),
            assets=yuan(figures.assets),
        )  # fmt: skip
    elif household.kind == "个体工商户":
        state = "应享未享" if figures.staff % 9 == 0 else "已享受"
        yield _benefit(number, december, "IIT_BIZ_HALF_200", state=state, income=yuan(figures.profit))


def _benefit(
    number: str, month: str, code: str, *, state: str = "已享受", sales: str = "", period: str = "",
    income: str = "", staff: str = "", assets: str = "", children: str = "", share: str = "",
    only_child: str = "", months: str = "",
) -> Record:  # fmt: skip
    figures = sales, period, income, staff, assets, children, share, only_child, months
    return number, month, code, state, *figures


def annual_record_of(household: Household) -> Record | None:
    """The row of ANNUAL_HEADER; None for an individual business."""
    year = household.year
    if year is not None:
        money = (yuan(amount) for amount in (year.income, year.prepaid, year.due))
        return household.tax_no, str(YEAR), "", *money, "是"
    if household.kind == "企业":
        return household.tax_no, str(YEAR), grade_of(household), "", "", "", ""
    return None
