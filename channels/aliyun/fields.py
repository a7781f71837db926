"""The settings that accounts of all its products have, as the console's form shows them."""

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


Endpoint = Annotated[
    str,
    AfterValidator(_is_url),
    Field(title="服务地址", description="含 https://；留空则按地域使用公网地址"),
]
Region = Annotated[str, Field(title="地域", pattern=r"^[a-z0-9-]+$")]
KeyId = Annotated[str, Field(title="AccessKey ID", min_length=1)]
KeySecret = Annotated[SecretStr, Field(title="AccessKey Secret", min_length=1)]
SignName = Annotated[
    str,
    AfterValidator(_is_bare),
    Field(title="短信签名", description="已审核通过，不含【】", min_length=1),
]
CallbackSecret = Annotated[
    SecretStr,
    AfterValidator(_is_hard_to_guess),
    Field(
        title="回调地址密钥",
        description="推送地址中的一段，至少 16 位字母、数字、- 或 _；留空则拒收推送",
    ),
]
Concurrency = Annotated[int, Field(title="同时请求数", ge=1, le=256)]
Timeout = Annotated[float, Field(title="超时（秒）", gt=0, le=120)]


def service_url(endpoint: str, region: str) -> str:
    """Where the API answers: the endpoint, or the public one of the region."""
    if endpoint:
        return endpoint
    part = "" if region == "cn-hangzhou" else f"{region}."
    return f"https://dysmsapi.{part}aliyuncs.com"
