"""Tokens that processes share through Valkey: one fetch for all, sealed, and not needed."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from channels.base import Outcome
from channels.errors import GatewayError
from channels.tokens import TokenStore
from channels.wechat_official import WechatOfficial
from outreach.governance.vault import Vault, open_vault
from outreach.ledger.gateways import Fleet
from outreach.ledger.token_store import ValkeyTokens
from outreach.runtime import Runtime
from tests import town
from tests.wire.fiveg_bot import FivegBot, batch, config, run_stage
from tests.wire.wechat_official import WechatOfficialSimulator, make_config

TOKEN = b'{"value":"a-secret-token"}'


def process(rt: Runtime) -> ValkeyTokens:
    """The store as another process holds it."""
    redis = Redis.from_url(rt.settings.redis_url)
    return ValkeyTokens(redis, open_vault(rt.settings))


@pytest.fixture
async def nowhere(rt: Runtime) -> AsyncIterator[ValkeyTokens]:
    """A store whose Valkey does not answer."""
    redis = Redis.from_url("redis://127.0.0.1:9", socket_connect_timeout=0.2)
    yield ValkeyTokens(redis, open_vault(rt.settings))
    await redis.aclose()


async def test_what_one_process_saves_another_loads_until_it_ends(rt: Runtime) -> None:
    first, second = process(rt), process(rt)
    await first.save("bot", TOKEN, 60)
    assert await second.load("bot") == TOKEN
    assert await second.load("another") is None
    await first.save("bot", TOKEN, 0.3)
    await asyncio.sleep(0.4)
    assert await first.load("bot") is None
    assert await second.load("bot") is None


async def test_a_token_lies_sealed_under_a_name_that_tells_nothing(rt: Runtime) -> None:
    await process(rt).save("sip:bot@example.com", TOKEN, 60)
    stored = b"".join([key + await rt.redis.get(key) for key in await rt.redis.keys("*")])
    assert stored
    assert b"secret" not in stored
    assert b"bot" not in stored.lower()
    stranger = Vault(["0" * 64], rt.settings.tenant)
    assert await ValkeyTokens(rt.redis, stranger).load("sip:bot@example.com") is None


async def test_a_token_of_another_key_is_as_good_as_none(rt: Runtime) -> None:
    store = process(rt)
    await store.save("bot", TOKEN, 60)
    (key,) = await rt.redis.keys("token:*")
    await rt.redis.set(key, b"\x01broken")
    assert await process(rt).load("bot") is None


async def test_one_process_at_a_time_holds_the_lock(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody loses patience, and no lock expires, on a machine that stands still.
    for name in ("_LONGEST_WAIT", "_LOCK_SECONDS"):
        monkeypatch.setattr(f"outreach.ledger.token_store.{name}", 600)
    inside = 0

    async def visit(store: TokenStore) -> None:
        nonlocal inside
        async with store.lock("bot"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0.02)
            inside -= 1

    stores = [process(rt) for _ in range(4)]
    await asyncio.gather(*(visit(store) for store in stores for _ in range(3)))
    assert await rt.redis.keys("token:lock:*") == []


async def test_without_valkey_each_process_keeps_its_own(nowhere: ValkeyTokens) -> None:
    async with nowhere.lock("bot"):
        assert await nowhere.load("bot") is None
        await nowhere.save("bot", TOKEN, 60)
    assert await nowhere.load("bot") == TOKEN


async def test_a_valkey_that_lost_everything_costs_no_fetch(rt: Runtime) -> None:
    store = process(rt)
    await store.save("bot", TOKEN, 60)
    await rt.redis.flushall()
    assert await store.load("bot") == TOKEN


async def test_two_bots_of_two_processes_live_on_one_token(rt: Runtime) -> None:
    async with run_stage(tokens=process(rt)) as stage:
        second = FivegBot(config(stage.url), process(rt))
        await second.open()
        assert stage.simulator.tokens.issued == 1
        for adapter in (stage.adapter, second) * 3:
            stage.simulator.tokens.expire()
            for one in (adapter, stage.adapter, second):
                assert (await one.send(batch(1)))[0].outcome is Outcome.ACCEPTED
        assert stage.simulator.tokens.issued == 1 + 6
        await second.close()


async def test_two_official_accounts_ask_for_one_token(rt: Runtime) -> None:
    simulator = WechatOfficialSimulator()
    url = await simulator.start()
    adapters = [WechatOfficial(make_config(url, timeout=30.0), process(rt)) for _ in range(3)]
    for adapter in adapters:
        await adapter.open()
    assert simulator.tokens.asked == 1
    stranger = WechatOfficial(make_config(url, app_secret="wrong"), process(rt))
    with pytest.raises(GatewayError):
        await stranger.open()
    for adapter in [*adapters, stranger]:
        await adapter.close()
    await simulator.stop()


async def test_the_fleets_of_two_processes_share_their_accounts_tokens(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(1))
    await town.write_templates(rt)
    async with town.wired(rt) as wire:
        fleets = [Fleet(wire.rt), Fleet(wire.rt)]
        for fleet in fleets:
            await fleet.adapter(wire.ids["fiveg_bot"])
            await fleet.adapter(wire.ids["wechat_official"])
            await fleet.adapter(wire.ids["aliyun_sms"])
        assert wire.simulators["fiveg_bot"].tokens.issued == 1  # type: ignore[attr-defined]
        assert wire.simulators["wechat_official"].tokens.asked == 1  # type: ignore[attr-defined]
        for fleet in fleets:
            await fleet.close()


def test_the_name_in_valkey_depends_on_the_tenant(rt: Runtime) -> None:
    other = rt.settings.model_copy(update={"tenant": "other", "master_key": SecretStr("5f" * 32)})
    stores = [ValkeyTokens(rt.redis, open_vault(settings)) for settings in (rt.settings, other)]
    assert stores[0]._row("bot") != stores[1]._row("bot")
