"""Tencent Cloud (腾讯云) SMS."""
