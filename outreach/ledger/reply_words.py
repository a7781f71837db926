"""What a reply says, the same on every channel: refusals, confirmations, ratings; all else is a question.

Refusal words are those of the providers' rules and of practice: R, TD, T, 退订, also full width and with
blanks around (《通信短信息服务管理规定》 article 18: stop on refusal). A confirmation is evidence, so only
words that cannot mean anything else count as one. The digits are those that a rating's text asks for
(回复1满意2基本满意3不满意).
"""

import unicodedata

from channels.base import Inbound, InboundKind

_REFUSALS = frozenset({"R", "TD", "T", "退订", "退定", "取消订阅", "拒收", "UNSUBSCRIBE", "STOP"})
_CONFIRMATIONS = frozenset({"确认", "已确认", "确认无误", "同意", "已知晓", "知晓", "收到", "Y", "YES", "OK"})
_RATINGS = frozenset({"1", "2", "3", "满意", "非常满意", "基本满意", "不满意", "非常不满意"})
_MARKS = "。.!！,，；;、\"'“”‘’【】[]()（）"


def plain_words(text: str) -> str:
    """Half width, upper case, without blanks and marks around it."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(char for char in plain.strip().strip(_MARKS).strip() if char.isprintable()).upper()


def action_of(message: Inbound) -> str:
    """What is to be done about it: `opt_out`, `follow`, `unfollow`, `confirm`, `rating`, or nothing."""
    if message.kind in (InboundKind.UNSUBSCRIBE, InboundKind.COMPLAINT):
        return "opt_out"
    if message.kind in (InboundKind.FOLLOW, InboundKind.UNFOLLOW):
        return message.kind.value
    words = plain_words(message.text)
    if words in _REFUSALS:
        return "opt_out"
    if words in _CONFIRMATIONS:
        return "confirm"
    return "rating" if words in _RATINGS else ""
