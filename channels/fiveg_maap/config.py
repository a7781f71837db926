"""Settings of one chatbot's account; the console draws its form from this."""

import ipaddress
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from channels.base import Config
from channels.fiveg_maap.profiles import PROFILES, Profile


def _root(value: str) -> str:
    parts = urlsplit(value)
    if not value:
        return value
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("地址须以 http:// 或 https:// 开头并含主机名，例如 https://maap.example.cn:8443")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("地址不能带账号、? 参数或 # 片段")
    if "/messaging/" in f"{parts.path}/" or parts.path.endswith("/Content"):
        raise ValueError("地址只写到 /messaging 或 /Content 之前，其余由系统补上")
    return value.rstrip("/")


def _networks(value: str) -> str:
    try:
        for part in value.replace("，", ",").split(","):
            if part.strip():
                ipaddress.ip_network(part.strip())
    except ValueError:
        raise ValueError("来源地址写作 IP 或网段，用逗号隔开，例如 203.0.113.7,198.51.100.0/24") from None
    return value.replace("，", ",")


class FivegMaapConfig(Config):
    """`profile` is a row of `PROFILES`; `account` and `account_secret` are cspId and cspToken, or appId and
    password, as its title says. An empty `file_root` is the `server_root`."""

    server_root: Annotated[str, AfterValidator(_root)] = Field(
        title="平台地址", description="写到 /messaging 之前，含 http(s)://", min_length=1
    )
    file_root: Annotated[str, AfterValidator(_root)] = Field(
        default="", title="文件服务器地址", description="写到 /Content 之前；留空则与平台地址相同"
    )
    profile: Literal["csp", "chatbot", "direct", "csp_v243", "csp_smbody"] = Field(
        default="csp",
        title="接口变体",
        description="；".join(f"{name}：{row.title}" for name, row in PROFILES.items()),
    )
    chatbot_id: str = Field(
        title="Chatbot 地址",
        description="sip:服务代码@botplatform.rcs.chinamobile.com，原样填写，不要转码",
        pattern=r"^sip:[A-Za-z0-9_.+-]+@[A-Za-z0-9.-]+$",
        max_length=200,
    )
    account: str = Field(title="cspId 或 appId", pattern=r"^[!-9;-~]+$", max_length=200)
    account_secret: SecretStr = Field(title="cspToken 或密码", min_length=1)
    encode_chatbot_id: bool = Field(
        default=True, title="地址中转码 Chatbot", description="平台返回 404 时可关闭，改用原样"
    )
    sms_fallback: bool = Field(default=True, title="转短信", description="终端不支持 5G 消息时由平台改发短信")
    store_offline: bool = Field(default=True, title="离线存储", description="用户不在线时平台保存")
    report_sent: bool = Field(
        default=True, title="要求“已发出”回执", description="离线用户的消息也能及早确认平台已受理"
    )
    traffic_type: str | None = Field(
        default=None, title="业务类型 trafficType", pattern=r"^[A-Za-z0-9_-]{1,32}$"
    )
    callbacks_signed: bool = Field(
        default=False,
        title="校验回调的 Authorization",
        description="平台推送带同样的 Authorization 和 Date 时开启",
    )
    callback_sources: Annotated[str, AfterValidator(_networks)] = Field(
        default="", title="回调来源地址", description="只收这些 IP 或网段的推送，逗号隔开；留空则不限"
    )
    timeout: float = Field(default=10.0, title="超时（秒）", gt=0, le=120)
    concurrency: int = Field(default=64, title="并发请求数", ge=1, le=1024)

    @property
    def row(self) -> Profile:
        """The platform's variant."""
        return PROFILES[self.profile]

    @property
    def bot(self) -> str:
        """The chatbot as it stands in paths."""
        return quote(self.chatbot_id, safe="") if self.encode_chatbot_id else self.chatbot_id

    @property
    def files(self) -> str:
        """Where files are uploaded to."""
        return (self.file_root or self.server_root) + self.row.files
