"""The delivery protocol at its edges: zombies, second tries, clocks at midnight, hostile answers."""

import asyncio
from datetime import datetime, timedelta

import orjson
import pytest

from channels.base import Outcome, SendResult
from channels.errors import Fault, GatewayError
from outreach.governance.vault import open_vault
from outreach.ledger.duties import recover_abandoned
from outreach.ledger.protocol import Verdict, classify, open_window, settle
from outreach.ledger.send import drain_batch
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.ledger_stage import DROPPED_AFTER, FIRST_ID, Stage, staged
from tests.integration.test_ledger import assert_sums, until, working
from tests.turnstile import Turnstile, beliefs_lapse


async def leave_window_open(stage: Stage, end: int) -> datetime:
    """A worker claims the batch, opens a window, and is not heard of any more."""
    claim = await stage.claim("first")
    assert claim is not None
    async with stage.rt.db.begin() as conn:
        opened_at = await open_window(conn, stage.rt, claim, 0, end)
    assert opened_at is not None
    await stage.end_lease()
    return opened_at


async def settle_late(stage: Stage, opened_at: datetime, *verdicts: Verdict) -> None:
    """The worker that was not heard of settles its window after all."""
    async with stage.rt.db.begin() as conn:
        period, shard = 202603, FIRST_ID // 1000 % 8
        await settle(conn, period, shard, verdicts, tried_at=opened_at)


async def test_a_zombie_that_stopped_does_not_shorten_the_rest_of_the_unknown(rt: Runtime) -> None:
    async with staged(rt, town.households(2)) as stage:
        opened_at = await leave_window_open(stage, 2)
        assert (await stage.claim("second")) is not None
        stopped = Verdict(FIRST_ID, State.PLANNED, rest=0.0, untaken=True)
        await settle_late(stage, opened_at, stopped)
        row = await stage.message()
    assert row["state"] == State.UNKNOWN
    assert row["rests"] > 800
    await assert_sums(rt)


@pytest.mark.parametrize("state", [State.FAILED, State.WITHHELD, State.PLANNED])
async def test_what_a_zombie_did_not_send_says_nothing_about_what_another_sent(
    rt: Runtime, state: State
) -> None:
    async with staged(rt, town.households(1)) as stage:
        opened_at = await leave_window_open(stage, 1)
        assert (await stage.claim("second")) is not None
        await settle_late(stage, opened_at, Verdict(FIRST_ID, State.ACCEPTED, "ref"))
        await settle_late(stage, opened_at, Verdict(FIRST_ID, state, rest=0.0, untaken=True))
        row = await stage.message()
    assert (row["state"], row["ref"], row["not_before"]) == (State.ACCEPTED, "ref", None)
    await assert_sums(rt)


async def test_a_zombie_that_sent_is_believed_however_late(rt: Runtime) -> None:
    async with staged(rt, town.households(2)) as stage:
        opened_at = await leave_window_open(stage, 2)
        assert (await stage.claim("second")) is not None
        taken = Verdict(FIRST_ID, State.ACCEPTED, "late", parts=1)
        await settle_late(stage, opened_at, taken, taken.__class__(FIRST_ID + 1, State.DELIVERED))
        assert await stage.states(2) == [State.ACCEPTED, State.DELIVERED]
    await assert_sums(rt)


async def test_only_who_holds_a_message_may_call_it_unsent(rt: Runtime) -> None:
    async with staged(rt, town.households(1)) as stage:
        await stage.put_away()
        await stage.put(0, State.UNKNOWN, not_before="now() + interval '1 hour'", tried_at="now()")
        held = (await stage.message())["not_before"]
        unsent = [Verdict(FIRST_ID, State.PLANNED, rest=0.0, untaken=True)]
        async with rt.db.begin() as conn:
            await settle(conn, 202603, 0, unsent, held=held - timedelta(minutes=1))
        assert (await stage.message())["state"] == State.UNKNOWN
        async with rt.db.begin() as conn:
            await settle(conn, 202603, 0, unsent, held=held)
        assert (await stage.message())["state"] == State.PLANNED
    await assert_sums(rt)


async def test_a_try_is_dated_by_its_opening_not_by_its_end(rt: Runtime) -> None:
    async with staged(rt, [town.Household(1, 1, DROPPED_AFTER)]) as stage:
        await stage.drain()
        row = await stage.message()
        batch = await rt.db.fetch_one("select opened_at from batch")
    assert batch is not None
    assert row["state"] == State.UNKNOWN
    assert row["tried_at"] == batch["opened_at"]


async def test_a_second_try_is_asked_about_on_its_own_day(rt: Runtime) -> None:
    async with staged(rt, [town.Household(1, 1, DROPPED_AFTER)]) as stage:
        await stage.put_away()
        await stage.put(0, State.UNKNOWN, not_before="now()", tried_at="now() - interval '2 days'")
        await stage.reconcile()
        assert (await stage.message())["state"] == State.UNKNOWN
        for _ in range(3):
            await stage.end_rest()
            await stage.reconcile()
        await stage.merge()
        assert len(stage.books.entries) == 1
        assert (await stage.message())["state"] in (State.ACCEPTED, State.DELIVERED)
    await assert_sums(rt)


async def test_a_reconciler_that_is_overtaken_sends_nothing(rt: Runtime) -> None:
    async with staged(rt, town.households(1), faults={"aliyun_sms": {"receipt_delay": 600.0}}) as stage:
        await stage.put_away()
        await stage.put(0, State.PLANNED, not_before="now()")
        async with rt.db.begin() as conn:
            # The first reconciler stands still between taking the message and sending it.
            await conn.execute("lock table address in access exclusive mode")
            overtaken = asyncio.create_task(stage.reconcile())
            await until(lambda: _is(stage, State.UNKNOWN))
            await rt.db.execute("update message set not_before = now() + interval '2 hours'")
        await overtaken
        assert stage.books.entries == []
        assert (await stage.message())["rests"] > 7000
    await assert_sums(rt)


async def _is(stage: Stage, state: State) -> bool:
    return bool((await stage.message())["state"] == state)


async def test_a_dead_reconciler_of_class_c_leaves_no_more_unknown_than_a_window(rt: Runtime) -> None:
    people = town.households(250, rcs=True)
    async with staged(rt, people, "rcs") as stage:
        await stage.put_away()
        await rt.db.execute("update message set not_before = now()")
        await rt.db.execute("update gateway set window_size = 40")
        assert await stage.reconcile() == 40


async def test_an_adapter_that_cannot_connect_is_not_asked_again_and_again(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The pause after a failure outlasts the test, however long that takes.
    monkeypatch.setattr("outreach.ledger.gateways._FIRST_PAUSE", 3600.0)
    calls = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    people = [town.Household(1, 1, openid="o" + "0" * 27)]
    async with server, staged(rt, people, "wechat") as stage:
        await point_to(stage, server.sockets[0].getsockname()[1])
        for _ in range(5):
            await stage.drain()
            await stage.reconcile()
        row = await stage.message()
    assert 1 <= calls <= 2
    assert (row["state"], row["not_before"], row["tries"]) == (State.PLANNED, None, 0)
    await assert_sums(rt)


async def point_to(stage: Stage, port: int) -> None:
    """Another address of the gateway, as a technician would enter it."""
    gateway, vault = await stage.gateway(), open_vault(stage.rt.settings)
    config = orjson.loads(vault.decrypt("gateway", "config_enc", gateway.id, gateway.config_enc))
    text = orjson.dumps({**config, "api_base": f"http://127.0.0.1:{port}"}).decode()
    keys = {"config": vault.encrypt("gateway", "config_enc", gateway.id, text), "id": gateway.id}
    await stage.rt.db.execute("update gateway set config_enc = %(config)s where id = %(id)s", keys)
    await stage.gateway()


async def test_an_account_that_does_not_answer_holds_up_no_other(rt: Runtime) -> None:
    patience_ends = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await patience_ends.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    people = [town.Household(1, 1, town.mobile(1), openid="o" + "0" * 27)]
    async with server, staged(rt, people, "wechat", timeout=30.0) as stage:
        await point_to(stage, server.sockets[0].getsockname()[1])
        waiting = asyncio.create_task(stage.sender.fleet.account(stage.wire.ids["wechat_official"]))
        await asyncio.sleep(0.1)
        await stage.sender.fleet.account(stage.wire.ids["aliyun_sms"])
        assert not waiting.done()
        patience_ends.set()
        with pytest.raises(GatewayError):
            await waiting


async def test_a_hostile_answer_does_not_cost_the_window_its_outcomes(rt: Runtime) -> None:
    async with staged(rt, town.households(2)) as stage:
        gateway = await stage.gateway()
        code = "isv\0X\ud800" * 40
        results = [
            SendResult("k", Outcome.REFUSED, "", Fault.REJECTED, code),
            SendResult("k", Outcome.ACCEPTED, "ref\0\udfff"),
        ]
        verdicts = [classify(gateway, FIRST_ID + n, result, 1, 0) for n, result in enumerate(results)]
        opened_at = await leave_window_open(stage, 2)
        await settle_late(stage, opened_at, *verdicts)
        assert await stage.states(2) == [State.FAILED, State.ACCEPTED]
        assert (await stage.message(1))["ref"] == "ref?"


async def test_a_batch_at_a_slow_account_is_given_back_before_the_queue_loses_patience(rt: Runtime) -> None:
    people = town.households(60, rcs=True)
    # Of the lease a second is left in which a request may begin; what has begun comes to no time-out.
    async with staged(rt, people, "rcs", timeout=30.0, settings={"lease_seconds": 48.0}) as stage:
        await rt.db.execute("update gateway set rate = 10, burst = 2")
        row = await rt.db.fetch_one("select shard, id from batch")
        assert row is not None
        await stage.gateway()
        assert await drain_batch(stage.sender, row["shard"], row["id"]) == 50, "one window of five seconds"
        # The burst, a second's worth, and what was asked for in the last moment.
        assert len(stage.books.entries) <= 2 + 10 + 2
        counts = await town.states(rt)
        assert State.UNKNOWN not in counts
        batch = await rt.db.fetch_one("select state, lease_until from batch")
        assert batch == {"state": 0, "lease_until": None}
    await assert_sums(rt)


async def test_who_acts_while_a_window_is_being_sent_gets_nothing_more(rt: Runtime) -> None:
    async with staged(rt, town.households(60, rcs=True), "rcs") as stage:
        # Each five are asked about anew; the second five of a window are on their way.
        await rt.db.execute("update gateway set burst = 5, window_size = 50")
        turnstile = Turnstile(stage.wire.simulators[stage.adapter], 5)
        async with working(stage.rt):
            await turnstile.crowd(5)
            await town.add_label(rt, "iit.filed", range(1, 61))
            await beliefs_lapse()
            turnstile.open()
            await until(lambda: _none(rt, State.PLANNED))
        assert len(stage.books.entries) == 10
        assert (await town.states(rt))[State.WITHHELD] == 50
    await assert_sums(rt)


async def _none(rt: Runtime, state: State) -> bool:
    return state not in await town.states(rt)


async def test_a_worker_that_is_stopped_ends_its_second_tries_first(rt: Runtime) -> None:
    faults = {"fiveg_bot": {"receipt_delay": 600.0}}
    async with staged(rt, town.households(3, rcs=True), "rcs", faults=faults) as stage:
        await stage.put_away()
        await rt.db.execute("update message set not_before = now()")
        turnstile = Turnstile(stage.wire.simulators[stage.adapter], 0)
        async with working(stage.rt):
            await turnstile.crowd(3)
            # Answered only when the worker has long been told to stop.
            asyncio.get_running_loop().call_later(0.5, turnstile.open)
        assert await stage.states(3) == [State.ACCEPTED] * 3
    await assert_sums(rt)


async def test_a_closed_account_asks_but_sends_nothing(rt: Runtime) -> None:
    async with staged(rt, town.households(2)) as stage:
        await stage.put(0, State.PLANNED, not_before="now()")
        await rt.db.execute("update gateway set state = 'closed'")
        await stage.gateway()
        await stage.reconcile()
        await stage.drain()
        assert stage.books.entries == []
        assert await stage.states(2) == [State.PLANNED] * 2


async def test_recovering_an_abandoned_window_of_a_paused_round_gives_the_batch_back(rt: Runtime) -> None:
    async with staged(rt, town.households(5)) as stage:
        await leave_window_open(stage, 3)
        await rt.db.execute("update round set state = 'paused'")
        assert await recover_abandoned(stage.sender) == 1
        assert await recover_abandoned(stage.sender) == 0
        assert await stage.states(5) == [State.UNKNOWN] * 3 + [State.PLANNED] * 2
        batch = await rt.db.fetch_one("select settled, watermark, lease_until, state from batch")
        assert batch == {"settled": 3, "watermark": 3, "lease_until": None, "state": 0}
    await assert_sums(rt)
