"""DingTalk against its simulator: sending, tokens, what became of a notice, the group's robot."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.base import Action, Card, DeliveryClass, DeliveryState, Outbound, Outcome, Query
from channels.dingtalk import Dingtalk
from channels.dingtalk.answers import read_state, result_of
from channels.dingtalk.robot import sign_robot, tell_group
from channels.errors import Fault, GatewayError
from channels.gateways.base import Faults
from channels.gateways.dingtalk import Account, DingtalkSimulator
from channels.http import Http, Response
from channels.sending import Unreadable
from channels.token_client import Answer, read_answer
from outreach.rehearsal import run_alone

from .clock import TIMEOUT
from .conformance import AdapterConformance, Bench, message_key
from .dingtalk import ACCOUNT, SAMPLES, adapter_of, dingtalk_bench, make_config, sim_of
from .hostile import JSON

bench = dingtalk_bench


class TestDingtalk(AdapterConformance):
    """The common suite: sending."""


def test_a_lost_answer_can_be_asked_for_by_nothing() -> None:
    assert Dingtalk.facts.delivery_class is DeliveryClass.BLIND


# --- tokens


async def test_a_stale_token_is_replaced_once(bench: Bench) -> None:
    simulator = sim_of(bench)
    await bench.adapter.send([bench.one(0)])
    simulator.tokens.expire()
    results = await bench.adapter.send([bench.one(n) for n in range(1, 40)])
    assert {r.outcome for r in results} == {Outcome.ACCEPTED}
    assert simulator.tokens.asked == 2


async def test_platform_says_what_is_wrong(bench: Bench) -> None:
    assert bench.stranger is not None
    with pytest.raises(GatewayError, match="AppSecret") as caught:
        await bench.stranger.open()
    assert caught.value.code == "40096"


# --- content


async def test_every_kind_of_message(bench: Bench) -> None:
    url = "https://tax.example.cn/m"
    links = (Action("url", "报名", url), Action("url", "查看", url))
    batch = [
        Outbound(message_key(0), "one", "请查收"),
        Outbound(message_key(1), "two", "请查收", url=url),
        Outbound(message_key(2), "three", "请查收", subject="工作提醒", url=url),
        Outbound(message_key(3), "four", "", card=Card("培训", "三月五日", actions=links[:1])),
        Outbound(message_key(4), "five", "", card=Card("培训", "三月五日", actions=links)),
        Outbound(message_key(5), "six", "", card=Card("培训", "三月五日")),
    ]
    results = await bench.adapter.send(batch)
    assert {r.outcome for r in results} == {Outcome.ACCEPTED}
    entries = {entry.address: entry for entry in bench.simulator.books.entries}
    assert entries["one"].text == f"请查收\n编号：{message_key(0)}"
    assert url in entries["two"].text
    assert entries["three"].text == f"工作提醒\n请查收\n编号：{message_key(2)}"
    assert all("三月五日" in entries[user].text for user in ("four", "five", "six"))
    assert all(message.key in entries[message.address].text for message in batch)
    assert [r.ref for r in results] == [entries[m.address].ref for m in batch]


DIAL = Card("题", "文", actions=(Action("dial", "致电", "12366"),))


@pytest.mark.parametrize(
    ("change", "fault", "code"),
    [
        ({"address": "one,two"}, Fault.INVALID_ADDRESS, "userid"),
        ({"address": ""}, Fault.INVALID_ADDRESS, "userid"),
        ({"text": ""}, Fault.REJECTED, "text"),
        ({"text": "税" * 700}, Fault.REJECTED, "text"),
        ({"text": "\ud800"}, Fault.REJECTED, "json"),
        ({"card": DIAL}, Fault.UNSUPPORTED, "action.dial"),
    ],
)
async def test_refusals_name_what_is_wrong(
    bench: Bench, change: dict[str, Any], fault: Fault, code: str
) -> None:
    [result] = await bench.adapter.send([replace(bench.one(0), **change)])
    assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, fault, code)
    assert not bench.simulator.books.entries


# --- what became of a notice


async def test_results_tell_what_became_of_a_notice() -> None:
    now, far = [1_714_037_059.0], 24 * 3600.0
    account = Account(token_seconds=1e6)
    simulator = DingtalkSimulator(Faults(receipt_delay=5.0), account, clock=lambda: now[0])
    adapter = Dingtalk(make_config(await simulator.start()))
    simulator.faults = replace(simulator.faults, read=0.5, seed=3)
    batch = [Outbound(message_key(n), f"user{n}", "提醒") for n in range(12)]
    batch.append(Outbound(message_key(12), "x-13800000006", "提醒"))
    results = await adapter.send(batch)
    asked = [Query(m.key, m.address, datetime.now(UTC), r.ref) for m, r in zip(batch, results, strict=True)]
    early = await adapter.query(asked)
    assert {(a.found, a.state) for a in early} == {(True, None)}
    now[0] += 6
    told = {a.key: a for a in await adapter.query(asked)}
    states = {entry.address: entry.state for entry in simulator.books.entries}
    assert {m.address: told[m.key].state for m in batch} == states
    assert {"read", "delivered", "failed"} == set(states.values())
    assert told[message_key(12)].code == "failed"
    now[0] += far
    assert {a.found for a in await adapter.query(asked)} == {None}
    await adapter.close()
    await simulator.stop()


async def test_equal_content_would_be_delivered_once_a_day(bench: Bench) -> None:
    """What the key in every message is for: the platform takes the second one and drops it."""
    message = bench.one(0)
    results = [(await bench.adapter.send([message]))[0] for _ in range(2)]
    assert [r.outcome for r in results] == [Outcome.ACCEPTED] * 2
    assert bench.booked(message) == 1
    await asyncio.sleep(2 * bench.simulator.faults.receipt_delay)
    [second] = await bench.adapter.query(
        [Query(message.key, message.address, datetime.now(UTC), results[1].ref)]
    )
    assert (second.state, second.code) == (DeliveryState.FAILED, "143106")


async def test_without_a_reference_nothing_can_be_asked(bench: Bench) -> None:
    now = datetime.now(UTC)
    asked = [Query("k", "one", now, ref) for ref in ("", "x", "9" * 5000, "１２")]
    assert [a.found for a in await bench.adapter.query(asked)] == [None] * 4


async def test_a_notice_is_taken_back(bench: Bench) -> None:
    adapter = adapter_of(bench)
    [result] = await adapter.send([bench.one(0)])
    await adapter.recall(result.ref)
    assert sim_of(bench).notices.tasks[int(result.ref)].recalled
    with pytest.raises(GatewayError):
        await adapter.recall("7")


# --- answers


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("asyncsend_*.json")), ids=lambda path: path.stem)
def test_answers_as_the_platform_gives_them(path: Path) -> None:
    sample = orjson.loads(path.read_bytes())
    result = result_of("k", read_answer(Response(200, {}, orjson.dumps(sample["answer"]))))
    assert [result.outcome, result.ref, result.fault, result.code] == sample["expected"]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("result_*.json")), ids=lambda path: path.stem)
def test_results_as_the_platform_gives_them(path: Path) -> None:
    sample = orjson.loads(path.read_bytes())
    answer = read_answer(Response(200, {}, orjson.dumps(sample["answer"])))
    found = read_state("k", "7", sample["address"], answer)
    assert [found.found, found.state, found.code] == sample["expected"]


def test_classification() -> None:
    def told(errcode: int, **fields: Any) -> Any:
        return result_of("k", Answer(errcode, "", {"errcode": errcode, **fields}))

    assert (told(0, task_id=7).outcome, told(0, task_id=7).ref) == (Outcome.ACCEPTED, "7")
    assert (told(88, sub_code="40014").fault, told(88, sub_code="40014").code) == (
        Fault.UNAUTHORIZED,
        "40014",
    )
    assert told(88, sub_code="90018").fault is Fault.THROTTLED
    assert told(88, sub_code="isp.x").outcome is Outcome.UNKNOWN
    assert told(88, sub_code="²").outcome is Outcome.UNKNOWN
    assert told(143104).retry_after is not None
    assert told(143106).outcome is Outcome.UNKNOWN
    assert told(-1).outcome is Outcome.UNKNOWN
    assert result_of("k", Answer(0, "", {"status": "up"})).outcome is Outcome.UNKNOWN


@given(JSON, JSON)
def test_no_answer_breaks_the_readers(result: Any, code: Any) -> None:
    for fields in ({"errcode": 0, "send_result": result}, {"errcode": 88, "sub_code": code}):
        read_state("k", "7", "one", Answer(fields["errcode"], "", fields))
        result_of("k", Answer(fields["errcode"], "", fields))
    hostile = dict.fromkeys(("read_user_id_list", "forbidden_user_id_list", "forbidden_list"), result)
    read_state("k", "7", "one", Answer(0, "", {"errcode": 0, "send_result": hostile}))


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    try:
        answer = read_answer(Response(200, {}, body))
    except Unreadable:
        return
    assert result_of("k", answer).key == "k"


def test_configuration_is_checked() -> None:
    with pytest.raises(ValidationError, match="43"):
        make_config("http://127.0.0.1:9", encoding_aes_key="short")
    assert "simulated-secret" not in repr(make_config("http://127.0.0.1:9"))


# --- the group's robot


def test_robot_signature_vector() -> None:
    signature = sign_robot("SECtest0123456789", 1714037059000)
    assert signature == "eGEeZ98u3a/uHHSgXMk8i3MaXLr5bRtWCgEdng0/OHU="
    assert quote(signature, safe="") == "eGEeZ98u3a%2FuHHSgXMk8i3MaXLr5bRtWCgEdng0%2FOHU%3D"


async def test_the_robot_speaks(bench: Bench) -> None:
    base, http, robot = sim_of(bench).control_url, Http(TIMEOUT), ACCOUNT.robot
    for n in range(20):
        await tell_group(http, base, robot.access_token, robot.secret, f"第{n}条", time.time)
    assert [e.text for e in bench.simulator.books.entries if e.address == "robot"][:2] == ["第0条", "第1条"]
    with pytest.raises(GatewayError) as caught:
        await tell_group(http, base, robot.access_token, robot.secret, "第21条", time.time)
    assert caught.value.fault is Fault.THROTTLED
    wrongs: list[tuple[tuple[str, str], Any, Fault]] = [
        ((robot.access_token, "SECother"), time.time, Fault.UNAUTHORIZED),
        ((robot.access_token, ""), time.time, Fault.UNAUTHORIZED),
        ((robot.access_token, robot.secret), lambda: time.time() - 3700, Fault.UNAUTHORIZED),
        (("nobody", robot.secret), time.time, Fault.MISCONFIGURED),
    ]
    for credentials, clock, fault in wrongs:
        with pytest.raises(GatewayError) as caught:
            await tell_group(http, base, *credentials, "x", clock)
        assert caught.value.fault is fault
    with pytest.raises(GatewayError) as caught:
        await tell_group(http, "http://127.0.0.1:9", "a", "b", "x", time.time)
    assert caught.value.fault is Fault.UNREACHABLE
    await http.close()


async def test_it_runs_alone() -> None:
    stop, addresses = asyncio.Event(), list[str]()
    task = asyncio.create_task(run_alone("dingtalk", 0, stop, addresses.append))
    while not addresses:
        await asyncio.sleep(0.01)
    adapter = Dingtalk(make_config(addresses[0].split()[1].partition("，")[0]))
    await adapter.check()
    await adapter.close()
    stop.set()
    await task
