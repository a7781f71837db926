"""What the tests of the China Mobile 5G adapter share: an adapter on its simulator, a receiver of pushes."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from channels.base import Outbound, Receipt, WebhookRequest
from channels.fiveg_maap import FivegMaap, FivegMaapConfig
from channels.gateways.base import Faults
from channels.gateways.fiveg_maap import Account, FivegMaapSimulator
from channels.gateways.http_server import HttpServer

from .clock import SLOW, TIMEOUT
from .conformance import Bench, message_key
from .fiveg_bot import CARD, PNG, address, deaf_url, magic, plain
from .hooks import Hooks, read_request

__all__ = ["CARD", "PNG", "address", "magic", "plain"]

SAMPLES = Path(__file__).parent / "samples" / "fiveg_maap"
NOW = 1_594_034_933.0
KEY = "00fptw00017"
ACCOUNT = Account()
FAST = Faults(slow_seconds=SLOW, receipt_delay=0.01)
ACCEPTED = b'<m:outboundMessageRequest xmlns:m="u"><messageId>r</messageId></m:outboundMessageRequest>'


def config(url: str, **changes: Any) -> FivegMaapConfig:
    """The settings that fit the simulator's default account."""
    settings = {
        "server_root": url,
        "chatbot_id": ACCOUNT.chatbot_id,
        "account": ACCOUNT.account,
        "account_secret": ACCOUNT.secret,
        "callbacks_signed": True,
        "timeout": TIMEOUT,
        **changes,
    }
    return FivegMaapConfig.model_validate(settings)


def offline(**settings: Any) -> FivegMaap:
    """An adapter that speaks to nobody, at a fixed time."""
    return FivegMaap(config("http://127.0.0.1:9", **settings), now=lambda: NOW)


def push(what: str, body: bytes, **headers: str) -> WebhookRequest:
    """A push as it would come in, unsigned."""
    return WebhookRequest("POST", f"/hooks/7/secret/{what}/{ACCOUNT.chatbot_id}", {}, headers, body)


@dataclass(slots=True)
class Stage:
    """Adapter, simulator and receiver of one test."""

    adapter: FivegMaap
    simulator: FivegMaapSimulator
    hooks: Hooks
    url: str

    async def receipts(self, enough: Callable[[Sequence[Receipt]], bool]) -> list[Receipt]:
        """All receipts once there are enough."""
        await self.hooks.until(lambda: enough(self.hooks.receipts))
        return list(self.hooks.receipts)


@asynccontextmanager
async def run_stage(
    settings: dict[str, Any] | None = None, faults: Faults = FAST, account: Account = ACCOUNT, **options: Any
) -> AsyncIterator[Stage]:
    """An adapter on a simulator of its own."""
    hooks = Hooks()
    base = await hooks.start()
    simulator = FivegMaapSimulator(faults, account, f"{base}/hooks/7/secret", **options)
    url = await simulator.start()
    adapter = FivegMaap(config(url, **(settings or {})))
    hooks.adapter = adapter
    await adapter.open()
    try:
        yield Stage(adapter, simulator, hooks, url)
    finally:
        await adapter.close()
        await simulator.stop()
        await hooks.stop()


@asynccontextmanager
async def run_bench() -> AsyncIterator[Bench]:
    """The conformance suite's bench. Without `Sent` reports: the suite wants one receipt a message."""
    async with run_stage({"report_sent": False}) as stage, deaf_url() as deaf:
        unreachable = FivegMaap(config(deaf))
        stranger = FivegMaap(config(stage.url, account_secret="wrong"))
        yield Bench(
            adapter=stage.adapter,
            simulator=stage.simulator,
            hooks=stage.hooks,
            message=plain,
            address=address,
            magic=magic,
            unreachable=unreachable,
            stranger=stranger,
            forge=lambda genuine: replace(
                genuine, headers={**genuine.headers, "authorization": "Basic Y3NwMDAwMDE6MDA="}
            ),
            uplink={"address": address(1), "text": "退订"},
            longest=2000,
        )
        await unreachable.close()
        await stranger.close()


def batch(count: int, first: int = 0, **changes: Any) -> list[Outbound]:
    """Messages to ordinary numbers."""
    return [replace(plain(message_key(n), address(n)), **changes) for n in range(first, first + count)]


async def sent_request(message: Outbound, answer: bytes = ACCEPTED, **settings: Any) -> WebhookRequest:
    """What the adapter puts on the wire for a message."""
    seen: list[WebhookRequest] = []

    async def record(scope: Any, receive: Any, send: Any) -> None:
        request = await read_request(scope, receive)
        seen.append(replace(request, path=scope["raw_path"].decode()))
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    server = HttpServer(record)
    adapter = FivegMaap(config(await server.start("127.0.0.1", 0), **settings), now=lambda: NOW)
    await adapter.send([message])
    await adapter.close()
    await server.stop()
    return seen[-1]
