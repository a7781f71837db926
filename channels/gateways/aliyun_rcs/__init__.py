"""Simulated Aliyun 5G messages (Dysms, version 2017-05-25). Source: protocol sheet `aliyun_dysms`."""

from channels.gateways.aliyun_rcs.rules import Template
from channels.gateways.aliyun_rcs.server import AliyunRcsSimulator

__all__ = ["AliyunRcsSimulator", "Template"]
