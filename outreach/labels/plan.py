"""An expression with every name resolved: what `evaluate` computes and `explain` puts into words.

`yes` and `no` are the Chinese sentences for a taxpayer of whom it is true or not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from outreach.labels.catalogue import Attribute


@dataclass(frozen=True, slots=True)
class All:
    """Everyone in the scope."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nobody."""


@dataclass(frozen=True, slots=True)
class Members:
    """Those in any of the sets; `log_key` is where their changes are logged, if not under the sets' names."""

    keys: tuple[str, ...]
    yes: str
    no: str
    log_key: str = ""


@dataclass(frozen=True, slots=True)
class Subtree:
    """Members of an org unit and of all units below it."""

    org_id: int
    yes: str
    no: str


@dataclass(frozen=True, slots=True)
class Range:
    """Those whose value lies in [low, high] (stored numbers, None is open), or with `outside` beyond it."""

    attribute: Attribute
    low: int | None
    high: int | None
    outside: bool
    condition: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """Those whom chance gives a number in [low, high) of 1,000."""

    low: int
    high: int
    seed: int
    yes: str
    no: str


@dataclass(frozen=True, slots=True)
class Without:
    """Those that the item does not hold."""

    item: "Plan"


@dataclass(frozen=True, slots=True)
class Every:
    """Those that all items hold."""

    items: tuple["Plan", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Those that any item holds."""

    items: tuple["Plan", ...]


@dataclass(frozen=True, slots=True)
class Named:
    """Those whom a saved segment holds."""

    name: str
    item: "Plan"


Plan = All | Nothing | Members | Subtree | Range | Drawn | Without | Every | Some | Named


def walk_plan(plan: Plan) -> Iterator[Plan]:
    """The node and all nodes below it."""
    yield plan
    match plan:
        case Without(item=item) | Named(item=item):
            yield from walk_plan(item)
        case Every(items=items) | Some(items=items):
            for each in items:
                yield from walk_plan(each)
