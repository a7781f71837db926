"""What the tests of SMPP share: a bench, a centre, settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from channels.gateways.base import Faults
from channels.gateways.smpp import Account, SmppSimulator
from channels.smpp import Smpp, SmppConfig

from .clock import SLOW, TIMEOUT
from .cmpp import REPEATS_AFTER, Listener, magic, make_message, mobile
from .conformance import Bench
from .hooks import Hooks

ACCOUNT = Account()


def make_config(where: str, **changes: Any) -> SmppConfig:
    host, _, port = where.partition(":")
    settings: dict[str, Any] = {
        "host": host,
        "port": int(port),
        "system_id": ACCOUNT.system_id,
        "password": ACCOUNT.password,
        "source": ACCOUNT.source,
        "timeout": TIMEOUT,
    }
    return SmppConfig(**{**settings, **changes})


@asynccontextmanager
async def run_bench(account: Account = ACCOUNT, **settings: Any) -> AsyncIterator[Bench]:
    hooks = Hooks()
    simulator = SmppSimulator(Faults(slow_seconds=SLOW), account, answer_timeout=REPEATS_AFTER)
    where = await simulator.start()
    adapter = Smpp(make_config(where, **settings))
    unreachable = Smpp(make_config("127.0.0.1:9"))
    stranger = Smpp(make_config(where, password="wrong"))
    hooks.adapter = adapter
    await adapter.open()
    adapter.listen(Listener(hooks))
    yield Bench(
        adapter,
        simulator,
        hooks,
        make_message,
        address=mobile,
        magic=magic,
        unreachable=unreachable,
        stranger=stranger,
        forge=lambda request: replace(request, method="POST"),
        uplink={"address": mobile(1), "text": "退订"},
        repeats_after=REPEATS_AFTER,
    )
    for each in (adapter, unreachable, stranger):
        await each.close()
    await simulator.stop()


@asynccontextmanager
async def joined(simulator: SmppSimulator | None = None, **settings: Any) -> AsyncIterator[Any]:
    """A simulated centre and an adapter that is open on it."""
    simulator = simulator or SmppSimulator()
    adapter = Smpp(make_config(await simulator.start(), **settings))
    await adapter.open()
    yield simulator, adapter
    await adapter.close()
    await simulator.stop()
