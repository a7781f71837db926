"""Settings of an SMPP account."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from channels.base import Config
from channels.lines.tables import read_table

_DIGITS = Literal["0", "1", "2", "3", "4", "5", "6"]


class SmppConfig(Config):
    """Settings of an account. Times in seconds."""

    host: str = Field(title="网关地址", pattern=r"^[A-Za-z0-9.:_-]+$")
    port: int = Field(2775, title="端口", ge=1, le=65535)
    system_id: str = Field(title="系统账号（system_id）", pattern=r"^[!-~]{1,15}$")
    password: SecretStr = Field(title="密码（password）", max_length=64)
    system_type: str = Field("", title="系统类型（system_type）", pattern=r"^[!-~]{0,12}$")
    service_type: str = Field("", title="业务类型（service_type）", pattern=r"^[!-~]{0,5}$")
    source: str = Field(title="接入号", pattern=r"^[!-~]{1,20}$", description="用户看到的号码，可带扩展码")
    source_ton: _DIGITS = Field("0", title="接入号类型（TON）", description="0 未知，1 国际，2 国内，5 字母")
    source_npi: Literal["0", "1"] = Field("0", title="接入号编号计划（NPI）")
    country_code: bool = Field(
        True, title="号码带 86 前缀", description="按国际号码（TON 1）发送；不带时按 TON 0"
    )
    alphabet: Literal["ucs2", "gsm7"] = Field(
        "ucs2", title="编码", description="gsm7：全为英文数字的短信按 160 字一条发送，中文仍用 ucs2"
    )
    long_texts: Literal["udh", "payload"] = Field(
        "udh", title="长短信", description="udh：逐条发送并由手机合并；payload：整条交给网关拆分"
    )
    id_in_answer: Literal["text", "decimal", "hex"] = Field(
        "text", title="应答中的消息号", description="与状态报告写法不一致时，两处分别选择十进制或十六进制"
    )
    id_in_report: Literal["text", "decimal", "hex"] = Field("text", title="状态报告中的消息号")
    connections: int = Field(1, title="连接数", ge=1, le=16, description="每个工作进程；总数不超过合同")
    window: int = Field(10, title="滑动窗口", ge=1, le=256, description="每个连接未应答的请求数")
    heartbeat: float = Field(30.0, title="链路检测间隔（秒）", gt=0, le=180)
    result_codes: str = Field(
        "",
        title="厂商状态码",
        max_length=2000,
        description="如 0x400=throttled, 1025=rejected；未列出的按结果未知处理",
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
