"""Templates that staff write: Jinja's syntax, none of its power.

Jinja parses the source to its tree; only an allow-list of nodes passes, and those become closures of our
own. Jinja never runs: there is no attribute, call, loop or arithmetic to escape through, and a value is
never parsed again. What is allowed:

    {{ name }}   {{ due|money }}   {{ a|default("无")|upto(10) }}   {{ from|until(to) }}
    {% if due %}…{% elif grade == "A" %}…{% else %}…{% endif %}   (not, and, or, == != < <= > >=, in)
"""

import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes
from markupsafe import escape

from outreach.rendering.errors import TemplateInvalid, suggest
from outreach.rendering.filters import FILTERS, MISSING, to_text

Values = Mapping[str, object]
Getter = Callable[[Values], object]
Test = Callable[[Values], bool]


@dataclass(frozen=True, slots=True)
class Limits:
    """Characters of the source and of what it may become."""

    source: int
    output: int


LIMITS: Mapping[str, Limits] = {
    "sms": Limits(4096, 500),
    "rcs": Limits(4096, 2048),
    "wechat": Limits(4096, 1024),
    "wecom": Limits(4096, 2048),
    "dingtalk": Limits(4096, 2048),
    "call": Limits(4096, 4096),
    "visit": Limits(4096, 4096),
    "email": Limits(65536, 65536),
    "email_html": Limits(65536, 262144),
}
"""RCS: a card's text and a suggestion's postback (GSMA RCC.07 §3.6); SMS: what the gateways take."""

MAX_DEPTH = 5
_NAME = re.compile(r"[A-Za-z\u3400-\u9fff][A-Za-z0-9_\u3400-\u9fff]{0,39}")
_PARSER = Environment(keep_trailing_newline=True)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda value, options: value in options,
    "notin": lambda value, options: value not in options,
}
_SYNTAX = "模板语法有误（{}）。变量写作 {{{{ 名称 }}}}，条件写作 {{% if 名称 %}}…{{% else %}}…{{% endif %}}"


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a value."""

    name: str
    get: Getter


@dataclass(frozen=True, slots=True)
class Choice:
    """The first branch whose test holds."""

    branches: tuple[tuple[Test, "Pieces"], ...]
    otherwise: "Pieces"


Pieces = tuple[str | Slot | Choice, ...]


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template that was found harmless. `lines` are the names that it may ask for, each with the line
    where it stands first."""

    source: str
    channel: str
    autoescape: bool
    lines: Mapping[str, int]
    pieces: Pieces

    @property
    def variables(self) -> frozenset[str]:
        """The names that it may ask for."""
        return frozenset(self.lines)

    def render(self, values: Values) -> str:
        """The text for these values. Raises TemplateInvalid: a value is missing, does not fit its filter,
        or the text becomes longer than the channel takes."""
        parts: list[str] = []
        self._emit(self.pieces, values, parts, LIMITS[self.channel].output)
        return "".join(parts)

    def join(self, filled: Iterable[str]) -> str:
        """The text of a template without conditions whose slots were filled before, in their order. Raises
        TemplateInvalid if it becomes longer than the channel takes."""
        given = iter(filled)
        text = "".join([piece if isinstance(piece, str) else next(given) for piece in self.pieces])
        if len(text) > LIMITS[self.channel].output:
            raise self._too_long()
        return text

    def _emit(self, pieces: Pieces, values: Values, parts: list[str], room: int) -> int:
        for piece in pieces:
            if isinstance(piece, Choice):
                room = self._emit(_branch(piece, values), values, parts, room)
                continue
            text = piece if isinstance(piece, str) else self._fill(piece, values)
            room -= len(text)
            if room < 0:
                raise self._too_long()
            parts.append(text)
        return room

    def _too_long(self) -> TemplateInvalid:
        most = LIMITS[self.channel].output
        return TemplateInvalid(f"生成的内容超过 {most} 字，请缩短模板或变量", limit=most)

    def _fill(self, slot: Slot, values: Values) -> str:
        try:
            text = to_text(slot.get(values))
        except ValueError as problem:
            raise TemplateInvalid(f"变量 {slot.name} {problem}", variable=slot.name) from None
        return str(escape(text)) if self.autoescape else text


def compile_template(source: str, *, channel: str, autoescape: bool = False) -> CompiledTemplate:
    """Check and compile a template for `sms`, `rcs`, `wechat`, `email` or `email_html`; cached by content.

    Raises TemplateInvalid with the line and the column of what is wrong.
    """
    most = LIMITS[channel].source
    if len(source.encode("utf-8", "surrogatepass")) > most:
        raise TemplateInvalid(f"模板超过 {most // 1024} KB", limit=most)
    return _compile(source, channel, autoescape)


@lru_cache(maxsize=512)
def _compile(source: str, channel: str, autoescape: bool) -> CompiledTemplate:
    compiler = _Compiler(source)
    pieces = compiler.pieces(_parse(source).body, 0)
    return CompiledTemplate(source, channel, autoescape, compiler.lines, pieces)


def check_variables(compiled: CompiledTemplate, known: Collection[str]) -> None:
    """Raise TemplateInvalid for the first variable that does not exist, with the nearest name that does."""
    for name, line in compiled.lines.items():
        if name not in known:
            near, offer = suggest(name, sorted(known))
            problem = f"没有名为 {name} 的变量{offer}"
            raise TemplateInvalid.at(compiled.source, line, problem, name, variable=name, suggestion=near)


def _parse(source: str) -> nodes.Template:
    try:
        return _PARSER.parse(source)
    except TemplateSyntaxError as error:
        raise TemplateInvalid.at(source, error.lineno, _SYNTAX.format(error.message)) from None
    except (RecursionError, ValueError, OverflowError, SyntaxError, MemoryError):
        raise TemplateInvalid("模板嵌套过深或含有过大的数字") from None


class _Compiler:
    """Turns the allowed nodes into pieces; everything else is refused with its place."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.lines: dict[str, int] = {}

    def pieces(self, body: list[nodes.Node], depth: int) -> Pieces:
        made: list[str | Slot | Choice] = []
        for node in body:
            if isinstance(node, nodes.Output):
                made.extend(self._output(part) for part in node.nodes)
            elif isinstance(node, nodes.If):
                made.append(self._choice(node, depth + 1))
            else:
                raise self._refuse(node, "这里只能使用变量和 {% if %} 条件")
        return tuple(made)

    def _output(self, node: nodes.Expr) -> str | Slot:
        if isinstance(node, nodes.TemplateData):
            return node.data
        name, get = self._value(node)
        return Slot(name, get)

    def _choice(self, node: nodes.If, depth: int) -> Choice:
        if depth > MAX_DEPTH:
            raise self._refuse(node, f"条件嵌套超过 {MAX_DEPTH} 层")
        branches = tuple(
            (self._test(branch.test, 0), self.pieces(branch.body, depth)) for branch in (node, *node.elif_)
        )
        return Choice(branches, self.pieces(node.else_, depth))

    def _value(self, node: nodes.Node, chained: int = 0) -> tuple[str, Getter]:
        if isinstance(node, nodes.Name):
            return node.name, self._name(node)
        if isinstance(node, nodes.Filter) and isinstance(node.node, nodes.Name | nodes.Filter):
            if chained == MAX_DEPTH:
                raise self._refuse(node, f"过滤器超过 {MAX_DEPTH} 个", node.name)
            return self._filter(node, chained)
        raise self._refuse(node, "这里只能写变量名，可加过滤器")

    def _name(self, node: nodes.Name) -> Getter:
        name = node.name
        if not _NAME.fullmatch(name):
            raise self._refuse(node, "变量名只能用字母、汉字、数字和下划线，且不超过 40 个字", name)
        self.lines.setdefault(name, node.lineno)
        return lambda values: values.get(name, MISSING)

    def _filter(self, node: nodes.Filter, chained: int) -> tuple[str, Getter]:
        found = FILTERS.get(node.name)
        if found is None:
            near, offer = suggest(node.name, sorted(FILTERS))
            problem = f"没有名为 {node.name} 的过滤器{offer}"
            raise self._refuse(node, problem, node.name, suggestion=near)
        assert node.node is not None
        name, inner = self._value(node.node, chained + 1)
        call = found.call
        arguments = [self._argument(node, index, argument) for index, argument in enumerate(node.args)]
        fits = found.required <= len(arguments) <= len(found.arguments)
        if not fits or node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise self._refuse(node, f"过滤器 {node.name} 的参数个数不对", node.name)
        if not arguments:
            return name, lambda values: call(inner(values))
        return name, lambda values: call(inner(values), *(argument(values) for argument in arguments))

    def _argument(self, node: nodes.Filter, index: int, argument: nodes.Expr) -> Getter:
        found = FILTERS[node.name]
        if found.names and isinstance(argument, nodes.Name):
            return self._name(argument)
        kind = found.arguments[index] if index < len(found.arguments) else None
        value = argument.value if isinstance(argument, nodes.Const) else None
        fits = kind in (int, str) and type(value) is kind
        if fits and isinstance(value, int):
            fits = 1 <= value <= 10_000
        if not fits or (found.choices and value not in found.choices):
            allowed = f"，可用：{'、'.join(found.choices)}" if found.choices else ""
            raise self._refuse(node, f"过滤器 {node.name} 的参数不对{allowed}", node.name)
        return lambda _: value

    def _test(self, node: nodes.Node, depth: int) -> Test:
        if depth > 2 * MAX_DEPTH:
            raise self._refuse(node, "条件过于复杂")
        if isinstance(node, nodes.Not):
            inner = self._test(node.node, depth + 1)
            return lambda values: not inner(values)
        if isinstance(node, nodes.And | nodes.Or):
            left, right = self._test(node.left, depth + 1), self._test(node.right, depth + 1)
            if isinstance(node, nodes.And):
                return lambda values: left(values) and right(values)
            return lambda values: left(values) or right(values)
        if isinstance(node, nodes.Compare):
            return self._comparison(node)
        if isinstance(node, nodes.Name):
            get = self._present(node)
            return lambda values: bool(get(values))
        raise self._refuse(node, "条件里只能用变量、比较、not、and、or")

    def _comparison(self, node: nodes.Compare) -> Test:
        if not isinstance(node.expr, nodes.Name) or len(node.ops) != 1:
            raise self._refuse(node, "比较的左边写变量，右边写数字或带引号的文字")
        name, get, operand = node.expr.name, self._present(node.expr), node.ops[0]
        compare = _COMPARE[operand.op]
        constant = self._constant(operand.expr, operand.op in ("in", "notin"))

        def test(values: Values) -> bool:
            try:
                return bool(compare(get(values), constant))
            except TypeError:
                raise TemplateInvalid(f"变量 {name} 的值不能与 {constant} 比较", variable=name) from None

        return test

    def _present(self, node: nodes.Name) -> Getter:
        name, get = node.name, self._name(node)

        def present(values: Values) -> object:
            if (value := get(values)) is MISSING:
                raise TemplateInvalid(f"变量 {name} 没有值", variable=name)
            return value

        return present

    def _constant(self, node: nodes.Expr, several: bool) -> object:
        if several and isinstance(node, nodes.List | nodes.Tuple):
            return tuple(self._constant(item, False) for item in node.items)
        if not several and isinstance(node, nodes.Const) and isinstance(node.value, int | float | str):
            return node.value
        raise self._refuse(node, "比较的右边写数字或带引号的文字，in 的右边写 [“甲”, “乙”]，用英文引号")

    def _refuse(self, node: nodes.Node, problem: str, near: str = "", **details: Any) -> TemplateInvalid:
        return TemplateInvalid.at(self._source, node.lineno or 1, problem, near, **details)


def _branch(choice: Choice, values: Values) -> Pieces:
    for test, pieces in choice.branches:
        if test(values):
            return pieces
    return choice.otherwise
