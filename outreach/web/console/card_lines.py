"""The parts of a 5G card as lines that staff write, and back.

A button is `文字｜类型｜内容`, with `｜回传=…` behind it where what comes back is not its words; a quick
reply may be its words alone. The further cards of a carousel are blocks between lines of three hyphens:
`标题：`, `图片：`, `图片高度：` and `按钮：` lines, then `正文：` and everything up to the next block.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

KIND_WORDS = {"reply": "回复", "url": "链接", "dial": "拨号", "calendar": "日历", "map": "地图"}
LAYOUTS = {"vertical": "竖排，图片在上", "left": "横排，图片在左", "right": "横排，图片在右"}
HEIGHTS = {"short": "矮", "medium": "中", "tall": "高"}
WIDTHS = {"small": "窄", "medium": "宽"}

_KINDS = {word: kind for kind, word in KIND_WORDS.items()}
_POSTBACK = "｜回传="
_BEFORE_POSTBACK = re.compile(r"[|｜]\s*回传=")
_BAR = re.compile(r"[|｜]")
_RULE = "---"
_ESCAPED = re.compile(r"\\+---\s*")
_HEIGHTS = {word: height for height, word in HEIGHTS.items()}
_NAMES = {"标题": "title", "图片": "image_url", "图片高度": "height", "按钮": "actions"}
_HEAD = re.compile(rf"\s*({'|'.join(_NAMES)}|正文)\s*[：:](.*)", re.DOTALL)

Shape = dict[str, Any]


def write_actions(actions: Sequence[Mapping[str, Any]]) -> str:
    """Buttons, one a line."""
    return "\n".join(map(_write_action, actions))


def write_chips(chips: Sequence[Mapping[str, Any]]) -> str:
    """Quick replies, one a line; what only says its words stands without more."""
    return "\n".join(chip["label"] if _is_plain(chip) else _write_action(chip) for chip in chips)


def _is_plain(chip: Mapping[str, Any]) -> bool:
    said = chip["label"]
    return chip["kind"] == "reply" and not chip.get("postback") and chip.get("value", said) in ("", said)


def _write_action(action: Mapping[str, Any]) -> str:
    kind = KIND_WORDS.get(action["kind"], action["kind"])
    postback = f"{_POSTBACK}{action['postback']}" if action.get("postback") else ""
    return f"{action['label']}｜{kind}｜{action.get('value', '')}{postback}"


def read_actions(text: str) -> list[Shape]:
    """The buttons of some lines. A type that there is not stays as it was written, so that whoever checks the
    card can tell."""
    return [_read_action(line.strip()) for line in text.splitlines() if line.strip()]


def _read_action(line: str) -> Shape:
    told, postback = [*_BEFORE_POSTBACK.split(line, 1), ""][:2]
    label, kind, value = ([part.strip() for part in _BAR.split(told, 2)] + ["", ""])[:3]
    action = {"kind": _KINDS.get(kind, kind or "reply"), "label": label, "value": value or label}
    return action | ({"postback": postback.strip()} if postback.strip() else {})


def write_cards(cards: Sequence[Mapping[str, Any]]) -> str:
    """The further cards of a carousel."""
    return f"\n{_RULE}\n".join(map(_write_card, cards))


def _write_card(card: Mapping[str, Any]) -> str:
    lines = [f"标题：{card['title']}"] if card.get("title") else []
    if card.get("image_url"):
        lines.append(f"图片：{card['image_url']}")
    if card.get("height", "medium") != "medium":
        lines.append(f"图片高度：{HEIGHTS.get(card['height'], card['height'])}")
    lines += [f"按钮：{_write_action(action)}" for action in card.get("actions", ())]
    if card.get("body"):
        body = str(card["body"]).split("\n")
        lines.append("正文：" + "\n".join(f"\\{line}" if _is_rule(line) else line for line in body))
    return "\n".join(lines)


def _is_rule(line: str) -> bool:
    return line.strip() == _RULE or _ESCAPED.fullmatch(line) is not None


def read_cards(text: str) -> list[Shape]:
    """The cards of some blocks; what stands before any name is body."""
    blocks: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip() == _RULE:
            blocks.append([])
        else:
            blocks[-1].append(line)
    return [_read_card(block) for block in blocks if any(line.strip() for line in block)]


def _read_card(lines: Sequence[str]) -> Shape:
    card: Shape = {}
    for number, line in enumerate(lines):
        head = _HEAD.fullmatch(line)
        if head is None and not line.strip():
            continue
        if head is None or head[1] == "正文":
            body = [head[2] if head else line, *lines[number + 1 :]]
            card["body"] = "\n".join(each[1:] if _ESCAPED.fullmatch(each) else each for each in body).strip()
            break
        name, value = _NAMES[head[1]], head[2].strip()
        if name == "actions":
            card.setdefault("actions", []).append(_read_action(value))
        else:
            card[name] = _HEIGHTS.get(value, value) if name == "height" else value
    return {"title": "", "body": "", **card}
