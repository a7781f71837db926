"""Callbacks of Tencent SMS, and the recorded samples, without a network."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from channels.base import DeliveryState, InboundKind, Receipt
from channels.tencent.client import read_answer
from channels.tencent.requests import judge
from channels.tencent.sms import TencentSms

from .hostile import fuzz_pushes
from .scripted import push
from .tencent import make_adapter, plain

SAMPLES = Path(__file__).parent / "samples" / "tencent_sms"


@pytest.fixture
def adapter() -> Iterator[TencentSms]:
    yield make_adapter("http://127.0.0.1:9")


def test_report_sample(adapter: TencentSms) -> None:
    request = push((SAMPLES / "push_report.json").read_bytes())
    adapter.verify(request)
    parsed = adapter.parse(request)
    assert parsed.receipts == (
        Receipt(
            DeliveryState.DELIVERED,
            key="0000000000abc00",
            ref="2640:1045710669157053657849499619",
            address="13800138000",
            whole_request=True,
            code="DELIVRD",
            at=datetime(2026, 11, 22, 2, 0, 5, tzinfo=UTC),
        ),
        Receipt(
            DeliveryState.FAILED,
            ref="2640:1045710669157053657849499718",
            address="13900139000",
            whole_request=True,
            code="MK:0001",
            at=datetime(2026, 11, 22, 2, 1, 30, tzinfo=UTC),
        ),
    )
    assert (parsed.inbound, parsed.reply.status) == ((), 200)
    assert json.loads(parsed.reply.body) == {"result": 0, "errmsg": "OK"}


def test_reply_sample_and_its_repetition(adapter: TencentSms) -> None:
    body = (SAMPLES / "push_reply.json").read_bytes()
    [inbound] = adapter.parse(push(body, "reply")).inbound
    [again] = adapter.parse(push(body, "reply")).inbound
    [later] = adapter.parse(push({**json.loads(body), "time": 1457336870}, "reply")).inbound
    assert (inbound.kind, inbound.address, inbound.text) == (InboundKind.TEXT, "13800138000", "T")
    assert inbound.at == datetime(2016, 3, 7, 7, 47, 49, tzinfo=UTC)
    assert inbound.provider_id == again.provider_id != later.provider_id
    assert "13800138000" not in inbound.provider_id


@pytest.mark.parametrize("name", json.loads((SAMPLES / "answers.json").read_bytes()))
def test_answer_samples(name: str) -> None:
    sample = json.loads((SAMPLES / "answers.json").read_bytes())[name]
    answer = read_answer(sample["status"], json.dumps(sample["body"]).encode())
    [result], _ = judge(answer, [plain("0000000000abc00", "13800138000")])
    assert [result.outcome, result.fault] == sample["means"]


def test_one_broken_report_does_not_cost_the_others(adapter: TencentSms) -> None:
    good = json.loads((SAMPLES / "push_report.json").read_bytes())
    broken = [good[0], {"mobile": 7, "report_status": []}, None, good[1]]
    assert [r.address for r in adapter.parse(push(broken)).receipts] == ["13800138000", "13900139000"]


def report(**changes: object) -> list[dict[str, object]]:
    item = {"mobile": "13800138000", "report_status": "SUCCESS", "sid": "2640:1", "ext": "abc", **changes}
    return [item]


@pytest.mark.parametrize("ext", [None, "", "another-system:77", "ABC", "0" * 17, "abc\n"])
def test_foreign_context_is_no_key(adapter: TencentSms, ext: str | None) -> None:
    [receipt] = adapter.parse(push(report(ext=ext))).receipts
    assert (receipt.key, receipt.ref) == ("", "2640:1")


@pytest.mark.parametrize("changes", [{"ext": None, "sid": None}, {"report_status": "PENDING"}])
def test_report_that_tells_nothing_is_dropped(adapter: TencentSms, changes: dict[str, object]) -> None:
    assert adapter.parse(push(report(**changes))).receipts == ()


@pytest.mark.parametrize("time", [None, "", "yesterday", "2026-13-41 00:00:00", "0001-01-01 00:00:00"])
def test_unreadable_time_does_not_cost_the_report(adapter: TencentSms, time: str | None) -> None:
    [receipt] = adapter.parse(push(report(user_receive_time=time))).receipts
    assert (receipt.state, receipt.at) == (DeliveryState.DELIVERED, None)


@pytest.mark.parametrize("time", [None, "", "soon", 10**30, -(10**30), [], 1.5e300])
def test_unreadable_time_does_not_cost_the_reply(adapter: TencentSms, time: object) -> None:
    item = {"mobile": "13800138000", "text": "退订", "time": time}
    [inbound] = adapter.parse(push(item, "reply")).inbound
    assert (inbound.text, inbound.at, inbound.provider_id) == ("退订", None, "")


@pytest.mark.parametrize(
    ("nation", "address"),
    [("86", "13800138000"), (86, "13800138000"), (None, "13800138000"), ("852", "+85213800138000")],
)
def test_one_spelling_of_a_number(adapter: TencentSms, nation: object, address: str) -> None:
    [receipt] = adapter.parse(push(report(nationcode=nation))).receipts
    assert receipt.address == address


def test_text_that_a_database_cannot_store(adapter: TencentSms) -> None:
    item = {"mobile": "13800138000\x00", "text": "退\x00订" + "啊" * 5000, "time": 1457336869}
    [inbound] = adapter.parse(push(item, "reply")).inbound
    assert "\x00" not in inbound.text + inbound.address + inbound.provider_id
    assert len(inbound.text) == 2000


@pytest.mark.parametrize(("name", "what"), [("push_report.json", "report"), ("push_reply.json", "reply")])
def test_hostile_pushes(adapter: TencentSms, name: str, what: str) -> None:
    fuzz_pushes(adapter, push((SAMPLES / name).read_bytes(), what))
