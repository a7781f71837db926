"""The simulated Aliyun gateway is as strict as the protocol sheet."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.base import DeliveryState, Outcome
from channels.errors import Fault
from channels.gateways.aliyun_api.calls import Call, read_call
from channels.gateways.aliyun_api.limits import Meter
from channels.gateways.aliyun_api.refusals import BusinessRefusal, GatewayRefusal
from channels.gateways.aliyun_api.signatures import Verifier
from channels.gateways.aliyun_sms import AccountLimits, AliyunSmsSimulator, Template
from channels.gateways.aliyun_sms.rules import compose_text, count_parts, read_number
from channels.gateways.base import Faults
from channels.http import Http

from .aliyun import AliyunBench, make_adapter, plain, run_bench
from .conformance import message_key

SAMPLES = Path(__file__).parent / "samples" / "aliyun_sms"
SIGNED = ["golden_v3", "golden_v1", "sdk_send_sms", "sdk_send_batch_sms", "sdk_query_send_details"]


@pytest.fixture
async def bench() -> AsyncIterator[AliyunBench]:
    async with run_bench() as bench:
        yield bench


def recorded(name: str, **changes: Any) -> Call:
    """A recorded request; `changes` replace parts of the sample."""
    sample = {**json.loads((SAMPLES / f"{name}.json").read_bytes()), **changes}
    scope = {
        "method": sample["method"],
        "path": sample["path"],
        "query_string": sample["query_string"].encode(),
        "headers": [(key.encode(), value.encode()) for key, value in sample["headers"].items()],
    }
    return read_call(scope, sample["body"].encode())


def verifier(at: datetime) -> Verifier:
    return Verifier({"testId": "testSecret"}, lambda: at)


def moment_of(call: Call) -> datetime:
    text = call.headers.get("x-acs-date") or call.params["Timestamp"]
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@pytest.mark.parametrize("name", SIGNED)
def test_recorded_requests_are_genuine(name: str) -> None:
    call = recorded(name)
    verifier(moment_of(call) + timedelta(minutes=14)).check(call)


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("minutes", [-16, 16])
def test_time_stamp_expires(name: str, minutes: int) -> None:
    call = recorded(name)
    with pytest.raises(GatewayRefusal, match=r"InvalidTimeStamp\.Expired"):
        verifier(moment_of(call) + timedelta(minutes=minutes)).check(call)


@pytest.mark.parametrize("name", SIGNED)
def test_nonce_is_good_once(name: str) -> None:
    call = recorded(name)
    gateway = verifier(moment_of(call))
    gateway.check(call)
    with pytest.raises(GatewayRefusal, match="SignatureNonceUsed"):
        gateway.check(call)


@pytest.mark.parametrize("name", SIGNED)
def test_changed_parameter_breaks_the_signature(name: str) -> None:
    call = recorded(name)
    changed = replace(call, query={**call.query, "OutId": "other"})
    with pytest.raises(GatewayRefusal, match="SignatureDoesNotMatch"):
        verifier(moment_of(call)).check(changed)


def test_changed_body_breaks_the_signature() -> None:
    call = recorded("sdk_send_batch_sms")
    with pytest.raises(GatewayRefusal, match="SignatureDoesNotMatch"):
        verifier(moment_of(call)).check(replace(call, body=call.body + b" "))


@pytest.mark.parametrize(
    "changes",
    [
        {"x-acs-security-token": "unsigned"},
        {"authorization": "ACS3-HMAC-SHA256 Credential=testId"},
        {"authorization": "Bearer x"},
    ],
)
def test_incomplete_signature(changes: dict[str, str]) -> None:
    call = recorded("golden_v3")
    with pytest.raises(GatewayRefusal, match="IncompleteSignature"):
        verifier(moment_of(call)).check(replace(call, headers={**call.headers, **changes}))


@pytest.mark.parametrize("name", ["host", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"])
def test_missing_header(name: str) -> None:
    call = recorded("golden_v3")
    headers = {key: value for key, value in call.headers.items() if key != name}
    with pytest.raises(GatewayRefusal, match="IncompleteSignature"):
        verifier(moment_of(call)).check(replace(call, headers=headers))


@pytest.mark.parametrize("name", ["SignatureNonce", "SignatureMethod", "Timestamp", "AccessKeyId"])
def test_missing_public_parameter(name: str) -> None:
    call = recorded("golden_v1")
    query = {key: value for key, value in call.query.items() if key != name}
    with pytest.raises(GatewayRefusal, match="IncompleteSignature"):
        verifier(datetime(2026, 11, 22, 2, tzinfo=UTC)).check(replace(call, query=query))


@pytest.mark.parametrize("name", ["golden_v1", "golden_v3"])
def test_unknown_access_key(name: str) -> None:
    call = recorded(name)
    with pytest.raises(GatewayRefusal, match=r"InvalidAccessKeyId\.NotFound") as caught:
        Verifier({"other": "testSecret"}, lambda: moment_of(call)).check(call)
    assert 400 <= caught.value.status < 500


@pytest.mark.parametrize("name", SIGNED[:4])
async def test_recorded_request_is_answered(name: str) -> None:
    call = recorded(name)
    simulator = AliyunSmsSimulator(now=lambda: moment_of(call))
    url = await simulator.start()
    query = json.loads((SAMPLES / f"{name}.json").read_bytes())["query_string"]
    http = Http()
    response = await http.request(call.method, f"{url}/?{query}", headers=dict(call.headers), body=call.body)
    await http.close()
    await simulator.stop()
    assert (response.status, json.loads(response.body)["Code"]) == (200, "OK")
    assert simulator.books.entries[0].text.startswith("【测试税务】尊敬的张三，")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, "isv.TEMPLATE_MISSING_PARAMETERS"),
        ({"name": None}, "isv.TEMPLATE_PARAMS_ILLEGAL"),
        ({"name": ["x"]}, "isv.TEMPLATE_PARAMS_ILLEGAL"),
        ({"name": "一" * 36}, "isv.PARAM_LENGTH_LIMIT"),
        ({"name": "见 https://example.com"}, "isv.PARAM_NOT_SUPPORT_URL"),
        ({"name": "www.example.com"}, "isv.PARAM_NOT_SUPPORT_URL"),
        ({"name": "【假】"}, "isv.SMS_CONTENT_ILLEGAL"),
    ],
)
def test_parameters(values: dict[str, Any], code: str) -> None:
    template = Template.of("SMS_1", "尊敬的${name}：您好${name}")
    assert template.render({"name": 7, "more": "x"}) == "尊敬的7：您好7"
    assert template.render({"name": "一" * 35}).count("一") == 70
    with pytest.raises(BusinessRefusal, match=code):
        template.render(values)


@pytest.mark.parametrize(
    ("code", "body", "promotion"),
    [
        ("1", "文", False),
        ("SMS_1", "", False),
        ("SMS_1", "【税务】文", False),
        ("SMS_1", "文" * 501, False),
        ("SMS_1", "优惠", True),
    ],
)
def test_template_review(code: str, body: str, promotion: bool) -> None:
    Template.of("SMS_1", "优惠，拒收请回复R", promotion=True)
    with pytest.raises(ValueError, match="模板"):
        Template.of(code, body, promotion)


def test_length_of_a_text() -> None:
    assert len(compose_text("税务", "文" * 496)) == 500
    with pytest.raises(BusinessRefusal, match=r"isv\.PARAM_LENGTH_LIMIT"):
        compose_text("税务", "文" * 497)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("文" * 70, 1),
        ("文" * 71, 2),
        ("文" * 134, 2),
        ("文" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("", 1),
    ],
)
def test_parts(text: str, parts: int) -> None:
    assert count_parts(text) == parts


@pytest.mark.parametrize("number", ["13800138000", "+8613800138000", "8613800138000", "008613800138000"])
def test_legal_number(number: str) -> None:
    assert read_number(number) == "13800138000"


@pytest.mark.parametrize(
    "number", ["1380013800", "23800138000", "12800138000", "", " 13800138000", "１３８00138000", 7]
)
def test_illegal_number(number: object) -> None:
    with pytest.raises(BusinessRefusal, match=r"isv\.MOBILE_NUMBER_ILLEGAL"):
        read_number(number)


def test_windows_of_a_number() -> None:
    meter = Meter(AccountLimits(number_minute=1, number_hour=3, number_day=4))
    start = datetime(2026, 11, 22, 10, 0, 30, tzinfo=UTC)

    def attempt(minutes: float) -> str:
        try:
            meter.count_messages(["13800138000"], 1, start + timedelta(minutes=minutes))
        except BusinessRefusal as refusal:
            assert refusal.code == "isv.BUSINESS_LIMIT_CONTROL"
            return refusal.message
        return ""

    assert attempt(0) == ""
    assert "分钟级流控" in attempt(0.4)
    assert attempt(0.6) == ""
    assert attempt(2) == ""
    assert "小时级流控" in attempt(59)
    assert attempt(60) == ""
    assert "天级流控" in attempt(24 * 60 - 1)
    assert attempt(24 * 60 + 1) == ""


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (AccountLimits(account_day=5), "isv.DAY_LIMIT_CONTROL"),
        (AccountLimits(account_month=5), "isv.MONTH_LIMIT_CONTROL"),
        (AccountLimits(balance=5), "isv.AMOUNT_NOT_ENOUGH"),
    ],
)
def test_limits_of_the_account(limits: AccountLimits, code: str) -> None:
    meter, now = Meter(limits), datetime(2026, 11, 22, tzinfo=UTC)
    meter.count_messages(["1"] * 3, 3, now)
    with pytest.raises(BusinessRefusal, match=code):
        meter.count_messages(["1"] * 3, 3, now)
    meter.count_messages(["1"] * 2, 2, now)


async def test_rate_of_requests() -> None:
    at = datetime(2026, 11, 22, 2, tzinfo=UTC)
    simulator = AliyunSmsSimulator(limits=AccountLimits(qps=2), now=lambda: at)
    simulator_url = await simulator.start()
    adapter = make_adapter(simulator_url)
    adapter._client.now = lambda: at
    batch = [plain(message_key(n), "13800138000") for n in range(3)]
    results = [(await adapter.send([message]))[0] for message in batch]
    await adapter.close()
    await simulator.stop()
    assert [r.outcome for r in results] == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REFUSED]
    assert (results[2].fault, results[2].code) == (Fault.THROTTLED, "Throttling.User")


async def test_templates_and_signatures_by_control(bench: AliyunBench) -> None:
    message = replace(plain(message_key(0), "13800138000", template="SMS_7"), signature="新签名")
    http = Http()
    codes: list[int | str] = []
    for path, body in [
        ("", ""),
        ("/_sim/signatures", '["新签名"]'),
        ("/_sim/templates", '{"SMS_7":"请${name}核对"}'),
        ("/_sim/templates", '{"bad":"x"}'),
    ]:
        if path:
            response = await http.request("POST", bench.simulator.url + path, body=body.encode())
            codes.append(response.status)
        [result] = await bench.adapter.send([message])
        codes.append(result.code)
    await http.close()
    assert codes == [
        "isv.SMS_TEMPLATE_ILLEGAL",
        200,
        "isv.SMS_TEMPLATE_ILLEGAL",
        200,
        "",
        400,
        "",
    ]
    assert bench.simulator.books.entries[0].text == "【新签名】请张三核对"


async def test_faults_by_control(bench: AliyunBench) -> None:
    http = Http()
    await http.request("POST", f"{bench.simulator.url}/_sim/faults", body=b'{"throttle": 1.0}')
    [result] = await bench.adapter.send([bench.one(0)])
    missing = await http.request("GET", f"{bench.simulator.url}/_sim/nothing")
    await http.close()
    assert (result.fault, missing.status) == (Fault.THROTTLED, 404)


async def test_batch_of_arrays_of_other_lengths(bench: AliyunBench) -> None:
    form = {"PhoneNumberJson": '["13800138000"]', "SignNameJson": "[]", "TemplateParamJson": "[]"}
    query = {"TemplateCode": "SMS_000001"}
    answers = [await bench.adapter._client.call("SendBatchSms", form, query=query)]
    form["PhoneNumberJson"] = "not json"
    answers.append(await bench.adapter._client.call("SendBatchSms", form, query=query))
    del form["PhoneNumberJson"]
    answers.append(await bench.adapter._client.call("SendBatchSms", form, query=query))
    answers.append(await bench.adapter._client.call("SendNothing", {}))
    assert [(a.status, a.code) for a in answers] == [
        (200, "isv.INVALID_PARAMETERS"),
        (200, "isv.INVALID_JSON_PARAM"),
        (400, "MissingPhoneNumberJson"),
        (404, "InvalidAction.NotFound"),
    ]


async def test_too_many_numbers(bench: AliyunBench) -> None:
    numbers = ["13800138000"] * 101
    form = {
        "PhoneNumberJson": json.dumps(numbers),
        "SignNameJson": json.dumps(["测试税务"] * 101),
        "TemplateParamJson": json.dumps([{"name": "张三"}] * 101),
    }
    batch = await bench.adapter._client.call("SendBatchSms", form, query={"TemplateCode": "SMS_000001"})
    single = {"PhoneNumbers": ",".join(["13800138000"] * 1001), "SignName": "测试税务"}
    many = await bench.adapter._client.call("SendSms", single, query={"TemplateCode": "SMS_000001"})
    assert [batch.code, many.code] == ["isv.MOBILE_COUNT_OVER_LIMIT"] * 2


async def test_pushes_are_arrays_of_the_set_size() -> None:
    async with run_bench(push_size=50) as bench:
        await bench.adapter.send([bench.one(n) for n in range(120)])
        await bench.hooks.until(lambda: len(bench.hooks.receipts) == 120)
        sizes = [len(json.loads(request.body)) for request in bench.hooks.requests]
    assert max(sizes) <= 50
    assert sum(sizes) == 120


async def test_push_is_dropped_after_three_repeats(bench: AliyunBench) -> None:
    bench.hooks.refuse = 4
    await bench.adapter.send([bench.one(0)])
    await bench.hooks.until(lambda: len(bench.hooks.requests) == 4)
    await bench.adapter.send([bench.one(1)])
    await bench.hooks.until(lambda: len(bench.hooks.receipts) == 1)
    assert [r.address for r in bench.hooks.receipts] == [bench.address(1)]


async def test_shuffled_reports_come_in_another_order(bench: AliyunBench) -> None:
    bench.simulator.faults = Faults(shuffle=True, seed=5, receipt_delay=0.05)
    batch = [bench.one(n) for n in range(80)]
    await bench.adapter.send(batch)
    await bench.hooks.until(lambda: len(bench.hooks.receipts) == 80)
    order = [r.address for r in bench.hooks.receipts]
    assert sorted(order) == sorted(m.address for m in batch)
    assert order != sorted(order)


async def test_totals_follow_the_reports(bench: AliyunBench) -> None:
    messages = [bench.one(0), bench.doomed("fail", 1), bench.doomed("silent", 2)]
    for message in messages:
        await bench.adapter.send([message])
    await bench.hooks.until(lambda: len(bench.hooks.receipts) == 2)
    assert bench.simulator.books.totals() == {"accepted": 3, "delivered": 1, "failed": 1, "read": 0}
    assert {r.state for r in bench.hooks.receipts} == {DeliveryState.DELIVERED, DeliveryState.FAILED}


async def test_fault_of_a_request_does_not_stick_to_an_address(bench: AliyunBench) -> None:
    bench.simulator.faults = Faults(drop_before=0.5, seed=1)
    outcomes = []
    for _ in range(40):
        [result] = await bench.adapter.send([bench.one(0)])
        outcomes.append(result.outcome)
    assert {Outcome.ACCEPTED, Outcome.UNKNOWN} == set(outcomes)
    assert bench.booked(bench.one(0)) == outcomes.count(Outcome.ACCEPTED)
