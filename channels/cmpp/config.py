"""Settings of a CMPP account, as the contract with China Mobile names them."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from channels.base import Config
from channels.lines.tables import read_table

_PRINTABLE = r"^[!-~]+$"


class CmppConfig(Config):
    """Settings of an account. Times in seconds."""

    host: str = Field(title="网关地址", pattern=r"^[A-Za-z0-9.:_-]+$")
    port: int = Field(7890, title="端口", ge=1, le=65535)
    version: Literal["2.0", "3.0"] = Field("3.0", title="协议版本")
    sp_id: str = Field(title="企业代码（SP_Id）", pattern=_PRINTABLE, max_length=6)
    secret: SecretStr = Field(title="共享密钥", min_length=1, max_length=64)
    source: str = Field(
        title="接入号（Src_Id）", pattern=r"^[0-9]{1,20}$", description="如 1069…，可带扩展码，用户看到的号码"
    )
    service_id: str = Field("", title="业务代码（Service_Id）", pattern=r"^[!-~]*$", max_length=10)
    fee_user: Literal["0", "1", "2"] = Field(
        "2", title="计费对象（Fee_UserType）", description="2 向企业计费；0 向接收号码；1 向源号码"
    )
    fee_type: Literal["01", "02", "03"] = Field("01", title="资费类别（FeeType）", description="01 免费")
    fee_code: str = Field("000000", title="资费代码（FeeCode）", pattern=r"^[0-9]{1,6}$")
    connections: int = Field(1, title="连接数", ge=1, le=16, description="每个工作进程；总数不超过合同")
    window: int = Field(
        16, title="滑动窗口", ge=1, le=256, description="每个连接未应答的请求数，合同一般为 16"
    )
    heartbeat: float = Field(30.0, title="链路检测间隔（秒）", gt=0, le=180)
    numbers_per_submit: int = Field(
        1, title="群发号码数", ge=1, le=100, description="同一内容合并提交；先向移动确认群发支持状态报告"
    )
    country_code: bool = Field(False, title="号码带 86 前缀")
    verify_gateway: bool = Field(
        False, title="校验网关", description="核对 AuthenticatorISMG；许多网关的算法不合标准，默认不核对"
    )
    result_codes: str = Field(
        "",
        title="厂商结果码",
        max_length=2000,
        description="Result 100 以上的含义，如 108=throttled, 140=rejected；未列出的按结果未知处理",
    )
    timeout: float = Field(30.0, title="应答超时（秒）", gt=0, le=30)

    @field_validator("result_codes")
    @classmethod
    def _is_a_table(cls, value: str) -> str:
        try:
            read_table(value)
        except ValueError as error:
            raise ValueError(f"无法识别“{error}”，应为 代码=含义，含义如 rejected、throttled") from error
        return value
