"""Aliyun (阿里云) message services: signing, error codes and pushes are shared by its products."""
