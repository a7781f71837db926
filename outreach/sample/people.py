"""Invented numbers and people."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from outreach.imports.contacts import MOBILE_PREFIXES
from outreach.imports.numbers import card_check_digit, credit_check_digit
from outreach.sample.words import GIVEN_FIRST, GIVEN_SECOND, MONGOLIAN_NAMES, SURNAMES

DISTRICT = "1599"
"""Begins every district code here; GB/T 2260 has allotted none such."""
_BORN_FIRST, _BORN_DAYS = date(1938, 1, 1), 25_000
_PREFIXES = tuple(map(str, sorted(MOBILE_PREFIXES)))
_OPENID = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_SURNAMES, _WEIGHTS = tuple(SURNAMES), tuple(SURNAMES.values())
_DOMAINS = ("mail.example.com", "post.example.cn", "example.org", "office.example.net")
_ELDERLY_BEFORE = 1960


@dataclass(slots=True)
class Someone:
    """A person of the made-up city; empty texts where she has no such address."""

    name: str
    id_no: str
    mobile: str
    openid: str
    email: str
    language: str
    care: bool

    @property
    def birth_year(self) -> int:
        """From the identity number."""
        return int(self.id_no[6:10])

    @property
    def elderly(self) -> bool:
        """Sixty-five or older at the end of 2025."""
        return self.birth_year <= _ELDERLY_BEFORE


class Population:
    """Makes people and numbers; every number is given out once."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._taken: set[str] = set()
        self._family_mobile = ""

    def person(self) -> Someone:
        """The next inhabitant."""
        rng = self._rng
        mongolian = rng.random() < 0.03
        id_no = self.id_no()
        elderly = int(id_no[6:10]) <= _ELDERLY_BEFORE
        return Someone(
            name=rng.choice(MONGOLIAN_NAMES) if mongolian else self._name(),
            id_no=id_no,
            mobile=self._mobile(),
            openid="o" + "".join(rng.choices(_OPENID, k=27)) if rng.random() < 0.45 else "",
            email=self._email(id_no) if rng.random() < 0.30 else "",
            language="蒙古语" if mongolian else "",
            care=rng.random() < (0.15 if elderly else 0.005),
        )

    def id_no(self) -> str:
        """An identity number."""
        rng = self._rng
        while True:
            born = _BORN_FIRST + timedelta(days=int(rng.triangular(0, _BORN_DAYS, _BORN_DAYS * 0.65)))
            first = f"{DISTRICT}{rng.randrange(1, 7):02}{born:%Y%m%d}{rng.randrange(1000):03}"
            if first not in self._taken:
                self._taken.add(first)
                return first + card_check_digit(first)

    def credit_code(self, department: str) -> str:
        """A unified social credit code; `91` enterprise, `92` individual business."""
        rng = self._rng
        while True:
            body = "MA" + "".join(rng.choices(_CREDIT, k=7))
            first = f"{department}{DISTRICT}{rng.randrange(1, 7):02}{body}"
            if first not in self._taken:
                self._taken.add(first)
                return first + credit_check_digit(first)

    def _name(self) -> str:
        rng = self._rng
        surname = rng.choices(_SURNAMES, _WEIGHTS)[0]
        given = rng.choice(GIVEN_FIRST)
        return surname + (given + rng.choice(GIVEN_SECOND) if rng.random() < 0.78 else given)

    def _mobile(self) -> str:
        rng = self._rng
        draw = rng.random()
        if draw < 0.06:
            return ""
        if draw < 0.10 and self._family_mobile:
            return self._family_mobile
        self._family_mobile = f"{rng.choice(_PREFIXES)}{rng.randrange(10**8):08}"
        return self._family_mobile

    def _email(self, id_no: str) -> str:
        return f"u{id_no[6:10]}{self._rng.randrange(10**6):06}@{self._rng.choice(_DOMAINS)}"
