"""The simulated service for Aliyun's 5G messages is as strict as the protocol sheet, and the provider's own
client (`alibabacloud-dysmsapi20170525`) talks to it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from alibabacloud_dysmsapi20170525.client import Client
from alibabacloud_dysmsapi20170525.models import GetRCSSignatureRequest, SendRCSRequest
from alibabacloud_tea_openapi.utils_models import Config

from channels.aliyun.client import Client as OurClient
from channels.aliyun.client import Credentials
from channels.base import Outcome
from channels.errors import Fault
from channels.gateways.aliyun_api.limits import AccountLimits
from channels.gateways.aliyun_rcs import AliyunRcsSimulator, Template
from channels.http import Http
from outreach.rehearsal import ALONE, run_alone

from .aliyun import SIGNATURE
from .aliyun_rcs import CODE, AliyunRcsBench, run_bench
from .clock import LONGEST, TIMEOUT

GOOD = {
    "PhoneNumbers": "13500001234",
    "SignName": SIGNATURE,
    "TemplateCode": CODE,
    "TemplateParam": '{"name":"张三"}',
    "OutId": "0000000000abc00",
}


@pytest.fixture
async def bench() -> AsyncIterator[AliyunRcsBench]:
    async with run_bench() as bench:
        yield bench


async def ask(url: str, form: Mapping[str, str], action: str = "SendRCS") -> tuple[int, dict[str, Any]]:
    client = OurClient(url, Credentials("testId", "testSecret"), timeout=TIMEOUT, concurrency=2)
    answer = await client.call(action, {name: value for name, value in form.items() if value})
    await client.close()
    return answer.status, dict(answer.data)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({}, 200, "OK"),
        ({"OutId": ""}, 200, "OK"),
        ({"PhoneNumbers": ""}, 400, "MissingPhoneNumbers"),
        ({"SignName": ""}, 400, "MissingSignName"),
        ({"TemplateCode": ""}, 400, "MissingTemplateCode"),
        ({"PhoneNumbers": "13500001234,13500001235"}, 200, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"PhoneNumbers": "+8613500001234"}, 200, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"PhoneNumbers": "1350000123"}, 200, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"SignName": "别的签名"}, 200, "isv.SMS_SIGNATURE_ILLEGAL"),
        ({"TemplateCode": "SMS_000001"}, 200, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"TemplateCode": "RCS_SMS_1"}, 200, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"TemplateParam": ""}, 200, "isv.TEMPLATE_MISSING_PARAMETERS"),
        ({"TemplateParam": '{"other":"张三"}'}, 200, "isv.TEMPLATE_MISSING_PARAMETERS"),
        ({"TemplateParam": '{"name":["张三"]}'}, 200, "isv.TEMPLATE_PARAMS_ILLEGAL"),
        ({"TemplateParam": "[1]"}, 200, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": "{"}, 200, "isv.INVALID_JSON_PARAM"),
        ({"OutId": "x" * 256}, 200, "isv.INVALID_PARAMETERS"),
    ],
)
async def test_parameters(bench: AliyunRcsBench, changes: dict[str, str], status: int, code: str) -> None:
    told = await ask(bench.simulator.url, {**GOOD, **changes})
    assert (told[0], told[1]["Code"]) == (status, code)
    assert len(bench.simulator.books.entries) == (code == "OK")


@pytest.mark.parametrize(("code", "body"), [("SMS_1", "文字"), ("RCS_SMS_", "文字"), ("RCS_SMS_1", " ")])
def test_a_reviewer_turns_down(code: str, body: str) -> None:
    with pytest.raises(ValueError, match="模板"):
        Template.of(code, body)


async def test_a_signature_that_is_still_being_filed_sends_nothing(bench: AliyunRcsBench) -> None:
    bench.simulator.catalogue.upgraded.clear()
    bench.simulator.catalogue.waiting.add(SIGNATURE)
    assert (await ask(bench.simulator.url, GOOD))[1]["Code"] == "isv.SIGN_STATE_ILLEGAL"
    data = (await ask(bench.simulator.url, {"SignName": SIGNATURE}, "GetRCSSignature"))[1]["Data"]
    assert data["RegisterResultList"][0]["RegisterStatus"] == 1


async def test_other_operations_and_versions_are_refused(bench: AliyunRcsBench) -> None:
    status, told = await ask(bench.simulator.url, GOOD, "SendSms")
    assert (status, told["Code"]) == (404, "InvalidAction.NotFound")


async def test_the_rate_of_requests() -> None:
    # One second and no other, whatever the machine does.
    second = datetime.now(UTC)
    async with run_bench(limits=AccountLimits(qps=2), now=lambda: second) as bench:
        bench.adapter._client.now = lambda: second
        batch = [bench.one(n) for n in range(12)]
        results = await bench.adapter.send(batch)
    throttled = [r for r in results if r.outcome is Outcome.REFUSED]
    assert throttled and {r.fault for r in throttled} == {Fault.THROTTLED}
    assert (len(bench.simulator.books.entries), len(throttled)) == (2, 10)


async def test_a_report_says_all_that_the_documents_list(bench: AliyunRcsBench) -> None:
    message = bench.one(0)
    await bench.adapter.send([message])
    await bench.hooks.until(lambda: bool(bench.hooks.requests))
    [item] = orjson.loads(bench.hooks.requests[0].body)
    assert set(item) == {
        *("phone_number", "send_time", "report_time", "send_status", "err_code", "err_message", "biz_id"),
        *("rcs_template_code", "rcs_template_type", "rcs_template_format", "rcs_size", "rcs_id", "out_id"),
        "in_reply_to_rcs_id",
    }
    assert (item["rcs_template_code"], item["rcs_template_format"]) == ("RCS_SMS_9", "PLAIN_TEXT")


async def test_it_runs_alone_and_is_told_where_to_push() -> None:
    told: list[str] = []
    stop = asyncio.Event()
    task = asyncio.create_task(run_alone("aliyun_rcs", 0, stop, told.append))
    while not told:
        await asyncio.sleep(0.01)
    url = told[0].split()[1].partition("，")[0]
    http = Http()
    for path, body in (
        ("callbacks", {"report": "http://127.0.0.1:9/r", "up": "http://127.0.0.1:9/u"}),
        ("templates", {"RCS_SMS_5": "您好，${name}"}),
        ("signatures", ["别的签名"]),
    ):
        assert (await http.request("POST", f"{url}/_sim/{path}", body=orjson.dumps(body))).status == 200
    bad = await http.request("POST", f"{url}/_sim/templates", body=b'{"SMS_5": "x"}')
    answer = await ask(url, {**GOOD, "SignName": "别的签名", "TemplateCode": "RCS_SMS_5"})
    books = orjson.loads((await http.request("GET", f"{url}/_sim/books")).body)
    await http.close()
    stop.set()
    await task
    assert (bad.status, answer[1]["Code"]) == (400, "OK")
    assert [entry["text"] for entry in books["entries"]] == ["您好，张三"]
    assert ALONE["aliyun_rcs"] is AliyunRcsSimulator


# --- the provider's own client


def sdk_client(bench: AliyunRcsBench, secret: str = "testSecret") -> Client:
    return Client(
        Config(
            access_key_id="testId",
            access_key_secret=secret,
            endpoint=bench.simulator.url.removeprefix("http://"),
            protocol="HTTP",
            connect_timeout=int(LONGEST * 1000),
            read_timeout=int(LONGEST * 1000),
        )
    )


def request(**changes: str) -> SendRCSRequest:
    settings = {
        "phone_numbers": "13500001234",
        "sign_name": SIGNATURE,
        "template_code": CODE,
        "template_param": '{"name":"张三 & 李四+"}',
        "out_id": "0000000000abc00",
    }
    return SendRCSRequest(**{**settings, **changes})


@pytest.mark.parametrize("nested", [False, True])
async def test_sdk_sends_and_is_reported(nested: bool) -> None:
    async with run_bench(nested=nested) as bench:
        body = (await sdk_client(bench).send_rcs_async(request())).body
        await bench.hooks.until(lambda: bool(bench.hooks.receipts))
    assert (body.code, body.message, body.success) == ("OK", "OK", True)
    [entry] = bench.simulator.books.entries
    assert entry.text == "尊敬的张三 & 李四+，您有新的税务提醒，请登录电子税务局查看。"
    [receipt] = bench.hooks.receipts
    assert (receipt.key, receipt.ref, receipt.address) == ("0000000000abc00", entry.ref, "13500001234")
    assert not nested or (body.data.success, body.data.module) == (True, {"BizId": entry.ref})


async def test_sdk_reads_a_signature(bench: AliyunRcsBench) -> None:
    asked = GetRCSSignatureRequest(sign_name=SIGNATURE)
    body = (await sdk_client(bench).get_rcssignature_async(asked)).body
    assert (body.code, body.data.sign_name) == ("OK", SIGNATURE)
    assert body.data.chatbot_code
    assert [r.register_status for r in body.data.register_result_list] == [3]


async def test_sdk_reads_refusals(bench: AliyunRcsBench) -> None:
    body = (await sdk_client(bench).send_rcs_async(request(phone_numbers="123"))).body
    assert body.code == "isv.MOBILE_NUMBER_ILLEGAL"
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        await sdk_client(bench, "wrong").send_rcs_async(request())
