"""Who lives in the season's city: labels, ways to reach them and the halls they belong to, drawn from a
seed.

All is in arrays by household id (place 0 is nobody), so that a million are drawn in a second and every
check of a day is one expression over them.
"""

from dataclasses import dataclass

import numpy as np
from pyroaring import BitMap

from outreach.labels.bitmaps import from_array
from outreach.labels.keys import RCS_READY, kind_key, label_key, optout_key, org_key, reach_key

PROVINCE, CITY = 1, 2
FIRST_COUNTY, FIRST_HALL, FIRST_GRID = 11, 101, 10_001
GRIDS_PER_HALL = 3
_COUNTIES = 4
_FEW_HALLS, _MANY_HALLS, _MANY_FROM = 12, 40, 200_000
_PAIRED = 33
"""Every so-many-th household is looked after by the person of the one before it."""

Flags = np.ndarray


@dataclass(frozen=True, slots=True)
class People:
    """`person`, `hall`, `grid`: ids by household. The flags of addresses are by household too: those of its
    person. `opted_out` refuses everything from the start; `in_care` is called first where the ladder can."""

    count: int
    halls: int
    person: np.ndarray
    hall: np.ndarray
    grid: np.ndarray
    labels: dict[str, Flags]
    mobile: Flags
    openid: Flags
    email: Flags
    rcs: Flags
    opted_out: Flags

    @property
    def ids(self) -> np.ndarray:
        """All households."""
        return np.arange(1, self.count + 1)

    def label(self, *codes: str) -> Flags:
        """Households with any of the labels."""
        found: Flags = np.logical_or.reduce([self.labels[code] for code in codes])
        return found

    def sets(self) -> dict[str, BitMap]:
        """The product's sets of all this, by key."""
        flags = {label_key(code): held for code, held in self.labels.items()}
        flags |= {reach_key("sms"): self.mobile, reach_key("rcs"): self.rcs, RCS_READY: self.rcs}
        flags |= {reach_key("wechat"): self.openid, reach_key("email"): self.email}
        flags |= {
            optout_key("all"): self.opted_out,
            kind_key("natural_person"): np.arange(self.count + 1) > 0,
        }
        flags |= {org_key(int(unit)): self.grid == unit for unit in np.unique(self.grid[1:])}
        return {key: from_array(np.flatnonzero(held)) for key, held in flags.items()}


def draw_people(count: int, seed: int) -> People:
    """The city of a seed. Halls differ in size: a cap binds in some of them and not in others."""
    chance = np.random.default_rng([seed, 1])
    ids = np.arange(count + 1)
    paired = (ids % _PAIRED == 0) & (ids > 1)
    person = np.where(paired, ids - 1, ids)
    halls = _MANY_HALLS if count >= _MANY_FROM else _FEW_HALLS
    sizes = 1 / (4 + np.arange(halls))
    places = chance.choice(halls, count + 1, p=sizes / sizes.sum())[person]
    grids = FIRST_GRID + places * GRIDS_PER_HALL + chance.integers(0, GRIDS_PER_HALL, count + 1)[person]

    def share(part: float) -> Flags:
        return (chance.random(count + 1) < part) & (ids > 0)

    duty = np.where(ids > 0, chance.random(count + 1), 1.0)
    no_phone = share(0.015)[person]
    mobile = ~no_phone & ~share(0.015)[person] & (ids > 0)
    labels = {
        "iit.must_file": duty < 0.25,
        "iit.refund_expected": (duty >= 0.25) & (duty < 0.65),
        "iit.topup_expected": (duty < 0.20) | (duty >= 0.65) & (duty < 0.80),
        "iit.exempt": (duty >= 0.65) & (duty < 0.80),
        "iit.unit_filing": share(0.30),
        "elderly": share(0.03),
        "disabled": share(0.005),
        "mongolian_reader": share(0.02),
        "no_phone": no_phone,
    }
    return People(
        count,
        halls,
        person,
        FIRST_HALL + places,
        grids,
        labels,
        mobile,
        share(0.35)[person],
        share(0.25)[person],
        mobile & share(0.30)[person],
        share(0.005)[person],
    )


def units(people: People) -> list[tuple[int, int | None, int, str, str]]:
    """Id, parent, level, name and path of every unit from the province to the grids."""
    rows: list[tuple[int, int | None, int, str, str]] = [
        (PROVINCE, None, 1, "示例省", "1."),
        (CITY, 1, 2, "示例市", "1.2."),
    ]
    rows += [
        (FIRST_COUNTY + n, CITY, 3, f"{n + 1}号县", f"1.2.{FIRST_COUNTY + n}.") for n in range(_COUNTIES)
    ]
    for n in range(people.halls):
        county, hall = FIRST_COUNTY + n % _COUNTIES, FIRST_HALL + n
        path = f"1.2.{county}.{hall}."
        rows.append((hall, county, 4, f"{n + 1}号厅", path))
        for k in range(GRIDS_PER_HALL):
            grid = FIRST_GRID + n * GRIDS_PER_HALL + k
            rows.append((grid, hall, 5, f"{n + 1}-{k + 1}网格", f"{path}{grid}."))
    return rows
