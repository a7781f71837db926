"""A simulated Aliyun SMS (Dysms, version 2017-05-25). Source: protocol sheet `aliyun_dysms`."""

from channels.gateways.aliyun_api.limits import AccountLimits
from channels.gateways.aliyun_sms.rules import Template
from channels.gateways.aliyun_sms.server import AliyunSmsSimulator

__all__ = ["AccountLimits", "AliyunSmsSimulator", "Template"]
