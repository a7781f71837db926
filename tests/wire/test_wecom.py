"""WeCom against its simulator: sending, tokens, what is recognised as the same message."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from pydantic import ValidationError

from channels.base import Action, Card, DeliveryClass, Outbound, Outcome
from channels.errors import Fault, GatewayError
from channels.gateways.base import Faults
from channels.gateways.wecom import Account, WecomSimulator
from channels.http import Response
from channels.token_client import Answer, read_answer
from channels.tokens import LocalTokens
from channels.wecom import Wecom
from channels.wecom.answers import result_of
from outreach.rehearsal import run_alone

from .conformance import AdapterConformance, Bench, message_key
from .hostile import JSON
from .wecom import SAMPLES, adapter_of, make_config, sim_of, wecom_bench

bench = wecom_bench


class TestWecom(AdapterConformance):
    """The common suite: sending."""


# --- tokens


async def test_processes_share_one_token() -> None:
    simulator, store = WecomSimulator(), LocalTokens()
    url = await simulator.start()
    adapters = [Wecom(make_config(url), store) for _ in range(3)]
    await asyncio.gather(*(adapter.open() for adapter in adapters for _ in range(20)))
    assert simulator.tokens.asked == 1
    for adapter in adapters:
        await adapter.close()
    await simulator.stop()


async def test_a_stale_token_is_replaced_once(bench: Bench) -> None:
    simulator = sim_of(bench)
    await bench.adapter.send([bench.one(0)])
    simulator.tokens.expire()
    results = await bench.adapter.send([bench.one(n) for n in range(1, 40)])
    assert {r.outcome for r in results} == {Outcome.ACCEPTED}
    assert simulator.tokens.asked == 2


async def test_a_token_that_stays_bad_is_not_asked_for_again_and_again(bench: Bench) -> None:
    simulator = sim_of(bench)
    await bench.adapter.send([bench.one(0)])
    simulator.tokens._known.clear()
    for _ in range(3):
        [result] = await bench.adapter.send([bench.one(1)])
    assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, Fault.UNAUTHORIZED, "40014")
    assert simulator.tokens.asked == 2


async def test_platform_says_what_is_wrong(bench: Bench) -> None:
    assert bench.stranger is not None
    with pytest.raises(GatewayError, match="Secret") as caught:
        await bench.stranger.open()
    assert caught.value.code == "40001"
    other = Wecom(make_config(adapter_of(bench)._config.api_base, agent_id=7))
    with pytest.raises(GatewayError, match="AgentId") as caught:
        await other.check()
    assert (caught.value.fault, caught.value.code) == (Fault.MISCONFIGURED, "301002")
    await other.close()


async def test_address_not_on_the_list() -> None:
    simulator = WecomSimulator(account=Account(allowed=frozenset({"192.0.2.1"})))
    adapter = Wecom(make_config(await simulator.start()))
    with pytest.raises(GatewayError, match="企业可信IP") as caught:
        await adapter.check()
    assert caught.value.fault is Fault.MISCONFIGURED
    await adapter.close()
    await simulator.stop()


# --- one message, once


def test_content_is_not_a_key() -> None:
    assert Wecom.facts.delivery_class is DeliveryClass.BLIND


async def test_the_same_key_with_other_words_is_another_message(bench: Bench) -> None:
    """Why the duplicate check promises nothing: it knows the content, not the key."""
    for text in ("两户未申报", "一户未申报"):
        [result] = await bench.adapter.send([bench.one(0, text=text)])
        assert result.outcome is Outcome.ACCEPTED
    assert bench.booked(bench.one(0)) == 2


async def test_the_same_message_is_forgotten_after_four_hours() -> None:
    now = [0.0]
    simulator = WecomSimulator(account=Account(token_seconds=1e6), clock=lambda: now[0])
    adapter = Wecom(make_config(await simulator.start()))
    booked = []
    for wait in (0, 3 * 3600, 2 * 3600):
        now[0] += wait
        await adapter.send([Outbound(message_key(0), "Staff.000001", "提醒")])
        booked.append(len(simulator.books.entries))
    assert booked == [1, 1, 2]
    await adapter.close()
    await simulator.stop()


async def test_an_equal_message_sent_again_is_delivered_once() -> None:
    faults = Faults(drop_before=0.2, drop_after=0.2, error_after=0.1, seed=5)
    simulator = WecomSimulator(faults)
    adapter = Wecom(make_config(await simulator.start()))
    batch = [Outbound(message_key(n), f"Staff.{n:06d}", "提醒") for n in range(200)]
    left, rounds = batch, 0
    while left and rounds < 12:
        results = await adapter.send(left)
        assert rounds or any(r.outcome is Outcome.UNKNOWN for r in results)
        left = [m for m, r in zip(left, results, strict=True) if r.outcome is not Outcome.ACCEPTED]
        rounds += 1
    assert not left
    assert sorted(e.address for e in simulator.books.entries) == sorted(m.address for m in batch)
    await adapter.close()
    await simulator.stop()


# --- content


BUTTONS = Card("是否参加培训", "三月五日上午九点", actions=(Action("reply", "参加", postback="join"),))
NOTICE = Card("培训通知", "三月五日", actions=(Action("url", "查看", "https://tax.example.cn/a"),))


async def test_every_kind_of_message(bench: Bench) -> None:
    url = "https://tax.example.cn/m"
    batch = [
        Outbound(message_key(0), "Staff.1", "请查收"),
        Outbound(message_key(1), "Staff.2", "请查收", subject="工作提醒", url=url),
        Outbound(message_key(2), "Staff.3", "长" * 200, subject="工作提醒", url=url),
        Outbound(message_key(3), "Staff.4", "", card=BUTTONS),
        Outbound(message_key(4), "Staff.5", "", card=NOTICE),
    ]
    results = await bench.adapter.send(batch)
    assert {r.outcome for r in results} == {Outcome.ACCEPTED}
    entries = {entry.address: entry for entry in bench.simulator.books.entries}
    assert entries["Staff.1"].text == f"请查收\n编号：{message_key(0)}"
    assert entries["Staff.2"].text.startswith("工作提醒\n请查收<div")
    assert f'<a href="{url}">' in entries["Staff.3"].text
    assert (entries["Staff.4"].key, entries["Staff.4"].text) == (
        message_key(3),
        "是否参加培训\n三月五日上午九点",
    )
    assert entries["Staff.5"].key == message_key(4)
    assert [r.ref for r in results] == [entries[m.address].ref for m in batch]


@pytest.mark.parametrize(
    ("change", "fault", "code"),
    [
        ({"address": "@all"}, Fault.INVALID_ADDRESS, "userid"),
        ({"address": "one|two"}, Fault.INVALID_ADDRESS, "userid"),
        ({"address": ""}, Fault.INVALID_ADDRESS, "userid"),
        ({"text": ""}, Fault.REJECTED, "text"),
        ({"text": "税" * 700}, Fault.REJECTED, "text"),
        ({"text": "\ud800"}, Fault.REJECTED, "json"),
        ({"url": "https://a.example/" + "a" * 2048}, Fault.REJECTED, "url"),
        ({"card": Card("题", "文")}, Fault.REJECTED, "card_action"),
        (
            {"card": Card("题", "文", actions=(Action("dial", "致电", "12366"),))},
            Fault.UNSUPPORTED,
            "action.dial",
        ),
        ({"card": Card("题", "文", chips=(Action("reply", "选"),) * 7)}, Fault.REJECTED, "button_list"),
    ],
)
async def test_refusals_name_what_is_wrong(
    bench: Bench, change: dict[str, Any], fault: Fault, code: str
) -> None:
    [result] = await bench.adapter.send([replace(bench.one(0), **change)])
    assert (result.outcome, result.fault, result.code) == (Outcome.REFUSED, fault, code)
    assert not bench.simulator.books.entries


async def test_members_without_licence_are_told_apart(bench: Bench) -> None:
    simulator = sim_of(bench)
    simulator.unlicensed.add(bench.address(1))
    simulator.absent.add(bench.address(2))
    results = await bench.adapter.send([bench.one(n) for n in range(3)])
    assert [r.code for r in results] == ["", "unlicenseduser", "81013"]
    assert [r.fault for r in results] == [None, Fault.UNSUPPORTED, Fault.INVALID_ADDRESS]
    assert len(simulator.books.entries) == 1


async def test_a_message_is_taken_back(bench: Bench) -> None:
    adapter = adapter_of(bench)
    [result] = await adapter.send([bench.one(0)])
    await adapter.recall(result.ref)
    assert sim_of(bench).recalled == {result.ref}
    with pytest.raises(GatewayError):
        await adapter.recall("unknown")


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("answer_*.json")), ids=lambda path: path.stem)
def test_answers_as_the_platform_gives_them(path: Path) -> None:
    sample = orjson.loads(path.read_bytes())
    body = orjson.dumps(sample["answer"])
    result = result_of("k", "ZhangSan", read_answer(Response(200, {}, body)))
    assert [result.outcome, result.ref, result.fault, result.code] == sample["expected"]


@given(JSON, JSON)
def test_no_answer_breaks_the_reader(listed: Any, msgid: Any) -> None:
    fields = {"errcode": 0, "invaliduser": listed, "unlicenseduser": listed, "msgid": msgid}
    assert result_of("k", "one", Answer(0, "", fields)).key == "k"


def test_classification() -> None:
    def told(errcode: int, **fields: Any) -> Any:
        return result_of("k", "ZhangSan", Answer(errcode, "", {"errcode": errcode, "msgid": "m", **fields}))

    assert (told(0).outcome, told(0).ref) == (Outcome.ACCEPTED, "m")
    assert told(0, invaliduser="lisi|zhangsan").fault is Fault.INVALID_ADDRESS
    assert told(0, invaliduser="zhangsan2|lisi").outcome is Outcome.ACCEPTED
    assert told(0, invaliduser=None, unlicenseduser=["zhangsan"]).outcome is Outcome.ACCEPTED
    assert told(-1).outcome is Outcome.UNKNOWN
    assert told(99999).outcome is Outcome.UNKNOWN
    assert told(45009).fault is Fault.THROTTLED
    assert told(45009).retry_after is not None
    assert result_of("k", "a", Answer(0, "", {"status": "up"})).outcome is Outcome.UNKNOWN


def test_configuration_is_checked() -> None:
    with pytest.raises(ValidationError, match="43"):
        make_config("http://127.0.0.1:9", encoding_aes_key="short")
    assert "simulated-secret" not in repr(make_config("http://127.0.0.1:9"))
    assert "simulated-secret" not in repr(Wecom(make_config("http://127.0.0.1:9"))._client._desk)


async def test_it_runs_alone() -> None:
    stop, addresses = asyncio.Event(), list[str]()
    task = asyncio.create_task(run_alone("wecom", 0, stop, addresses.append))
    while not addresses:
        await asyncio.sleep(0.01)
    adapter = Wecom(make_config(addresses[0].split()[1].partition("，")[0]))
    await adapter.check()
    await adapter.close()
    stop.set()
    await task
