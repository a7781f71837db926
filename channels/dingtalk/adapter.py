"""The adapter of a DingTalk application inside an organisation."""

import asyncio
import re
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
    Query,
    QueryResult,
    SendResult,
    WebhookRequest,
    refused,
)
from channels.dingtalk import pushes
from channels.dingtalk.answers import explain, is_stale, read_state, result_of
from channels.dingtalk.messages import Unfit, compose, is_userid
from channels.errors import Fault, WebhookRejected
from channels.sending import NO_ANSWER, judge_silence, send_each
from channels.token_client import Desk, Grant, TokenClient, name_token
from channels.tokens import LocalTokens, TokenStore
from channels.wechat_official import crypto

_NOTICES = "/topapi/message/corpconversation"
_TASK = re.compile(r"[0-9]{1,18}")


class DingtalkConfig(Config):
    """Settings of an application, as shown in the developer console (开发者后台)."""

    api_base: str = Field(
        "https://oapi.dingtalk.com", title="接口地址", pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$"
    )
    app_key: str = Field(title="AppKey", pattern=r"^[A-Za-z0-9_]{4,64}$")
    app_secret: SecretStr = Field(title="AppSecret")
    agent_id: int = Field(title="AgentId", ge=1)
    callback_token: SecretStr = Field(title="事件订阅：签名 token")
    encoding_aes_key: SecretStr = Field(title="事件订阅：加密 aes_key", description="43 个字符")
    callback_id: str = Field(
        "",
        title="事件订阅：加密所用的 ID",
        description="留空即 AppKey；较早创建的应用填 CorpId",
        max_length=64,
    )
    timeout: float = Field(10.0, title="超时（秒）", gt=0, le=30)
    concurrency: int = Field(16, title="同时请求数", ge=1, le=256)

    @field_validator("encoding_aes_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        try:
            crypto.read_key(value.get_secret_value())
        except ValueError as error:
            raise ValueError("aes_key 必须是 43 个字母或数字") from error
        return value


class Dingtalk(Adapter):
    """Work notices, one request and one person each. The platform's number for a message comes only with its
    answer, so a message whose answer was lost can be asked for by nothing; what became of an accepted one is
    told when it is asked for by that number."""

    name: ClassVar[str] = "dingtalk"
    facts: ClassVar[Facts] = Facts(
        channel=Channel.DINGTALK, batch_size=1, features=frozenset({"card", "result_query"})
    )
    config_type: ClassVar[type[Config]] = DingtalkConfig
    shares_tokens: ClassVar[bool] = True

    def __init__(self, config: DingtalkConfig, tokens: TokenStore | None = None) -> None:
        self._config = config
        self._key = crypto.read_key(config.encoding_aes_key.get_secret_value())
        self._owner = config.callback_id or config.app_key
        base, secret = config.api_base.rstrip("/"), config.app_secret.get_secret_value()
        desk = Desk(
            base,
            name_token(self.name, base, config.app_key, secret),
            Grant("/gettoken?" + urlencode({"appkey": config.app_key, "appsecret": secret})),
            "钉钉",
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
        """Fetch a token. Raises GatewayError."""
        await self._client.prove()

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """One request per message, `concurrency` at a time."""
        config = self._config
        return await send_each(batch, self._send_one, lanes=config.concurrency, timeout=config.timeout)

    async def _send_one(self, message: Outbound, deadline: float) -> SendResult:
        if not is_userid(message.address):
            return refused(message.key, Fault.INVALID_ADDRESS, "userid")
        try:
            body = compose(message, self._config.agent_id)
            answer = await self._client.call("POST", f"{_NOTICES}/asyncsend_v2", body, deadline=deadline)
        except Unfit as error:
            fault = Fault.REJECTED if error.supported else Fault.UNSUPPORTED
            return refused(message.key, fault, error.field[:64])
        except NO_ANSWER as error:
            return judge_silence(message.key, error)
        return result_of(message.key, answer)

    async def query(self, questions: Sequence[Query]) -> list[QueryResult]:
        """What became of messages of the last 24 hours, by the references of their acceptance; of a message
        without one nothing can be told."""
        return list(await asyncio.gather(*(self._query_one(question) for question in questions)))

    async def _query_one(self, question: Query) -> QueryResult:
        if not _TASK.fullmatch(question.ref):
            return QueryResult(question.key, None)
        asked = orjson.dumps({"agent_id": self._config.agent_id, "task_id": int(question.ref)})
        try:
            answer = await self._client.call("POST", f"{_NOTICES}/getsendresult", asked)
        except NO_ANSWER:
            return QueryResult(question.key, None, question.ref)
        return read_state(question.key, question.ref, question.address, answer)

    async def recall(self, ref: str) -> None:
        """Take back a message by the reference of its acceptance. Raises GatewayError."""
        asked = {"agent_id": self._config.agent_id, "msg_task_id": ref}
        await self._client.manage("POST", f"{_NOTICES}/recall", orjson.dumps(asked))

    def verify(self, request: WebhookRequest) -> None:
        """Check the platform's signature over the encrypted content. Raises WebhookRejected."""
        query, token = request.query, self._config.callback_token.get_secret_value()
        # The platform has named it both ways.
        signature = query.get("msg_signature") or query.get("signature", "")
        parts = (token, query.get("timestamp", ""), query.get("nonce", ""))
        try:
            signed = crypto.is_signed(signature, *parts, pushes.read_envelope(request.body))
        except UnicodeEncodeError as error:
            raise WebhookRejected("signature parameters are not text") from error
        if not signed:
            raise WebhookRejected("the signature does not fit")

    def parse(self, request: WebhookRequest) -> Parsed:
        """Acknowledge an event; none of them tells of a message. Raises WebhookRejected."""
        encrypted = pushes.read_envelope(request.body)
        pushes.read_event(crypto.decrypt(self._key, self._owner, encrypted))
        stamp, nonce = request.query.get("timestamp", ""), request.query.get("nonce", "")
        token = self._config.callback_token.get_secret_value()
        return Parsed(reply=pushes.acknowledge(self._key, self._owner, token, stamp, nonce))
