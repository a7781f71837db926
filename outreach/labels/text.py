"""Syntax tree to canonical text; `parse(to_text(tree)) == tree` for every tree that `parse` can build."""

from outreach.labels.tokens import quote_if_needed
from outreach.labels.tree import (
    And,
    Between,
    Compare,
    Day,
    Event,
    Everyone,
    Has,
    Label,
    Nobody,
    Not,
    Number,
    OneOf,
    OptedOut,
    Or,
    Reachable,
    Sample,
    Segment,
    Tree,
    Under,
    Value,
    Word,
)

_quoted = quote_if_needed


def to_text(tree: Tree) -> str:
    """The expression on one line, with no more brackets than needed."""
    match tree:
        case Or(items=items):
            return " or ".join(_bracketed(item, Or) for item in items)
        case And(items=items):
            return " and ".join(_bracketed(item, Or, And) for item in items)
        case Not(item=item):
            return f"not {_bracketed(item, Or, And)}"
        case _:
            return _leaf(tree)


def value_text(value: Value) -> str:
    """A value as it stands in an expression."""
    match value:
        case Word(text=text):
            return _quoted(text)
        case Number(text=text):
            return text
        case Day(day=day):
            return day.isoformat()


def _bracketed(tree: Tree, *looser: type) -> str:
    text = to_text(tree)
    return f"({text})" if isinstance(tree, looser) else text


def _leaf(tree: Tree) -> str:
    match tree:
        case Everyone():
            return "everyone"
        case Nobody():
            return "nobody"
        case Label(name=name):
            return _quoted(name)
        case Has(name=name):
            return f"has {_quoted(name)}"
        case Compare(name="org", op="=" | "!=" as op, value=Word() as value):
            return f"org {op} {value_text(value)}"
        case Compare(name=name, op=op, value=value):
            return f"{_quoted(name)} {op} {value_text(value)}"
        case OneOf(name=name, values=values):
            return f"{_quoted(name)} in ({', '.join(map(value_text, values))})"
        case Between(name=name, low=low, high=high):
            return f"{_quoted(name)} between {value_text(low)} and {value_text(high)}"
        case _:
            return _prefixed(tree)


def _prefixed(tree: Tree) -> str:
    match tree:
        case Under(unit=unit):
            return f"org under {_quoted(unit)}"
        case Reachable(channel=channel):
            return f"reachable by {channel}"
        case OptedOut(channel=channel):
            return f"opted_out of {channel}"
        case Event(type=kind):
            return f"event {_quoted(kind)}"
        case Sample(low=low, high=high, seed=seed):
            return f"sample {low} to {high} seed {seed}"
        case Segment(name=name):
            return f"segment {_quoted(name)}"
    raise TypeError(f"not a node of the tree: {tree!r}")
