"""The adapter of the WeChat official account."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from urllib.parse import urlencode

import orjson
from pydantic import Field, SecretStr, field_validator

from channels.base import (
    Adapter,
    Channel,
    Config,
    Facts,
    Outbound,
    Parsed,
    SendResult,
    WebhookReply,
    WebhookRequest,
    refused,
)
from channels.errors import Fault, GatewayError, WebhookRejected
from channels.sending import NO_ANSWER, judge_silence, send_each
from channels.token_client import Desk, Grant, TokenClient, name_token
from channels.tokens import LocalTokens, TokenStore
from channels.wechat_official import crypto, pushes
from channels.wechat_official.answers import explain, is_stale, result_of
from channels.wechat_official.fields import FieldInvalid, fit

_CHECK = "/cgi-bin/template/get_all_private_template"
_LOGIN = "/connect/oauth2/authorize"
_MAX_ECHO = 1024
_OPENID = re.compile(r"[A-Za-z0-9_-]{6,64}")


class WechatOfficialConfig(Config):
    """Settings of an official account, as shown under 设置与开发 → 基本配置 of the platform."""

    api_base: str = Field(
        "https://api.weixin.qq.com", title="接口地址", pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$"
    )
    app_id: str = Field(title="开发者 ID（AppID）", pattern=r"^[A-Za-z0-9_]{4,64}$")
    app_secret: SecretStr = Field(title="开发者密码（AppSecret）")
    callback_token: SecretStr = Field(title="服务器配置：令牌（Token）")
    encoding_aes_key: SecretStr = Field(
        title="服务器配置：消息加解密密钥（EncodingAESKey）", description="43 个字符；加密方式请选“安全模式”"
    )
    login_base: str = Field(
        "https://open.weixin.qq.com",
        title="网页授权地址",
        description="公众平台须把本系统的域名登记为网页授权域名",
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
    )
    timeout: float = Field(10.0, title="超时（秒）", gt=0, le=30)
    concurrency: int = Field(64, title="同时请求数", ge=1, le=512)

    @field_validator("encoding_aes_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        try:
            crypto.read_key(value.get_secret_value())
        except ValueError as error:
            raise ValueError("EncodingAESKey 必须是 43 个字母或数字") from error
        return value


def _desk(config: WechatOfficialConfig) -> Desk:
    base, secret = config.api_base.rstrip("/"), config.app_secret.get_secret_value()
    grant = {"grant_type": "client_credential", "appid": config.app_id, "secret": secret}
    # Even a token that another system has made invalid is handed out until its end; forcing another one is
    # limited to 20 a day, 30 seconds apart.
    bodies = (orjson.dumps({**grant, "force_refresh": forced}) for forced in (False, True))
    return Desk(
        base,
        name_token("wechat_official", base, config.app_id, secret),
        Grant("/cgi-bin/stable_token", *bodies),
        "公众平台",
        is_stale,
        explain,
        replace_every=0.0,
    )


class WechatOfficial(Adapter):
    """Template messages, one request each; the platform sends one key to one openid once in ten minutes."""

    name: ClassVar[str] = "wechat_official"
    facts: ClassVar[Facts] = Facts(
        channel=Channel.WECHAT,
        batch_size=1,
        idempotent_for=timedelta(minutes=10),
        features=frozenset({"uplink", "filed_template", "web_login"}),
    )
    config_type: ClassVar[type[Config]] = WechatOfficialConfig
    shares_tokens: ClassVar[bool] = True
    path: ClassVar[str] = "/cgi-bin/message/template/send"
    """Where its messages go."""

    def __init__(self, config: WechatOfficialConfig, tokens: TokenStore | None = None) -> None:
        self._config = config
        self._key = crypto.read_key(config.encoding_aes_key.get_secret_value())
        self._client = TokenClient(_desk(config), config.timeout, config.concurrency, tokens or LocalTokens())
        self._envelope: tuple[WebhookRequest | None, str] = None, ""

    async def open(self) -> None:
        """Fetch the access token. Raises GatewayError."""
        await self._client.token()

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    async def check(self) -> None:
        """Fetch a token and list the templates. Raises GatewayError."""
        await self._client.manage("GET", _CHECK)

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """One request per message, `concurrency` at a time."""
        config = self._config
        return await send_each(batch, self._send_one, lanes=config.concurrency, timeout=config.timeout)

    async def _send_one(self, message: Outbound, deadline: float) -> SendResult:
        try:
            answer = await self._client.call("POST", self.path, self.compose(message), deadline=deadline)
        except FieldInvalid as error:
            return refused(message.key, Fault.REJECTED, f"47003:{error.field}"[:64])
        except NO_ANSWER as error:
            return judge_silence(message.key, error)
        return result_of(message.key, answer, datetime.now(UTC))

    def compose(self, message: Outbound) -> bytes:
        """The request's body. Raises FieldInvalid."""
        return compose(message)

    def login_page(self, back: str, state: str) -> str:
        """The platform's page that tells who follows, without asking her (snsapi_base)."""
        # The platform refuses any other order of these.
        query = urlencode(
            {
                "appid": self._config.app_id,
                "redirect_uri": back,
                "response_type": "code",
                "scope": "snsapi_base",
                "state": state,
            }
        )
        return f"{self._config.login_base.rstrip('/')}{_LOGIN}?{query}#wechat_redirect"

    async def read_login(self, code: str) -> str:
        """The openid of who came back with a code. Raises GatewayError."""
        account = {"appid": self._config.app_id, "secret": self._config.app_secret.get_secret_value()}
        query = urlencode({**account, "code": code, "grant_type": "authorization_code"})
        answer = await self._client.ask_openly(f"/sns/oauth2/access_token?{query}")
        openid = answer.fields.get("openid")
        if not isinstance(openid, str) or not _OPENID.fullmatch(openid):
            raise GatewayError(Fault.UNREACHABLE, "公众平台的应答中没有 openid")
        return openid

    def verify(self, request: WebhookRequest) -> None:
        """Check the platform's signature; of a push, that over its encrypted content. Raises
        WebhookRejected."""
        if request.method == "GET":
            self._expect(request, "signature")
        else:
            self._expect(request, "msg_signature", self._encrypted(request))

    def _encrypted(self, request: WebhookRequest) -> str:
        # What is verified is read next: one look at the envelope serves both.
        if self._envelope[0] is not request:
            self._envelope = request, pushes.read_xml(request.body).get("Encrypt", "")
        return self._envelope[1]

    def _expect(self, request: WebhookRequest, name: str, *content: str) -> None:
        token, query = self._config.callback_token.get_secret_value(), request.query
        parts = (token, query.get("timestamp", ""), query.get("nonce", ""), *content)
        try:
            signed = crypto.is_signed(query.get(name, ""), *parts)
        except UnicodeEncodeError as error:
            raise WebhookRejected("signature parameters are not text") from error
        if not signed:
            raise WebhookRejected(f"{name} does not fit")

    def parse(self, request: WebhookRequest) -> Parsed:
        """Answer the platform's question whether this address is ours, or read a push. Raises
        WebhookRejected."""
        if request.method == "GET":
            return Parsed(reply=_echo(request.query.get("echostr", "")))
        content = crypto.decrypt(self._key, self._config.app_id, self._encrypted(request))
        return pushes.read_push(pushes.read_xml(content))


def compose(message: Outbound) -> bytes:
    """The JSON of a template message. Raises FieldInvalid."""
    if not message.template:
        raise FieldInvalid("template_id")
    body: dict[str, object] = {
        "touser": message.address,
        "template_id": message.template,
        "client_msg_id": message.key,
        "data": {key: {"value": fit(key, value)} for key, value in message.params.items()},
    }
    if message.url:
        body["url"] = message.url
    try:
        return orjson.dumps(body)
    except TypeError as error:
        raise FieldInvalid("json") from error


def _echo(text: str) -> WebhookReply:
    if not text or len(text) > _MAX_ECHO:
        raise WebhookRejected("echostr is missing or too long")
    # Plain text and no sniffing: what is echoed must never become a page of this host.
    headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    return WebhookReply(headers=headers, body=text.encode("utf-8", "replace"))
