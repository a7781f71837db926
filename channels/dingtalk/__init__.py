"""DingTalk (钉钉): work notices (工作通知) to staff.

Protocol: docs/adapters/dingtalk.md.
"""

from channels.dingtalk.adapter import Dingtalk, DingtalkConfig

__all__ = ["Dingtalk", "DingtalkConfig"]
