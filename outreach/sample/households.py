"""Who lives and works in the made-up city: natural persons, small businesses, companies, and who acts for
them. One person may head three companies, an agent serves dozens."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from outreach.sample.city import City
from outreach.sample.money import Business, Reconciliation, draw_business, draw_reconciliation
from outreach.sample.people import Population, Someone
from outreach.sample.words import (
    BRAND_FIRST,
    BRAND_LONG,
    BRAND_SECOND,
    CITY,
    COMPANY_FORMS,
    COUNTIES,
    STREETS,
    TRADES,
)

NATURAL_SHARE, INDIVIDUAL_SHARE = 0.70, 0.20
_TRADE_WEIGHTS = [trade[1] for trade in TRADES]
_FORMS = [form for form, _ in COMPANY_FORMS]
_FORM_WEIGHTS = [weight for _, weight in COMPANY_FORMS]
_OPENING, _DAYS = date(1998, 3, 1), 10_150


@dataclass(slots=True)
class Household:
    """A taxpayer: `person` for a natural person, `business` figures for the others."""

    tax_no: str
    kind: str
    name: str
    org_code: str
    industry: str = ""
    registered_on: date | None = None
    person: Someone | None = None
    year: Reconciliation | None = None
    business: Business | None = None
    roles: dict[str, Someone] = field(default_factory=dict)


def settle(city: City, taxpayers: int, rng: Random) -> list[Household]:
    """All households in the order of the file."""
    population = Population(rng)
    orgs = iter(rng.choices(city.grids, city.weights, k=taxpayers))
    naturals = round(taxpayers * NATURAL_SHARE)
    individuals = round(taxpayers * INDIVIDUAL_SHARE)
    households = [_natural(next(orgs), number, population, rng) for number in range(naturals)]
    people = [household.person for household in households if household.person]
    households += [_individual(next(orgs), number, population, people, rng) for number in range(individuals)]
    companies = taxpayers - len(households)
    staff = _Staff.hire(companies, population, people, rng)
    households += [_company(next(orgs), number, population, staff, rng) for number in range(companies)]
    rng.shuffle(households)
    return households


def _natural(org: str, number: int, population: Population, rng: Random) -> Household:
    person = population.person()
    year = draw_reconciliation(number, rng)
    return Household(person.id_no, "自然人", person.name, org, person=person, year=year)


def _individual(
    org: str, number: int, population: Population, people: list[Someone], rng: Random
) -> Household:
    owner = rng.choice(people) if people and rng.random() < 0.6 else population.person()
    industry, _, _, shop = rng.choices(TRADES, _TRADE_WEIGHTS)[0]
    name = f"{_place(rng)}{owner.name[0]}{_brand(rng)}{shop}"
    return Household(
        population.credit_code("92"), "个体工商户", name, org, industry, _opened(rng),
        business=draw_business(number, False, rng), roles={"法定代表人": owner},
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Staff:
    """From whom companies take those who act for them; few against many companies, so they are shared."""

    heads: list[Someone]
    finance: list[Someone]
    agents: list[Someone]

    @classmethod
    def hire(cls, companies: int, population: Population, people: list[Someone], rng: Random) -> "_Staff":
        def some(share: float) -> list[Someone]:
            wanted = max(round(companies * share), 1)
            return [
                rng.choice(people) if people and rng.random() < 0.7 else population.person()
                for _ in range(wanted)
            ]

        return cls(some(0.8), some(0.35), some(1 / 40))


def _company(org: str, number: int, population: Population, staff: _Staff, rng: Random) -> Household:
    industry, _, trade, _ = rng.choices(TRADES, _TRADE_WEIGHTS)[0]
    brand = rng.choice(BRAND_LONG) if rng.random() < 0.05 else _brand(rng)
    name = f"{_place(rng)}{brand}{trade}{rng.choices(_FORMS, _FORM_WEIGHTS)[0]}"
    if number % 50 == 0:
        name += f"{rng.choice(COUNTIES)}{rng.choice(STREETS)}路第{rng.randrange(2, 9)}分公司综合服务营业部"
    head = staff.heads[number % len(staff.heads)]
    roles = {"法定代表人": head, "财务负责人": staff.finance[number % len(staff.finance)]}
    if rng.random() < 0.4:
        roles["涉税代理人"] = roles["办税员"] = rng.choice(staff.agents)
    elif rng.random() < 0.7:
        roles["办税员"] = roles["财务负责人"]
    return Household(
        population.credit_code("91"), "企业", name, org, industry, _opened(rng),
        business=draw_business(number, True, rng), roles=roles,
    )  # fmt: skip


def _place(rng: Random) -> str:
    return CITY if rng.random() < 0.6 else rng.choice(COUNTIES)


def _brand(rng: Random) -> str:
    return rng.choice(BRAND_FIRST) + rng.choice(BRAND_SECOND)


def _opened(rng: Random) -> date:
    return _OPENING + timedelta(days=int(rng.triangular(0, _DAYS, _DAYS)))
