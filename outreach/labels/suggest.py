"""Errors for names that stand for nothing, with the near one that was probably meant."""

import difflib
from collections.abc import Mapping, Sequence

from outreach.labels.tree import ExpressionInvalid, Span
from outreach.labels.vocabulary import Vocabulary, What

_TITLES: dict[What, str] = {"label": "标签", "attribute": "属性", "unit": "机构", "segment": "人群"}
_OPERATORS = "且或非"
_CUTOFF = 0.55


def unknown_name(
    vocabulary: Vocabulary, kinds: Sequence[What], name: str, text: str, span: Span
) -> ExpressionInvalid:
    """No label, attribute, unit or segment has this code or name."""
    pairs = [pair for kind in kinds for pair in vocabulary.known_names.get(kind, ())]
    reason = f"没有{'或'.join(_TITLES[kind] for kind in kinds)} {name}"
    near = _nearest(name, pairs)
    if near is None and any(sign in name for sign in _OPERATORS):
        return ExpressionInvalid(f"{reason}；且、或、非的两边请加空格。", text, span)
    return _with_suggestion(reason, near, text, span)


def unknown_option(
    options: Mapping[str, str], of: str, value: str | None, text: str, span: Span
) -> ExpressionInvalid:
    """A label has no such value."""
    if value is None:
        return ExpressionInvalid(f"{of}的取值应是代码或名称，不是日期。", text, span)
    near = _nearest(value, list(options.items()))
    if near is None and len(options) <= 8:
        shown = "、".join(f"{code}（{name}）" for code, name in options.items())
        return ExpressionInvalid(f"{of}没有取值 {value}，可用：{shown}。", text, span)
    return _with_suggestion(f"{of}没有取值 {value}", near, text, span)


def _with_suggestion(reason: str, near: tuple[str, str] | None, text: str, span: Span) -> ExpressionInvalid:
    if near is None:
        return ExpressionInvalid(f"{reason}。", text, span)
    code, name = near
    shown = f"{code}（{name}）" if code else name
    return ExpressionInvalid(f"{reason}，是否想写 {shown}？", text, span, suggestion=code or name)


def _nearest(name: str, pairs: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    known = {spelling.casefold(): pair for pair in reversed(pairs) for spelling in reversed(pair) if spelling}
    close = difflib.get_close_matches(name.casefold(), list(known), n=1, cutoff=_CUTOFF)
    return known[close[0]] if close else None
