"""A simulated WeChat official platform: tokens, template messages, encrypted callbacks."""

from channels.gateways.wechat_official.simulator import DEMO_TEMPLATES, Account, WechatOfficialSimulator

__all__ = ["DEMO_TEMPLATES", "Account", "WechatOfficialSimulator"]
