"""What the Tencent SMS adapter does beyond the conformance suite: requests, signature, halving, check."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.base import DeliveryClass, Outbound, Outcome
from channels.errors import Fault, GatewayError
from channels.gateways.tencent_sms import AccountLimits
from channels.gateways.tencent_sms.refusals import CODES
from channels.tencent.codes import MEANINGS
from channels.tencent.numbers import full_number, local_number
from channels.tencent.requests import cut_requests
from channels.tencent.signing import sign_request
from channels.tencent.sms import TencentSms, TencentSmsConfig

from .clock import TIMEOUT, hasten, until
from .conformance import message_key
from .scripted import ScriptedGateway
from .tencent import (
    APP,
    TencentBench,
    answer_of,
    error_of,
    make_adapter,
    plain,
    run_bench,
    status,
)

REFUSED_NUMBER = "InvalidParameterValue.IncorrectPhoneNumber"


@pytest.fixture
async def bench() -> AsyncIterator[TencentBench]:
    async with run_bench() as bench:
        yield bench


def test_signature_vector_of_the_sheet() -> None:
    body = (
        '{"PhoneNumberSet":["+8613800138000"],"SmsSdkAppId":"1400000000","SignName":"测试税务",'
        '"TemplateId":"100001","TemplateParamSet":["张三"]}'
    )
    headers = sign_request(
        host="sms.tencentcloudapi.com",
        body=body.encode(),
        secret_id="id",
        secret_key="sk",
        at=datetime(2026, 11, 22, 2, tzinfo=UTC),
    )
    assert headers["x-tc-timestamp"] == "1795312800"
    assert headers["authorization"] == (
        "TC3-HMAC-SHA256 Credential=id/2026-11-22/sms/tc3_request, SignedHeaders=content-type;host, "
        "Signature=53fa6d62dd97f4b2bbe8c594a7f7eaebda89efa8443cc1c7ebde3f205ee5389d"
    )


BATCHES = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(["1", "2", ""]), st.sampled_from(["张三", "李四"])),
    max_size=40,
)


def batch_of(rows: list[tuple[int, str, str]]) -> list[Outbound]:
    spelled = ["139000000{:02d}", "+86139000000{:02d}", "0086139000000{:02d}"]
    return [
        Outbound(message_key(n), spelled[n % 3].format(number), "", template=template, params={"name": name})
        for n, (number, template, name) in enumerate(rows)
    ]


@given(BATCHES, st.integers(1, 5))
def test_requests_say_the_same_and_a_report_finds_its_message(
    rows: list[tuple[int, str, str]], most: int
) -> None:
    batch = batch_of(rows)
    requests = cut_requests(batch, most)
    assert sorted(place for places in requests for place in places) == list(range(len(batch)))
    for places in requests:
        assert places == sorted(places)
        assert len(places) <= most
        assert len({(rows[place][1], rows[place][2]) for place in places}) == 1
        for start in range(len(places)):
            # Halves too are requests, with the key of their own first message.
            first = places[start]
            for place in places[start:]:
                number = rows[place][0]
                behind = (n for n in range(first, len(rows)) if rows[n][0] == number)
                assert next(behind) == place


def test_interleaved_values_share_requests() -> None:
    batch = [plain(message_key(n), f"139{n:08d}", ["甲", "乙", "丙"][n % 3]) for n in range(300)]
    requests = cut_requests(batch, 200)
    assert [len(places) for places in requests] == [100, 100, 100]
    personal = [plain(message_key(n), f"139{n:08d}", f"纳税人{n}") for n in range(50)]
    assert [len(places) for places in cut_requests(personal, 200)] == [1] * 50


def test_signatures_travel_apart() -> None:
    batch = [plain(message_key(n), f"1390000000{n}") for n in range(3)]
    batch[1] = replace(batch[1], signature="另一个签名")
    assert cut_requests(batch, 200) == [[0, 2], [1]]


def test_foreign_numbers_travel_apart() -> None:
    batch = [plain(message_key(n), address) for n, address in enumerate(["13900000000", "+85261234567"])]
    assert cut_requests(batch, 200) == [[0], [1]]
    assert [full_number(m.address) for m in batch] == ["+8613900000000", "+85261234567"]


@pytest.mark.parametrize("number", ["13900000000", "+8613900000000", "8613900000000", "008613900000000"])
def test_one_spelling_of_a_number(number: str) -> None:
    assert (local_number(number), full_number(number)) == ("13900000000", "+8613900000000")


async def test_request_on_the_wire() -> None:
    statuses = [status(f"+861390000000{n}", serial=f"2640:{n}") for n in range(2)]
    async with ScriptedGateway([(200, answer_of(*statuses))]) as gateway:
        adapter = make_adapter(gateway.url)
        batch = [plain(message_key(n), f"1390000000{n}") for n in range(2)]
        results = await adapter.send(batch)
        await adapter.close()
    assert [(r.key, r.outcome, r.ref) for r in results] == [
        (m.key, Outcome.ACCEPTED, f"2640:{n}") for n, m in enumerate(batch)
    ]
    [request] = gateway.requests
    assert (request.method, request.path, request.query) == ("POST", "/", {})
    wanted = {"x-tc-action": "SendSms", "x-tc-version": "2021-01-11", "x-tc-region": "ap-guangzhou"}
    assert wanted.items() <= request.headers.items()
    assert gateway.params() == {
        "SmsSdkAppId": APP,
        "PhoneNumberSet": ["+8613900000000", "+8613900000001"],
        "TemplateId": "100001",
        "SignName": "测试税务",
        "SessionContext": batch[0].key,
        "TemplateParamSet": ["张三"],
    }


async def test_parameters_keep_the_order_of_the_template_and_a_message_its_signature() -> None:
    async with ScriptedGateway([(200, answer_of(status("+8613900000000")))]) as gateway:
        adapter = make_adapter(gateway.url)
        message = Outbound("k1", "13900000000", "", template="9", params={"year": "2025", "amount": "3"})
        await adapter.send([message])
        await adapter.send([replace(message, params={}, signature="另一个签名")])
        await adapter.close()
    assert gateway.params(0)["TemplateParamSet"] == ["2025", "3"]
    assert "TemplateParamSet" not in gateway.params(1)
    assert [gateway.params(n)["SignName"] for n in range(2)] == ["测试税务", "另一个签名"]


async def test_personal_messages_all_arrive_with_their_own_key(bench: TencentBench) -> None:
    batch = [plain(message_key(n), f"139{n:08d}", f"纳税人{n}") for n in range(60)]
    results = await bench.adapter.send(batch)
    assert {r.outcome for r in results} == {Outcome.ACCEPTED}
    entries = {entry.address: entry for entry in bench.simulator.books.entries}
    assert [(entries[m.address].key, entries[m.address].ref) for m in batch] == [
        (m.key, r.ref) for m, r in zip(batch, results, strict=True)
    ]
    assert all(f"纳税人{n}，" in entries[m.address].text for n, m in enumerate(batch))


async def test_message_without_a_filed_template_is_unsupported(bench: TencentBench) -> None:
    batch = [plain(message_key(0), "13900000000"), Outbound(message_key(1), "13900000001", "自由文本")]
    results = await bench.adapter.send(batch)
    assert [(r.outcome, r.fault) for r in results] == [
        (Outcome.ACCEPTED, None),
        (Outcome.REFUSED, Fault.UNSUPPORTED),
    ]
    assert len(bench.simulator.books.entries) == 1


async def test_each_number_is_judged_for_itself(bench: TencentBench) -> None:
    batch = [bench.one(n) for n in range(200)]
    batch[7] = bench.one(7, "12345")
    batch[99] = bench.one(99, "+86139")
    batch[150] = bench.one(150, f"1380001{CODES.index('FailedOperation.PhoneNumberInBlacklist'):04d}")
    results = await bench.adapter.send(batch)
    assert {place: (r.fault, r.code) for place, r in enumerate(results) if r.fault} == {
        7: (Fault.INVALID_ADDRESS, REFUSED_NUMBER),
        99: (Fault.INVALID_ADDRESS, REFUSED_NUMBER),
        150: (Fault.OPTED_OUT, "FailedOperation.PhoneNumberInBlacklist"),
    }
    assert len(bench.simulator.books.entries) == 197
    assert {entry.key for entry in bench.simulator.books.entries} == {batch[0].key}


async def test_request_refused_for_one_number_is_halved(bench: TencentBench) -> None:
    batch = [bench.one(n) for n in range(100)]
    batch[41] = bench.one(41, f"1380001{CODES.index('FailedOperation.PhoneNumberParseFail'):04d}")
    results = await bench.adapter.send(batch)
    assert [place for place, r in enumerate(results) if r.outcome is not Outcome.ACCEPTED] == [41]
    assert (results[41].fault, results[41].code) == (
        Fault.INVALID_ADDRESS,
        "FailedOperation.PhoneNumberParseFail",
    )
    assert sorted(e.address for e in bench.simulator.books.entries) == sorted(
        m.address for place, m in enumerate(batch) if place != 41
    )


async def test_refusal_of_the_content_is_not_halved() -> None:
    refusal = error_of("FailedOperation.TemplateParamSetNotMatchApprovedTemplate")
    async with ScriptedGateway([(200, refusal)]) as gateway:
        adapter = make_adapter(gateway.url)
        results = await adapter.send([plain(message_key(n), f"139{n:08d}") for n in range(50)])
        await adapter.close()
    assert {(r.outcome, r.fault) for r in results} == {(Outcome.REFUSED, Fault.REJECTED)}
    assert len(gateway.requests) == 1


async def test_what_gets_no_turn_is_deferred_and_certainly_unsent(bench: TencentBench) -> None:
    adapter = make_adapter(bench.simulator.control_url, concurrency=1, numbers_per_request=1)
    batch = [bench.doomed("slow", 0), bench.one(1), bench.one(2)]
    sending = asyncio.create_task(adapter.send(batch))
    await until(lambda: bench.booked(batch[0]) == 1)
    results = await hasten(sending, 1.5 * TIMEOUT)
    await adapter.close()
    assert [r.outcome for r in results] == [Outcome.UNKNOWN, Outcome.REFUSED, Outcome.REFUSED]
    assert {r.fault for r in results[1:]} == {Fault.DEFERRED}
    assert [bench.booked(m) for m in batch] == [1, 0, 0]


async def test_codes_of_the_gateway(bench: TencentBench) -> None:
    uncertain = {code for code in CODES if code.startswith("InternalError.")} | {CODES[-1]}
    assert set(CODES) - uncertain == set(MEANINGS), "every code of the sheet, and only those"
    for number, code in enumerate(CODES):
        message = plain(message_key(number), f"1380001{number:04d}")
        [result] = await bench.adapter.send([message])
        certain = code not in uncertain
        assert (result.code, result.outcome) == (code, Outcome.REFUSED if certain else Outcome.UNKNOWN)
        assert not certain or bench.booked(message) == 0


def test_nothing_can_be_asked_so_it_is_class_c() -> None:
    assert TencentSms.facts.delivery_class is DeliveryClass.ECHOED


async def test_a_report_that_is_not_there_yet_cannot_be_pulled(bench: TencentBench) -> None:
    """Why the adapter does not ask: what was accepted a moment ago is as absent as what never came."""
    bench.simulator.faults = replace(bench.simulator.faults, silent=1.0)
    [result] = await bench.adapter.send([bench.one(0)])
    question = {
        "BeginTime": int(datetime.now(UTC).timestamp()) - 60,
        "Offset": 0,
        "Limit": 100,
        "PhoneNumber": full_number(bench.one(0).address),
    }
    answer = await bench.adapter._client.call("PullSmsSendStatusByPhoneNumber", question)
    assert (result.outcome, answer.data["PullSmsSendStatusSet"]) == (Outcome.ACCEPTED, [])


@pytest.mark.parametrize(
    ("code", "fault", "words"),
    [
        ("AuthFailure.SignatureExpire", Fault.MISCONFIGURED, "本机时间"),
        ("UnauthorizedOperation.RequestIpNotInWhitelist", Fault.UNAUTHORIZED, "白名单"),
        ("RequestLimitExceeded", Fault.THROTTLED, "限流"),
        ("InternalError.OtherError", Fault.OUTCOME_UNKNOWN, "无法识别"),
    ],
)
async def test_check_says_what_to_do(code: str, fault: Fault, words: str) -> None:
    async with ScriptedGateway([(200, error_of(code))]) as gateway:
        adapter = make_adapter(gateway.url)
        with pytest.raises(GatewayError, match=words) as caught:
            await adapter.check()
        await adapter.close()
    assert (caught.value.fault, caught.value.code) == (fault, code)


async def test_check_with_another_application(bench: TencentBench) -> None:
    adapter = make_adapter(bench.simulator.control_url, sdk_app_id="1400999999")
    with pytest.raises(GatewayError, match="SdkAppId"):
        await adapter.check()
    await adapter.close()


async def test_overrun_is_throttled_and_certainly_unsent() -> None:
    # One second and no other, whatever the machine does.
    second = datetime.now(UTC)
    async with run_bench(limits=AccountLimits(qps=5), now=lambda: second) as bench:
        bench.adapter._client.now = lambda: second
        batch = [plain(message_key(n), f"139{n:08d}", f"纳税人{n}") for n in range(20)]
        results = await bench.adapter.send(batch)
        assert {r.fault for r in results if r.fault} == {Fault.THROTTLED}
        taken = sum(r.outcome is Outcome.ACCEPTED for r in results)
        assert taken == len(bench.simulator.books.entries) == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": "sms.tencentcloudapi.com"},
        {"endpoint": "ftp://sms.tencentcloudapi.com"},
        {"endpoint": "https://sms.tencentcloudapi.com/path"},
        {"sign_name": "【测试税务】"},
        {"sdk_app_id": "app"},
        {"callback_secret": "short"},
        {"callback_secret": "has/a/slash/in/it/too"},
        {"numbers_per_request": 201},
        {"surprise": 1},
    ],
)
def test_bad_settings_are_refused(changes: dict[str, object]) -> None:
    good = {"secret_id": "a", "secret_key": "bbbb", "sdk_app_id": APP, "sign_name": "测试税务"}
    assert "bbbb" not in repr(TencentSmsConfig.model_validate(good))
    with pytest.raises(ValidationError):
        TencentSmsConfig.model_validate({**good, **changes})
