"""What the adapter of Aliyun's 5G messages does beyond the conformance suite: bytes, check, pushes."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.aliyun.client import read_answer
from channels.aliyun.codes import MEANINGS
from channels.aliyun.rcs import AliyunRcs, AliyunRcsConfig, judge
from channels.base import (
    Channel,
    DeliveryState,
    Inbound,
    InboundKind,
    Outbound,
    Outcome,
    Receipt,
)
from channels.errors import Fault, GatewayError
from channels.gateways.aliyun_api.refusals import CODES

from .aliyun_rcs import CODE, AliyunRcsBench, make_adapter, plain, run_bench
from .clock import TIMEOUT, hasten, until
from .conformance import message_key
from .hostile import fuzz_pushes
from .scripted import ScriptedGateway, push

SAMPLES = Path(__file__).parent / "samples" / "aliyun_rcs"
OK = {"Code": "OK", "Message": "OK", "RequestId": "R", "Success": True, "BizId": "217124476946304664"}
ANSWERS: dict[str, Any] = json.loads((SAMPLES / "answers.json").read_bytes())
OFFLINE = "http://127.0.0.1:9"


@pytest.fixture
async def bench() -> AsyncIterator[AliyunRcsBench]:
    async with run_bench() as bench:
        yield bench


async def test_request_on_the_wire_keeps_the_person_out_of_the_url() -> None:
    async with ScriptedGateway([(200, OK)]) as gateway:
        adapter = make_adapter(gateway.url)
        message = replace(plain(message_key(5), "+8613900000000", '"李四"'), signature="另一个签名")
        [result] = await adapter.send([message])
        await adapter.close()
    assert (result.key, result.ref) == (message.key, "217124476946304664")
    [request] = gateway.requests
    assert request.headers["x-acs-action"] == "SendRCS"
    assert request.query == {"TemplateCode": CODE, "OutId": message_key(5)}
    assert request.body == (
        b"PhoneNumbers=13900000000&SignName=%E5%8F%A6%E4%B8%80%E4%B8%AA%E7%AD%BE%E5%90%8D"
        b"&TemplateParam=%7B%22name%22%3A%22%5C%22%E6%9D%8E%E5%9B%9B%5C%22%22%7D"
    )


async def test_a_template_without_values_travels_without_parameters() -> None:
    async with ScriptedGateway([(200, OK)]) as gateway:
        adapter = make_adapter(gateway.url)
        await adapter.send([Outbound("1", "13900000000", "文字", template=CODE)])
        await adapter.close()
    assert gateway.params().keys() == {"TemplateCode", "OutId", "PhoneNumbers", "SignName"}


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_samples(name: str) -> None:
    sample = ANSWERS[name]
    result = judge("1", read_answer(sample["status"], json.dumps(sample["body"]).encode()))
    assert [result.outcome, result.fault, result.ref] == sample["means"]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)
       | st.dictionaries(st.sampled_from(["Code", "Success", "BizId", "Module", "Data"]), inner)),
       st.sampled_from([200, 400, 500]))  # fmt: skip
def test_no_answer_confuses_the_judge(body: Any, status: int) -> None:
    result = judge("1", read_answer(status, json.dumps({"Code": "OK", "Data": body}).encode()))
    assert result.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN)
    assert status == 200 or result.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("address", ["12345", "13900000000,13900000001", "+8513900000000", "", "1390000000x"])
async def test_one_number_of_eleven_digits_or_none(bench: AliyunRcsBench, address: str) -> None:
    [result] = await bench.adapter.send([plain("1", address)])
    assert (result.outcome, result.fault) == (Outcome.REFUSED, Fault.INVALID_ADDRESS)
    assert not bench.simulator.books.entries


async def test_a_text_without_a_filed_template_is_unsupported(bench: AliyunRcsBench) -> None:
    batch = [plain(message_key(0), "13900000000"), Outbound(message_key(1), "13900000001", "自由文本")]
    results = await bench.adapter.send(batch)
    assert [(r.outcome, r.fault, r.code) for r in results] == [
        (Outcome.ACCEPTED, None, ""),
        (Outcome.REFUSED, Fault.UNSUPPORTED, "no_template"),
    ]
    assert len(bench.simulator.books.entries) == 1


async def test_codes_of_the_gateway(bench: AliyunRcsBench) -> None:
    for number, code in enumerate(CODES):
        message = plain(message_key(number), f"1380001{number:04d}")
        [result] = await bench.adapter.send([message])
        certain = code in MEANINGS or code.startswith("Throttling")
        assert (result.code, result.outcome) == (code, Outcome.REFUSED if certain else Outcome.UNKNOWN)
        assert not certain or bench.booked(message) == 0


async def test_what_gets_no_turn_is_deferred_and_certainly_unsent(bench: AliyunRcsBench) -> None:
    adapter = make_adapter(bench.simulator.url, concurrency=1)
    batch = [bench.doomed("slow", 0), bench.one(1), bench.one(2)]
    sending = asyncio.create_task(adapter.send(batch))
    await until(lambda: bench.booked(batch[0]) == 1)
    results = await hasten(sending, 1.5 * TIMEOUT)
    await adapter.close()
    assert [r.outcome for r in results] == [Outcome.UNKNOWN, Outcome.REFUSED, Outcome.REFUSED]
    assert {r.fault for r in results[1:]} == {Fault.DEFERRED}
    assert [bench.booked(m) for m in batch] == [1, 0, 0]


async def test_the_id_is_found_wherever_it_stands() -> None:
    async with run_bench(nested=True) as bench:
        message = bench.one(0)
        [result] = await bench.adapter.send([message])
        await bench.hooks.until(lambda: bool(bench.hooks.receipts))
    [entry] = bench.simulator.books.entries
    assert result.ref == entry.ref == bench.hooks.receipts[0].ref


def signature(**changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((SAMPLES / "signature.json").read_bytes())
    return {**told, "Data": {**told["Data"], **changes}}


def registered(*states: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"OperatorCode": operator, "RegisterStatus": state} for operator, state in states]


@pytest.mark.parametrize(
    "told",
    [
        signature(),
        signature(RegisterResultList=[]),
        signature(RegisterResultList=None),
        signature(RegisterResultList=registered(("unicom", 2), ("mobile", 3))),
    ],
)
async def test_check_of_a_signature_that_may_be_used(told: dict[str, Any]) -> None:
    async with ScriptedGateway([(200, told)]) as gateway:
        adapter = make_adapter(gateway.url)
        await adapter.check()
        await adapter.close()
    assert gateway.requests[0].headers["x-acs-action"] == "GetRCSSignature"
    assert gateway.params() == {"SignName": "测试税务"}


@pytest.mark.parametrize(
    ("status", "told", "fault", "words"),
    [
        (200, signature(ChatbotCode=""), Fault.MISCONFIGURED, "还没有升级为 5G 消息签名"),
        (200, {"Code": "OK", "Success": True, "Data": None}, Fault.MISCONFIGURED, "还没有升级"),
        (200, {"Code": "OK", "Data": "?"}, Fault.MISCONFIGURED, "还没有升级"),
        (
            200,
            signature(RegisterResultList=registered(("mobile", 1))),
            Fault.MISCONFIGURED,
            "正在中国移动报备",
        ),
        (200, signature(RegisterResultList=registered(("mobile", 2))), Fault.MISCONFIGURED, "报备失败"),
        (200, {"Code": "isv.SMS_SIGNATURE_ILLEGAL"}, Fault.MISCONFIGURED, "「测试税务」不存在"),
        (400, {"Code": "SignatureDoesNotMatch"}, Fault.UNAUTHORIZED, "AccessKey"),
        (200, {"Code": "isv.OUT_OF_SERVICE"}, Fault.MISCONFIGURED, "余额"),
        (200, {"Code": "isv.NEVER_HEARD_OF"}, Fault.OUTCOME_UNKNOWN, "NEVER_HEARD_OF"),
        (502, {}, Fault.OUTCOME_UNKNOWN, "无法识别"),
    ],
)
async def test_check_says_what_is_wrong(status: int, told: dict[str, Any], fault: Fault, words: str) -> None:
    async with ScriptedGateway([(status, told)]) as gateway:
        adapter = make_adapter(gateway.url)
        with pytest.raises(GatewayError, match=words) as caught:
            await adapter.check()
        await adapter.close()
    assert caught.value.fault is fault


async def test_check_at_the_gateway(bench: AliyunRcsBench) -> None:
    other = make_adapter(bench.simulator.url, sign_name="没有升级的签名")
    with pytest.raises(GatewayError, match="没有升级的签名"):
        await other.check()
    bench.simulator.catalogue.waiting.add("没有升级的签名")
    with pytest.raises(GatewayError, match="正在中国移动报备"):
        await other.check()
    await other.close()


# --- pushes


@pytest.fixture
def adapter() -> AliyunRcs:
    return make_adapter(OFFLINE)


def test_report_sample(adapter: AliyunRcs) -> None:
    request = push((SAMPLES / "push_report.json").read_bytes())
    adapter.verify(request)
    parsed = adapter.parse(request)
    assert parsed.receipts == (
        Receipt(
            DeliveryState.DELIVERED,
            key="0000000000abc00",
            ref="217124476946304664",
            address="13500001234",
            code="DELIVERED",
            at=datetime(2026, 11, 22, 2, 0, 3, tzinfo=UTC),
        ),
        Receipt(
            DeliveryState.FAILED,
            key="0000000000abc01",
            ref="217124476946304665",
            address="13500005678",
            code="MOBILE_NOT_SUPPORT_RCS",
            at=datetime(2026, 11, 22, 2, 1, 30, tzinfo=UTC),
            fallback=Channel.SMS,
        ),
    )
    assert json.loads(parsed.reply.body)["code"] == 0


def test_uplink_sample(adapter: AliyunRcs) -> None:
    parsed = adapter.parse(push((SAMPLES / "push_up.json").read_bytes(), "up"))
    assert parsed.inbound[0] == Inbound(
        InboundKind.TEXT,
        "13500001234",
        "请问在哪里办理？",
        at=datetime(2026, 11, 22, 2, 5, tzinfo=UTC),
        provider_id="100000096034031_1552101_03304904325170151776946304861",
    )
    assert [(i.kind, i.text) for i in parsed.inbound[1:]] == [
        (InboundKind.SUGGESTION, "退订"),
        (InboundKind.SUGGESTION, "去办理"),
    ]


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("1", "好的", (InboundKind.TEXT, "好的")),
        (1, '{"display_text":"写成JSON的话"}', (InboundKind.TEXT, '{"display_text":"写成JSON的话"}')),
        ("2", '{"display_text":"知道了","post_data":"known"}', (InboundKind.SUGGESTION, "known")),
        (3, '{"display_text":"知道了","post_data":null}', (InboundKind.SUGGESTION, "知道了")),
        ("2", "知道了", (InboundKind.SUGGESTION, "知道了")),
        ("2", "[1]", (InboundKind.SUGGESTION, "[1]")),
        ("3", "{}", None),
        ("1", "", None),
        ("4", "其他", None),
    ],
)
def test_answers_of_every_kind(
    adapter: AliyunRcs, kind: str | int, content: str, said: tuple[InboundKind, str] | None
) -> None:
    item = {"phone_number": "+8613500001234", "mobile_originated_type": kind, "content": content}
    found = [(i.kind, i.text) for i in adapter.parse(push([item], "up")).inbound]
    assert found == ([said] if said else [])


async def test_the_simulators_buttons(bench: AliyunRcsBench) -> None:
    for button in ({"post_data": "退订"}, {"post_data": "", "url": "https://etax.chinatax.gov.cn/"}):
        bench.simulator.uplink({"address": "13912345678", "text": "按钮", **button})
    await bench.hooks.until(lambda: len(bench.hooks.inbound) == 2)
    assert sorted(i.text for i in bench.hooks.inbound) == ["按钮", "退订"]
    assert {i.kind for i in bench.hooks.inbound} == {InboundKind.SUGGESTION}
    assert len({i.provider_id for i in bench.hooks.inbound}) == 2


@pytest.mark.parametrize(("as_success", "state"), [(True, "delivered"), (False, "failed")])
async def test_a_phone_that_cannot_is_told_either_way(as_success: bool, state: str) -> None:
    async with run_bench(capable=0.0, reports_fallback=as_success) as bench:
        await bench.adapter.send([bench.one(0)])
        await bench.hooks.until(lambda: bool(bench.hooks.receipts))
    [receipt] = bench.hooks.receipts
    assert (receipt.state, receipt.fallback) == (DeliveryState(state), Channel.SMS)
    assert receipt.code == "MOBILE_NOT_SUPPORT_RCS"


def report(**changes: object) -> list[dict[str, object]]:
    item = {"phone_number": "13500001234", "send_status": "SEND_SUCCESS", "biz_id": "1", "out_id": "abc"}
    return [{**item, **changes}]


@pytest.mark.parametrize("status", ["SENDING", "", "send_success"])
def test_a_state_of_no_document_is_no_receipt(adapter: AliyunRcs, status: str) -> None:
    assert adapter.parse(push(report(send_status=status))).receipts == ()


def test_foreign_references_and_bad_items_cost_nobody(adapter: AliyunRcs) -> None:
    items = [
        *report(out_id="another-system:77"),
        {"phone_number": 7},
        None,
        *report(out_id=None, biz_id=None),
    ]
    assert [(r.key, r.ref) for r in adapter.parse(push([*items, *report()])).receipts] == [
        ("", "1"),
        ("abc", "1"),
    ]


@pytest.mark.parametrize(("name", "what"), [("push_report.json", "report"), ("push_up.json", "up")])
def test_hostile_pushes(adapter: AliyunRcs, name: str, what: str) -> None:
    fuzz_pushes(adapter, push((SAMPLES / name).read_bytes(), what))


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": "dysmsapi.aliyuncs.com"},
        {"sign_name": "【测试税务】"},
        {"callback_secret": "short"},
        {"numbers_per_request": 2},
    ],
)
def test_bad_settings_are_refused(changes: dict[str, object]) -> None:
    good = {"access_key_id": "a", "access_key_secret": "b", "sign_name": "测试税务"}
    assert AliyunRcsConfig.model_validate(good).url == "https://dysmsapi.aliyuncs.com"
    with pytest.raises(ValidationError):
        AliyunRcsConfig.model_validate({**good, **changes})
