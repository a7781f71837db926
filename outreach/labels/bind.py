"""Syntax tree and vocabulary to plan: every name resolved, every value checked against its type.

Pure. Beside the plan it gives the expression with codes in place of names and saved segments written out:
what was really computed, for the record of a frozen audience.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from outreach.errors import InvalidInput
from outreach.labels.catalogue import Attribute
from outreach.labels.keys import (
    CHANNEL_NAMES,
    INDUSTRY,
    KINDS,
    attribute_key,
    event_key,
    exists_key,
    industry_prefixes,
    kind_key,
    label_key,
    optout_key,
    org_key,
    reach_key,
)
from outreach.labels.plan import (
    All,
    Drawn,
    Every,
    Members,
    Named,
    Nothing,
    Plan,
    Range,
    Some,
    Subtree,
    Without,
)
from outreach.labels.suggest import unknown_name, unknown_option
from outreach.labels.tree import (
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
    Span,
    Tree,
    Under,
    Value,
    Word,
)
from outreach.labels.units import to_stored
from outreach.labels.units import to_text as stored_text
from outreach.labels.vocabulary import LabelTerm, Unit, Vocabulary, broken_segment, value_text

Bound = tuple[Plan, Tree]
_WORDS = {"<": "小于", "<=": "不大于", ">": "大于", ">=": "不小于", "=": "等于", "!=": "不等于"}


def bind(tree: Tree, vocabulary: Vocabulary, text: str) -> Bound:
    """The plan, and the tree in codes. Raises ExpressionInvalid at the name or value that does not fit."""
    return _Binder(vocabulary, text).bind(tree)


class _Binder:
    def __init__(self, vocabulary: Vocabulary, text: str) -> None:
        self._words = vocabulary
        self._text = text

    def bind(self, tree: Tree) -> Bound:
        match tree:
            case Everyone():
                return All(), tree
            case Nobody():
                return Nothing(), tree
            case Not(item=item):
                plan, said = self.bind(item)
                return Without(plan), Not(said)
            case And(items=items):
                plans, trees = zip(*map(self.bind, items), strict=True)
                return Every(plans), And(trees)
            case Or(items=items):
                plans, trees = zip(*map(self.bind, items), strict=True)
                return Some(plans), Or(trees)
            case Segment():
                return self._segment(tree)
            case _:
                return self._condition(tree)

    def _condition(self, tree: Tree) -> Bound:
        match tree:
            case Label():
                return self._flag(tree)
            case Has():
                return self._has(tree)
            case Under(unit=name, span=span):
                unit = self._unit(name, span)
                plan = Subtree(unit.id, f"属于{unit.name}（含下级）", f"不属于{unit.name}（含下级）")
                return plan, Under(unit.code)
            case Compare(name="org"):
                return self._org(tree)
            case Compare(name="kind") | OneOf(name="kind"):
                return self._kind(tree)
            case Compare() | OneOf() | Between():
                return self._named_condition(tree)
            case _:
                return self._fixed_set(tree), tree

    def _fixed_set(self, tree: Tree) -> Plan:
        match tree:
            case Reachable(channel=channel):
                name = CHANNEL_NAMES[channel]
                return Members((reach_key(channel),), f"可以通过{name}联系", f"不能通过{name}联系")
            case OptedOut(channel=channel):
                name = CHANNEL_NAMES[channel]
                return Members((optout_key(channel),), f"已退订{name}", f"没有退订{name}")
            case Event(type=kind):
                return Members((event_key(kind),), f"有过事件“{kind}”", f"没有事件“{kind}”")
            case Sample(low=low, high=high, seed=seed):
                part = f"抽样 {low}‰ 至 {high}‰（种子 {seed}）"
                return Drawn(low, high, seed, f"被随机抽中：{part}", f"没有被随机抽中：{part}")
        raise TypeError(f"not a node of the tree: {tree!r}")

    def _segment(self, node: Segment) -> Bound:
        saved = self._words.segments.get(node.name)
        if saved is None:
            raise unknown_name(self._words, ("segment",), node.name, self._text, node.span)
        try:
            plan, tree = bind(saved.tree, saved.vocabulary, saved.text)
        except ExpressionInvalid as error:
            raise broken_segment(node, self._text, error) from error
        return Named(saved.name, plan), tree

    def _flag(self, node: Label) -> Bound:
        label = self._words.labels.get(node.name)
        if label is None:
            raise self._not_a_flag(node)
        if label.options:
            code, name = next(iter(label.options.items()))
            reason = f"{label.name}有多个取值，请写明，如 {label.code} = {code}（{name}）。"
            raise self._error(reason, node.span)
        plan = Members((label_key(label.code),), f"有标签“{label.name}”", f"没有标签“{label.name}”")
        return plan, Label(label.code)

    def _not_a_flag(self, node: Label) -> ExpressionInvalid:
        attribute = self._words.attributes.get(node.name)
        if attribute is None:
            return unknown_name(self._words, ("label",), node.name, self._text, node.span)
        code = attribute.code
        reason = f"{attribute.name}是属性，请写比较，如 {code} > 0，或 has {code}。"
        return self._error(reason, node.span)

    def _has(self, node: Has) -> Bound:
        attribute, label = self._words.attributes.get(node.name), self._words.labels.get(node.name)
        if attribute is not None:
            log_key = attribute_key(attribute.code)
            return self._has_any(attribute, (exists_key(attribute.code),), log_key)
        if label is None:
            raise unknown_name(self._words, ("attribute", "label"), node.name, self._text, node.span)
        if not label.options:
            raise self._error(f"{label.name}是有或无的标签，直接写 {label.code}。", node.span)
        return self._has_any(label, self._words.keys_under(label_key(label.code, "")), "")

    def _has_any(self, term: Attribute | LabelTerm, keys: tuple[str, ...], log_key: str) -> Bound:
        yes, no = f"有“{term.name}”的数据", f"没有“{term.name}”的数据"
        return Members(keys, yes, no, log_key), Has(term.code)

    def _unit(self, name: str, span: Span) -> Unit:
        candidates = self._words.units.get(name, ())
        if not candidates:
            raise unknown_name(self._words, ("unit",), name, self._text, span)
        if len(candidates) > 1:
            shown = "、".join(unit.code for unit in candidates[:5])
            more = f" 等 {len(candidates)} 个" if len(candidates) > 5 else ""
            raise self._error(f"有多个机构叫“{name}”，请写代码：{shown}{more}。", span)
        return candidates[0]

    def _org(self, node: Compare) -> Bound:
        if node.op not in ("=", "!=") or not isinstance(node.value, Word):
            raise self._error("org 只能写 org = 机构，或 org under 机构。", node.span)
        unit = self._unit(node.value.text, node.value.span)
        plan = Members((org_key(unit.id),), f"主管机构是{unit.name}", f"主管机构不是{unit.name}")
        tree = Compare("org", node.op, Word(unit.code))
        return (Without(plan) if node.op == "!=" else plan), tree

    def _kind(self, node: Tree) -> Bound:
        values, negated = self._choice(node)
        codes = [self._option(KINDS, "kind", "户类型", value) for value in values]
        others = [code for code in KINDS if code not in codes]
        names = "或".join(KINDS[code] for code in codes)
        chosen = others if negated else codes
        yes, no = (f"不是{names}", f"是{names}") if negated else (f"是{names}", f"不是{names}")
        return Members(tuple(map(kind_key, chosen)), yes, no), _in_codes(node, "kind", codes)

    def _named_condition(self, node: Compare | OneOf | Between) -> Bound:
        label, attribute = self._words.labels.get(node.name), self._words.attributes.get(node.name)
        if attribute is not None:
            return self._range(node, attribute)
        if label is None:
            raise unknown_name(self._words, ("attribute", "label"), node.name, self._text, node.span)
        if not label.options:
            raise self._error(f"{label.name}是有或无的标签，直接写 {label.code}。", node.span)
        return self._label_value(node, label)

    def _label_value(self, node: Tree, label: LabelTerm) -> Bound:
        values, negated = self._choice(node)
        codes = [self._label_option(label, value) for value in values]
        names = "或".join(label.options.get(code, code) for code in codes)
        keys = tuple(dict.fromkeys(key for code in codes for key in self._value_keys(label, code)))
        yes, no = f"{label.name}是{names}", f"{label.name}不是{names}"
        if negated:
            everything = self._words.keys_under(label_key(label.code, ""))
            keys = tuple(key for key in everything if key not in set(keys))
            yes, no = no, f"{label.name}是{names}或没有数据"
        return Members(keys, yes, no), _in_codes(node, label.code, codes)

    def _label_option(self, label: LabelTerm, value: Value) -> str:
        text = value_text(value)
        if label.code == INDUSTRY and text is not None and industry_prefixes(text):
            return text
        return self._option(label.options, label.code, label.name, value)

    def _value_keys(self, label: LabelTerm, code: str) -> tuple[str, ...]:
        if label.code != INDUSTRY:
            return (label_key(label.code, code),)
        prefixes = industry_prefixes(code) or ()
        return tuple(
            key for prefix in prefixes for key in self._words.keys_under(label_key(INDUSTRY, prefix))
        )

    def _choice(self, node: Tree) -> tuple[Sequence[Value], bool]:
        match node:
            case Compare(op="=" | "!=" as op, value=value):
                return [value], op == "!="
            case OneOf(values=values):
                return values, False
        raise self._error("这里只能用 =、!= 或 in。", node.span)

    def _option(self, options: Mapping[str, str], code: str, name: str, value: Value) -> str:
        text = value_text(value)
        if text is not None and text in options:
            return text
        for option, title in options.items():
            if title == text:
                return option
        raise unknown_option(options, f"{name}（{code}）", text, self._text, value.span)

    def _range(self, node: Compare | OneOf | Between, attribute: Attribute) -> Bound:
        if isinstance(node, OneOf):
            raise self._error(f"{attribute.name}是属性，请用比较或 between。", node.span)
        if isinstance(node, Between):
            return self._between(node, attribute)
        stored = self._stored(attribute, node.value)
        low, high = _bounds(node.op, stored)
        condition = f"{_WORDS[node.op]} {stored_text(attribute.type, stored)}"
        plan = Range(attribute, low, high, node.op == "!=", condition)
        return plan, Compare(attribute.code, node.op, node.value)

    def _between(self, node: Between, attribute: Attribute) -> Bound:
        low, high = self._stored(attribute, node.low), self._stored(attribute, node.high)
        if low > high:
            raise self._error("between 的第一个数应不大于第二个数。", node.span)
        shown = [stored_text(attribute.type, each) for each in (low, high)]
        condition = f"在 {shown[0]} 到 {shown[1]} 之间（含）"
        return Range(attribute, low, high, False, condition), dataclasses.replace(node, name=attribute.code)

    def _stored(self, attribute: Attribute, value: Value) -> int:
        try:
            return _stored(attribute, value)
        except InvalidInput as error:
            raise self._error(f"{attribute.name}：{error.message}", value.span) from error

    def _error(self, reason: str, span: Span) -> ExpressionInvalid:
        return ExpressionInvalid(reason, self._text, span)


def _stored(attribute: Attribute, value: Value) -> int:
    match value:
        case Day(day=day):
            return to_stored(attribute.type, day)
        case Number() if value.is_percent and attribute.type != "percent":
            raise InvalidInput("不是百分比，请去掉 %。")
        case Number():
            return to_stored(attribute.type, value.amount)
        case Word(text=text):
            raise InvalidInput(f"应与数字或日期比较，不是“{text}”。")


def _bounds(op: str, stored: int) -> tuple[int | None, int | None]:
    bounds: dict[str, Callable[[], tuple[int | None, int | None]]] = {
        "<": lambda: (None, stored - 1),
        "<=": lambda: (None, stored),
        ">": lambda: (stored + 1, None),
        ">=": lambda: (stored, None),
    }
    return bounds.get(op, lambda: (stored, stored))()


def _in_codes(node: Tree, name: str, codes: Sequence[str]) -> Tree:
    values = tuple(map(Word, codes))
    return Compare(name, node.op, values[0]) if isinstance(node, Compare) else OneOf(name, values)
