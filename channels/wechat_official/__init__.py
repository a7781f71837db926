"""WeChat official account (公众号): template messages out, events and texts in.

Protocol: docs/adapters/wechat_official.md.
"""

from channels.wechat_official.adapter import WechatOfficial, WechatOfficialConfig
from channels.wechat_official.subscription import WechatSubscription

__all__ = ["WechatOfficial", "WechatOfficialConfig", "WechatSubscription"]
