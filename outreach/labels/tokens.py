"""The words of the expression language.

Staff type Chinese and full-width characters: （ ） ， ＞ ≥ “ ” 「 」 mean what their plain forms mean, and
且 或 非 are `and` `or` `not` when they stand alone.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from outreach.labels.tree import ExpressionInvalid, Span

Kind = Literal["word", "quoted", "number", "day", "symbol", "keyword", "end"]

_CONNECTIVES = ("and", "or", "not", "in", "between", "by", "of", "under", "org", "has", "to", "seed")
_OPENERS = ("everyone", "nobody", "segment", "event", "reachable", "opted_out", "sample")
KEYWORDS = frozenset((*_CONNECTIVES, *_OPENERS))
_OPERATORS = {"且": "and", "或": "or", "非": "not"}
_SYMBOLS = {"≤": "<=", "≥": ">=", "≠": "!=", "<>": "!=", "==": "="}
_ESCAPED = re.compile(r'\\(["\\])')
MAX_DIGITS = 20
NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?[万亿%]?")
"""A number in canonical text."""

BARE = re.compile(r"[^\W\d_][\w]*(?:\.\w+)*")
"""A name that needs no quotes."""

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<quoted>"(?:[^"\\\n]|\\["\\])*" | “[^“”\n]*” | 「[^「」\n]*」)
    | (?P<day>\d{4}-\d{1,2}-\d{1,2}(?!\w))
    | (?P<number>[-－]?\d+(?:[.．]\d+)?[万亿%％]?(?![\w.．]))
    | (?P<word>[^\W\d_][\w]*(?:\.\w+)*)
    | (?P<symbol><=|>=|!=|<>|==|[<>=(),≤≥≠＜＞＝（），])
    """,
    re.VERBOSE,
)
_STARTS_WITH_DIGIT = re.compile(r"[-－]?\d[\w.．-]*")


@dataclass(frozen=True, slots=True)
class Token:
    """One word with its meaning (`text`) and its place."""

    kind: Kind
    text: str
    span: Span


def tokenise(source: str) -> list[Token]:
    """All tokens and an `end`. Raises ExpressionInvalid at the first character that belongs to none."""
    tokens: list[Token] = []
    position = 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            raise _unreadable(source, position)
        if match.lastgroup != "space":
            tokens.append(_token(match))
        position = match.end()
    return [*tokens, Token("end", "", Span(len(source), 0))]


def _token(match: re.Match[str]) -> Token:
    raw, span = match[0], Span(match.start(), match.end() - match.start())
    match match.lastgroup:
        case "quoted":
            return Token("quoted", _unquote(raw), span)
        case "day":
            return Token("day", unicodedata.normalize("NFKC", raw), span)
        case "number" if len(raw) <= MAX_DIGITS:
            return Token("number", unicodedata.normalize("NFKC", raw), span)
        case "number":
            raise ExpressionInvalid("数字太长。", match.string, span)
        case "symbol":
            plain = unicodedata.normalize("NFKC", raw) if raw not in _SYMBOLS else raw
            return Token("symbol", _SYMBOLS.get(plain, plain), span)
        case _:
            return _word(raw, span)


def _word(raw: str, span: Span) -> Token:
    plain = unicodedata.normalize("NFKC", raw)
    lowered = _OPERATORS.get(plain, plain.lower())
    if lowered in KEYWORDS:
        return Token("keyword", lowered, span)
    return Token("word", plain, span)


def _unquote(raw: str) -> str:
    return _ESCAPED.sub(r"\1", raw[1:-1]) if raw[0] == '"' else raw[1:-1]


def _unreadable(source: str, position: int) -> ExpressionInvalid:
    if source[position] in '"“「':
        return ExpressionInvalid("引号没有配对。", source, Span(position, 1))
    digits = _STARTS_WITH_DIGIT.match(source, position)
    if digits:
        reason = f"“{digits[0][:40]}”不是数字；以数字开头的代码或名称请加引号。"
        return ExpressionInvalid(reason, source, Span(position, len(digits[0])))
    shown = source[position] if source[position].isprintable() else f"U+{ord(source[position]):04X}"
    return ExpressionInvalid(f"不认识的字符“{shown}”。", source, Span(position, 1))


def quote_if_needed(name: str) -> str:
    """A name as it stands in canonical text."""
    needs_none = BARE.fullmatch(name) and unicodedata.normalize("NFKC", name) == name
    if needs_none and name.lower() not in KEYWORDS and name not in _OPERATORS:
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
