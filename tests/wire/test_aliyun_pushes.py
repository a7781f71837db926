"""Pushes of Aliyun SMS, and the recorded samples, without a network."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from channels.aliyun.client import read_answer
from channels.aliyun.details import find_message
from channels.aliyun.sms import AliyunSms, judge
from channels.base import DeliveryState, Inbound, InboundKind, Query, Receipt

from .aliyun import make_adapter
from .hostile import fuzz_pushes
from .scripted import ScriptedGateway, push

SAMPLES = Path(__file__).parent / "samples" / "aliyun_sms"


@pytest.fixture
def adapter() -> Iterator[AliyunSms]:
    yield make_adapter("http://127.0.0.1:9")


def test_report_sample(adapter: AliyunSms) -> None:
    request = push((SAMPLES / "push_report.json").read_bytes())
    adapter.verify(request)
    parsed = adapter.parse(request)
    assert parsed.receipts == (
        Receipt(
            DeliveryState.DELIVERED,
            key="0000000000abc00",
            ref="134523^4351232",
            address="13800138000",
            whole_request=True,
            code="DELIVERED",
            at=datetime(2026, 11, 22, 2, 0, 4, tzinfo=UTC),
        ),
        Receipt(
            DeliveryState.FAILED,
            key="0000000000abc00",
            ref="134523^4351232",
            address="13900139000",
            whole_request=True,
            code="MK:0000",
            at=datetime(2026, 11, 22, 2, 1, 30, tzinfo=UTC),
        ),
    )
    assert (parsed.inbound, parsed.reply.status) == ((), 200)
    assert json.loads(parsed.reply.body) == {"code": 0, "msg": "成功"}


def test_uplink_sample(adapter: AliyunSms) -> None:
    parsed = adapter.parse(push((SAMPLES / "push_up.json").read_bytes(), "up"))
    assert parsed.inbound[0] == Inbound(
        InboundKind.TEXT,
        "13800138000",
        "退订",
        at=datetime(2026, 11, 22, 2, 5, tzinfo=UTC),
        provider_id="1234567890",
    )
    assert [i.text for i in parsed.inbound] == ["退订", "请问在哪里办理？"]
    assert json.loads(parsed.reply.body)["code"] == 0


@pytest.mark.parametrize("name", json.loads((SAMPLES / "answers.json").read_bytes()))
def test_answer_samples(name: str) -> None:
    sample = json.loads((SAMPLES / "answers.json").read_bytes())[name]
    result, _ = judge(read_answer(sample["status"], json.dumps(sample["body"]).encode()))
    assert [result.outcome, result.fault] == sample["means"]


async def test_details_sample() -> None:
    async with ScriptedGateway([(200, (SAMPLES / "details.json").read_bytes())]) as gateway:
        adapter = make_adapter(gateway.url)
        asked = Query("0000000000abd00", "13800138000", datetime(2026, 11, 22, 2, tzinfo=UTC))
        first = Query(asked.key, asked.address, asked.sent_on, candidates=("0000000000abc00", asked.key))
        results = [await find_message(adapter._client, question) for question in (first, asked)]
        await adapter.close()
    assert [(r.key, r.found, r.state) for r in results] == [
        ("0000000000abd00", True, DeliveryState.DELIVERED),
        ("0000000000abd00", False, None),
    ]


def test_one_broken_report_does_not_cost_the_others(adapter: AliyunSms) -> None:
    good = json.loads((SAMPLES / "push_report.json").read_bytes())
    broken = [good[0], {"phone_number": 7, "success": "perhaps"}, None, good[1]]
    assert [r.address for r in adapter.parse(push(broken)).receipts] == ["13800138000", "13900139000"]


def report(**changes: object) -> list[dict[str, object]]:
    return [{"phone_number": "13800138000", "success": True, "biz_id": "1^2", "out_id": "abc", **changes}]


@pytest.mark.parametrize("out_id", [None, "", "another-system:77", "ABC", "0" * 17, "abc\n"])
def test_foreign_reference_is_no_key(adapter: AliyunSms, out_id: str | None) -> None:
    [receipt] = adapter.parse(push(report(out_id=out_id))).receipts
    assert (receipt.key, receipt.ref) == ("", "1^2")


def test_report_about_nothing_is_dropped(adapter: AliyunSms) -> None:
    assert adapter.parse(push(report(out_id=None, biz_id=None))).receipts == ()


@pytest.mark.parametrize("time", [None, "", "yesterday", "2026-13-41 00:00:00", "0001-01-01 00:00:00"])
def test_unreadable_time_does_not_cost_the_report(adapter: AliyunSms, time: str | None) -> None:
    [receipt] = adapter.parse(push(report(report_time=time))).receipts
    assert (receipt.state, receipt.at) == (DeliveryState.DELIVERED, None)


@pytest.mark.parametrize("number", ["13800138000", "+8613800138000", "008613800138000", "8613800138000"])
def test_one_spelling_of_a_number(adapter: AliyunSms, number: str) -> None:
    [receipt] = adapter.parse(push(report(phone_number=number))).receipts
    assert receipt.address == "13800138000"


def test_text_that_a_database_cannot_store(adapter: AliyunSms) -> None:
    item = {"phone_number": "13800138000\x00", "content": "退\x00订" + "啊" * 5000, "sequence_id": "1\x00"}
    [inbound] = adapter.parse(push([item], "up")).inbound
    assert "\x00" not in inbound.text + inbound.address + inbound.provider_id
    assert len(inbound.text) == 2000


@pytest.mark.parametrize(("name", "what"), [("push_report.json", "report"), ("push_up.json", "up")])
def test_hostile_pushes(adapter: AliyunSms, name: str, what: str) -> None:
    fuzz_pushes(adapter, push((SAMPLES / name).read_bytes(), what))
