"""Why a household is left out of a round: codes in their order, and what staff read.

The order follows the domain's gate (requirements, section 5): what makes a message pointless comes before
what makes it unwelcome, and what makes it impossible comes last.
"""

REASONS = {
    "already_done": "已办结",
    "disputed": "异议处理中",
    "exempt": "按规定免办",
    "opted_out": "已退订",
    "held_out": "对照组",
    "contacted_recently": "近期已提醒",
    "no_address": "无可用联系方式",
}
