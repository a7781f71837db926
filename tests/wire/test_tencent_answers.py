"""What Tencent's answers say: codes, uncertain answers, and whatever else may come back."""

from datetime import timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import Outcome, SendResult
from channels.errors import Fault
from channels.tencent.client import Answer, read_answer
from channels.tencent.codes import meaning_of
from channels.tencent.requests import judge

from .conformance import message_key
from .hostile import JSON
from .scripted import ScriptedGateway
from .tencent import answer_of, error_of, make_adapter, plain, status

REFUSED_NUMBER = "InvalidParameterValue.IncorrectPhoneNumber"


@pytest.mark.parametrize(
    ("code", "fault", "wait"),
    [
        (REFUSED_NUMBER, Fault.INVALID_ADDRESS, None),
        ("FailedOperation.PhoneNumberInBlacklist", Fault.OPTED_OUT, None),
        ("LimitExceeded.PhoneNumberThirtySecondLimit", Fault.DEFERRED, timedelta(seconds=30)),
        ("LimitExceeded.PhoneNumberOneHourLimit", Fault.DEFERRED, timedelta(hours=1)),
        ("LimitExceeded.PhoneNumberDailyLimit", Fault.DEFERRED, timedelta(days=1)),
        ("LimitExceeded.AppDailyLimit", Fault.THROTTLED, timedelta(hours=1)),
        ("FailedOperation.MarketingSendTimeConstraint", Fault.DEFERRED, timedelta(hours=1)),
        ("RequestLimitExceeded", Fault.THROTTLED, None),
        ("RequestLimitExceeded.UinLimitExceeded", Fault.THROTTLED, None),
        ("FailedOperation.ContainSensitiveWord", Fault.REJECTED, None),
        ("FailedOperation.InsufficientBalanceInSmsPackage", Fault.MISCONFIGURED, None),
        ("AuthFailure.SecretIdNotFound", Fault.UNAUTHORIZED, None),
        ("AuthFailure.SomethingNew", Fault.UNAUTHORIZED, None),
        ("AuthFailure.SignatureExpire", Fault.MISCONFIGURED, None),
        ("UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone", Fault.UNSUPPORTED, None),
        ("MissingParameter.EmptyPhoneNumberSet", Fault.REJECTED, None),
    ],
)
def test_certain_refusals(code: str, fault: Fault, wait: timedelta | None) -> None:
    meaning = meaning_of(200, code)
    assert meaning is not None
    assert (meaning.fault, meaning.retry_after) == (fault, wait)


@pytest.mark.parametrize(
    ("http", "body"),
    [
        (200, error_of("InternalError.Timeout")),
        (200, error_of("FailedOperation.SomethingNew")),
        (502, error_of("RequestLimitExceeded")),
        (302, error_of(REFUSED_NUMBER)),
        (500, answer_of(status("+8613900000000"))),
        (403, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"[1]"),
        (200, {"Response": {"RequestId": "R"}}),
        (200, {"Response": {"SendStatusSet": None}}),
        (200, {"Response": {"Error": "no"}}),
        (200, answer_of()),
        (200, answer_of(status("+8613900000001"), status("+8613900000002"))),
        (200, answer_of(status("+8613900000000"), status("+8613900000000", REFUSED_NUMBER))),
        (200, answer_of({"PhoneNumber": "+8613900000000"})),
        (200, answer_of({"PhoneNumber": "+8613900000000", "Code": 0})),
        (200, answer_of(status("+8613900000001"))),
        (200, {"Response": {"SendStatusSet": [status("+8613900000000")], "Error": {"Code": REFUSED_NUMBER}}}),
    ],
)
async def test_uncertain_answers_are_unknown(http: int, body: bytes | dict[str, object]) -> None:
    async with ScriptedGateway([(http, body)]) as gateway:
        adapter = make_adapter(gateway.url)
        [result] = await adapter.send([plain(message_key(0), "13900000000")])
        await adapter.close()
    assert (result.outcome, result.fault) == (Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN)
    assert result.code


async def test_bare_429_is_throttled() -> None:
    async with ScriptedGateway([(429, b"")]) as gateway:
        adapter = make_adapter(gateway.url)
        [result] = await adapter.send([plain(message_key(0), "13900000000")])
        await adapter.close()
    assert (result.outcome, result.fault) == (Outcome.REFUSED, Fault.THROTTLED)


def test_shuffled_answer_is_matched_by_number_and_a_gap_stays_unknown() -> None:
    batch = [plain(message_key(n), f"1390000000{n}") for n in range(3)]
    statuses = [status("+8613900000002", serial="2640:2"), status("13900000000", REFUSED_NUMBER)]
    results, again = judge(Answer(200, "", {"SendStatusSet": statuses}), batch)
    assert results == [
        SendResult(batch[0].key, Outcome.REFUSED, "", Fault.INVALID_ADDRESS, REFUSED_NUMBER),
        SendResult(batch[1].key, Outcome.UNKNOWN, "", Fault.OUTCOME_UNKNOWN, "no_status"),
        SendResult(batch[2].key, Outcome.ACCEPTED, "2640:2"),
    ]
    assert not again


NUMBERS = ["+8613900000000", "13900000001", "+8613900000002", "", "12345"]
STATUSES = st.fixed_dictionaries(
    {},
    optional={
        "PhoneNumber": st.sampled_from(NUMBERS) | JSON,
        "Code": st.sampled_from(["Ok", REFUSED_NUMBER, "InternalError.Timeout"]) | JSON,
        "SerialNo": JSON,
    },
)
RESPONSES = st.fixed_dictionaries(
    {}, optional={"SendStatusSet": st.lists(STATUSES | JSON, max_size=5) | JSON, "Error": JSON}
)
BODIES = st.binary(max_size=60) | JSON.map(lambda value: orjson.dumps(str(value)))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(100, 599),
    BODIES | RESPONSES.map(lambda response: orjson.dumps({"Response": _plain(response)})),
)
def test_whatever_comes_back_every_message_gets_its_result(http: int, body: bytes) -> None:
    batch = [plain(message_key(n), f"1390000000{n}") for n in range(3)]
    results, _ = judge(read_answer(http, body), batch)
    assert [r.key for r in results] == [m.key for m in batch]
    for result in results:
        assert (result.fault is None) == (result.outcome is Outcome.ACCEPTED)
        assert result.outcome is not Outcome.ACCEPTED or (200 <= http < 300 and b"Ok" in body)


def _plain(value: object) -> object:
    # JSON has no infinities and 64-bit integers here; what is replaced is covered by what remains.
    match value:
        case dict():
            return {str(name): _plain(item) for name, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case int() | float():
            return 7
    return value
