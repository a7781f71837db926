"""Settings of one bot account; the console draws its form from this."""

from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from channels.base import Config

API_VERSION = "v1"


def _server_root(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(
            "服务器地址须以 http:// 或 https:// 开头并含主机名，例如 https://maap.example.cn:30001"
        )
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("服务器地址不能带账号、? 参数或 # 片段，只写到 /bot 之前")
    if "/bot/" in f"{parts.path}/":
        raise ValueError("服务器地址只写到 /bot 之前，/bot/v1/… 由系统补上")
    return value.rstrip("/")


class FivegBotConfig(Config):
    """`server_root` ends before `/bot/v1/…`. `callback_token` is the random string agreed for signing pushes
    (protocol section 3), not the access token."""

    server_root: Annotated[str, AfterValidator(_server_root)] = Field(
        title="服务器地址 serverRoot",
        description="运营商分配的接入地址，写到 /bot 之前，含 http(s)://",
    )
    chatbot_id: str = Field(
        title="Chatbot ID",
        description="sip:接入号@域名，原样填写，不要转码",
        pattern=r"^sip:[A-Za-z0-9_.+-]+@[A-Za-z0-9.-]+$",
        max_length=200,
    )
    app_id: str = Field(title="appId", min_length=1, max_length=200)
    app_key: SecretStr = Field(title="appKey", min_length=1)
    callback_token: SecretStr = Field(
        title="回调令牌 token", description="入网时约定的随机串，用于校验平台推送的签名", min_length=1
    )
    encode_chatbot_id: bool = Field(
        default=True, title="地址中转码 Chatbot ID", description="平台返回 404 时可关闭，改用原样"
    )
    follow_token_url: bool = Field(
        default=True,
        title="采用平台返回的 url",
        description="获取令牌后改用平台给出的地址；经单位代理或专线地址转换接入时关闭",
    )
    sms_fallback: bool = Field(default=True, title="转短信", description="终端不支持 5G 消息时由平台改发短信")
    store_offline: bool = Field(default=True, title="离线存储", description="用户不在线时平台保存，最长 7 天")
    report_sent: bool = Field(
        default=True,
        title="要求“已发出”回执",
        description="离线用户的消息也能及早确认平台已受理；关闭可减少一半推送量",
    )
    traffic_type: Literal["advertisement", "payment", "premium", "subscription", "token"] | None = Field(
        default=None, title="业务类型 trafficType"
    )
    busy_is_refusal: bool = Field(
        default=False,
        title="“系统忙”视为未受理",
        description="仅在运营商书面确认返回 -1 的消息一定未受理后开启；关闭时记为结果未知，不重发",
    )
    revoke_with_chatbot_id: bool = Field(
        default=False, title="撤回时 messageId 加 Chatbot ID", description="按平台要求，默认不加"
    )
    timeout: float = Field(default=10.0, title="超时（秒）", gt=0, le=120)
    concurrency: int = Field(default=64, title="并发请求数", ge=1, le=1024)

    @property
    def path(self) -> str:
        """What stands between a server root and an operation."""
        bot = quote(self.chatbot_id, safe="") if self.encode_chatbot_id else self.chatbot_id
        return f"/bot/{API_VERSION}/{bot}"
