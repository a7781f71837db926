"""The syntax tree of an expression: what `language` and `blocks` build and `text`, `blocks`, `bind` read.

Two trees are equal when they say the same thing in the same shape; the place in the source text is carried
along for error messages and does not count.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from outreach.errors import InvalidInput

MAX_BYTES, MAX_NODES, MAX_DEPTH = 4096, 200, 40
MAX_PART, MAX_SEED = 1000, 999_999_999
"""Of a sample: thousandths, and the largest seed."""
COMPARISONS = ("<", "<=", ">", ">=", "=", "!=")
_SCALES = {"万": Decimal(10_000), "亿": Decimal(100_000_000)}


@dataclass(frozen=True, slots=True)
class Span:
    """Where something stands in the source text, in characters."""

    start: int
    length: int


NOWHERE = Span(0, 0)


class ExpressionInvalid(InvalidInput):
    """An expression cannot be read or names what does not exist.

    `message` starts with the place; `details` hold `line` and `column` (from 1), `length`, `reason` (the
    message without its place) and `suggestion` if there is a near name.
    """

    code = "expression_invalid"

    def __init__(self, reason: str, text: str = "", span: Span = NOWHERE, *, suggestion: str = "") -> None:
        before = text[: span.start]
        line, column = before.count("\n") + 1, span.start - (before.rfind("\n") + 1) + 1
        where = {"line": line, "column": column, "length": span.length, "reason": reason}
        extra = {"suggestion": suggestion} if suggestion else {}
        place = "" if span is NOWHERE else f"第 {line} 行第 {column} 列："
        super().__init__(place + reason, field="expression", **where, **extra)


@dataclass(frozen=True, slots=True)
class Word:
    """A code or a name as a value: `A`, `I65`, `"制造业"`."""

    text: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written: `400.01`, `-3`, `12万`, `12.5%`."""

    text: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    @property
    def is_percent(self) -> bool:
        """Whether it was written with a percent sign."""
        return self.text.endswith("%")

    @property
    def amount(self) -> Decimal:
        """Its exact value; of a percentage the number before the sign."""
        return Decimal(self.text.rstrip("万亿%")) * _SCALES.get(self.text[-1], Decimal(1))


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day: `2026-03-15`."""

    day: date
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Value = Word | Number | Day


@dataclass(frozen=True, slots=True)
class Everyone:
    """All taxpayers of the scope."""

    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Nobody:
    """The empty set."""

    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """Those of the scope that the item does not hold."""

    item: "Tree"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """Those that all items hold; two items or more."""

    items: tuple["Tree", ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Or:
    """Those that any item holds; two items or more."""

    items: tuple["Tree", ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Label:
    """A flag label by code or Chinese name."""

    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Has:
    """Those that have a value of an attribute or of a value label at all."""

    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """A value label, an attribute, `kind` or `org` compared with a value; `op` is one of COMPARISONS."""

    name: str
    op: str
    value: Value
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value label or `kind` with one of several values."""

    name: str
    values: tuple[Value, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Between:
    """An attribute within two bounds, both included."""

    name: str
    low: Value
    high: Value
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Under:
    """Members of an org unit and of all units below it, by code or name."""

    unit: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Reachable:
    """Those whose contact can be reached on a channel."""

    channel: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OptedOut:
    """Those whose contact has refused a channel, or `all`."""

    channel: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Event:
    """Those to whom an event of the type has happened."""

    type: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Sample:
    """Those whom chance gives a number in [low, high) of 1,000, fixed by the seed."""

    low: int
    high: int
    seed: int
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Segment:
    """Those whom a saved segment holds."""

    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Condition = Label | Has | Compare | OneOf | Between
Leaf = Everyone | Nobody | Condition | Under | Reachable | OptedOut | Event | Sample | Segment
Tree = Leaf | Not | And | Or


def walk(tree: Tree) -> Iterator[Tree]:
    """The node and all nodes below it, parents first."""
    yield tree
    match tree:
        case Not(item=item):
            yield from walk(item)
        case And(items=items) | Or(items=items):
            for each in items:
                yield from walk(each)
