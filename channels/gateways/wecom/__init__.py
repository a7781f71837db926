"""A simulated WeCom: tokens, application messages, encrypted callbacks."""

from channels.gateways.wecom.simulator import Account, WecomSimulator

__all__ = ["Account", "WecomSimulator"]
