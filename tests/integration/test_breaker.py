"""Two accounts of a channel: one breaks, what it has not touched goes to the other, and it comes back."""

import asyncio
from collections import Counter

import psycopg
import pytest

from campaigns.rounds import tick
from channels.gateways.base import Faults
from outreach.analytics.stalls import round_progress
from outreach.ledger.audit import audit_everything
from outreach.ledger.gateways import load_gateways, reset_pace
from outreach.ledger.protocol import claim_batch, open_window
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_ledger import until, working
from tests.integration.two_accounts import Pair, paired

BROKEN = {"drop_before": 1.0}


@pytest.fixture
def tripped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process alone knows of an ill account it knows until `refresh`, not for three seconds."""
    monkeypatch.setattr("outreach.ledger.meter._TRIP_SECONDS", 3600.0)


async def owners(pair: Pair) -> dict[int, int]:
    """How many batches each account has."""
    return Counter(row["gateway_id"] for row in await pair.batches())


async def half_open(pair: Pair) -> None:
    """Break the first account and let its pause pass."""
    await pair.drain()
    await pair.judge()
    await pair.pass_time(6)
    await pair.judge()


@pytest.mark.usefixtures("tripped")
async def test_an_account_breaks_its_untouched_batches_move_and_it_comes_back(rt: Runtime) -> None:
    async with paired(rt, 3000, faults=BROKEN, quiet_seconds=0.1) as pair:
        assert await owners(pair) == {pair.one: 2, pair.other: 1}
        first = (await pair.batches())[0]
        await pair.drain_one(first)
        opened = (await pair.batches())[0]
        assert (opened["watermark"], opened["settled"]) == (500, 500), "one window, then this process stops"
        assert await pair.judge() >= 2
        assert await pair.breaker(pair.one) == "open"
        batches = await pair.batches()
        assert [row["gateway_id"] for row in batches] == [pair.one, pair.other, pair.other]
        assert [row["id"] for row in batches] == [row["id"] for row in sorted(batches, key=lambda r: r["id"])]
        assert batches[2]["fence"] == 1, "whoever held it can open nothing more"

        await rt.db.execute("insert into worker (name, kind, host, pid) values ('t:1', 'worker', 't', 1)")
        async with rt.db.begin() as conn:
            causes = {stall.cause.value: stall for stall in (await round_progress(conn, 1)).stalls}
        assert causes["breaker_open"].held == 500
        assert "500 次提交结果未知" in causes["breaker_open"].text

        assert await pair.drain() == 2000
        assert (await town.states(rt)) == {State.ACCEPTED: 2000, State.UNKNOWN: 500, State.PLANNED: 500}
        await pair.reconcile()
        assert len(pair.addresses(pair.one)) == 0, "nothing is tried at an open account"

        pair.simulators[pair.one].faults = Faults()
        await pair.pass_time(6)
        await pair.judge()
        assert await pair.breaker(pair.one) == "half_open"
        assert await pair.drain() == 1, "one window of one message"
        await pair.judge()
        assert await pair.breaker(pair.one) == "closed"
        assert await pair.drain() == 499
        await pair.reconcile()
        await pair.merge()
        assert await town.states(rt) == {State.DELIVERED: 3000}
        counts = Counter(pair.addresses(pair.one) + pair.addresses(pair.other))
        assert len(counts) == 3000
        assert max(counts.values()) == 1
        assert (len(pair.addresses(pair.one)), len(pair.addresses(pair.other))) == (1000, 2000)
        for audit in await audit_everything(rt):
            assert audit.agrees
        assert await pair.log() == [
            (pair.one, "opened", "errors"),
            (pair.one, "weight", "errors"),
            (pair.other, "weight", "errors"),
            (pair.one, "moved", "account_stands"),
            (pair.one, "probing", "pause_over"),
            (pair.one, "closed", "probe_taken"),
        ]


@pytest.mark.usefixtures("tripped")
async def test_a_probe_that_fails_opens_it_again_for_twice_as_long(rt: Runtime) -> None:
    async with paired(rt, 1000, faults=BROKEN) as pair:
        await half_open(pair)
        assert await pair.drain() == 1
        await pair.judge()
        assert await pair.breaker(pair.one) == "open"
        row = await rt.db.fetch_one("select pause from gateway_pace where breaker = 'open'")
        assert row == {"pause": 10.0}
        await pair.pass_time(4)
        assert await pair.judge() == 0
        await pair.pass_time(7)
        await pair.judge()
        assert await pair.breaker(pair.one) == "half_open"


@pytest.mark.usefixtures("tripped")
async def test_a_probe_that_never_left_goes_to_the_next_message(rt: Runtime) -> None:
    async with paired(rt, 1000, faults=BROKEN) as pair:
        await half_open(pair)
        pair.simulators[pair.one].faults = Faults()
        await rt.db.execute(
            "update address set usable = false, unusable_reason = '空号' where person_id ="
            " (select person_id from message where state = 0 and not_before is null order by id limit 1)"
        )
        assert await pair.drain() == 2, "the first has no usable number any more"
        assert len(pair.addresses(pair.one)) == 1
        await pair.judge()
        assert await pair.breaker(pair.one) == "closed"


@pytest.mark.usefixtures("tripped")
async def test_of_several_senders_one_gets_the_probe(rt: Runtime) -> None:
    async with paired(rt, 3000, faults=BROKEN) as pair:
        await rt.db.execute("update gateway set state = 'closed' where id = %(id)s", {"id": pair.other})
        pair.refresh()
        await pair.drain_one((await pair.batches())[0])
        await pair.judge()
        await pair.pass_time(6)
        await pair.judge()
        await rt.db.execute("update batch set next_at = now()")
        drained = await asyncio.gather(*(pair.drain_one(row) for row in await pair.batches()))
        assert sorted(drained) == [0, 0, 1]


async def test_a_former_holder_can_open_nothing_at_the_account_that_the_batch_has_left(rt: Runtime) -> None:
    async with paired(rt, 3000) as pair:
        first = (await pair.batches())[0]
        gateway = (await load_gateways(rt))[pair.one]
        claim = await claim_batch(pair.rt, gateway, first["id"] % 8, first["id"], "frozen")
        assert claim is not None
        await rt.db.execute("update gateway set state = 'closed' where id = %(id)s", {"id": pair.one})
        await pair.judge()
        assert (await pair.batches())[0]["gateway_id"] == pair.one, "held batches stay"
        await rt.db.execute(
            "update batch set lease_until = now() - interval '1 second' where owner = 'frozen'"
        )
        await pair.judge()
        assert await owners(pair) == {pair.other: 3}
        async with pair.rt.db.begin() as conn:
            assert await open_window(conn, pair.rt, claim, 0, 500) is None
        assert await pair.drain() == 3000
        assert len(set(pair.addresses(pair.other))) == 3000
        assert pair.addresses(pair.one) == []


async def test_a_window_that_nobody_can_judge_keeps_its_batch(rt: Runtime) -> None:
    async with paired(rt, 1000) as pair:
        row = (await pair.batches())[0]
        gateway = (await load_gateways(rt))[pair.one]
        claim = await claim_batch(pair.rt, gateway, row["id"] % 8, row["id"], "dead")
        assert claim is not None
        async with pair.rt.db.begin() as conn:
            await open_window(conn, pair.rt, claim, 0, 500)
        await rt.db.execute("update batch set lease_until = now() - interval '1 second'")
        await rt.db.execute("update gateway set state = 'closed' where id = %(id)s", {"id": pair.one})
        await pair.judge()
        assert await owners(pair) == {pair.one: 1}


async def test_what_is_filed_with_one_account_only_does_not_move(rt: Runtime) -> None:
    async with paired(rt, 2000) as pair:
        await rt.db.execute("delete from template_filing where gateway_id = %(id)s", {"id": pair.other})
        await rt.db.execute("update gateway set state = 'closed' where id = %(id)s", {"id": pair.one})
        await pair.judge()
        assert await owners(pair) == {pair.one: 1, pair.other: 1}


async def test_a_broken_account_gets_no_new_batches_and_one_on_probation_gets_a_few(rt: Runtime) -> None:
    async with paired(rt, 4000, launch=False) as pair:
        await rt.db.execute(
            "insert into gateway_pace (gateway_id, breaker, pause) values (%(id)s, 'open', 300)",
            {"id": pair.one},
        )
        await town.launch(pair.rt, ["sms"])
        await tick(town.ticker(pair.rt))
        assert await owners(pair) == {pair.other: 4}
        await rt.db.execute("update gateway_pace set breaker = 'half_open'")
        await town.launch(pair.rt, ["sms"], code="next")
        await tick(town.ticker(pair.rt))
        assert await owners(pair) == {pair.one: 1, pair.other: 7}


async def test_new_batches_go_only_to_accounts_that_have_the_text_on_file(rt: Runtime) -> None:
    async with paired(rt, 4000, launch=False) as pair:
        await town.launch(pair.rt, ["sms"])
        await rt.db.execute("delete from template_filing where gateway_id = %(id)s", {"id": pair.one})
        await tick(town.ticker(pair.rt))
        assert await owners(pair) == {pair.other: 4}


async def test_what_the_broken_account_alone_has_on_file_waits_for_it(rt: Runtime) -> None:
    async with paired(rt, 1000, launch=False) as pair:
        await town.launch(pair.rt, ["sms"])
        await rt.db.execute("delete from template_filing where gateway_id = %(id)s", {"id": pair.one})
        await rt.db.execute(
            "insert into gateway_pace (gateway_id, breaker, pause) values (%(id)s, 'open', 300)",
            {"id": pair.other},
        )
        ticker = town.ticker(pair.rt)
        await tick(ticker)
        assert await owners(pair) == {}
        await rt.db.execute("delete from gateway_pace")
        ticker.fleet._loaded_at = float("-inf")
        await tick(ticker)
        assert await owners(pair) == {pair.other: 1}


async def test_what_no_account_has_on_file_goes_out_and_falls(rt: Runtime) -> None:
    async with paired(rt, 2000, launch=False) as pair:
        await town.launch(pair.rt, ["sms"])
        await rt.db.execute("delete from template_filing")
        await tick(town.ticker(pair.rt))
        assert await owners(pair) == {pair.one: 1, pair.other: 1}
        await pair.drain()
        assert await town.states(rt) == {State.FAILED: 2000}


async def test_shares_decide_who_gets_new_batches(rt: Runtime) -> None:
    async with paired(rt, 5000, launch=False) as pair:
        await rt.db.execute(
            "insert into gateway_pace (gateway_id, share) values (%(one)s, 20), (%(other)s, 80)",
            {"one": pair.one, "other": pair.other},
        )
        await town.launch(pair.rt, ["sms"])
        await tick(town.ticker(pair.rt))
        found = await owners(pair)
        assert found[pair.one] == 2
        assert found[pair.other] == 3


async def test_slow_receipts_move_points_and_settings_that_are_saved_bring_them_back(rt: Runtime) -> None:
    async with paired(rt, 2000) as pair:
        await pair.drain()
        await rt.db.execute("update batch set opened_at = now() - interval '8 minutes'")
        await rt.db.execute(
            "update message m set sent_at = business_now() - interval '8 minutes', state = %(s)s,"
            " at = business_now() - interval '1 minute' * case when b.gateway_id = %(one)s then 1 else 7 end"
            " from batch b where b.id = m.id / 1000",
            {"one": pair.one, "s": State.DELIVERED},
        )
        await pair.judge()
        assert await pair.log() == [(pair.one, "weight", "slow"), (pair.other, "weight", "slow")]
        gateways = await load_gateways(rt)
        assert (gateways[pair.one].weight, gateways[pair.other].weight) == (40, 60)
        assert await pair.judge() == 0, "once in five minutes"
        await rt.db.execute("update message set at = business_now() - interval '1 minute'")
        pair.pacer.looked_at = float("-inf")
        await rt.db.execute("update gateway_pace set slow_moved_at = now() - interval '6 minutes'")
        assert await pair.judge() == 0, "never if all are slow"


async def test_an_account_that_refuses_our_credentials_opens_at_once_and_settings_close_it(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Open until it is looked at, however long that takes.
    monkeypatch.setattr("outreach.ledger.breaker._FIRST_PAUSE", 300.0)
    people = [town.Household(n, n, openid=f"o{n:027d}") for n in range(1, 4)]
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt) as wire:
        await town.launch(wire.rt, ["wechat"])
        await tick(town.ticker(wire.rt))
        await wire.simulators["wechat_official"].stop()
        async with working(wire.rt):
            await until(lambda: _breaker(rt, wire.ids["wechat_official"], "open"))
        row = await rt.db.fetch_one("select reason, detail from gateway_change where what = 'opened' limit 1")
        assert row is not None
        assert row["reason"] == "refused"
        assert row["detail"]["refused"].startswith("unreachable")
        async with rt.db.begin() as conn:
            (stall,) = (await round_progress(conn, 1)).stalls
            assert stall.cause.value == "gateway_refused"
            assert "账号打不开，连接不上" in stall.text
            await reset_pace(conn, wire.ids["wechat_official"])
        assert await _breaker(rt, wire.ids["wechat_official"], "closed")


async def test_the_log_can_be_added_to_only(rt: Runtime) -> None:
    async with paired(rt, 1000, faults=BROKEN) as pair:
        await pair.drain()
        await pair.judge()
        for change in (
            "update gateway_change set reason = 'x'",
            "delete from gateway_change",
            "truncate gateway_change",
        ):
            with pytest.raises(psycopg.Error, match="append-only"):
                await rt.db.execute(change)


@pytest.mark.slow
async def test_workers_of_their_own_carry_a_round_past_a_broken_account(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a process knows of an ill account outlasts the way to the judgement, the first pause hardly.
    monkeypatch.setattr("outreach.ledger.meter._TRIP_SECONDS", 8.0)
    # Of the eight batches at each account no more are opened at the broken one than there are senders.
    async with paired(rt, 16_000, faults=BROKEN, quiet_seconds=0.5) as pair:
        async with working(pair.rt):
            await until(lambda: _sent(rt, 9000), 180)
            assert await pair.breaker(pair.one) != "closed"
            pair.simulators[pair.one].faults = Faults()
            await until(lambda: _sent(rt, 16_000), 180)
        counts = Counter(pair.addresses(pair.one) + pair.addresses(pair.other))
        assert len(counts) == 16_000
        assert max(counts.values()) == 1
        assert len(pair.addresses(pair.other)) > 8000


async def _sent(rt: Runtime, count: int) -> bool:
    found = await town.states(rt)
    return sum(n for state, n in found.items() if state in (State.ACCEPTED, State.DELIVERED)) >= count


async def _breaker(rt: Runtime, gateway_id: int, wanted: str) -> bool:
    return (await load_gateways(rt))[gateway_id].breaker.value == wanted
