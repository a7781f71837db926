"""What the tests of CMPP share: a bench, a gateway, settings, hands that speak the bare protocol."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from channels.base import Outbound, WebhookReply, WebhookRequest
from channels.cmpp import Cmpp, CmppConfig
from channels.errors import WebhookRejected
from channels.gateways.base import MAGIC, Faults
from channels.gateways.cmpp import Account, CmppSimulator

from .clock import SLOW, TIMEOUT
from .conformance import Bench
from .hooks import Hooks

FATES = {fate: digits for digits, fate in MAGIC.items()}
ACCOUNT = Account()
REPEATS_AFTER = 20.0


def make_config(where: str, **changes: Any) -> CmppConfig:
    host, _, port = where.partition(":")
    settings: dict[str, Any] = {
        "host": host,
        "port": int(port),
        "version": "3.0",
        "sp_id": ACCOUNT.sp_id,
        "secret": ACCOUNT.secret,
        "source": ACCOUNT.source,
        "service_id": ACCOUNT.service_id,
        "timeout": TIMEOUT,
    }
    return CmppConfig(**{**settings, **changes})


def make_message(key: str, address: str, text: str) -> Outbound:
    return Outbound(key, address, text, signature="示例市税务局")


def mobile(number: int) -> str:
    return f"1391{number:07d}"


def magic(fate: str) -> str:
    return f"1380000{FATES[fate]}"


class Listener:
    """Takes pushes of an adapter's connections with the hands of the web receiver."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    async def __call__(self, request: WebhookRequest) -> WebhookReply:
        rejected = len(self._hooks.rejected)
        reply = self._hooks.receive(request)
        async with self._hooks._changed:
            self._hooks._changed.notify_all()
        if len(self._hooks.rejected) > rejected:
            raise WebhookRejected(self._hooks.rejected[-1])
        return reply


@asynccontextmanager
async def run_bench(version: str = "3.0", **settings: Any) -> AsyncIterator[Bench]:
    hooks = Hooks()
    simulator = CmppSimulator(Faults(slow_seconds=SLOW), answer_timeout=REPEATS_AFTER)
    where = await simulator.start()
    adapter = Cmpp(make_config(where, version=version, **settings))
    unreachable = Cmpp(make_config("127.0.0.1:9", version=version))
    stranger = Cmpp(make_config(where, version=version, secret="wrong"))
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
async def gateway(**options: Any) -> AsyncIterator[tuple[CmppSimulator, str]]:
    """A simulated gateway and its `host:port`."""
    simulator = CmppSimulator(**options)
    where = await simulator.start()
    yield simulator, where
    await simulator.stop()


@asynccontextmanager
async def connected(_: CmppSimulator, where: str, **settings: Any) -> AsyncIterator[Cmpp]:
    """An open adapter."""
    adapter = Cmpp(make_config(where, **settings))
    await adapter.open()
    yield adapter
    await adapter.close()


@asynccontextmanager
async def joined(simulator: CmppSimulator | None = None, **settings: Any) -> AsyncIterator[Any]:
    """A simulated gateway and an adapter that is open on it."""
    simulator = simulator or CmppSimulator()
    where = await simulator.start()
    async with connected(simulator, where, **settings) as adapter:
        yield simulator, adapter
    await simulator.stop()
