"""A simulated Tencent Cloud SMS (version 2021-01-11). Source: protocol sheet `tencent_sms`."""

from channels.gateways.tencent_sms.rules import AccountLimits, Template
from channels.gateways.tencent_sms.server import TencentSmsSimulator

__all__ = ["AccountLimits", "Template", "TencentSmsSimulator"]
