"""The simulated Tencent gateway is as strict as the protocol sheet."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson
import pytest

from channels.base import DeliveryState
from channels.gateways.base import Faults
from channels.gateways.tencent_sms import AccountLimits, Template, TencentSmsSimulator
from channels.gateways.tencent_sms.calls import Call, Verifier, read_call
from channels.gateways.tencent_sms.operations import Catalogue, read_pull, read_send
from channels.gateways.tencent_sms.refusals import Refusal
from channels.gateways.tencent_sms.rules import Meter, compose_text, count_parts, read_number
from channels.http import Http
from channels.tencent.client import Account, Client
from outreach.rehearsal import run_alone

from .clock import TIMEOUT
from .conformance import message_key
from .hooks import Hooks
from .scripted import SECRET
from .tencent import APP, TencentBench, make_adapter, plain, run_bench

SAMPLES = Path(__file__).parent / "samples" / "tencent_sms"
SIGNED = ["golden_tc3", "sdk_send_sms", "sdk_pull_status"]
CHINA = timezone(timedelta(hours=8))
NOON = datetime(2026, 11, 22, 12, tzinfo=CHINA)
GOOD: dict[str, Any] = {
    "PhoneNumberSet": ["+8613800138000"],
    "SmsSdkAppId": APP,
    "TemplateId": "1",
    "SignName": "测试税务",
    "TemplateParamSet": ["张三"],
}


@pytest.fixture
async def bench() -> AsyncIterator[TencentBench]:
    async with run_bench() as bench:
        yield bench


def recorded(name: str) -> Call:
    sample = json.loads((SAMPLES / f"{name}.json").read_bytes())
    scope = {
        "method": sample["method"],
        "path": sample["path"],
        "query_string": sample["query_string"].encode(),
        "headers": [(key.encode(), value.encode()) for key, value in sample["headers"].items()],
    }
    return read_call(scope, sample["body"].encode())


def verifier(call: Call, seconds: int = 0) -> Verifier:
    at = datetime.fromtimestamp(int(call.headers["x-tc-timestamp"]) + seconds, UTC)
    return Verifier({"testId": "testSecret", "id": "sk"}, lambda: at)


def code_of(call: Call, seconds: int = 0) -> str:
    with pytest.raises(Refusal) as caught:
        verifier(call, seconds).check(call)
    return caught.value.code


@pytest.mark.parametrize("name", SIGNED)
def test_recorded_requests_are_genuine(name: str) -> None:
    call = recorded(name)
    verifier(call, 299).check(call)


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("seconds", [-301, 301])
def test_time_stamp_expires(name: str, seconds: int) -> None:
    assert code_of(recorded(name), seconds) == "AuthFailure.SignatureExpire"


@pytest.mark.parametrize("name", SIGNED)
def test_changed_body_breaks_the_signature(name: str) -> None:
    call = recorded(name)
    assert code_of(replace(call, body=call.body + b" ")) == "AuthFailure.SignatureFailure"


@pytest.mark.parametrize(
    ("header", "old", "new", "code"),
    [
        ("authorization", "id/2026", "who/2026", "AuthFailure.SecretIdNotFound"),
        ("authorization", "2026-11-22", "2026-11-23", "AuthFailure.SignatureFailure"),
        ("authorization", "/sms/", "/cvm/", "AuthFailure.SignatureFailure"),
        ("authorization", "content-type;host", "host", "AuthFailure.SignatureFailure"),
        ("authorization", "content-type;host", "content-type;host;x-none", "AuthFailure.SignatureFailure"),
        ("authorization", "TC3-HMAC-SHA256", "HmacSHA1", "AuthFailure.SignatureFailure"),
        ("host", "sms.", "cvm.", "AuthFailure.SignatureFailure"),
        ("content-type", "json", "xml", "AuthFailure.SignatureFailure"),
        ("x-tc-timestamp", "1795312800", "1795312801", "AuthFailure.SignatureFailure"),
    ],
)
def test_changed_header_breaks_the_signature(header: str, old: str, new: str, code: str) -> None:
    call = recorded("golden_tc3")
    assert old in call.headers[header]
    changed = replace(call, headers={**call.headers, header: call.headers[header].replace(old, new)})
    assert code_of(changed) == code


def test_right_signature_over_too_little_is_none() -> None:
    call = recorded("golden_tc3")
    stamp, scope = call.headers["x-tc-timestamp"], "2026-11-22/sms/tc3_request"
    lines = f"host:{call.headers['host']}\n\nhost\n{hashlib.sha256(call.body).hexdigest()}"
    canonical = hashlib.sha256(f"POST\n/\n\n{lines}".encode()).hexdigest()
    key = b"TC3sk"
    for part in (*scope.split("/"), f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}"):
        key = hmac.digest(key, part.encode(), "sha256")
    signed = f"TC3-HMAC-SHA256 Credential=id/{scope}, SignedHeaders=host, Signature={key.hex()}"
    changed = replace(call, headers={**call.headers, "authorization": signed})
    assert code_of(changed) == "AuthFailure.SignatureFailure"


def test_token_that_nobody_gave_out() -> None:
    call = recorded("golden_tc3")
    assert code_of(replace(call, headers={**call.headers, "x-tc-token": "t"})) == "AuthFailure.TokenFailure"


def catalogue() -> Catalogue:
    made = Catalogue([APP], ["测试税务"], {"1": "尊敬的{1}", "2": "无变量"})
    made.approve("3", "验证码{1}", kind="code")
    made.approve("4", "推广{1}", kind="marketing")
    made.approve("5", "Dear {1}", foreign=True)
    return made


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PhoneNumberSet": []}, "MissingParameter.EmptyPhoneNumberSet"),
        ({"PhoneNumberSet": "13800138000"}, "InvalidParameter"),
        ({"PhoneNumberSet": [13800138000]}, "InvalidParameter"),
        ({"PhoneNumberSet": ["13800138000"] * 201}, "LimitExceeded.PhoneNumberCountLimit"),
        (
            {"PhoneNumberSet": ["13800138000", "+85261234567"]},
            "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber",
        ),
        ({"PhoneNumberSet": ["+85261234567"]}, "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone"),
        ({"TemplateId": "5"}, "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone"),
        ({"SmsSdkAppId": "1"}, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
        ({"TemplateId": "9"}, "FailedOperation.TemplateUnapprovedOrNotExist"),
        ({"SignName": "别人"}, "FailedOperation.SignatureIncorrectOrUnapproved"),
        ({"SignName": None}, "FailedOperation.SignatureIncorrectOrUnapproved"),
        ({"TemplateParamSet": []}, "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"),
        ({"TemplateParamSet": ["a", "b"]}, "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"),
        ({"TemplateId": "2"}, "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"),
        ({"TemplateParamSet": [7]}, "InvalidParameterValue.TemplateParameterFormatError"),
        ({"TemplateId": "3"}, "InvalidParameterValue.TemplateParameterFormatError"),
        (
            {"TemplateId": "3", "TemplateParamSet": ["1234567"]},
            "InvalidParameterValue.TemplateParameterFormatError",
        ),
        (
            {"TemplateParamSet": ["https://a.cn"]},
            "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter",
        ),
        ({"TemplateParamSet": ["【税】"]}, "FailedOperation.ContainSensitiveWord"),
        (
            {"TemplateParamSet": ["十三个字的变量十三个字的变量"]},
            "InvalidParameterValue.TemplateParameterLengthLimit",
        ),
        ({"SessionContext": "x" * 513}, "InvalidParameter"),
        ({"ExtendCode": "01"}, "InvalidParameter"),
        ({"Surprise": 1}, "UnknownParameter"),
    ],
)
def test_bad_parameters(changes: dict[str, Any], code: str) -> None:
    limits = AccountLimits(value=12)
    assert read_send(orjson.dumps(GOOD), catalogue(), limits, NOON).text == "【测试税务】尊敬的张三"
    with pytest.raises(Refusal) as caught:
        read_send(orjson.dumps({**GOOD, **changes}), catalogue(), limits, NOON)
    assert caught.value.code == code


@pytest.mark.parametrize("missing", ["PhoneNumberSet", "SmsSdkAppId", "TemplateId"])
def test_missing_parameter(missing: str) -> None:
    body = orjson.dumps({name: value for name, value in GOOD.items() if name != missing})
    with pytest.raises(Refusal, match="MissingParameter"):
        read_send(body, catalogue(), AccountLimits(), NOON)


@pytest.mark.parametrize(("hour", "good"), [(7, False), (8, True), (21, True), (22, False)])
def test_marketing_hours(hour: int, good: bool) -> None:
    body = orjson.dumps({**GOOD, "TemplateId": "4"})
    if good:
        read_send(body, catalogue(), AccountLimits(), NOON.replace(hour=hour))
        return
    with pytest.raises(Refusal, match="MarketingSendTimeConstraint"):
        read_send(body, catalogue(), AccountLimits(), NOON.replace(hour=hour))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"BeginTime": int(NOON.timestamp()) - 8 * 86400}, "InvalidParameterValue.BeginTimeVerifyFail"),
        ({"BeginTime": "now"}, "InvalidParameterValue.BeginTimeVerifyFail"),
        ({"EndTime": 0}, "InvalidParameterValue.EndTimeVerifyFail"),
        ({"Offset": 10}, "InvalidParameterValue.OffsetVerifyFail"),
        ({"Limit": 101}, "InvalidParameterValue.LimitVerifyFail"),
        ({"PhoneNumber": "123"}, "InvalidParameterValue.IncorrectPhoneNumber"),
        ({"SmsSdkAppId": "1"}, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
    ],
)
def test_bad_pull(changes: dict[str, Any], code: str) -> None:
    good = {"BeginTime": int(NOON.timestamp()) - 9, "Offset": 0, "Limit": 100, "PhoneNumber": "13800138000"}
    read_pull(orjson.dumps({**good, "SmsSdkAppId": APP}), catalogue(), NOON)
    with pytest.raises(Refusal) as caught:
        read_pull(orjson.dumps({**good, "SmsSdkAppId": APP, **changes}), catalogue(), NOON)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("number", "body"), [("x", "正文"), ("1", ""), ("1", "【税】"), ("1", "{2}"), ("1", "{1}{3}")]
)
def test_reviewer_turns_a_template_down(number: str, body: str) -> None:
    with pytest.raises(ValueError, match="模板"):
        Template.of(number, body)


def test_a_parameter_may_stand_twice() -> None:
    assert Template.of("1", "{2}和{1}，再说{2}").render(["甲", "乙"], None) == "乙和甲，再说乙"


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("13800138000", "13800138000"),
        ("+8613800138000", "13800138000"),
        ("008613800138000", "13800138000"),
        ("8613800138000", "13800138000"),
        ("+85261234567", "+85261234567"),
        ("12800138000", ""),
        ("+86138", ""),
        ("１３８００１３８０００", ""),
        ("", ""),
    ],
)
def test_numbers(raw: str, number: str) -> None:
    assert read_number(raw) == number


def test_parts_and_longest_text() -> None:
    assert [count_parts("啊" * n) for n in (70, 71, 134, 135)] == [1, 2, 2, 3]
    assert len(compose_text("税务", "啊" * 496)) == 500
    with pytest.raises(Refusal, match="ContentLengthLimit"):
        compose_text("税务", "啊" * 497)


@pytest.mark.parametrize(
    ("limit", "after", "code"),
    [
        ({"number_30s": 1}, timedelta(seconds=30), "LimitExceeded.PhoneNumberThirtySecondLimit"),
        ({"number_hour": 1}, timedelta(hours=1), "LimitExceeded.PhoneNumberOneHourLimit"),
        ({"number_day": 1}, timedelta(days=1), "LimitExceeded.PhoneNumberDailyLimit"),
        ({"same_content_day": 1}, timedelta(days=1), "LimitExceeded.PhoneNumberSameContentDailyLimit"),
        ({"app_day": 1}, timedelta(hours=12), "LimitExceeded.AppDailyLimit"),
    ],
)
def test_limits_pass_with_time(limit: dict[str, int], after: timedelta, code: str) -> None:
    meter = Meter(AccountLimits(**limit))
    assert meter.count_message("13800138000", "税", NOON) == ""
    assert meter.count_message("13800138000", "税", NOON) == code
    assert meter.count_message("13800138000", "税", NOON + after) == ""


def test_balance_is_counted_in_parts() -> None:
    meter = Meter(AccountLimits(balance=3))
    assert meter.count_message("13800138000", "啊" * 71, NOON) == ""
    assert (
        meter.count_message("13800138000", "啊" * 71, NOON)
        == "FailedOperation.InsufficientBalanceInSmsPackage"
    )
    assert meter.count_message("13800138000", "啊", NOON) == ""


def test_rate_of_requests() -> None:
    meter = Meter(AccountLimits())
    for _ in range(20):
        meter.count_request("pull", 20, NOON)
    with pytest.raises(Refusal, match="RequestLimitExceeded"):
        meter.count_request("pull", 20, NOON)
    meter.count_request("send", 20, NOON)
    meter.count_request("pull", 20, NOON + timedelta(seconds=1))


async def ask(url: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    http = Http(timeout=TIMEOUT, connections=1)
    content = b"" if body is None else orjson.dumps(body)
    response = await http.request(method, f"{url}{path}", body=content)
    await http.close()
    return response.status, orjson.loads(response.body)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"x-tc-region": "mars"}, "UnsupportedOperation.UnsupportedRegion"),
        ({"x-tc-version": "2019-07-11"}, "NoSuchVersion"),
        ({"x-tc-action": "AddSmsSign"}, "InvalidAction"),
        ({"x-tc-action": ""}, "MissingParameter"),
        ({"authorization": ""}, "MissingParameter"),
    ],
)
async def test_refused_calls(bench: TencentBench, changes: dict[str, str], code: str) -> None:
    url = bench.simulator.control_url
    account = Account("testId", "testSecret", APP, "ap-guangzhou")
    client = Client(url, account, timeout=TIMEOUT, concurrency=1)
    body = orjson.dumps(GOOD)
    headers = {**client._sign("SendSms", body), **changes}
    http = Http(timeout=TIMEOUT, connections=1)
    response = await http.request("POST", url, headers=headers, body=body)
    await asyncio.gather(http.close(), client.close())
    told = orjson.loads(response.body)["Response"]
    assert (response.status, told["Error"]["Code"]) == (200, code)
    assert told["RequestId"]
    assert not bench.simulator.books.entries


async def test_control_interface(bench: TencentBench) -> None:
    url = bench.simulator.control_url
    await bench.adapter.send([bench.one(0)])
    assert (await ask(url, "GET", "/_sim/totals"))[1]["accepted"] == 1
    assert (await ask(url, "POST", "/_sim/templates", {"7": "尊敬的{1}"}))[0] == 200
    assert (await ask(url, "POST", "/_sim/signatures", ["另一个签名"]))[0] == 200
    assert (await ask(url, "POST", "/_sim/templates", {"seven": "正文"}))[0] == 400
    assert (await ask(url, "POST", "/_sim/faults", {"reject": 1.0}))[1]["reject"] == 1.0
    assert (await ask(url, "GET", "/_sim/nothing"))[0] == 404


async def test_report_that_nobody_answers_is_given_up() -> None:
    async with run_bench() as bench:
        bench.hooks.refuse = 100
        await bench.adapter.send([bench.one(0)])
        await bench.hooks.until(lambda: len(bench.hooks.requests) == 4)
        await asyncio.sleep(0.1)
        assert len(bench.hooks.requests) == 4


async def test_context_comes_back_only_where_it_is_enabled() -> None:
    async with run_bench(echoes_context=False) as bench:
        message = plain(message_key(0), "13900000000")
        [result] = await bench.adapter.send([message])
        await bench.hooks.until(lambda: bool(bench.hooks.receipts))
        [receipt] = bench.hooks.receipts
    assert (receipt.key, receipt.ref, receipt.address) == ("", result.ref, message.address)


async def test_started_alone_it_pushes_to_where_it_is_told() -> None:
    hooks, stop, addresses = Hooks(), asyncio.Event(), list[str]()
    base = await hooks.start()
    task = asyncio.create_task(run_alone("tencent_sms", 0, stop, addresses.append))
    while not addresses:
        await asyncio.sleep(0.01)
    name, url = addresses[0].split("，")[0].split(" ")
    hooks.adapter = adapter = make_adapter(url)
    await ask(url, "POST", "/_sim/callbacks", {"report": f"{base}/hooks/7/{SECRET}/report"})
    await adapter.check()
    await adapter.send([plain(message_key(0), "13900000000")])
    await hooks.until(lambda: bool(hooks.receipts))
    assert (name, hooks.receipts[0].state) == (TencentSmsSimulator.name, DeliveryState.DELIVERED)
    stop.set()
    await task
    await adapter.close()
    await hooks.stop()


async def test_same_seed_same_fate() -> None:
    taken = []
    for _ in range(2):
        async with run_bench() as bench:
            bench.simulator.faults = Faults(reject=0.3, seed=5)
            await bench.adapter.send([bench.one(n) for n in range(100)])
            taken.append([entry.address for entry in bench.simulator.books.entries])
    assert taken[0] == taken[1]
    assert 50 < len(taken[0]) < 90
