"""The simulated gateway under the provider's own client, `tencentcloud-sdk-python-sms`.

The client was written by others from the real service: what it sends and what it understands keeps the
simulator honest, and by that the adapter.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from channels.gateways.tencent_sms import AccountLimits

from .clock import LONGEST
from .tencent import APP, SIGNATURE, TencentBench, run_bench

NEEDED = "the client package tencentcloud-sdk-python-sms is not installed"
credential = pytest.importorskip("tencentcloud.common.credential", reason=NEEDED)
client_profile = pytest.importorskip("tencentcloud.common.profile.client_profile", reason=NEEDED)
http_profile = pytest.importorskip("tencentcloud.common.profile.http_profile", reason=NEEDED)
sdk_errors = pytest.importorskip("tencentcloud.common.exception.tencent_cloud_sdk_exception", reason=NEEDED)
models = pytest.importorskip("tencentcloud.sms.v20210111.models", reason=NEEDED)
sms_client = pytest.importorskip("tencentcloud.sms.v20210111.sms_client", reason=NEEDED)


@pytest.fixture
async def bench() -> AsyncIterator[TencentBench]:
    async with run_bench() as bench:
        yield bench


def sdk_client(bench: TencentBench, secret_key: str = "testSecret", region: str = "ap-guangzhou") -> Any:
    endpoint = bench.simulator.control_url.removeprefix("http://")
    profile = client_profile.ClientProfile(
        httpProfile=http_profile.HttpProfile(protocol="http", endpoint=endpoint, reqTimeout=LONGEST)
    )
    return sms_client.SmsClient(credential.Credential("testId", secret_key), region, profile)


def filled(request: Any, **params: Any) -> Any:
    request.from_json_string(orjson.dumps({"SmsSdkAppId": APP, **params}).decode())
    return request


def sending(*numbers: str, **changes: Any) -> Any:
    params = {
        "PhoneNumberSet": list(numbers),
        "SignName": SIGNATURE,
        "TemplateId": "100001",
        "TemplateParamSet": ["张三 & 李四+"],
        "SessionContext": "0000000000abc00",
    }
    return filled(models.SendSmsRequest(), **{**params, **changes})


async def test_send_sms_and_its_report(bench: TencentBench) -> None:
    answer = await asyncio.to_thread(
        sdk_client(bench).SendSms, sending("+8613800138000", "13900139000", "12345")
    )
    statuses = answer.SendStatusSet
    assert [s.Code for s in statuses] == ["Ok", "Ok", "InvalidParameterValue.IncorrectPhoneNumber"]
    assert [s.PhoneNumber for s in statuses[:2]] == ["+8613800138000", "+8613900139000"]
    assert [(s.Fee, s.IsoCode, s.SessionContext) for s in statuses[:2]] == [(1, "CN", "0000000000abc00")] * 2
    assert answer.RequestId
    first, second = bench.simulator.books.entries
    assert (first.key, first.address, first.ref) == (
        "0000000000abc00",
        "13800138000",
        statuses[0].SerialNo,
    )
    assert second.text == "【测试税务】尊敬的张三 & 李四+，您有新的税务提醒，请登录电子税务局查看。"
    await bench.hooks.until(lambda: len(bench.hooks.receipts) == 2)
    assert {(r.key, r.ref) for r in bench.hooks.receipts} == {
        ("0000000000abc00", s.SerialNo) for s in statuses[:2]
    }


async def test_two_hundred_numbers_and_not_one_more(bench: TencentBench) -> None:
    client = sdk_client(bench)
    numbers = [f"+86139{n:08d}" for n in range(201)]
    answer = await asyncio.to_thread(client.SendSms, sending(*numbers[:200]))
    assert {s.Code for s in answer.SendStatusSet} == {"Ok"}
    with pytest.raises(sdk_errors.TencentCloudSDKException) as caught:
        await asyncio.to_thread(client.SendSms, sending(*numbers))
    assert caught.value.get_code() == "LimitExceeded.PhoneNumberCountLimit"
    assert len(bench.simulator.books.entries) == 200


async def test_pull_status_by_number(bench: TencentBench) -> None:
    client = sdk_client(bench)
    sent = await asyncio.to_thread(client.SendSms, sending("13800138000"))
    await bench.hooks.until(lambda: bool(bench.hooks.receipts))
    question = filled(
        models.PullSmsSendStatusByPhoneNumberRequest(),
        BeginTime=int(datetime.now(UTC).timestamp()) - 60,
        Offset=0,
        Limit=10,
        PhoneNumber="+8613800138000",
    )
    answer = await asyncio.to_thread(client.PullSmsSendStatusByPhoneNumber, question)
    [status] = answer.PullSmsSendStatusSet
    assert (status.SerialNo, status.ReportStatus, status.SessionContext) == (
        sent.SendStatusSet[0].SerialNo,
        "SUCCESS",
        "0000000000abc00",
    )
    assert (status.CountryCode, status.SubscriberNumber) == ("86", "13800138000")
    assert abs(status.UserReceiveTime - datetime.now(UTC).timestamp()) < 60


@pytest.mark.parametrize(
    ("client_changes", "request_changes", "code"),
    [
        ({"secret_key": "wrong"}, {}, "AuthFailure.SignatureFailure"),
        ({"region": "ap-mars"}, {}, "UnsupportedOperation.UnsupportedRegion"),
        ({}, {"TemplateId": "9"}, "FailedOperation.TemplateUnapprovedOrNotExist"),
        ({}, {"SmsSdkAppId": "1400999999"}, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
    ],
)
async def test_refusal_of_a_request_is_an_exception(
    bench: TencentBench, client_changes: dict[str, str], request_changes: dict[str, str], code: str
) -> None:
    client = sdk_client(bench, **client_changes)
    with pytest.raises(sdk_errors.TencentCloudSDKException) as caught:
        await asyncio.to_thread(client.SendSms, sending("13800138000", **request_changes))
    assert caught.value.get_code() == code
    assert caught.value.get_request_id()
    assert not bench.simulator.books.entries


async def test_overrun() -> None:
    async with run_bench(limits=AccountLimits(qps=0)) as bench:
        with pytest.raises(sdk_errors.TencentCloudSDKException) as caught:
            await asyncio.to_thread(sdk_client(bench).SendSms, sending("13800138000"))
        assert caught.value.get_code() == "RequestLimitExceeded"
