"""The settings that accounts of all its products have, as the console's form shows them."""

from typing import Annotated

from pydantic import Field, SecretStr

from channels.fields import BareSignature, PathSecret, ServiceUrl

Endpoint = Annotated[ServiceUrl, Field(title="服务地址", description="含 https://；留空则按地域使用公网地址")]
KeyId = Annotated[str, Field(title="AccessKey ID", min_length=1)]
KeySecret = Annotated[SecretStr, Field(title="AccessKey Secret", min_length=1)]
SignName = Annotated[BareSignature, Field(title="短信签名", description="已审核通过，不含【】", min_length=1)]
CallbackSecret = Annotated[
    PathSecret,
    Field(
        title="回调地址密钥",
        description="推送地址中的一段，至少 16 位字母、数字、- 或 _；留空则拒收推送",
    ),
]


def service_url(endpoint: str, region: str) -> str:
    """Where the API answers: the endpoint, or the public one of the region."""
    if endpoint:
        return endpoint
    part = "" if region == "cn-hangzhou" else f"{region}."
    return f"https://dysmsapi.{part}aliyuncs.com"
