"""Amounts that fit together: what an inhabitant earned and was withheld, what a business sold. In cents."""

from dataclasses import dataclass
from random import Random

_BRACKETS = (
    (3_600_000, 3, 0),
    (14_400_000, 10, 252_000),
    (30_000_000, 20, 1_692_000),
    (42_000_000, 25, 3_192_000),
    (66_000_000, 30, 5_292_000),
    (96_000_000, 35, 8_592_000),
    (1 << 60, 45, 18_192_000),
)
"""Individual income tax on comprehensive income: up to, per cent, quick deduction (IIT Law, table 1)."""
_BASIC = 6_000_000
INCOME_LIMIT, OWED_LIMIT = 12_000_000, 40_000
"""Above both a top-up must be filed (财政部 税务总局公告2023年第32号)."""
_BOUNDARIES = (
    (12_000_000, 40_001),
    (12_000_001, 40_001),
    (12_000_001, 40_000),
    (30_000_000, 40_000),
    (30_000_000, 40_001),
)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One person's year: income, tax due and prepaid, and what follows."""

    income: int
    prepaid: int
    due: int
    children: int
    elders: bool

    @property
    def top_up(self) -> int:
        """Owed; 0 if nothing is."""
        return max(self.due - self.prepaid, 0)

    @property
    def refund(self) -> int:
        """To be had back; 0 if nothing is."""
        return max(self.prepaid - self.due, 0)

    @property
    def must_file(self) -> bool:
        """Owes more than 400 yuan with an income above 120,000."""
        return self.top_up > OWED_LIMIT and self.income > INCOME_LIMIT


def tax_on(taxable: int) -> int:
    """Cents of tax on cents of taxable income."""
    for limit, rate, quick in _BRACKETS:
        if taxable <= limit:
            return max((taxable * rate + 50) // 100 - quick, 0)
    raise AssertionError("the last bracket has no limit")


def draw_reconciliation(number: int, rng: Random) -> Reconciliation:
    """Every five-hundredth person stands exactly on a boundary of the exemption."""
    children, elders = rng.choice((0, 0, 0, 1, 1, 2)), rng.random() < 0.35
    if number % 500 == 0:
        income, owed = _BOUNDARIES[number // 500 % len(_BOUNDARIES)]
        due = tax_on(income - _BASIC)
        return Reconciliation(income, due - owed, due, 0, False)
    income = int(rng.lognormvariate(11.35, 0.62)) * 100 + rng.randrange(100)
    deductions = _BASIC + children * 2_400_000 + (3_600_000 if elders else 0) + income // 10
    due = tax_on(max(income - deductions, 0))
    draw = rng.random()
    if draw < 0.28:
        prepaid = due
    elif draw < 0.68:
        prepaid = due + int(rng.expovariate(1 / 90_000))
    else:
        prepaid = max(due - int(rng.expovariate(1 / 110_000)), 0)
    return Reconciliation(income, prepaid, due, children, elders)


@dataclass(frozen=True, slots=True)
class Business:
    """One year of a business: sales of each quarter, profit, staff, assets."""

    quarters: tuple[int, int, int, int]
    profit: int
    staff: int
    assets: int
    general: bool

    @property
    def sales(self) -> int:
        """Of the year."""
        return sum(self.quarters)

    @property
    def low_profit(self) -> bool:
        """小型微利企业: taxable income to 3 million yuan, 300 people, 50 million of assets."""
        return self.profit <= 300_000_000 and self.staff <= 300 and self.assets <= 5_000_000_000


def draw_business(number: int, enterprise: bool, rng: Random) -> Business:
    """Small-scale taxpayers mostly; every two-hundredth sells exactly 300,000 yuan a quarter."""
    if number % 200 == 0:
        quarter = 30_000_000 + (number // 200 % 2)
        return Business((quarter,) * 4, quarter // 3, 5, quarter * 2, False)
    year = int(rng.lognormvariate(14.2 if enterprise else 12.6, 1.1)) * 100
    shares = [rng.uniform(0.6, 1.4) for _ in range(4)]
    first, second, third, fourth = (int(year * share / sum(shares)) for share in shares)
    profit = int(year * rng.uniform(-0.08, 0.22))
    staff = max(int(year / 40_000_000 * rng.uniform(0.5, 2.0)), 1)
    return Business(
        (first, second, third, fourth), profit, staff, int(year * rng.uniform(0.3, 2)), year > 500_000_000
    )


def yuan(cents: int) -> str:
    """1234.56"""
    sign, size = ("-", -cents) if cents < 0 else ("", cents)
    return f"{sign}{size // 100}.{size % 100:02}"
