"""Aliyun (阿里云) message services: signing and error codes are shared by its products."""
