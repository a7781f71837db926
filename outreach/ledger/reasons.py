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
    "other_way": "需其他方式告知",
    "no_role": "没有所选身份的联系人",
    "no_address": "无可用联系方式",
}

WITHHELD = {"acted": "已办结或异议处理中", "opted_out": "已退订", "unverified": "疑点未核实"}
"""Why a planned message was held back at the last moment: its code, and what staff read."""

DETOURS = {"in_care": "特殊关怀，先打电话再上门", "mongolian": "使用蒙古文，不发普通短信"}
"""Why planned households take another way than the ladder's first rung (requirements, section 5)."""
