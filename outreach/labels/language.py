"""Text to syntax tree. Pure: names are looked up later (`vocabulary`, `bind`).

    expression = term { or term }              term = factor { and factor }
    factor     = not factor | ( expression ) | everyone | nobody | condition
    condition  = NAME                                          a flag label
               | NAME  < <= > >= = !=  VALUE                   an attribute, a value label, kind, org
               | NAME between VALUE and VALUE                  an attribute, both bounds included
               | NAME in ( VALUE, ... )                        a value label, kind
               | has NAME                                      has any value of it
               | org under NAME | org = NAME                   with the units below, or directly
               | reachable by CHANNEL | opted_out of CHANNEL   sms rcs wechat email (all)
               | segment NAME | event NAME
               | sample N to N seed N                          by chance: thousandths [from, to)

A NAME is a code (`iit.must_file`) or a Chinese name, quoted if it holds blanks or signs. A VALUE is a name,
a number (`400.01`, `12万`, `12.5%`) or a day (`2026-03-15`). `not` binds closest, then `and`, then `or`.
"""

from collections.abc import Callable, Sequence
from datetime import date

from outreach.labels.keys import CHANNELS
from outreach.labels.tokens import Token, tokenise
from outreach.labels.tree import (
    COMPARISONS,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    MAX_PART,
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
    Span,
    Tree,
    Under,
    Value,
    Word,
)

_ORG_OPERATORS = ("under", "=", "!=")


def parse(source: str) -> Tree:
    """The syntax tree of an expression. Raises ExpressionInvalid with line, column and a Chinese sentence.

    At most 4 KB, 200 nodes and values, 40 levels of brackets and negations.
    """
    if len(source.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ExpressionInvalid(f"表达式超过 {MAX_BYTES} 字节，请拆成几个人群。")
    parser = _Parser(source)
    tree = parser.expression()
    parser.expect_end()
    return tree


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokenise(source)
        self._position = 0
        self._nodes = 0
        self._depth = 0

    def expression(self) -> Tree:
        start = self._next().span
        items = self._separated("or", self._term)
        return items[0] if len(items) == 1 else self._count(Or(tuple(items), self._since(start)))

    def expect_end(self) -> None:
        token = self._next()
        if token.kind == "end":
            return
        if token.text == ")":
            raise self._error("多了一个右括号。", token)
        raise self._error(f"“{token.text}”之前缺少 and 或 or。", token)

    def _term(self) -> Tree:
        start = self._next().span
        items = self._separated("and", self._factor)
        return items[0] if len(items) == 1 else self._count(And(tuple(items), self._since(start)))

    def _separated(self, keyword: str, read: Callable[[], Tree]) -> list[Tree]:
        items = [read()]
        while self._take_keyword(keyword):
            items.append(read())
        return items

    def _factor(self) -> Tree:
        token = self._next()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"括号和 not 套得太深（最多 {MAX_DEPTH} 层），请拆成几个人群。", token)
        try:
            if self._take_keyword("not"):
                return self._count(Not(self._factor(), self._since(token.span)))
            if self._take_symbol("("):
                return self._bracketed(token)
            return self._count(self._condition())
        finally:
            self._depth -= 1

    def _bracketed(self, opening: Token) -> Tree:
        inner = self.expression()
        if not self._take_symbol(")"):
            raise self._error("左括号没有配对的右括号。", opening)
        return inner

    def _condition(self) -> Tree:
        token = self._take()
        if token.kind == "keyword":
            return self._keyword_condition(token)
        if token.kind not in ("word", "quoted"):
            raise self._error(_wanted(token), token)
        name = self._checked_name(token)
        if self._take_keyword("between"):
            return self._between(name, token)
        if self._take_keyword("in"):
            return OneOf(name, self._values(), self._since(token.span))
        if self._next().kind == "symbol" and self._next().text in COMPARISONS:
            return Compare(name, self._take().text, self._value(), self._since(token.span))
        return Label(name, token.span)

    def _keyword_condition(self, token: Token) -> Tree:
        match token.text:
            case "everyone":
                return Everyone(token.span)
            case "nobody":
                return Nobody(token.span)
            case "has":
                return Has(self._name("属性或标签"), self._since(token.span))
            case "segment":
                return Segment(self._name("人群"), self._since(token.span))
            case "event":
                return Event(self._name("事件"), self._since(token.span))
            case "sample":
                return self._sample(token)
            case "org":
                return self._org(token)
            case "reachable":
                return Reachable(self._channel("by", CHANNELS), self._since(token.span))
            case "opted_out":
                return OptedOut(self._channel("of", (*CHANNELS, "all")), self._since(token.span))
        raise self._error(_wanted(token), token)

    def _org(self, token: Token) -> Tree:
        operator = self._take()
        if operator.text not in _ORG_OPERATORS:
            raise self._error("org 后面应是 under（含下级）或 =（本级）。", operator)
        if operator.text == "under":
            return Under(self._name("机构"), self._since(token.span))
        value = Word(self._name("机构"), self._tokens[self._position - 1].span)
        return Compare("org", operator.text, self._count_value(value), self._since(token.span))

    def _sample(self, token: Token) -> Tree:
        low = self._whole(MAX_PART)
        self._expect("to")
        high = self._whole(MAX_PART)
        self._expect("seed")
        seed = self._whole(MAX_SEED)
        span = self._since(token.span)
        if low >= high:
            raise ExpressionInvalid("抽样的起点应小于终点，如 sample 0 to 500 seed 7。", self._source, span)
        return Sample(low, high, seed, span)

    def _whole(self, most: int) -> int:
        token = self._take()
        if token.kind != "number" or not token.text.isdecimal() or int(token.text) > most:
            raise self._error(f"这里应是 0 到 {most} 的整数。", token)
        return int(token.text)

    def _expect(self, keyword: str) -> None:
        if not self._take_keyword(keyword):
            raise self._error(f"这里应是 {keyword}。", self._next())

    def _channel(self, keyword: str, allowed: Sequence[str]) -> str:
        if not self._take_keyword(keyword):
            raise self._error(f"这里应是 {keyword}。", self._next())
        token = self._take()
        if token.kind != "word" or token.text.lower() not in allowed:
            raise self._error(f"渠道应是 {'、'.join(allowed)} 之一。", token)
        return token.text.lower()

    def _between(self, name: str, token: Token) -> Tree:
        low = self._value()
        if not self._take_keyword("and"):
            raise self._error("between 的两个数之间应是 and。", self._next())
        return Between(name, low, self._value(), self._since(token.span))

    def _values(self) -> tuple[Value, ...]:
        opening = self._next()
        if not self._take_symbol("("):
            raise self._error("in 后面应是括号，如 in (A, B)。", opening)
        values = [self._value()]
        while self._take_symbol(","):
            values.append(self._value())
        if not self._take_symbol(")"):
            raise self._error("左括号没有配对的右括号。", opening)
        return tuple(values)

    def _value(self) -> Value:
        token = self._take()
        match token.kind:
            case "word" | "quoted":
                return self._count_value(Word(self._checked_name(token), token.span))
            case "number":
                return self._count_value(Number(token.text, token.span))
            case "day":
                return self._count_value(Day(self._day(token), token.span))
        raise self._error("这里应是一个值：数字、日期（如 2026-03-15）或名称。", token)

    def _day(self, token: Token) -> date:
        year, month, day = map(int, token.text.split("-"))
        try:
            return date(year, month, day)
        except ValueError:
            raise self._error(f"没有 {token.text} 这一天。", token) from None

    def _name(self, what: str) -> str:
        token = self._take()
        if token.kind not in ("word", "quoted", "number"):
            raise self._error(f"这里应是{what}的代码或名称。", token)
        return self._checked_name(token)

    def _checked_name(self, token: Token) -> str:
        if not token.text.strip() or len(token.text) > 100 or not token.text.isprintable():
            raise self._error("名称不能为空、不能超过 100 个字、不能含控制字符。", token)
        return token.text

    def _next(self) -> Token:
        return self._tokens[self._position]

    def _take(self) -> Token:
        token = self._next()
        self._position += token.kind != "end"
        return token

    def _take_keyword(self, keyword: str) -> bool:
        found = self._next().kind == "keyword" and self._next().text == keyword
        self._position += found
        return found

    def _take_symbol(self, symbol: str) -> bool:
        found = self._next().kind == "symbol" and self._next().text == symbol
        self._position += found
        return found

    def _since(self, start: Span) -> Span:
        last = self._tokens[self._position - 1].span
        return Span(start.start, last.start + last.length - start.start)

    def _count(self, node: Tree) -> Tree:
        self._limit(node.span)
        return node

    def _count_value(self, value: Value) -> Value:
        self._limit(value.span)
        return value

    def _limit(self, span: Span) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            reason = f"表达式超过 {MAX_NODES} 个条件和值，请拆成几个人群。"
            raise ExpressionInvalid(reason, self._source, span)

    def _error(self, reason: str, token: Token) -> ExpressionInvalid:
        return ExpressionInvalid(reason, self._source, token.span)


def _wanted(token: Token) -> str:
    if token.kind == "end":
        return "表达式不完整：这里缺少一个条件。"
    return f"这里应是一个条件，却是“{token.text}”。"
