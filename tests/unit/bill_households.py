"""500 varied households, the same every time: every benefit of the catalogue, every kind, odd amounts."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import orjson

from outreach.statements.canonical import canonical
from outreach.statements.content import build_bill
from outreach.statements.household import AnnualFact, BenefitFact, EarlierFact, Household, TaxFact
from outreach.statements.rules import catalogue
from tests.unit.benefit_examples import WORKED, Example

YEARS = (2022, 2023, 2025, 2026)
_KINDS = ("enterprise", "individual_business", "natural_person")
_TAXES = ("增值税", "企业所得税", "城市维护建设税", "印花税", "个人所得税（经营所得）", "房产税")
_MONEY_INPUTS = ("sales", "due", "income", "unit_price", "input_vat", "research", "wages", "other_taxable")


def read_bill(home: Household, year: int, today: date) -> dict[str, Any]:
    """A bill as its reader gets it: from its canonical text."""
    bill: dict[str, Any] = orjson.loads(canonical(build_bill(home, year, today)))
    return bill


def varied_households(count: int = 500, seed: int = 20250101) -> Iterator[tuple[Household, int, date]]:
    """Households with the year of their bill and the day on which it is made."""
    rng = Random(seed)
    for number in range(count):
        year = YEARS[number % len(YEARS)]
        home = Household(
            number,
            rng.choice(_KINDS),
            f"示例“{number}”公司\\{rng.choice(('甲', '乙', chr(0x20BB7)))}",
            f"9115**********{number:04d}",
            rng.choice(("国家税务总局示例市税务局", "邻县税务局")),
            rng.choice(("150000", "440000", "320000", "")),
            taxes=_taxes(rng),
            benefits=_benefits(rng, year),
            earlier=_earlier(rng),
            annual=_annual(rng),
            last_grade=rng.choice((None, "A", "M")),
        )
        yield home, year, date(year + 1, rng.randrange(1, 13), rng.randrange(1, 29))


def _amount(rng: Random) -> Decimal:
    if rng.random() < 0.15:
        return Decimal("0.00")
    return Decimal(rng.randrange(10 ** rng.randrange(1, 13))).scaleb(-2).quantize(Decimal("0.01"))


def _taxes(rng: Random) -> list[TaxFact]:
    chosen = rng.sample(_TAXES, rng.randrange(len(_TAXES)))
    return [TaxFact(name, *(_amount(rng) for _ in range(5))) for name in chosen]


def _benefits(rng: Random, year: int) -> list[BenefitFact]:
    fitting = [
        (code, example)
        for code, examples in WORKED.items()
        for example in examples
        if example.month // 100 == year
    ]
    return [_benefit(rng, *rng.choice(fitting)) for _ in range(rng.randrange(9))]


def _benefit(rng: Random, code: str, example: Example) -> BenefitFact:
    inputs = dict(example.inputs)
    for key in _MONEY_INPUTS:
        if key in inputs and rng.random() < 0.7:
            inputs[key] = str(_amount(rng))
    return BenefitFact(example.month, code, rng.random() < 0.8, inputs)


def _earlier(rng: Random) -> list[EarlierFact]:
    facts = []
    for code in rng.sample(sorted(catalogue()), rng.choice((0, 0, 1, 4, 9))):
        last = _amount(rng)
        facts.append(EarlierFact(code, last, last + _amount(rng)))
    return facts


def _annual(rng: Random) -> AnnualFact:
    if rng.random() < 0.4:
        return AnnualFact(rng.choice((None, "B")))
    grade, *money = rng.choice((None, "A")), _amount(rng), _amount(rng), _amount(rng)
    return AnnualFact(grade, *money, (None, True, False)[int(money[0]) % 3])
