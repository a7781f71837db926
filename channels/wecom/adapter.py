"""The adapter of a WeCom application."""

from collections.abc import Sequence
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
from channels.errors import Fault, WebhookRejected
from channels.sending import NO_ANSWER, judge_silence, send_each
from channels.token_client import Desk, Grant, TokenClient, name_token
from channels.tokens import LocalTokens, TokenStore
from channels.wechat_official import crypto
from channels.wechat_official.pushes import read_xml
from channels.wecom.answers import explain, is_stale, result_of
from channels.wecom.messages import Unfit, compose, is_userid
from channels.wecom.pushes import read_push

_SEND = "/cgi-bin/message/send"
_RECALL = "/cgi-bin/message/recall"
_MAX_ECHO = 4096


class WecomConfig(Config):
    """Settings of an application, as shown under 应用管理 of the administration."""

    api_base: str = Field(
        "https://qyapi.weixin.qq.com", title="接口地址", pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$"
    )
    corp_id: str = Field(title="企业 ID（CorpID）", pattern=r"^[A-Za-z0-9_]{4,64}$")
    corp_secret: SecretStr = Field(title="应用 Secret")
    agent_id: int = Field(title="应用 AgentId", ge=1)
    callback_token: SecretStr = Field(title="接收消息：Token")
    encoding_aes_key: SecretStr = Field(title="接收消息：EncodingAESKey", description="43 个字符")
    timeout: float = Field(10.0, title="超时（秒）", gt=0, le=30)
    concurrency: int = Field(32, title="同时请求数", ge=1, le=256)

    @field_validator("encoding_aes_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        try:
            crypto.read_key(value.get_secret_value())
        except ValueError as error:
            raise ValueError("EncodingAESKey 必须是 43 个字母或数字") from error
        return value


class Wecom(Adapter):
    """Application messages, one request and one member each.

    The platform delivers an equal request once in four hours. It recognises the request's content, not our
    key, and the ledger writes a message anew for every try, with what is known by then: so this is no promise
    that a message may be sent again, only a guard for one that is.
    """

    name: ClassVar[str] = "wecom"
    facts: ClassVar[Facts] = Facts(
        channel=Channel.WECOM, batch_size=1, features=frozenset({"card", "uplink"})
    )
    config_type: ClassVar[type[Config]] = WecomConfig
    shares_tokens: ClassVar[bool] = True

    def __init__(self, config: WecomConfig, tokens: TokenStore | None = None) -> None:
        self._config = config
        self._key = crypto.read_key(config.encoding_aes_key.get_secret_value())
        base, secret = config.api_base.rstrip("/"), config.corp_secret.get_secret_value()
        desk = Desk(
            base,
            name_token(self.name, base, config.corp_id, secret),
            Grant("/cgi-bin/gettoken?" + urlencode({"corpid": config.corp_id, "corpsecret": secret})),
            "企业微信",
            is_stale,
            explain,
        )
        self._client = TokenClient(desk, config.timeout, config.concurrency, tokens or LocalTokens())

    async def open(self) -> None:
        """Fetch the access token. Raises GatewayError."""
        await self._client.token()

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    async def check(self) -> None:
        """Fetch a token and read the application's settings with it. Raises GatewayError."""
        await self._client.manage("GET", f"/cgi-bin/agent/get?agentid={self._config.agent_id}")

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """One request per message, `concurrency` at a time."""
        config = self._config
        return await send_each(batch, self._send_one, lanes=config.concurrency, timeout=config.timeout)

    async def _send_one(self, message: Outbound, deadline: float) -> SendResult:
        if not is_userid(message.address):
            return refused(message.key, Fault.INVALID_ADDRESS, "userid")
        try:
            body = compose(message, self._config.agent_id)
            answer = await self._client.call("POST", _SEND, body, deadline=deadline)
        except Unfit as error:
            fault = Fault.REJECTED if error.supported else Fault.UNSUPPORTED
            return refused(message.key, fault, error.field[:64])
        except NO_ANSWER as error:
            return judge_silence(message.key, error)
        return result_of(message.key, message.address, answer)

    async def recall(self, ref: str) -> None:
        """Take back a message of the last 24 hours, by the reference of its acceptance. Raises
        GatewayError."""
        await self._client.manage("POST", _RECALL, orjson.dumps({"msgid": ref}))

    def verify(self, request: WebhookRequest) -> None:
        """Check the platform's signature over the encrypted content. Raises WebhookRejected."""
        query = request.query
        parts = (self._config.callback_token.get_secret_value(), query.get("timestamp", ""))
        try:
            signed = crypto.is_signed(
                query.get("msg_signature", ""), *parts, query.get("nonce", ""), _sealed(request)
            )
        except UnicodeEncodeError as error:
            raise WebhookRejected("signature parameters are not text") from error
        if not signed:
            raise WebhookRejected("msg_signature does not fit")

    def parse(self, request: WebhookRequest) -> Parsed:
        """Answer the platform's question whether this address is ours, or read a push. Raises
        WebhookRejected."""
        content = crypto.decrypt(self._key, self._config.corp_id, _sealed(request))
        if request.method == "GET":
            # Plain text and no sniffing: what is echoed must never become a page of this host.
            headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
            return Parsed(reply=WebhookReply(headers=headers, body=content))
        return read_push(read_xml(content))


def _sealed(request: WebhookRequest) -> str:
    if request.method != "GET":
        return read_xml(request.body).get("Encrypt", "")
    echo = request.query.get("echostr", "")
    if not echo or len(echo) > _MAX_ECHO:
        raise WebhookRejected("echostr is missing or too long")
    return echo
