"""Leaflets (明白纸): one page per topic from the catalogue, to print or to read on a phone.

They tell what is in force in a month, name no household and are the same for everybody, so they are made
again whenever they are wanted; the version of the catalogue stands on them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from outreach.errors import NotFound
from outreach.statements.benefits import caveat_of
from outreach.statements.how_to import advice_of
from outreach.statements.pdf_mongolian import open_script
from outreach.statements.pdf_pages import Paper, write_papers
from outreach.statements.pdf_sheet import ACCENT, MUTED, Sheet
from outreach.statements.rules import (
    CATALOGUE_VERSION,
    Rule,
    RuleNotInForce,
    catalogue,
    current_rule,
    rule_in_force,
)

TOPICS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "small-scale": ("增值税小规模纳税人", ("VAT_SS_",)),
    "vat-credit": ("增值税加计抵减与留抵退税", ("VAT_ADDDED_", "VAT_CREDIT_", "VAT_SMALL_")),
    "small-profit": ("小型微利企业所得税", ("CIT_SLP_",)),
    "innovation": ("研发创新与设备更新", ("CIT_RND_", "CIT_EQUIP_", "CIT_HNTE_", "CIT_WEST_")),
    "six-taxes": ("六税两费与附加", ("SIX_TAX_", "SURCHARGE_", "LUT_")),
    "disabled-fund": ("残疾人就业", ("DPF_", "CIT_DISABLED_")),
    "car": ("新能源汽车车辆购置税", ("VPT_",)),
    "own-business": ("个体工商户与创业就业", ("IIT_BIZ_", "EMP_")),
    "special-deductions": ("个人所得税专项附加扣除", ("IIT_SAD_",)),
    "personal": ("个人所得税其他优惠", ("IIT_BONUS_", "IIT_PENSION", "IIT_RECON_", "IIT_HOUSE_")),
}
"""Topic to title and prefixes of benefit codes."""


@dataclass(frozen=True, slots=True)
class Leaflet:
    """One topic with its rules in force in a month (yyyymm)."""

    topic: str
    title: str
    month: int
    rules: Sequence[Rule]


def leaflet(topic: str, month: int) -> Leaflet:
    """Raises NotFound for an unknown topic, and when nothing of it is in force in the month."""
    if topic not in TOPICS:
        raise NotFound(f"没有「{topic}」这份明白纸，可选：{'、'.join(TOPICS)}。")
    title, prefixes = TOPICS[topic]
    rules = [rule for code in catalogue() if code.startswith(prefixes) for rule in _in_force(code, month)]
    if not rules:
        raise NotFound(f"{month // 100}年{month % 100}月没有执行中的「{title}」优惠。")
    return Leaflet(topic, title, month, rules)


def topics_in(month: int) -> list[str]:
    """The topics of which something is in force in a month."""
    return [
        topic
        for topic, (_, prefixes) in TOPICS.items()
        if any(_in_force(code, month) for code in catalogue() if code.startswith(prefixes))
    ]


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a benefit is explained to everybody (政策解读)."""

    address: str
    title: str


@lru_cache(maxsize=1_000)
def reading_of(code: str, month: int) -> Reading | None:
    """The leaflet of a benefit as it is in force in a month (yyyymm), at its own paragraph; None where
    nothing of its family is in force any more, or no leaflet tells of it."""
    try:
        rule = current_rule(catalogue()[code].family, month)
    except RuleNotInForce:
        return None
    for topic, (title, prefixes) in TOPICS.items():
        if rule.code.startswith(prefixes):
            return Reading(f"/leaflet/{topic}#{rule.code}", title)
    return None


def _in_force(code: str, month: int) -> Sequence[Rule]:
    try:
        return [rule_in_force(code, month)]
    except RuleNotInForce:
        return []


def until(rule: Rule) -> str:
    """The last month of a rule, for people."""
    return f"{rule.last_month // 100}年{rule.last_month % 100}月" if rule.last_month else "长期"


def render_leaflet(one: Leaflet, author: str, *, mongolian: bool = False, large: bool = False) -> bytes:
    """The leaflet as PDF; `mongolian` and `large` as `pdf.render_pdf`."""
    sheet = Sheet(open_script() if mongolian else None, large=large)
    sheet.box(3, color=ACCENT)
    sheet.space(14)
    sheet.put(author, size=10, color=MUTED)
    sheet.space(22)
    sheet.paragraph(f"明白纸：{one.title}", size=21, bold=True, leading=1.4, tag="H1")
    sheet.put_title_beside("leaflets_title")
    sheet.put_draft_note()
    month = f"{one.month // 100}年{one.month % 100}月"
    sheet.paragraph(f"{month}执行中的 {len(one.rules)} 项优惠", size=10, color=MUTED)
    sheet.space(8)
    for rule in one.rules:
        _put_rule(sheet, rule)
    sheet.paragraph("咨询请拨打 12366。税务机关不会向您索要银行卡号和密码。", size=9.5)
    footer = f"规则目录 {CATALOGUE_VERSION} 版    以主管税务机关核定为准"
    return write_papers([Paper(sheet, f"明白纸：{one.title}", author, footer)])


def _put_rule(sheet: Sheet, rule: Rule) -> None:
    sheet.need(76)
    sheet.box(13, width=3, color=ACCENT)
    sheet.paragraph(rule.name, x=sheet.left + 9, size=12, bold=True, tag="H2")
    rows = (
        ("适用条件", rule.eligible),
        ("怎么算", rule.computation),
        ("举例", rule.worked_example),
        ("怎么办", advice_of(rule).how_to),
        ("错过怎么办", advice_of(rule).late),
        ("依据", f"{rule.basis}；执行至：{until(rule)}"),
    )
    for label, text in rows:
        if text:
            sheet.paragraph(f"{label}：{text}", x=sheet.left + 9, size=9.5, leading=1.5)
    sheet.paragraph(caveat_of(rule), x=sheet.left + 9, size=8.5, color=MUTED)
    sheet.space(9)
