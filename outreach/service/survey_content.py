"""What a survey asks, and the way through it: pure checks, no database.

Content: {title, intro, questions: [{code, kind, text, required, options: [{code, text, next}], next, most}]}.
`next` is the code of the question that follows, `end`, or empty for the one below; that of the chosen option
comes before that of the question. It may only lead forward, so that every way through a survey ends.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from outreach.errors import InvalidInput

KINDS = {"single": "单选", "multiple": "多选", "scale": "打分", "number": "数字", "text": "填写文字"}
END = "end"
_MOST_QUESTIONS, _MOST_OPTIONS, _LONGEST_TEXT = 50, 30, 1_000
_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,4})?")
_LINE = re.compile(r"(?P<text>.*?)\s*(?:→|->)\s*(?P<next>\S+)")

Content = Mapping[str, Any]
Question = Mapping[str, Any]


def read_questions(text: str) -> list[dict[str, Any]]:
    """Questions as staff write them: blocks parted by empty lines.

    The first line is `[单选] question`, with `*` after the kind if an answer is required; every line after it
    an option; `→ 3` at the end of a line leads to question 3, `→ 结束` to the end. Raises InvalidInput with
    the number of the question.
    """
    blocks = [
        block.strip().splitlines()
        for block in re.split(r"\n\s*\n", text.replace("\x00", "").replace("\r\n", "\n"))
    ]
    found = [_read_block(n, lines) for n, lines in enumerate((b for b in blocks if b and b[0]), start=1)]
    check_questions(found)
    return found


def write_questions(questions: Sequence[Question]) -> str:
    """`read_questions` backwards."""
    return "\n\n".join(_write_block(question) for question in questions)


def check_questions(questions: Sequence[Question]) -> None:
    """Raises InvalidInput unless every way through the questions ends."""
    if not 1 <= len(questions) <= _MOST_QUESTIONS:
        raise InvalidInput(f"问卷需要 1 到 {_MOST_QUESTIONS} 题。", field="questions")
    places = {question["code"]: n for n, question in enumerate(questions)}
    for n, question in enumerate(questions):
        targets = [question["next"], *(option["next"] for option in question["options"])]
        for target in targets:
            if target and target != END and places.get(target, -1) <= n:
                raise InvalidInput(f"第 {n + 1} 题：只能跳到后面的题或结束。", field="questions")


def way_of(content: Content, answers: Mapping[str, Any]) -> tuple[list[Question], Question | None]:
    """The questions answered along the way, and the one to ask next (None: the way has ended)."""
    passed: list[Question] = []
    questions = content["questions"]
    at = 0
    while at < len(questions):
        question = questions[at]
        if question["code"] not in answers:
            return passed, question
        passed.append(question)
        target = _target(question, answers[question["code"]])
        if target == END:
            break
        at = next((n for n, one in enumerate(questions) if one["code"] == target), at + 1)
    return passed, None


def check_answer(question: Question, given: Sequence[str]) -> Any:
    """An answer as it is kept: option codes, a number as text, a text; empty where none is required.

    Raises InvalidInput with the code of the question as its field.
    """
    values = [value.strip() for value in given if value.strip()]
    if not values:
        if question["required"]:
            raise InvalidInput("这一题需要回答。", field=question["code"])
        return [] if question["kind"] in ("single", "multiple") else ""
    known = {option["code"] for option in question["options"]}
    if question["kind"] in ("single", "multiple"):
        if not set(values) <= known or (question["kind"] == "single" and len(values) > 1):
            raise InvalidInput("请从选项中选择。", field=question["code"])
        return sorted(set(values))
    if question["kind"] == "scale":
        if values[0] not in {str(step) for step in range(1, question["most"] + 1)}:
            raise InvalidInput("请选择一个分数。", field=question["code"])
    elif question["kind"] == "number" and not _NUMBER.fullmatch(values[0]):
        raise InvalidInput("请填写数字。", field=question["code"])
    return values[0].replace("\x00", "")[:_LONGEST_TEXT]


def _target(question: Question, answer: Any) -> str:
    if isinstance(answer, list):
        for option in question["options"]:
            if option["code"] in answer and option["next"]:
                return str(option["next"])
    return str(question["next"])


def _read_block(n: int, lines: Sequence[str]) -> dict[str, Any]:
    head = re.fullmatch(
        r"\[(?P<kind>[^\]\d*]+)(?P<most>\d*)(?P<required>\*?)\]\s*(?P<text>.+)", lines[0].strip()
    )
    kinds = {word: kind for kind, word in KINDS.items()}
    kind = kinds.get(head["kind"].strip()) if head else None
    if head is None or kind is None:
        allowed = "、".join(f"[{word}]" for word in KINDS.values())
        raise InvalidInput(f"第 {n} 题：第一行写作 [单选] 问题，可用 {allowed}。", field="questions")
    text, target = _split(head["text"], n)
    options = [
        dict(zip(("text", "next"), _split(line, n), strict=True), code=str(place))
        for place, line in enumerate((one.strip() for one in lines[1:] if one.strip()), start=1)
    ]
    if kind in ("single", "multiple") and not 2 <= len(options) <= _MOST_OPTIONS:
        raise InvalidInput(f"第 {n} 题：需要 2 到 {_MOST_OPTIONS} 个选项，每行一个。", field="questions")
    if kind not in ("single", "multiple") and options:
        raise InvalidInput(f"第 {n} 题：{KINDS[kind]}题没有选项。", field="questions")
    most = int(head["most"] or 5)
    if kind == "scale" and not 2 <= most <= 10:
        raise InvalidInput(f"第 {n} 题：打分从 1 到 2 至 10，例如 [打分5]。", field="questions")
    return {
        "code": str(n),
        "kind": kind,
        "text": text,
        "required": bool(head["required"]),
        "options": options,
        "next": target,
        "most": most,
    }


def _split(line: str, n: int) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        return line, ""
    target = match["next"]
    if target == "结束":
        return match["text"], END
    if not target.isdecimal():
        raise InvalidInput(f"第 {n} 题：跳转写作 → 题号 或 → 结束。", field="questions")
    return match["text"], target


def _write_block(question: Question) -> str:
    most = str(question["most"]) if question["kind"] == "scale" else ""
    star = "*" if question["required"] else ""
    head = f"[{KINDS[question['kind']]}{most}{star}] {_joined(question)}"
    return "\n".join([head, *(_joined(option) for option in question["options"])])


def _joined(part: Mapping[str, Any]) -> str:
    target = "结束" if part["next"] == END else part["next"]
    return f"{part['text']} → {target}" if target else str(part["text"])
