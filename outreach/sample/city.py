"""Tax offices of the made-up city: province, city, counties, branches, grids."""

from dataclasses import dataclass
from random import Random

from outreach.sample.words import CITY, COUNTIES, PROVINCE, STREETS

ROOT_CODE = "100000000"
"""The code of the unit that a fresh installation holds already: the import gives it its name."""
_TAXPAYERS_PER_GRID = 830
_BRANCHES = (5, 4, 4, 3, 2, 2)


@dataclass(frozen=True, slots=True)
class Office:
    """An org unit as the file lists it."""

    code: str
    name: str
    parent: str


@dataclass(frozen=True, slots=True)
class City:
    """All offices, and the grids with their weights."""

    offices: list[Office]
    grids: list[str]
    weights: list[float]


def build_city(taxpayers: int, rng: Random) -> City:
    """About one grid per 830 taxpayers, at least one for each branch."""
    offices = [
        Office(ROOT_CODE, f"国家税务总局{PROVINCE}税务局", ""),
        Office("11599000000", f"国家税务总局{CITY}税务局", ROOT_CODE),
    ]
    branches = sum(_BRANCHES)
    per_branch = max(taxpayers / _TAXPAYERS_PER_GRID / branches, 1.0)
    grids: list[str] = []
    streets = list(STREETS)
    rng.shuffle(streets)
    for number, county in enumerate(COUNTIES, start=1):
        county_code = f"115990{number}0000"
        offices.append(Office(county_code, f"国家税务总局{CITY}{county}税务局", "11599000000"))
        for branch in range(1, _BRANCHES[number - 1] + 1):
            street = streets.pop()
            branch_code = f"115990{number}{branch:02}00"
            offices.append(Office(branch_code, f"{county}{street}税务所", county_code))
            for grid in range(1, max(round(per_branch * rng.uniform(0.7, 1.3)), 1) + 1):
                grid_code = f"115990{number}{branch:02}{grid:02}"
                offices.append(Office(grid_code, f"{street}第{grid}网格", branch_code))
                grids.append(grid_code)
    return City(offices, grids, [rng.uniform(0.5, 1.5) for _ in grids])
