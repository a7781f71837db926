"""The simulated gateway under the provider's own client, `alibabacloud-dysmsapi20170525`.

The client was written by others from the real service: what it sends and what it understands keeps the
simulator honest, and by that the adapter.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from alibabacloud_dysmsapi20170525.client import Client
from alibabacloud_dysmsapi20170525.models import (
    QuerySendDetailsRequest,
    SendBatchSmsRequest,
    SendSmsRequest,
)
from alibabacloud_tea_openapi.utils_models import Config

from .aliyun import SIGNATURE, AliyunBench, run_bench
from .clock import LONGEST


@pytest.fixture
async def bench() -> AsyncIterator[AliyunBench]:
    async with run_bench() as bench:
        yield bench


def sdk_client(bench: AliyunBench, secret: str = "testSecret") -> Client:
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


def today() -> str:
    return (datetime.now(UTC) + timedelta(hours=8)).strftime("%Y%m%d")


async def test_send_sms(bench: AliyunBench) -> None:
    request = SendSmsRequest(
        phone_numbers="13800138000,+8613900139000",
        sign_name=SIGNATURE,
        template_code="SMS_000001",
        template_param='{"name":"张三 & 李四+"}',
        out_id="0000000000abc00",
    )
    body = (await sdk_client(bench).send_sms_async(request)).body
    assert (body.code, body.message) == ("OK", "OK")
    first, second = bench.simulator.books.entries
    assert first.ref == second.ref == body.biz_id
    assert (first.key, first.address) == ("0000000000abc00", "13800138000")
    assert second.address == "13900139000"
    assert first.text == "【测试税务】尊敬的张三 & 李四+，您有新的税务提醒，请登录电子税务局查看。"


async def test_send_batch_sms_and_its_report(bench: AliyunBench) -> None:
    numbers = [f"139{n:08d}" for n in range(100)]
    request = SendBatchSmsRequest(
        phone_number_json=orjson.dumps(numbers).decode(),
        sign_name_json=orjson.dumps([SIGNATURE] * 100).decode(),
        template_code="SMS_000001",
        template_param_json=orjson.dumps([{"name": f"纳税人{n}"} for n in range(100)]).decode(),
        out_id="0000000000xyz00",
    )
    body = (await sdk_client(bench).send_batch_sms_async(request)).body
    assert body.code == "OK"
    assert [e.address for e in bench.simulator.books.entries] == numbers
    assert "纳税人99" in bench.simulator.books.entries[99].text
    await bench.hooks.until(lambda: len(bench.hooks.receipts) == 100)
    assert {r.address for r in bench.hooks.receipts} == set(numbers)
    assert {(r.key, r.ref) for r in bench.hooks.receipts} == {("0000000000xyz00", body.biz_id)}


async def test_query_send_details(bench: AliyunBench) -> None:
    client = sdk_client(bench)
    send = SendSmsRequest(
        phone_numbers="13800138000",
        sign_name=SIGNATURE,
        template_code="SMS_000001",
        template_param='{"name":"张三"}',
        out_id="0000000000abc00",
    )
    sent = (await client.send_sms_async(send)).body
    question = QuerySendDetailsRequest(
        phone_number="13800138000", send_date=today(), page_size=10, current_page=1, biz_id=sent.biz_id
    )
    body = (await client.query_send_details_async(question)).body
    [detail] = body.sms_send_detail_dtos.sms_send_detail_dto
    assert (body.code, int(body.total_count)) == ("OK", 1)
    assert (detail.out_id, detail.phone_num, detail.template_code) == (
        "0000000000abc00",
        "13800138000",
        "SMS_000001",
    )
    assert detail.send_status in (1, 3)


async def test_business_refusal_is_an_answer(bench: AliyunBench) -> None:
    request = SendSmsRequest(
        phone_numbers="123", sign_name=SIGNATURE, template_code="SMS_000001", template_param='{"name":"张三"}'
    )
    body = (await sdk_client(bench).send_sms_async(request)).body
    assert body.code == "isv.MOBILE_NUMBER_ILLEGAL"


async def test_gateway_refusal_is_an_exception(bench: AliyunBench) -> None:
    request = SendSmsRequest(phone_numbers="13800138000", sign_name=SIGNATURE, template_code="SMS_000001")
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        await sdk_client(bench, "wrong").send_sms_async(request)


async def test_blocking_client_from_a_thread(bench: AliyunBench) -> None:
    request = SendSmsRequest(
        phone_numbers="13800138000",
        sign_name=SIGNATURE,
        template_code="SMS_000001",
        template_param='{"name":"张三"}',
    )
    body = (await asyncio.to_thread(sdk_client(bench).send_sms, request)).body
    assert body.code == "OK"
    assert [e.key for e in bench.simulator.books.entries] == [""]
