"""What must not be said by which kind of message: errors stop a submission, warnings are advice.

What holds for any text (links, amounts, numbers of people and cards, threats) is `outreach.rendering.guard`;
this adds what depends on the kind of the message and on the campaign's topic. The rules are data:
`wording_rules.csv` (requirements 001-17, 003-21, 004-73, 004-77, sections 4.4 and 4.5). `kinds` there is
`all`, `non_coercive` (everything but the follow-up of an overdue duty) or `coercive`; `where` is `all`, or
`link` for texts that carry a link to anything but the tax authority's own pages.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from outreach.ledger.kinds import KINDS, Lane
from outreach.rendering.guard import OPT_OUT, find_forbidden

ALLOWABLE = {
    "link": "短信里放链接",
    "amount": "短信里写金额",
    "name": "短信里写全名",
    "phone": "短信里写 12366 以外的电话",
}
"""Rules that a campaign may break if its approver sees and signs it. All others hold without exception."""

COERCIVE = frozenset({"overdue", "correct_it", "document_served", "warning_case"})
"""Kinds that may speak of consequences: the follow-up of a duty that is overdue, and published cases."""

_INSTEAD = {
    "link": "删去链接，写“登录个人所得税APP”",
    "amount": "删去金额，写“请登录个人所得税APP查看”",
    "name": "写 {{ name|mask_name }}，或只写“您”",
    "phone": "只写 12366",
    "identity": "删去证件号",
    "card": "删去卡号",
    "secret": "写“工作人员不会索要验证码、密码和卡号”",
    "threat": "写办理事项、期限和求助渠道",
    "script": "改用 5G 消息或图片",
    "missing": f"在短信末尾加上“{OPT_OUT}”",
}
_PARTS = {
    "text": "正文",
    "title": "标题",
    "body": "卡片正文",
    "subject": "主题",
    "html": "网页版正文",
    "url": "点击后打开",
    "label": "按钮文字",
    "value": "按钮内容",
}
_OWN_PAGES = re.compile(r"https?://(?:[\w-]+\.)*chinatax\.gov\.cn(?![^/?#\s\"'<>])[^\s\"'<>]*", re.IGNORECASE)
_LINK = re.compile(r"https?://|www\.|\{\{\s*(?:link|url)\b", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of the data file."""

    code: str
    level: str
    kinds: str
    where: str
    pattern: re.Pattern[str]
    why: str
    instead: str


@dataclass(frozen=True, slots=True)
class Finding:
    """`place`: where, in Chinese; `excerpt`: the phrase; `why`, `instead`: what staff read."""

    rule: str
    is_error: bool
    place: str
    excerpt: str
    why: str
    instead: str

    @property
    def sentence(self) -> str:
        """The phrase, why it is refused, and what to write."""
        return f"「{self.excerpt}」：{self.why}。建议：{self.instead}。"


@cache
def load_rules() -> tuple[Rule, ...]:
    """The rules in their order."""
    with Path(__file__).with_name("wording_rules.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Rule(code, level, kinds, where, re.compile(pattern), why, instead)
            for code, level, kinds, where, pattern, why, instead in list(csv.reader(file))[1:]
        )


def check_content(
    channel: str,
    content: Mapping[str, Any],
    *,
    kind: str | None = None,
    allowances: Sequence[str] = (),
    place: str = "",
) -> list[Finding]:
    """What a template says that it should not. Without a kind (a template that is being written) only what
    is wrong in every kind is found."""
    texts = _texts(content)
    carries_link = any(_has_foreign_link(text) for _, text in texts)
    found: list[Finding] = []
    for part, text in texts:
        where = f"{place}{_PARTS.get(part, part)}"
        plain = _TAG.sub("", text) if part == "html" else text
        found += _by_rules(plain, kind, where, carries_link)
        if part in ("text", "title", "body", "subject", "html"):
            own = channel if not (channel == "rcs" and part == "text") else "sms"
            found += _by_guard(plain, own, kind, allowances, where)
    return list(dict.fromkeys(found))


def check_campaign(head: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Everything about a campaign: its topic (`name`, `purpose`, `legal_basis`, `kind`, `allowances`) and the
    contents of its steps (`ordinal`, `step`, `channel`, `name`, `content`)."""
    found: list[Finding] = []
    for field, name in (("name", "活动名称"), ("purpose", "活动目的"), ("legal_basis", "法律依据")):
        topic = [rule for rule in load_rules() if rule.code in ("overtax", "old_dues")]
        found += [
            _finding(rule, match, name) for rule in topic for match in rule.pattern.findall(head[field])
        ]
    checked: set[tuple[str, str, str]] = set()
    for step in steps:
        key = (step["channel"], step["name"], str(step["content"]))
        if key not in checked:
            checked.add(key)
            place = f"第 {step['ordinal']} 轮第 {step['step'] + 1} 级「{step['name']}」"
            found += check_content(
                step["channel"],
                step["content"],
                kind=head["kind"],
                allowances=head["allowances"],
                place=place,
            )
    return found


def _by_rules(text: str, kind: str | None, place: str, carries_link: bool) -> list[Finding]:
    return [
        _finding(rule, match, place)
        for rule in load_rules()
        if _holds(rule, kind) and (rule.where == "all" or carries_link)
        for match in rule.pattern.findall(text)
    ]


def _holds(rule: Rule, kind: str | None) -> bool:
    if rule.kinds == "all":
        return True
    return kind is not None and (rule.kinds == "coercive") == (kind in COERCIVE)


def _by_guard(
    text: str, channel: str, kind: str | None, allowances: Sequence[str], place: str
) -> list[Finding]:
    publicity = kind is not None and KINDS[kind].lane is Lane.BULK
    stage = "D" if kind in COERCIVE else ""
    return [
        Finding(one.rule, True, place, one.excerpt, one.message, _INSTEAD[one.rule])
        for one in find_forbidden(text, stage, channel=channel, publicity=publicity)
        if one.rule not in allowances or one.rule not in ALLOWABLE
    ]


def _finding(rule: Rule, match: str, place: str) -> Finding:
    return Finding(rule.code, rule.level == "error", place, match, rule.why, rule.instead)


def _has_foreign_link(text: str) -> bool:
    return bool(_LINK.search(_OWN_PAGES.sub("", text)))


def _texts(value: Any, part: str = "") -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [] if part == "kind" else [(part, value)]
    if isinstance(value, Mapping):
        return [found for key, item in value.items() for found in _texts(item, str(key))]
    return [found for item in value for found in _texts(item, part)]
