"""A simulated DingTalk: tokens, work notices and their results, encrypted events, a group robot."""

from channels.gateways.dingtalk.simulator import Account, DingtalkSimulator

__all__ = ["Account", "DingtalkSimulator"]
