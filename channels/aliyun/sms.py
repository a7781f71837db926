"""Aliyun SMS (阿里云短信服务, Dysms).

Source: protocol sheet `aliyun_dysms`; set-up: docs/adapters/aliyun_sms.md.

A batch becomes requests of up to 100 numbers that share one OutId, the key of the request's first message.
A request is a contiguous run of the batch, holds a number once and one template, so that a report (OutId,
number) tells one message: the first to that number at or after the message of that key.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar

import orjson
from pydantic import Field, SecretStr

from channels.aliyun.client import Answer, Client, Credentials
from channels.aliyun.codes import advice, meaning_of
from channels.aliyun.details import ask_details, days_of, find_message
from channels.aliyun.fields import CallbackSecret, Endpoint, KeyId, KeySecret, SignName, service_url
from channels.aliyun.pushes import REPLY, local_number
from channels.aliyun.sms_pushes import parse_reports, parse_ups
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
from channels.fields import Concurrency, Region, Timeout
from channels.http import MaybeSent, NotSent
from channels.path_secret import split_path, verify_path
from channels.sending import judge_silence, send_halving

# China Mobile's own service number: a question about it concerns nobody.
_PROBE_NUMBER = "13800138000"


class AliyunSmsConfig(Config):
    """Settings of an account. An empty `endpoint` is the public one of the region."""

    endpoint: Endpoint = ""
    region: Region = "cn-hangzhou"
    access_key_id: KeyId
    access_key_secret: KeySecret
    sign_name: SignName
    callback_secret: CallbackSecret = SecretStr("")
    concurrency: Concurrency = 16
    numbers_per_request: int = Field(100, title="每次请求的号码数", ge=1, le=100)
    timeout: Timeout = 10.0

    @property
    def url(self) -> str:
        """Where the API answers."""
        return service_url(self.endpoint, self.region)


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
        return await send_halving(run, lambda part: self._request(part, deadline))

    async def _request(self, run: Sequence[Outbound], deadline: float) -> tuple[list[SendResult], bool]:
        action, query, form = self._render(run)
        try:
            answer = await self._client.call(action, form, query=query, deadline=deadline)
        except (NotSent, MaybeSent) as error:
            return [judge_silence(message.key, error) for message in run], False
        verdict, single = judge(answer)
        results = [
            SendResult(
                message.key, verdict.outcome, verdict.ref, verdict.fault, verdict.code, verdict.retry_after
            )
            for message in run
        ]
        return results, single

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
        verify_path(request, self._config.callback_secret.get_secret_value())

    def parse(self, request: WebhookRequest) -> Parsed:
        """Read `/hooks/{gateway}/{secret}/report` or `…/up`."""
        _, what = split_path(request.path)
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


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
