"""What the Aliyun SMS adapter does beyond the conformance suite: runs, halving, classification, asking."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.aliyun.client import Answer
from channels.aliyun.codes import MEANINGS, meaning_of
from channels.aliyun.details import days_of
from channels.aliyun.signing import percent, sign_request
from channels.aliyun.sms import AliyunSmsConfig, cut_runs, judge
from channels.base import DeliveryState, Outbound, Outcome, Query, SendResult
from channels.errors import Fault, GatewayError
from channels.gateways.aliyun_api.refusals import CODES

from .aliyun import AliyunBench, make_adapter, plain, run_bench
from .clock import TIMEOUT, hasten, until
from .conformance import message_key
from .scripted import ScriptedGateway

OK = {"Code": "OK", "Message": "OK", "RequestId": "R", "BizId": "134523^4351232"}


@pytest.fixture
async def bench() -> AsyncIterator[AliyunBench]:
    async with run_bench() as bench:
        yield bench


def test_signature_golden_vector() -> None:
    headers = sign_request(
        method="POST",
        host="dysmsapi.aliyuncs.com",
        action="SendSms",
        version="2017-05-25",
        query={
            "PhoneNumbers": "13800138000",
            "SignName": "测试税务",
            "TemplateCode": "SMS_000001",
            "TemplateParam": '{"name":"张三"}',
        },
        body=b"",
        access_key_id="testId",
        access_key_secret="testSecret",
        nonce="45e25e9b0a6f40708c852956eda1b466",
        at=datetime(2026, 11, 22, 2, tzinfo=UTC),
    )
    assert headers["authorization"] == (
        "ACS3-HMAC-SHA256 Credential=testId,"
        "SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=fc0c81fe44cd98769960cad8eb183c5f2572c66d698a706a074048b6627a842d"
    )


@given(st.text())
def test_percent_encoding_is_rfc_3986(text: str) -> None:
    assert percent(text.encode("utf-8", "replace")) == quote(text.encode("utf-8", "replace"), safe="-_.~")


@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["SMS_1", "SMS_2", ""])), max_size=40),
    st.integers(1, 5),
)
def test_runs_are_contiguous_with_one_template_and_no_number_twice(
    rows: list[tuple[int, str]], most: int
) -> None:
    spelled = ["139000000{:02d}", "+86139000000{:02d}", "0086139000000{:02d}"]
    batch = [
        Outbound(message_key(n), spelled[n % 3].format(number), "", template=template)
        for n, (number, template) in enumerate(rows)
    ]
    runs = list(cut_runs(batch, most))
    assert [message for run in runs for message in run] == batch
    for run in runs:
        assert 1 <= len(run) <= most
        assert len({message.template for message in run}) == 1
        assert len({message.address[-11:] for message in run}) == len(run)
    for run, following in pairwise(runs):
        numbers = {message.address[-11:] for message in run}
        needless = len(run) < most and run[0].template == following[0].template
        assert not needless or following[0].address[-11:] in numbers


async def test_batch_request_on_the_wire() -> None:
    async with ScriptedGateway([(200, OK)]) as gateway:
        adapter = make_adapter(gateway.url)
        batch = [plain(message_key(n), f"1390000000{n}", name) for n, name in enumerate(["张三", '"李四"'])]
        batch[1] = replace(batch[1], signature="另一个签名")
        results = await adapter.send(batch)
        await adapter.close()
    assert [(r.key, r.ref) for r in results] == [(m.key, "134523^4351232") for m in batch]
    [request] = gateway.requests
    assert request.headers["x-acs-action"] == "SendBatchSms"
    assert request.query == {"TemplateCode": "SMS_000001", "OutId": batch[0].key}
    assert gateway.params() == {
        "TemplateCode": "SMS_000001",
        "OutId": batch[0].key,
        "PhoneNumberJson": '["13900000000","13900000001"]',
        "SignNameJson": '["测试税务","另一个签名"]',
        "TemplateParamJson": '[{"name":"张三"},{"name":"\\"李四\\""}]',
    }


async def test_single_request_keeps_the_person_out_of_the_url() -> None:
    async with ScriptedGateway([(200, OK)]) as gateway:
        adapter = make_adapter(gateway.url)
        await adapter.send([plain(message_key(5), "13900000000")])
        await adapter.close()
    [request] = gateway.requests
    assert request.headers["x-acs-action"] == "SendSms"
    assert request.query == {"TemplateCode": "SMS_000001", "OutId": message_key(5)}
    assert gateway.params()["PhoneNumbers"] == "13900000000"
    assert gateway.params()["TemplateParam"] == '{"name":"张三"}'


async def test_message_without_a_filed_template_is_unsupported(bench: AliyunBench) -> None:
    batch = [plain(message_key(0), "13900000000"), Outbound(message_key(1), "13900000001", "自由文本")]
    results = await bench.adapter.send(batch)
    assert [(r.outcome, r.fault) for r in results] == [
        (Outcome.ACCEPTED, None),
        (Outcome.REFUSED, Fault.UNSUPPORTED),
    ]
    assert len(bench.simulator.books.entries) == 1


async def test_illegal_numbers_do_not_cost_the_good_ones(bench: AliyunBench) -> None:
    batch = [bench.one(n) for n in range(100)]
    for bad in (0, 41, 99):
        batch[bad] = bench.one(bad, "12345")
    results = await bench.adapter.send(batch)
    for position, (message, result) in enumerate(zip(batch, results, strict=True)):
        assert result.key == message.key
        bad = position in (0, 41, 99)
        assert result.outcome is (Outcome.REFUSED if bad else Outcome.ACCEPTED)
        assert not bad or (result.fault, result.code) == (
            Fault.INVALID_ADDRESS,
            "isv.MOBILE_NUMBER_ILLEGAL",
        )
        assert bench.booked(message) == (not bad)


async def test_refused_request_is_halved_not_sent_one_by_one() -> None:
    refusal = {"Code": "isv.MOBILE_NUMBER_ILLEGAL", "Message": "手机号码格式错误", "RequestId": "R"}
    async with ScriptedGateway([(200, refusal), (200, OK)]) as gateway:
        adapter = make_adapter(gateway.url)
        results = await adapter.send([plain(message_key(n), f"139{n:08d}") for n in range(100)])
        await adapter.close()
    assert {r.outcome for r in results} == {Outcome.ACCEPTED}
    assert len(gateway.requests) == 3
    assert {r.query["OutId"] for r in gateway.requests[1:]} == {message_key(0), message_key(50)}


async def test_what_gets_no_turn_is_deferred_and_certainly_unsent(bench: AliyunBench) -> None:
    adapter = make_adapter(bench.simulator.url, concurrency=1, numbers_per_request=1)
    batch = [bench.doomed("slow", 0), bench.one(1), bench.one(2)]
    sending = asyncio.create_task(adapter.send(batch))
    await until(lambda: bench.booked(batch[0]) == 1)
    results = await hasten(sending, 1.5 * TIMEOUT)
    await adapter.close()
    assert [r.outcome for r in results] == [Outcome.UNKNOWN, Outcome.REFUSED, Outcome.REFUSED]
    assert {r.fault for r in results[1:]} == {Fault.DEFERRED}
    assert [bench.booked(m) for m in batch] == [1, 0, 0]


async def test_codes_of_the_gateway(bench: AliyunBench) -> None:
    for number, code in enumerate(CODES):
        message = plain(message_key(number), f"1380001{number:04d}")
        [result] = await bench.adapter.send([message])
        certain = code in MEANINGS or code.startswith("Throttling")
        assert (result.code, result.outcome) == (code, Outcome.REFUSED if certain else Outcome.UNKNOWN)
        assert not certain or bench.booked(message) == 0


@pytest.mark.parametrize(
    ("status", "code", "fault"),
    [
        (200, "isv.MOBILE_NUMBER_ILLEGAL", Fault.INVALID_ADDRESS),
        (200, "isv.TEMPLATE_MISSING_PARAMETERS", Fault.REJECTED),
        (200, "isv.BUSINESS_LIMIT_CONTROL", Fault.DEFERRED),
        (200, "isv.DAY_LIMIT_CONTROL", Fault.THROTTLED),
        (200, "isv.AMOUNT_NOT_ENOUGH", Fault.MISCONFIGURED),
        (400, "Throttling.User", Fault.THROTTLED),
        (400, "Throttling.Api.Some", Fault.THROTTLED),
        (429, "", Fault.THROTTLED),
        (400, "SignatureDoesNotMatch", Fault.UNAUTHORIZED),
        (404, "InvalidAccessKeyId.NotFound", Fault.UNAUTHORIZED),
        (400, "MissingPhoneNumbers", Fault.REJECTED),
        (400, "InvalidTimeStamp.Expired", Fault.MISCONFIGURED),
    ],
)
def test_certain_refusals(status: int, code: str, fault: Fault) -> None:
    result, _ = judge(Answer(status, code, "", {}))
    assert (result.outcome, result.fault) == (Outcome.REFUSED, fault)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (200, "isp.SYSTEM_ERROR"),
        (200, "isp.GATEWAY_ERROR"),
        (200, "isv.SOMETHING_NEW"),
        (200, ""),
        (302, "isv.MOBILE_NUMBER_ILLEGAL"),
        (400, "SignatureNonceUsed"),
        (403, ""),
        (408, ""),
        (500, "InternalError"),
        (502, ""),
        (503, "Throttling.User"),
        (500, "OK"),
    ],
)
def test_uncertain_answers_are_unknown(status: int, code: str) -> None:
    result, again = judge(Answer(status, code, "", {}))
    assert (result.outcome, result.fault, again) == (Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN, False)
    assert result.code


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"Code":7}', b'{"Code":null}', b"\xff\xfe"])
async def test_unreadable_answer_is_unknown(body: bytes) -> None:
    async with ScriptedGateway([(200, body)]) as gateway:
        adapter = make_adapter(gateway.url)
        [result] = await adapter.send([plain(message_key(0), "13900000000")])
        await adapter.close()
    assert result.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("window", "wait"),
    [("分钟", timedelta(minutes=1)), ("小时", timedelta(hours=1)), ("天", timedelta(days=1))],
)
def test_limit_of_a_number_tells_when_to_try_again(window: str, wait: timedelta) -> None:
    meaning = meaning_of(200, "isv.BUSINESS_LIMIT_CONTROL", f"触发{window}级流控Permits:5")
    assert meaning is not None
    assert (meaning.fault, meaning.retry_after) == (Fault.DEFERRED, wait)


async def test_query_finds_a_message_under_its_requests_key(bench: AliyunBench) -> None:
    batch = [bench.one(n) for n in range(4)]
    await bench.adapter.send(batch)
    now = datetime.now(UTC)
    third = batch[2]
    candidates = tuple(message_key(n) for n in range(3))
    strangers = tuple(message_key(n, batch=9) for n in range(3))
    answers = await bench.adapter.query(
        [
            Query(third.key, third.address, now, candidates=candidates),
            Query(third.key, third.address, now),
            Query(third.key, third.address, now, candidates=strangers),
            Query(third.key, third.address, now - timedelta(days=2), candidates=candidates),
        ]
    )
    assert [a.found for a in answers] == [True, False, False, False]
    assert answers[0].state in {DeliveryState.ACCEPTED, DeliveryState.DELIVERED}


async def test_query_tells_what_became_of_it(bench: AliyunBench) -> None:
    messages = [bench.one(0), bench.doomed("fail", 1), bench.doomed("silent", 2)]
    for message in messages:
        await bench.adapter.send([message])
    await bench.hooks.until(lambda: len(bench.hooks.receipts) == 2)
    answers = await bench.adapter.query([Query(m.key, m.address, datetime.now(UTC)) for m in messages])
    assert [(a.state, a.code) for a in answers] == [
        (DeliveryState.DELIVERED, "DELIVERED"),
        (DeliveryState.FAILED, "UNDELIV"),
        (DeliveryState.ACCEPTED, ""),
    ]


async def test_query_reads_every_page(bench: AliyunBench) -> None:
    first = bench.one(0)
    await bench.adapter.send([first])
    for n in range(1, 104):
        await bench.adapter.send([bench.one(n, first.address)])
    now = datetime.now(UTC)
    answers = await bench.adapter.query(
        [Query(first.key, first.address, now), Query(message_key(999), first.address, now)]
    )
    assert [a.found for a in answers] == [True, False]


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"Code": "isp.SYSTEM_ERROR", "Message": ""}),
        (400, {"Code": "Throttling.User", "Message": ""}),
        (200, {"Code": "OK", "Message": "OK"}),
        (200, {"Code": "OK", "TotalCount": "many", "SmsSendDetailDTOs": {"SmsSendDetailDTO": []}}),
        (200, {"Code": "OK", "TotalCount": 1, "SmsSendDetailDTOs": {"SmsSendDetailDTO": [3]}}),
        (
            200,
            {"Code": "OK", "TotalCount": 9999, "SmsSendDetailDTOs": {"SmsSendDetailDTO": [{"OutId": "x"}]}},
        ),
        (502, b"bad gateway"),
    ],
)
async def test_question_without_a_sure_answer_stays_open(
    answer: tuple[int, bytes | dict[str, object]],
) -> None:
    async with ScriptedGateway([answer]) as gateway:
        adapter = make_adapter(gateway.url)
        [result] = await adapter.query([Query(message_key(0), "13900000000", datetime.now(UTC))])
        await adapter.close()
    assert result.found is None


async def test_older_count_as_text_is_read() -> None:
    nothing = {"Code": "OK", "TotalCount": "0", "SmsSendDetailDTOs": {"SmsSendDetailDTO": []}}
    async with ScriptedGateway([(200, nothing)]) as gateway:
        adapter = make_adapter(gateway.url)
        [result] = await adapter.query(
            [Query(message_key(0), "+8613900000000", datetime(2026, 11, 22, 4, tzinfo=UTC))]
        )
        await adapter.close()
    assert result.found is False
    assert gateway.params()["PhoneNumber"] == "13900000000"
    assert gateway.params()["SendDate"] == "20261122"
    assert not gateway.requests[0].query


def test_days_in_question_are_chinese_and_both_around_midnight() -> None:
    assert days_of(datetime(2026, 11, 22, 15, 0, tzinfo=UTC)) == ["20261122"]
    assert days_of(datetime(2026, 11, 22, 15, 58, tzinfo=UTC)) == ["20261122", "20261123"]
    assert days_of(datetime(2026, 11, 22, 16, 2, tzinfo=UTC)) == ["20261122", "20261123"]
    assert days_of(datetime(2026, 11, 22, 17, 0, tzinfo=UTC)) == ["20261123"]


async def test_system_error_after_acceptance_is_found_by_asking(bench: AliyunBench) -> None:
    message = plain(message_key(0), f"1380001{CODES.index('isp.SYSTEM_ERROR'):04d}")
    [result] = await bench.adapter.send([message])
    [answer] = await bench.adapter.query([Query(message.key, message.address, datetime.now(UTC))])
    assert (result.outcome, answer.found, bench.booked(message)) == (Outcome.UNKNOWN, True, 1)


async def test_same_bytes_again_do_not_turn_acceptance_into_refusal() -> None:
    reused = {"Code": "SignatureNonceUsed", "Message": "", "RequestId": "R", "HostId": "", "Recommend": ""}
    async with ScriptedGateway([(400, reused)]) as gateway:
        adapter = make_adapter(gateway.url)
        [result] = await adapter.send([plain(message_key(0), "13900000000")])
        await adapter.close()
    assert result == SendResult(message_key(0), Outcome.UNKNOWN, "", Fault.OUTCOME_UNKNOWN, reused["Code"])


async def test_check_names_the_clock() -> None:
    expired = {"Code": "InvalidTimeStamp.Expired", "Message": "", "RequestId": "R"}
    async with ScriptedGateway([(400, expired)]) as gateway:
        adapter = make_adapter(gateway.url)
        with pytest.raises(GatewayError, match="本机时间") as caught:
            await adapter.check()
        await adapter.close()
    assert (caught.value.fault, caught.value.code) == (Fault.MISCONFIGURED, "InvalidTimeStamp.Expired")


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": "dysmsapi.aliyuncs.com"},
        {"endpoint": "ftp://dysmsapi.aliyuncs.com"},
        {"endpoint": "https://dysmsapi.aliyuncs.com/path"},
        {"sign_name": "【测试税务】"},
        {"callback_secret": "short"},
        {"callback_secret": "has/a/slash/in/it/too"},
        {"numbers_per_request": 101},
        {"surprise": 1},
    ],
)
def test_bad_settings_are_refused(changes: dict[str, object]) -> None:
    good = {"access_key_id": "a", "access_key_secret": "b", "sign_name": "测试税务"}
    AliyunSmsConfig.model_validate(good)
    with pytest.raises(ValidationError):
        AliyunSmsConfig.model_validate({**good, **changes})


def test_endpoint_follows_the_region() -> None:
    good = {"access_key_id": "a", "access_key_secret": "b", "sign_name": "测试税务"}
    assert AliyunSmsConfig.model_validate(good).url == "https://dysmsapi.aliyuncs.com"
    abroad = AliyunSmsConfig.model_validate({**good, "region": "ap-southeast-1"})
    assert abroad.url == "https://dysmsapi.ap-southeast-1.aliyuncs.com"
    assert "b" not in repr(
        AliyunSmsConfig.model_validate({**good, "access_key_secret": "bbbb"}).access_key_secret
    )
