"""What every adapter must show against its simulator, before anything is written for one provider.

How to plug in (a complete example: `aliyun.py` and `test_aliyun_conformance.py`):

    from .clock import SLOW, TIMEOUT
    from .conformance import AdapterConformance, Bench, PushConformance
    from .hooks import Hooks

    @pytest.fixture
    async def bench():
        hooks = Hooks()
        base = await hooks.start()
        simulator = MySimulator(Faults(slow_seconds=SLOW), report_url=f"{base}/hooks/7/secret/report")
        url = await simulator.start()
        adapter = MyAdapter(MyAdapter.config_type(endpoint=url, timeout=TIMEOUT, ...))
        hooks.adapter = adapter
        await adapter.open()
        yield Bench(adapter, simulator, hooks, ...)
        await adapter.close(); await simulator.stop(); await hooks.stop()

    class TestMyAdapter(AdapterConformance): ...       # sending, classification, query, configuration
    class TestMyPushes(PushConformance): ...           # receipts, inbound, verification, hostile pushes

Times are those of `clock`: whatever must succeed has half a minute, and where a time-out is what a test is
about, the loop's clock runs ahead. Tests ask the bench for an address that
suffers a fate of `channels.gateways.base.MAGIC`; a fate that the provider cannot show stands in
`bench.lacks` and its tests are skipped by name.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from channels.base import (
    Adapter,
    DeliveryState,
    InboundKind,
    Outbound,
    Outcome,
    Query,
    Receipt,
    SendResult,
    WebhookRequest,
)
from channels.errors import Fault, GatewayError, WebhookRejected
from channels.gateways.base import Simulator
from channels.registry import ADAPTERS

from .clock import SLOW, TIMEOUT, hasten, leap, until
from .hooks import Hooks
from .hostile import fuzz_pushes

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
TEXTS = {
    "chinese": "尊敬的纳税人，您的汇算清缴申报期将于五月底结束。",
    "emoji": "温馨提示😀👨‍👩‍👧🇨🇳",
    "punctuation": "“金额”<10&>5; 100% 'a' \\ /",
    "rare": "𠮷野家䶮㛃",
}


@dataclass(slots=True)
class Bench:
    """One adapter on its simulator.

    `message(key, address, text)` builds a message whose text the simulator's books must then contain.
    `address(n)` is the n-th ordinary address, `magic(fate)` one that suffers a fate. `unreachable` is the
    same adapter configured to a port where nobody listens, `stranger` one with wrong credentials (None: the
    provider has none). `forge` turns a genuine push into one that `verify` must reject. `uplink` is what to
    hand to `Simulator.uplink` so that a text `退订` comes in. `longest` is the longest text in characters.
    `repeats_after`: seconds after which the gateway pushes again what was not taken, if that is long.
    """

    adapter: Adapter
    simulator: Simulator
    hooks: Hooks
    message: Callable[[str, str, str], Outbound]
    address: Callable[[int], str]
    magic: Callable[[str], str]
    unreachable: Adapter
    stranger: Adapter | None = None
    forge: Callable[[WebhookRequest], WebhookRequest] | None = None
    uplink: Mapping[str, Any] | None = None
    longest: int = 500
    repeats_after: float = 0.0
    lacks: frozenset[str] = frozenset()

    def one(self, position: int, address: str | None = None, text: str = "税务提醒") -> Outbound:
        """The message at a position of a batch, to its own ordinary address unless told otherwise."""
        return self.message(message_key(position), address or self.address(position), text)

    def doomed(self, fate: str, position: int = 0) -> Outbound:
        """A message that suffers a fate; skips the test if the provider cannot show it."""
        if fate in self.lacks:
            pytest.skip(f"{self.adapter.name} cannot show {fate}")
        return self.one(position, self.magic(fate))

    def booked(self, message: Outbound) -> int:
        """How often the gateway accepted something for the message's address."""
        return sum(entry.address == message.address for entry in self.simulator.books.entries)


def message_key(position: int, batch: int = 4_217) -> str:
    """A key as the ledger makes it: 13 characters of order-preserving base 32 and two check characters."""
    number, digits = batch * 1000 + position, ""
    for _ in range(13):
        number, digit = divmod(number, 32)
        digits = CROCKFORD[digit] + digits
    return f"{digits}{position % 97:02d}"


def about(receipt: Receipt, message: Outbound, result: SendResult) -> bool:
    """Does the receipt tell of this message, by the rules of `Receipt`?"""
    if receipt.address and receipt.address != message.address:
        return False
    if receipt.key == message.key:
        return True
    return (receipt.whole_request or not receipt.key) and bool(receipt.ref) and receipt.ref == result.ref


class AdapterConformance:
    """Sending: one result per message in order, and nothing called certain that is not."""

    async def test_is_registered(self, bench: Bench) -> None:
        assert ADAPTERS[bench.adapter.name] is type(bench.adapter)
        assert bench.adapter.facts.batch_size >= 1

    async def test_configuration_hides_its_secrets(self, bench: Bench) -> None:
        kind = bench.adapter.config_type
        assert kind.model_json_schema()["properties"], "the console draws its form from the schema"
        for name, field in kind.model_fields.items():
            if re.search(r"secret|password|token$|private_key", name):
                assert field.annotation in (SecretStr, SecretStr | None), f"{name} would be printed"

    async def test_check_of_a_good_account(self, bench: Bench) -> None:
        await bench.adapter.check()
        assert not bench.simulator.books.entries, "a check must not send anything"

    async def test_check_without_a_gateway(self, bench: Bench) -> None:
        with pytest.raises(GatewayError) as caught:
            await bench.unreachable.check()
        assert caught.value.fault is Fault.UNREACHABLE
        assert re.search(r"[\u4e00-\u9fff]", caught.value.message), "staff read Chinese"

    async def test_check_with_wrong_credentials(self, bench: Bench) -> None:
        if bench.stranger is None:
            pytest.skip(f"{bench.adapter.name} has no credentials")
        with pytest.raises(GatewayError) as caught:
            await bench.stranger.check()
        assert caught.value.fault in {Fault.UNAUTHORIZED, Fault.MISCONFIGURED}
        assert re.search(r"[\u4e00-\u9fff]", caught.value.message), "staff read Chinese"

    async def test_empty_batch(self, bench: Bench) -> None:
        assert await bench.adapter.send([]) == []

    async def test_accepted(self, bench: Bench) -> None:
        message = bench.one(0)
        [result] = await bench.adapter.send([message])
        assert (result.key, result.outcome, result.fault) == (message.key, Outcome.ACCEPTED, None)
        [entry] = bench.simulator.books.entries
        assert entry.address == message.address
        assert message.text in entry.text

    async def test_batch_longer_than_a_request(self, bench: Bench) -> None:
        batch = [bench.one(n) for n in range(min(2 * bench.adapter.facts.batch_size, 400) + 3)]
        results = await bench.adapter.send(batch)
        assert [r.key for r in results] == [m.key for m in batch]
        assert {r.outcome for r in results} == {Outcome.ACCEPTED}
        assert sorted(e.address for e in bench.simulator.books.entries) == sorted(m.address for m in batch)

    async def test_two_messages_to_one_address(self, bench: Bench) -> None:
        batch = [bench.one(0), bench.one(1, bench.address(0)), bench.one(2), bench.one(3, bench.address(0))]
        results = await bench.adapter.send(batch)
        assert [(r.key, r.outcome) for r in results] == [(m.key, Outcome.ACCEPTED) for m in batch]
        assert bench.booked(batch[0]) == 3

    async def test_one_bad_address_spoils_nothing(self, bench: Bench) -> None:
        batch = [bench.one(0), bench.doomed("reject", 1), bench.one(2)]
        results = await bench.adapter.send(batch)
        assert [r.key for r in results] == [m.key for m in batch]
        assert results[1].outcome is Outcome.REFUSED
        for message, result in zip(batch, results, strict=True):
            accepted = result.outcome is Outcome.ACCEPTED
            # A refusal of the whole request is sound if the good ones may be tried again.
            assert accepted or message is batch[1] or (result.fault and result.fault.retryable)
            assert bench.booked(message) == accepted

    async def test_rejected(self, bench: Bench) -> None:
        message = bench.doomed("reject")
        [result] = await bench.adapter.send([message])
        assert result.outcome is Outcome.REFUSED
        assert result.fault is not None
        assert result.fault.touches in {"message", "address"}
        assert result.code, "the provider's own code belongs to a refusal"
        assert bench.booked(message) == 0

    async def test_throttled(self, bench: Bench) -> None:
        message = bench.doomed("throttle")
        [result] = await bench.adapter.send([message])
        assert (result.outcome, result.fault) == (Outcome.REFUSED, Fault.THROTTLED)
        assert bench.booked(message) == 0

    async def test_answer_too_late(self, bench: Bench) -> None:
        message = bench.doomed("slow")
        sending = asyncio.create_task(bench.adapter.send([message]))
        await until(lambda: bench.booked(message) == 1)
        [result] = await hasten(sending, 1.5 * TIMEOUT)
        assert (result.outcome, result.fault) == (Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN)
        # Nothing of what nobody waits for any more is left over for the next test.
        await leap(SLOW)
        assert bench.booked(message) == 1

    async def test_connection_cut_before_acceptance(self, bench: Bench) -> None:
        message = bench.doomed("drop_before")
        [result] = await bench.adapter.send([message])
        certainly_unsent = result.outcome is Outcome.REFUSED and result.fault and result.fault.retryable
        assert result.outcome is Outcome.UNKNOWN or certainly_unsent
        assert bench.booked(message) == 0

    @pytest.mark.parametrize("fate", ["drop_after", "error_after"])
    async def test_accepted_but_never_told(self, bench: Bench, fate: str) -> None:
        message = bench.doomed(fate)
        [result] = await bench.adapter.send([message])
        assert (result.outcome, result.fault) == (Outcome.UNKNOWN, Fault.OUTCOME_UNKNOWN)
        assert bench.booked(message) == 1

    async def test_gateway_down_is_certainly_unsent(self, bench: Bench) -> None:
        batch = [bench.one(n) for n in range(3)]
        results = await bench.unreachable.send(batch)
        assert [r.key for r in results] == [m.key for m in batch]
        assert {(r.outcome, r.fault) for r in results} == {(Outcome.REFUSED, Fault.UNREACHABLE)}

    async def test_wrong_credentials(self, bench: Bench) -> None:
        if bench.stranger is None:
            pytest.skip(f"{bench.adapter.name} has no credentials")
        [result] = await bench.stranger.send([bench.one(0)])
        assert (result.outcome, result.fault) == (Outcome.REFUSED, Fault.UNAUTHORIZED)
        assert not bench.simulator.books.entries

    @pytest.mark.parametrize("name", TEXTS)
    async def test_text_arrives_unchanged(self, bench: Bench, name: str) -> None:
        [result] = await bench.adapter.send([bench.one(0, text=TEXTS[name])])
        assert result.outcome is Outcome.ACCEPTED
        assert TEXTS[name] in bench.simulator.books.entries[0].text

    async def test_long_text(self, bench: Bench) -> None:
        text = ("税务局提醒您按时申报" * 100)[: bench.longest]
        [result] = await bench.adapter.send([bench.one(0, text=text)])
        assert result.outcome is Outcome.ACCEPTED
        assert text in bench.simulator.books.entries[0].text

    async def test_same_key_within_the_window_is_taken_once(self, bench: Bench) -> None:
        if bench.adapter.facts.idempotent_for is None:
            pytest.skip(f"{bench.adapter.name} does not de-duplicate")
        results = [(await bench.adapter.send([bench.one(0)]))[0] for _ in range(2)]
        assert [r.outcome for r in results] == [Outcome.ACCEPTED] * 2
        assert bench.booked(bench.one(0)) == 1

    async def test_query_tells_taken_from_lost(self, bench: Bench) -> None:
        if not bench.adapter.facts.queryable:
            pytest.skip(f"{bench.adapter.name} cannot be asked")
        batch = [bench.doomed("drop_after", 0), bench.doomed("drop_before", 1), bench.one(2)]
        now = datetime.now(UTC)
        for message in batch:
            await bench.adapter.send([message])
        asked = [Query(m.key, m.address, now) for m in batch]
        asked.append(Query(message_key(77), batch[2].address, now))
        answers = await bench.adapter.query(asked)
        assert [(a.key, a.found) for a in answers] == [
            (batch[0].key, True),
            (batch[1].key, False),
            (batch[2].key, True),
            (message_key(77), False),
        ]
        assert [(a.key, a.found) for a in await bench.unreachable.query(asked)] == [
            (q.key, None) for q in asked
        ]


class PushConformance:
    """Receipts and inbound: what is pushed late, early, twice, in any order, by anybody."""

    async def _push(self, bench: Bench, message: Outbound) -> tuple[SendResult, Receipt]:
        [result] = await bench.adapter.send([message])
        return result, await self._reported(bench, message, result)

    async def _reported(self, bench: Bench, message: Outbound, result: SendResult) -> Receipt:
        await bench.hooks.until(lambda: any(about(r, message, result) for r in bench.hooks.receipts))
        return next(r for r in bench.hooks.receipts if about(r, message, result))

    async def test_delivered(self, bench: Bench) -> None:
        message = bench.one(0)
        _, receipt = await self._push(bench, message)
        assert receipt.state is DeliveryState.DELIVERED
        assert receipt.at is None or abs(receipt.at - datetime.now(UTC)) < timedelta(minutes=5)
        assert not bench.hooks.rejected
        if bench.adapter.facts.echoes_key:
            assert receipt.key == message.key

    async def test_failed(self, bench: Bench) -> None:
        _, receipt = await self._push(bench, bench.doomed("fail"))
        assert receipt.state is DeliveryState.FAILED
        assert receipt.code

    async def test_duplicate(self, bench: Bench) -> None:
        message = bench.doomed("twice")
        result, receipt = await self._push(bench, message)
        await bench.hooks.until(
            lambda: len([r for r in bench.hooks.receipts if about(r, message, result)]) >= 2
        )
        assert [r for r in bench.hooks.receipts if about(r, message, result)][:2] == [receipt, receipt]

    async def test_receipt_overtakes_the_answer(self, bench: Bench) -> None:
        if "early" in bench.lacks:
            pytest.skip(f"{bench.adapter.name} cannot push before it answers")
        bench.simulator.faults = replace(bench.simulator.faults, receipts_before_answer=True)
        message = bench.one(0)
        [result] = await bench.adapter.send([message])
        assert [about(r, message, result) for r in bench.hooks.receipts] == [True]

    async def test_out_of_order(self, bench: Bench) -> None:
        bench.simulator.faults = replace(bench.simulator.faults, shuffle=True, seed=3)
        batch = [bench.one(n) for n in range(60)]
        results = await bench.adapter.send(batch)
        await bench.hooks.until(lambda: len(bench.hooks.receipts) >= len(batch))
        for message, result in zip(batch, results, strict=True):
            found = [r for r in bench.hooks.receipts if about(r, message, result)]
            assert len([r for r in found if not r.address or r.address == message.address]) >= 1

    async def test_repeated_until_it_is_durable(self, bench: Bench) -> None:
        if "repeat" in bench.lacks:
            pytest.skip(f"{bench.adapter.name} does not repeat a push")
        bench.hooks.refuse = 1
        [result] = await bench.adapter.send([bench.one(0)])
        await bench.hooks.until(lambda: bool(bench.hooks.requests))
        await leap(bench.repeats_after)
        await self._reported(bench, bench.one(0), result)
        assert bench.hooks.requests[0].body == bench.hooks.requests[1].body

    async def test_inbound(self, bench: Bench) -> None:
        if bench.uplink is None:
            pytest.skip(f"{bench.adapter.name} has no uplink")
        bench.simulator.uplink(bench.uplink)
        await bench.hooks.until(lambda: bool(bench.hooks.inbound))
        [inbound] = bench.hooks.inbound
        assert (inbound.kind, inbound.text) in {(InboundKind.TEXT, "退订"), (InboundKind.UNSUBSCRIBE, "退订")}
        assert inbound.address

    async def test_forged_push_is_rejected(self, bench: Bench) -> None:
        if bench.forge is None:
            pytest.skip(f"{bench.adapter.name} cannot tell a forged push")
        await self._push(bench, bench.one(0))
        genuine = bench.hooks.requests[-1]
        bench.adapter.verify(genuine)
        with pytest.raises(WebhookRejected):
            bench.adapter.verify(bench.forge(genuine))

    async def test_hostile_pushes(self, bench: Bench) -> None:
        await self._push(bench, bench.one(0))
        fuzz_pushes(bench.adapter, bench.hooks.requests[-1])
