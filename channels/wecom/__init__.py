"""WeCom (企业微信): application messages to staff out, texts and pressed buttons in.

Protocol: docs/adapters/wecom.md.
"""

from channels.wecom.adapter import Wecom, WecomConfig

__all__ = ["Wecom", "WecomConfig"]
