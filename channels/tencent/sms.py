"""Tencent Cloud SMS (腾讯云短信).

Source: protocol sheet `tencent_sms`; set-up: docs/adapters/tencent_sms.md.

A request carries up to 200 numbers but one set of parameters, so only messages that say the same share one
(`requests.py`). They share its SessionContext too, the key of the request's first message; the answer gives
each number a SerialNo of its own.

Nothing can be asked about an unknown outcome. PullSmsSendStatusByPhoneNumber lists a message only after the
carrier has reported on it, so that absence says nothing: class C, not B.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from pydantic import Field, SecretStr

from channels.base import (
    Adapter,
    Channel,
    Config,
    Facts,
    Outbound,
    Parsed,
    SendResult,
    WebhookRequest,
    refused,
)
from channels.errors import Fault, GatewayError, WebhookRejected
from channels.fields import BareSignature, Concurrency, PathSecret, Region, ServiceUrl, Timeout
from channels.http import MaybeSent, NotSent
from channels.path_secret import split_path, verify_path
from channels.sending import judge_silence, send_halving
from channels.tencent.client import Account, Client
from channels.tencent.codes import advice, meaning_of
from channels.tencent.pushes import REPLY, parse_replies, parse_reports
from channels.tencent.requests import cut_requests, judge, render

PUBLIC_ENDPOINT = "https://sms.tencentcloudapi.com"
MOST_NUMBERS = 200

# China Mobile's own service number: a question about it concerns nobody.
_PROBE_NUMBER = "+8613800138000"
_PROBED = timedelta(minutes=10)


class TencentSmsConfig(Config):
    """Settings of an application of an account. An empty `endpoint` is the public one."""

    endpoint: ServiceUrl = Field("", title="服务地址", description="含 https://；留空则用公网地址")
    region: Region = "ap-guangzhou"
    secret_id: SecretStr = Field(title="SecretId", min_length=1)
    secret_key: SecretStr = Field(title="SecretKey", min_length=1)
    sdk_app_id: str = Field(
        title="SdkAppId", description="短信应用的编号，如 1400006666", pattern=r"^\d{1,20}$"
    )
    sign_name: BareSignature = Field(
        title="短信签名", description="已审核通过的签名内容，不含【】", min_length=1,
    )  # fmt: skip
    callback_secret: PathSecret = Field(
        SecretStr(""),
        title="回调地址密钥",
        description="回调地址中的一段，至少 16 位字母、数字、- 或 _；留空则拒收回调",
    )
    concurrency: Concurrency = 32
    numbers_per_request: int = Field(MOST_NUMBERS, title="每次请求的号码数", ge=1, le=MOST_NUMBERS)
    timeout: Timeout = 10.0


class TencentSms(Adapter):
    """SendSms, the status callback and the reply callback.

    `send` starts no request later than half of `timeout` after it was called, so it returns within one and
    a half times `timeout`; messages that did not get their turn are deferred. The answer judges each number
    for itself. Should a whole request be refused for what may be one of its numbers, nothing of it was taken:
    it is halved and sent again until the bad ones stand alone.

    The rate counts messages: how many requests a batch becomes depends on what its messages say, and one for
    each message is the most.
    """

    name: ClassVar[str] = "tencent_sms"
    facts: ClassVar[Facts] = Facts(
        Channel.SMS,
        batch_size=MOST_NUMBERS,
        rate_unit="message",
        echoes_key=True,
        features=frozenset({"filed_template", "uplink"}),
    )
    config_type: ClassVar[type[Config]] = TencentSmsConfig

    def __init__(
        self, config: TencentSmsConfig, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._config = config
        self._client = Client(
            config.endpoint or PUBLIC_ENDPOINT,
            Account(
                config.secret_id.get_secret_value(),
                config.secret_key.get_secret_value(),
                config.sdk_app_id,
                config.region,
            ),
            timeout=config.timeout,
            concurrency=config.concurrency,
            now=now,
        )

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.close()

    async def check(self) -> None:
        """Pull the reports on a number, which needs a valid key, a right clock and the application."""
        begin = int((self._client.now() - _PROBED).timestamp())
        question = {"BeginTime": begin, "Offset": 0, "Limit": 1, "PhoneNumber": _PROBE_NUMBER}
        try:
            answer = await self._client.call("PullSmsSendStatusByPhoneNumber", question)
        except (NotSent, MaybeSent):
            raise GatewayError(Fault.UNREACHABLE, advice(Fault.UNREACHABLE, "")) from None
        if not answer.ok:
            meaning = meaning_of(answer.status, answer.code)
            fault = meaning.fault if meaning else Fault.OUTCOME_UNKNOWN
            raise GatewayError(fault, advice(fault, answer.code), answer.code)

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """Send a batch in requests of messages that say the same, several at a time."""
        deadline = asyncio.get_running_loop().time() + self._config.timeout / 2
        requests = cut_requests(batch, self._config.numbers_per_request)
        answers = await asyncio.gather(
            *(self._send_request([batch[place] for place in places], deadline) for places in requests)
        )
        results = {
            place: result
            for places, answer in zip(requests, answers, strict=True)
            for place, result in zip(places, answer, strict=True)
        }
        return [results[place] for place in range(len(batch))]

    async def _send_request(self, messages: Sequence[Outbound], deadline: float) -> list[SendResult]:
        if not messages[0].template:
            return [refused(message.key, Fault.UNSUPPORTED, "no_template") for message in messages]
        return await send_halving(messages, lambda part: self._request(part, deadline))

    async def _request(self, messages: Sequence[Outbound], deadline: float) -> tuple[list[SendResult], bool]:
        try:
            answer = await self._client.call(
                "SendSms", render(messages, self._config.sign_name), deadline=deadline
            )
        except (NotSent, MaybeSent) as error:
            return [judge_silence(message.key, error) for message in messages], False
        return judge(answer, messages)

    def verify(self, request: WebhookRequest) -> None:
        """Pushes are not signed: the secret segment of the path is the proof. Raises WebhookRejected."""
        verify_path(request, self._config.callback_secret.get_secret_value())

    def parse(self, request: WebhookRequest) -> Parsed:
        """Read `/hooks/{gateway}/{secret}/report` or `…/reply`."""
        _, what = split_path(request.path)
        if what == "report":
            return Parsed(receipts=parse_reports(request.body), reply=REPLY)
        if what == "reply":
            return Parsed(inbound=parse_replies(request.body), reply=REPLY)
        raise WebhookRejected("the path ends neither in report nor in reply")
