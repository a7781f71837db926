"""Aliyun SMS (阿里云短信服务, Dysms).

Source: protocol sheet `aliyun_dysms`; set-up: docs/adapters/aliyun_sms.md.

A batch becomes requests of up to 100 numbers that share one OutId, the key of the request's first message.
A request is a contiguous run of the batch, holds a number once and one template, so that a report (OutId,
number) tells one message: the first to that number at or after the message of that key.
"""

import asyncio
import hmac
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import urlsplit

import orjson
from pydantic import Field, SecretStr, field_validator

from channels.aliyun.client import Answer, Client, Credentials, TooLate
from channels.aliyun.codes import advice, meaning_of
from channels.aliyun.details import ask_details, days_of, find_message
from channels.aliyun.pushes import REPLY, local_number, parse_reports, parse_ups
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
    accepted,
    refused,
    unknown,
)
from channels.errors import Fault, GatewayError, WebhookRejected
from channels.http import MaybeSent, NotSent

# China Mobile's own service number: a question about it concerns nobody.
_PROBE_NUMBER = "13800138000"
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,}")


class AliyunSmsConfig(Config):
    """Settings of an account. An empty `endpoint` is the public one of the region."""

    endpoint: str = Field("", title="服务地址", description="含 https://；留空则按地域使用公网地址")
    region: str = Field("cn-hangzhou", title="地域", pattern=r"^[a-z0-9-]+$")
    access_key_id: str = Field(title="AccessKey ID", min_length=1)
    access_key_secret: SecretStr = Field(title="AccessKey Secret", min_length=1)
    sign_name: str = Field(title="短信签名", description="已审核通过，不含【】", min_length=1)
    callback_secret: SecretStr = Field(
        SecretStr(""),
        title="回调地址密钥",
        description="推送地址中的一段，至少 16 位字母、数字、- 或 _；留空则拒收推送",
    )
    concurrency: int = Field(16, title="同时请求数", ge=1, le=256)
    numbers_per_request: int = Field(100, title="每次请求的号码数", ge=1, le=100)
    timeout: float = Field(10.0, title="超时（秒）", gt=0, le=120)

    @field_validator("endpoint")
    @classmethod
    def _is_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/")):
            raise ValueError("服务地址应为 https://主机[:端口]，不带路径")
        return value.rstrip("/")

    @field_validator("sign_name")
    @classmethod
    def _is_bare(cls, value: str) -> str:
        if "【" in value or "】" in value:
            raise ValueError("短信签名不要带【】")
        return value

    @field_validator("callback_secret")
    @classmethod
    def _is_hard_to_guess(cls, value: SecretStr) -> SecretStr:
        secret = value.get_secret_value()
        if secret and not _SECRET.fullmatch(secret):
            raise ValueError("回调地址密钥至少 16 位，只用字母、数字、- 和 _")
        return value

    @property
    def url(self) -> str:
        """Where the API answers."""
        if self.endpoint:
            return self.endpoint
        part = "" if self.region == "cn-hangzhou" else f"{self.region}."
        return f"https://dysmsapi.{part}aliyuncs.com"


class AliyunSms(Adapter):
    """SendSms, SendBatchSms, QuerySendDetails, SmsReport and SmsUp.

    `send` starts no request later than half of `timeout` after it was called, so it returns within one and
    a half times `timeout`; messages that did not get their turn are deferred. If a request is refused for
    what may be one of its messages (a number, a parameter), it is certain that nothing of it was taken: it
    is halved and sent again until the bad ones stand alone, so that they do not cost the others.
    """

    name: ClassVar[str] = "aliyun_sms"
    facts: ClassVar[Facts] = Facts(
        Channel.SMS,
        batch_size=100,
        rate_unit="request",
        queryable=True,
        echoes_key=True,
        features=frozenset({"filed_template", "uplink"}),
    )
    config_type: ClassVar[type[Config]] = AliyunSmsConfig

    def __init__(
        self, config: AliyunSmsConfig, now: Callable[[], datetime] = lambda: datetime.now(UTC)
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
        """Ask for a page of send details, which needs a valid key, a right clock and the product."""
        today = days_of(self._client.now())[-1]
        try:
            answer = await ask_details(self._client, _PROBE_NUMBER, today, 1, size=1)
        except (NotSent, MaybeSent):
            raise GatewayError(Fault.UNREACHABLE, advice(Fault.UNREACHABLE, "")) from None
        if not answer.ok:
            meaning = meaning_of(answer.status, answer.code, answer.message)
            fault = meaning.fault if meaning else Fault.OUTCOME_UNKNOWN
            raise GatewayError(fault, advice(fault, answer.code), answer.code)

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """Send a batch in runs, several at a time."""
        deadline = asyncio.get_running_loop().time() + self._config.timeout / 2
        runs = cut_runs(batch, self._config.numbers_per_request)
        results = await asyncio.gather(*(self._send_run(run, deadline) for run in runs))
        return [result for run in results for result in run]

    async def _send_run(self, run: Sequence[Outbound], deadline: float) -> list[SendResult]:
        if not run[0].template:
            return [refused(message.key, Fault.UNSUPPORTED, "no_template") for message in run]
        verdict, single = await self._request(run, deadline)
        if single and len(run) > 1:
            middle = len(run) // 2
            halves = (self._send_run(half, deadline) for half in (run[:middle], run[middle:]))
            return [result for half in await asyncio.gather(*halves) for result in half]
        return [
            SendResult(
                message.key, verdict.outcome, verdict.ref, verdict.fault, verdict.code, verdict.retry_after
            )
            for message in run
        ]

    async def _request(self, run: Sequence[Outbound], deadline: float) -> tuple[SendResult, bool]:
        action, query, form = self._render(run)
        try:
            answer = await self._client.call(action, form, query=query, deadline=deadline)
        except TooLate:
            return refused("", Fault.DEFERRED), False
        except NotSent:
            return refused("", Fault.UNREACHABLE), False
        except MaybeSent:
            return unknown(""), False
        return judge(answer)

    def _render(self, run: Sequence[Outbound]) -> tuple[str, dict[str, str], dict[str, str]]:
        query = {"TemplateCode": run[0].template, "OutId": run[0].key}
        signatures = [message.signature or self._config.sign_name for message in run]
        if len(run) == 1:
            form = {"PhoneNumbers": run[0].address, "SignName": signatures[0]}
            if run[0].params:
                form["TemplateParam"] = _json(dict(run[0].params))
            return "SendSms", query, form
        form = {
            "PhoneNumberJson": _json([message.address for message in run]),
            "SignNameJson": _json(signatures),
            "TemplateParamJson": _json([dict(message.params) for message in run]),
        }
        return "SendBatchSms", query, form

    async def query(self, questions: Sequence[Query]) -> list[QueryResult]:
        """Ask by number and day, match by OutId; several questions at a time."""
        return list(await asyncio.gather(*(find_message(self._client, q) for q in questions)))

    def verify(self, request: WebhookRequest) -> None:
        """Pushes are not signed: the secret segment of the path is the proof. Raises WebhookRejected."""
        secret = self._config.callback_secret.get_secret_value()
        given, _ = _tail(request.path)
        if not secret or not hmac.compare_digest(given.encode(errors="replace"), secret.encode()):
            raise WebhookRejected("wrong callback secret")
        if request.method != "POST":
            raise WebhookRejected("a push is a POST")

    def parse(self, request: WebhookRequest) -> Parsed:
        """Read `/hooks/{gateway}/{secret}/report` or `…/up`."""
        _, what = _tail(request.path)
        if what == "report":
            return Parsed(receipts=parse_reports(request.body), reply=REPLY)
        if what == "up":
            return Parsed(inbound=parse_ups(request.body), reply=REPLY)
        raise WebhookRejected("the path ends neither in report nor in up")


def cut_runs(batch: Sequence[Outbound], most: int) -> Iterator[Sequence[Outbound]]:
    """Contiguous runs of at most `most` messages with one template and no number twice."""
    start, seen = 0, set[str]()
    for position, message in enumerate(batch):
        number = local_number(message.address)
        full = position - start == most or message.template != batch[start].template
        if position > start and (full or number in seen):
            yield batch[start:position]
            start, seen = position, set()
        seen.add(number)
    if batch:
        yield batch[start:]


def judge(answer: Answer) -> tuple[SendResult, bool]:
    """What an answer says about each message of its request (key still empty), and whether a refusal may
    be about a single one of them. Whatever is not certain is unknown."""
    if answer.ok:
        ref = answer.data.get("BizId")
        return accepted("", ref if isinstance(ref, str) else ""), False
    meaning = meaning_of(answer.status, answer.code, answer.message)
    if meaning is None:
        return unknown("", answer.code or f"http_{answer.status}"), False
    code = answer.code or f"http_{answer.status}"
    return refused("", meaning.fault, code, meaning.retry_after), meaning.single


def _tail(path: str) -> tuple[str, str]:
    segments = path.rsplit("/", 2)
    return (segments[-2], segments[-1]) if len(segments) == 3 else ("", "")


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
