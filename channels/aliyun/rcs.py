"""Aliyun's 5G messages (阿里云 5G 消息, of the product Dysms), to phones of China Mobile.

Source: protocol sheet `aliyun_dysms`, section 8; set-up: docs/adapters/aliyun_rcs.md.

Where the BizId of an accepted message stands is not certain. The sheet says "like SendSms", at the top; the
provider's own SDK knows no such field there, but an object `Data` with an object `Module`. It is read from
either. Nothing depends on it: reports carry our key as `out_id`. What the SDK's answer has for certain is
`Code`, `Message`, `Success`, `RequestId` and, in `Data`, another `Code` and `Success`: an `OK` that one of
these contradicts is no certain acceptance.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import orjson
from pydantic import Field, SecretStr

from channels.aliyun.client import Answer, Client, Credentials
from channels.aliyun.codes import SIGNATURE_CODES, advice, meaning_of
from channels.aliyun.fields import CallbackSecret, Endpoint, KeyId, KeySecret, SignName, service_url
from channels.aliyun.pushes import REPLY, local_number
from channels.aliyun.rcs_pushes import parse_reports, parse_ups
from channels.base import (
    Adapter,
    Channel,
    Config,
    Facts,
    Outbound,
    Parsed,
    SendResult,
    WebhookRequest,
    accepted,
    refused,
    unknown,
)
from channels.errors import Fault, GatewayError, WebhookRejected
from channels.fields import Concurrency, Region, Timeout
from channels.http import MaybeSent, NotSent
from channels.path_secret import split_path, verify_path
from channels.sending import judge_silence, send_each

_NUMBER = re.compile(r"1\d{10}", re.ASCII)
_UNDER_WAY, _TURNED_DOWN = 1, 2


class AliyunRcsConfig(Config):
    """Settings of an account. An empty `endpoint` is the public one of the region."""

    endpoint: Endpoint = ""
    region: Region = "cn-hangzhou"
    access_key_id: KeyId
    access_key_secret: KeySecret
    sign_name: SignName = Field(description="已升级为 5G 消息签名，不含【】")
    callback_secret: CallbackSecret = SecretStr("")
    concurrency: Concurrency = 32
    timeout: Timeout = 10.0

    @property
    def url(self) -> str:
        """Where the API answers."""
        return service_url(self.endpoint, self.region)


class AliyunRcs(Adapter):
    """SendRCS, GetRCSSignature, 5GSmsReport and 5GSmsUp.

    One number per request. `send` starts no request later than half of `timeout` after it was called, so it
    returns within one and a half times `timeout`; messages that did not get their turn are deferred. The
    card stands in the filed template, so `Outbound.card` is not looked at.
    """

    name: ClassVar[str] = "aliyun_rcs"
    facts: ClassVar[Facts] = Facts(
        Channel.RCS,
        batch_size=1,
        echoes_key=True,
        features=frozenset({"filed_template", "uplink", "sms_fallback"}),
    )
    config_type: ClassVar[type[Config]] = AliyunRcsConfig

    def __init__(
        self, config: AliyunRcsConfig, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._config = config
        self._client = Client(
            config.url,
            Credentials(config.access_key_id, config.access_key_secret.get_secret_value()),
            timeout=config.timeout,
            concurrency=config.concurrency,
            now=now,
        )

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.close()

    async def check(self) -> None:
        """Read the signature: it must have been upgraded to 5G messages and filed with China Mobile."""
        name = self._config.sign_name
        try:
            answer = await self._client.call("GetRCSSignature", {"SignName": name})
        except (NotSent, MaybeSent):
            raise GatewayError(Fault.UNREACHABLE, advice(Fault.UNREACHABLE, "")) from None
        if not answer.ok:
            raise _refusal(name, answer)
        state = _signature_state(answer)
        if state:
            raise GatewayError(Fault.MISCONFIGURED, f"短信签名「{name}」{state}")

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """One request per message, several at a time."""
        config = self._config
        return await send_each(batch, self._send_one, lanes=config.concurrency, timeout=config.timeout)

    async def _send_one(self, message: Outbound, deadline: float) -> SendResult:
        number = local_number(message.address)
        if not message.template:
            return refused(message.key, Fault.UNSUPPORTED, "no_template")
        if not _NUMBER.fullmatch(number):
            # The parameter would take several, parted by commas.
            return refused(message.key, Fault.INVALID_ADDRESS, "not_a_mobile_number")
        query = {"TemplateCode": message.template, "OutId": message.key}
        form = {"PhoneNumbers": number, "SignName": message.signature or self._config.sign_name}
        if message.params:
            form["TemplateParam"] = orjson.dumps(dict(message.params)).decode()
        try:
            answer = await self._client.call("SendRCS", form, query=query, deadline=deadline)
        except (NotSent, MaybeSent) as error:
            return judge_silence(message.key, error)
        return judge(message.key, answer)

    def verify(self, request: WebhookRequest) -> None:
        """Pushes are not signed: the secret segment of the path is the proof. Raises WebhookRejected."""
        verify_path(request, self._config.callback_secret.get_secret_value())

    def parse(self, request: WebhookRequest) -> Parsed:
        """Read `/hooks/{gateway}/{secret}/report` or `…/up`."""
        _, what = split_path(request.path)
        if what == "report":
            return Parsed(receipts=parse_reports(request.body), reply=REPLY)
        if what == "up":
            return Parsed(inbound=parse_ups(request.body), reply=REPLY)
        raise WebhookRejected("the path ends neither in report nor in up")


def judge(key: str, answer: Answer) -> SendResult:
    """What an answer says about the message. Whatever is not certain is unknown."""
    if answer.ok:
        return unknown(key, "contradicted") if _contradicts_itself(answer) else accepted(key, _biz_id(answer))
    code = answer.code or f"http_{answer.status}"
    meaning = meaning_of(answer.status, answer.code, answer.message)
    if meaning is None:
        return unknown(key, code)
    return refused(key, meaning.fault, code, meaning.retry_after)


def _contradicts_itself(answer: Answer) -> bool:
    data = _object(answer.data, "Data")
    return (
        answer.data.get("Success") is False
        or data.get("Success") is False
        or data.get("Code", "OK") not in ("OK", "", None)
    )


def _biz_id(answer: Answer) -> str:
    data = _object(answer.data, "Data")
    places = (answer.data, data, _object(data, "Module"))
    found = (place.get("BizId") for place in places)
    return next((ref for ref in found if isinstance(ref, str) and ref), "")


def _object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = holder.get(name)
    return inner if isinstance(inner, dict) else {}


def _refusal(name: str, answer: Answer) -> GatewayError:
    if answer.code in SIGNATURE_CODES:
        text = f"短信签名「{name}」不存在，或还没有升级为 5G 消息签名（{answer.code}），请在阿里云控制台核对"
        return GatewayError(Fault.MISCONFIGURED, text, answer.code)
    meaning = meaning_of(answer.status, answer.code, answer.message)
    fault = meaning.fault if meaning else Fault.OUTCOME_UNKNOWN
    return GatewayError(fault, advice(fault, answer.code), answer.code)


def _signature_state(answer: Answer) -> str:
    """What keeps a signature from being used, in Chinese; empty if nothing does."""
    data = _object(answer.data, "Data")
    if not data.get("ChatbotCode"):
        return "还没有升级为 5G 消息签名，请在阿里云控制台「5G消息 › 签名管理」中升级"
    for result in _mobile(data.get("RegisterResultList")):
        if result.get("RegisterStatus") == _UNDER_WAY:
            return "正在中国移动报备，通过以后才能发送"
        if result.get("RegisterStatus") == _TURNED_DOWN:
            return "在中国移动报备失败，请在阿里云控制台查看原因后重新提交"
    return ""


def _mobile(results: Any) -> Iterator[Mapping[str, Any]]:
    for result in results if isinstance(results, list) else []:
        if isinstance(result, dict) and result.get("OperatorCode") == "mobile":
            yield result
