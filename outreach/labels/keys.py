"""How sets are named: one place knows the spelling of a set's key.

label:iit.must_file          a flag label          attr:amount_due/exists   who has the attribute
label:credit_grade=A         a value label         attr:amount_due/sign     whose value is negative
org:17                       direct members        attr:amount_due/0 ...    bit slices of the magnitude
reach:sms                    a contact can be reached on the channel
optout:sms, optout:all       the contact has refused the channel
optout:topic:bill            the contact has refused the topic, whatever the channel
rcs:yes                      the contact's phone reads 5G messages
kind:enterprise              the kind of taxpayer  event:filed              to whom it has happened
"""

import re
from collections.abc import Sequence

CHANNELS = ("sms", "rcs", "wechat", "email", "wecom", "dingtalk")
KINDS = {"enterprise": "企业", "individual_business": "个体工商户", "natural_person": "自然人"}
CHANNEL_NAMES = {
    "sms": "短信",
    "rcs": "5G消息",
    "wechat": "微信",
    "email": "电子邮件",
    "wecom": "企业微信",
    "dingtalk": "钉钉",
    "all": "所有渠道",
}
TOPICS = {
    "topic:policy": "政策宣传",
    "topic:reminder": "办理提醒",
    "topic:bill": "账单与政策大礼包",
    "topic:survey": "调查与评价",
    "topic:training": "预约与培训",
}
"""What publicity is about, as far as it can be refused by itself; spelled like no channel."""
INDUSTRY = "industry"
SLICES = 48
"""Bits of a magnitude: up to 2^48 - 1 fen, 2.8 million million yuan."""

RCS_READY = "rcs:yes"

_DIVISIONS = {
    "A": (1, 5), "B": (6, 12), "C": (13, 43), "D": (44, 46), "E": (47, 50), "F": (51, 52), "G": (53, 60),
    "H": (61, 62), "I": (63, 65), "J": (66, 69), "K": (70, 70), "L": (71, 72), "M": (73, 75), "N": (76, 79),
    "O": (80, 82), "P": (83, 83), "Q": (84, 85), "R": (86, 90), "S": (91, 96), "T": (97, 97),
}  # fmt: skip
_INDUSTRY_CODE = re.compile(r"([A-T]?)(\d{2,4})|([A-T])")


def label_key(code: str, value: str | None = None) -> str:
    """The set of a flag label, or of one value of a value label.

    Industries are named by the digits of their GB/T 4754 class: `I6510` and `6510` are one set, because
    the letter follows from the digits.
    """
    if value is None:
        return f"label:{code}"
    return f"label:{code}={industry_digits(value) if code == INDUSTRY else value}"


def document_key(kind: str, year: int) -> str:
    """Households that hold a document of the kind and year."""
    return label_key(f"document.{kind}", str(year))


def org_key(org_id: int) -> str:
    """Taxpayers that belong to exactly this unit, not those of the units below it."""
    return f"org:{org_id}"


def reach_key(channel: str) -> str:
    """Taxpayers whose contact can be reached on the channel."""
    return f"reach:{_one_of(channel, CHANNELS)}"


def optout_key(channel: str) -> str:
    """Taxpayers whose contact has refused the channel, `all` of them, or a topic."""
    return f"optout:{_one_of(channel, (*CHANNELS, 'all', *TOPICS))}"


def kind_key(kind: str) -> str:
    """Taxpayers of one kind."""
    return f"kind:{_one_of(kind, tuple(KINDS))}"


def event_key(event_type: str) -> str:
    """Taxpayers to whom an event of the type has happened."""
    return f"event:{event_type}"


def exists_key(code: str) -> str:
    """Who has a value of the attribute; its chunks also guard the other slices against two writers."""
    return f"attr:{code}/exists"


def sign_key(code: str) -> str:
    """Whose value of the attribute is below zero."""
    return f"attr:{code}/sign"


def slice_key(code: str, bit: int) -> str:
    """Whose magnitude of the attribute has the bit set."""
    return f"attr:{code}/{bit}"


def attribute_key(code: str) -> str:
    """The name under which a change of the attribute is logged; no set is stored under it."""
    return f"attr:{code}"


def attribute_keys(code: str) -> list[str]:
    """All sets of one attribute: exists, sign, bits from 0 up."""
    return [exists_key(code), sign_key(code), *(slice_key(code, bit) for bit in range(SLICES))]


def chunk_bits(key: str) -> int:
    """How many low bits of an id fall into one chunk of the set.

    Units are many and small, and a scope is the union of thousands of them: wider chunks keep the number
    of versions that a reader compares near the number of units.
    """
    return 22 if key.startswith("org:") else 18


def industry_digits(value: str) -> str:
    """`I6510` -> `6510`; a door letter alone, or what is no code of GB/T 4754, stays as it is."""
    match = _INDUSTRY_CODE.fullmatch(value)
    return match[2] if match and match[2] else value


def industry_prefixes(value: str) -> Sequence[str] | None:
    """The values that fall under a door, division, group or class; None if it is no code of GB/T 4754.

    `I` gives `I`, `63`, `64`, `65`; `I65` gives `65`; `C65` is None, because 65 belongs to door I.
    """
    match = _INDUSTRY_CODE.fullmatch(value)
    if match is None:
        return None
    letter, digits, door = match.groups()
    if door:
        first, last = _DIVISIONS[door]
        return (door, *(f"{division:02}" for division in range(first, last + 1)))
    if letter:
        first, last = _DIVISIONS[letter]
        return (digits,) if first <= int(digits[:2]) <= last else None
    return (digits,) if 1 <= int(digits[:2]) <= 97 else None


def _one_of(value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
    return value
