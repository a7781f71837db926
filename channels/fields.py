"""Settings that several providers' accounts have alike, as the console's form shows them."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

_SECRET = re.compile(r"[A-Za-z0-9_-]{16,}")


def _is_url(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/")):
        raise ValueError("服务地址应为 https://主机[:端口]，不带路径")
    return value.rstrip("/")


def _is_bare(value: str) -> str:
    if "【" in value or "】" in value:
        raise ValueError("短信签名不要带【】")
    return value


def _is_hard_to_guess(value: SecretStr) -> SecretStr:
    secret = value.get_secret_value()
    if secret and not _SECRET.fullmatch(secret):
        raise ValueError("回调地址密钥至少 16 位，只用字母、数字、- 和 _")
    return value


ServiceUrl = Annotated[str, AfterValidator(_is_url)]
"""Scheme, host and port of an API; empty for the public one."""

BareSignature = Annotated[str, AfterValidator(_is_bare)]
"""A signature without its brackets."""

PathSecret = Annotated[SecretStr, AfterValidator(_is_hard_to_guess)]
"""The segment of a push's path that proves it (`channels/path_secret.py`); empty: every push is refused."""

Region = Annotated[str, Field(title="地域", pattern=r"^[a-z0-9-]+$")]
Concurrency = Annotated[int, Field(title="同时请求数", ge=1, le=256)]
Timeout = Annotated[float, Field(title="超时（秒）", gt=0, le=120)]
