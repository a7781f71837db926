"""Syntax tree to and from the JSON of the visual builder, without loss.

    {"type": "and", "items": [...]}          {"type": "label", "name": "iit.must_file"}
    {"type": "or", "items": [...]}           {"type": "has", "name": "amount_due"}
    {"type": "not", "item": ...}             {"type": "compare", "name": "amount_due", "op": ">", "value": V}
    {"type": "everyone"}                     {"type": "one_of", "name": "credit_grade", "values": [V, ...]}
    {"type": "nobody"}                       {"type": "between", "name": "income_total", "low": V, "high": V}
    {"type": "reachable", "channel": "sms"}  {"type": "under", "unit": "..."}
    {"type": "opted_out", "channel": "all"}  {"type": "segment", "name": "..."}
    {"type": "event", "name": "..."}         {"type": "sample", "low": 0, "high": 500, "seed": 7}

A value V is {"word": "A"}, {"number": "400.01"} or {"day": "2026-03-15"}; numbers stay text, so nothing is
rounded on the way through a browser.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from outreach.labels.keys import CHANNELS
from outreach.labels.language import parse
from outreach.labels.text import to_text
from outreach.labels.tokens import MAX_DIGITS, NUMBER
from outreach.labels.tree import (
    COMPARISONS,
    MAX_DEPTH,
    MAX_NODES,
    MAX_SEED,
    And,
    Between,
    Compare,
    Day,
    Event,
    Everyone,
    ExpressionInvalid,
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

Block = dict[str, Any]
_MAX_LEVELS = 2 * MAX_DEPTH + 3
# A bracket in text may hold an `or` of `and`s: two levels of blocks.


def to_blocks(tree: Tree) -> Block:
    """The builder's form of a tree."""
    match tree:
        case And(items=items):
            return {"type": "and", "items": [to_blocks(item) for item in items]}
        case Or(items=items):
            return {"type": "or", "items": [to_blocks(item) for item in items]}
        case Not(item=item):
            return {"type": "not", "item": to_blocks(item)}
        case Compare(name=name, op=op, value=value):
            return {"type": "compare", "name": name, "op": op, "value": _value_block(value)}
        case OneOf(name=name, values=values):
            return {"type": "one_of", "name": name, "values": [_value_block(value) for value in values]}
        case Between(name=name, low=low, high=high):
            bounds = {"low": _value_block(low), "high": _value_block(high)}
            return {"type": "between", "name": name, **bounds}
        case _:
            return _simple_block(tree)


def _simple_block(tree: Tree) -> Block:
    match tree:
        case Everyone():
            return {"type": "everyone"}
        case Nobody():
            return {"type": "nobody"}
        case Label(name=name):
            return {"type": "label", "name": name}
        case Has(name=name):
            return {"type": "has", "name": name}
        case Under(unit=unit):
            return {"type": "under", "unit": unit}
        case Reachable(channel=channel):
            return {"type": "reachable", "channel": channel}
        case OptedOut(channel=channel):
            return {"type": "opted_out", "channel": channel}
        case Event(type=name):
            return {"type": "event", "name": name}
        case Sample(low=low, high=high, seed=seed):
            return {"type": "sample", "low": low, "high": high, "seed": seed}
        case Segment(name=name):
            return {"type": "segment", "name": name}
    raise TypeError(f"not a node of the tree: {tree!r}")


def _value_block(value: Value) -> Block:
    match value:
        case Word(text=text):
            return {"word": text}
        case Number(text=text):
            return {"number": text}
        case Day(day=day):
            return {"day": day.isoformat()}


def from_blocks(data: object) -> Tree:
    """The tree of a builder's form; its places are those in `to_text` of it.

    Raises ExpressionInvalid on anything that the builder cannot make, with the same limits as text has.
    """
    return parse(to_text(_Reader().node(data, 1)))


class _Reader:
    def __init__(self) -> None:
        self._nodes = 0

    def node(self, data: object, depth: int) -> Tree:
        self._count(depth)
        block = _mapping(data)
        match block.get("type"):
            case "and":
                return And(self._items(block, depth))
            case "or":
                return Or(self._items(block, depth))
            case "not":
                return Not(self.node(block.get("item"), depth + 1))
            case "compare":
                return self._compare(block)
            case "one_of":
                values = _sequence(block, "values", 1)
                return OneOf(_name(block, "name"), tuple(self._value(value) for value in values))
            case "between":
                low, high = self._value(block.get("low")), self._value(block.get("high"))
                return Between(_name(block, "name"), low, high)
            case _:
                return _simple_node(block)

    def _items(self, block: Mapping[str, object], depth: int) -> tuple[Tree, ...]:
        return tuple(self.node(item, depth + 1) for item in _sequence(block, "items", 2))

    def _compare(self, block: Mapping[str, object]) -> Tree:
        op = block.get("op")
        if op not in COMPARISONS:
            raise ExpressionInvalid(f"比较符应是 {' '.join(COMPARISONS)} 之一。")
        return Compare(_name(block, "name"), str(op), self._value(block.get("value")))

    def _value(self, data: object) -> Value:
        self._count(1)
        match _mapping(data):
            case {"word": str()} as block:
                return Word(_name(block, "word"))
            case {"number": str(text)} if len(text) <= MAX_DIGITS and NUMBER.fullmatch(text):
                return Number(text)
            case {"day": str(text)}:
                return Day(_day(text))
        raise ExpressionInvalid("值应是名称、数字或日期。")

    def _count(self, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > _MAX_LEVELS:
            raise ExpressionInvalid(f"表达式超过 {MAX_NODES} 个条件和值或 {MAX_DEPTH} 层，请拆成几个人群。")


def _simple_node(block: Mapping[str, object]) -> Tree:
    match block.get("type"):
        case "everyone":
            return Everyone()
        case "nobody":
            return Nobody()
        case "label":
            return Label(_name(block, "name"))
        case "has":
            return Has(_name(block, "name"))
        case "under":
            return Under(_name(block, "unit"))
        case "reachable":
            return Reachable(_channel(block, CHANNELS))
        case "opted_out":
            return OptedOut(_channel(block, (*CHANNELS, "all")))
        case "event":
            return Event(_name(block, "name"))
        case "sample":
            return Sample(_part(block, "low"), _part(block, "high"), _part(block, "seed"))
        case "segment":
            return Segment(_name(block, "name"))
    raise ExpressionInvalid(f"没有“{str(block.get('type'))[:40]}”这种条件。")


def _mapping(data: object) -> Mapping[str, object]:
    if not isinstance(data, Mapping):
        raise ExpressionInvalid("条件的格式不对：缺少内容。")
    return data


def _sequence(block: Mapping[str, object], key: str, least: int) -> Sequence[object]:
    items = block.get(key)
    if not isinstance(items, list) or len(items) < least:
        raise ExpressionInvalid(f"条件的格式不对：{key} 至少要有 {least} 项。")
    return items


def _name(block: Mapping[str, object], key: str) -> str:
    name = block.get(key)
    if not isinstance(name, str) or not name.strip() or len(name) > 100 or not name.isprintable():
        raise ExpressionInvalid("名称不能为空、不能超过 100 个字、不能含控制字符。")
    return name


def _part(block: Mapping[str, object], key: str) -> int:
    number = block.get(key)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_SEED:
        raise ExpressionInvalid("抽样的起点、终点和种子应是不小于 0 的整数。")
    return number


def _channel(block: Mapping[str, object], allowed: tuple[str, ...]) -> str:
    channel = block.get("channel")
    if channel not in allowed:
        raise ExpressionInvalid(f"渠道应是 {'、'.join(allowed)} 之一。")
    return str(channel)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ExpressionInvalid(f"没有 {text[:20]} 这一天。") from None
