"""What the tests of the 5G bot adapter share: an adapter on its simulator, with a receiver of pushes."""

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from channels.base import Action, Card, Outbound, Receipt, WebhookRequest
from channels.fiveg_bot import FivegBot, FivegBotConfig
from channels.gateways.base import MAGIC, MAGIC_PREFIX, Faults
from channels.gateways.fiveg_bot import FivegBotGateway
from channels.gateways.fiveg_bot.accounts import Account
from channels.gateways.http_server import HttpServer
from channels.http import Http
from channels.tokens import TokenStore

from .clock import LONGEST, SLOW, TIMEOUT
from .conformance import Bench, message_key
from .hooks import Hooks, read_request

SAMPLES = Path(__file__).parent / "samples" / "fiveg_bot"
NOW = 1_714_037_059.0
KEY = "00fptw00017"
CHATBOT = "sip:106500000@botplatform.rcs.chinaunicom.cn"
FAST = Faults(slow_seconds=SLOW, receipt_delay=0.01)
CARD = Card(
    "示例标题",
    "示例说明",
    actions=(
        Action("url", "查看详情", "https://tax.example.gov.cn/", "p1"),
        Action("reply", "已知晓", "", "p2"),
    ),
    chips=(Action("reply", "退订", "", "p3"),),
)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(120)


def sample(name: str) -> Any:
    """A sample document."""
    return orjson.loads((SAMPLES / name).read_bytes())


def config(url: str, **changes: Any) -> FivegBotConfig:
    """The settings that fit the simulator's default account."""
    settings = {
        "server_root": url,
        "chatbot_id": CHATBOT,
        "app_id": "app-1",
        "app_key": "key-1",
        "callback_token": "tok123",
        "timeout": TIMEOUT,
        **changes,
    }
    return FivegBotConfig.model_validate(settings)


def plain(key: str, address: str, text: str = "税务提醒", card: Card | None = None) -> Outbound:
    """A message of a made-up bureau."""
    return Outbound(key, address, text, "示例税务局", card=card)


def address(position: int) -> str:
    """An ordinary number."""
    return f"139{position:08d}"


def magic(fate: str) -> str:
    """A number that suffers a fate."""
    return MAGIC_PREFIX + next(digits for digits, name in MAGIC.items() if name == fate)


@asynccontextmanager
async def deaf_url() -> AsyncIterator[str]:
    """A loopback address where nobody listens, nor can begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def push(kind: str, document: Any, **headers: str) -> WebhookRequest:
    """A push of a document as it would come in, unsigned."""
    path = f"/hooks/7/secret/{kind}".replace("{bot}", CHATBOT)
    return WebhookRequest("POST", path, {}, headers, orjson.dumps(document))


@dataclass(slots=True)
class Stage:
    """Adapter, simulator and receiver of one test; `ask` speaks to the simulator as any client might."""

    adapter: FivegBot
    simulator: FivegBotGateway
    hooks: Hooks
    url: str
    raw: Http

    async def ask(
        self, method: str, operation: str, document: Any = b"", **headers: str | None
    ) -> dict[str, Any]:
        """One operation with the usual headers; a header given as None is left out."""
        sent: dict[str, str | None] = {
            "accept": "application/json",
            "content-type": "application/json",
            "date": "Thu, 25 Apr 2024 08:57:39 GMT",
            **headers,
        }
        body = document if isinstance(document, bytes) else orjson.dumps(document)
        kept = {name: value for name, value in sent.items() if value is not None}
        url = f"{self.url}/bot/v1/{CHATBOT}{operation}"
        response = await self.raw.request(method, url, headers=kept, body=body)
        answer: dict[str, Any] = orjson.loads(response.body)
        return answer

    async def token(self) -> str:
        """A fresh token, as the value of the authorization header."""
        answer = await self.ask("POST", "/accessToken", {"appId": "app-1", "appKey": "key-1"})
        return f"accessToken {answer['accessToken']}"

    async def receipts(self, ready: Callable[[Sequence[Receipt]], bool]) -> list[Receipt]:
        """Wait until the receipts are what is wanted."""
        await self.hooks.until(lambda: ready(self.hooks.receipts))
        return self.hooks.receipts


@asynccontextmanager
async def run_stage(
    settings: dict[str, Any] | None = None,
    account: Account | None = None,
    tokens: TokenStore | None = None,
    faults: Faults = FAST,
    **simulated: Any,
) -> AsyncIterator[Stage]:
    """Everything started, the callback's URL verified, and nothing pushed yet."""
    hooks = Hooks()
    base = await hooks.start()
    simulator = FivegBotGateway(faults, account=account, callback_url=f"{base}/hooks/7/secret", **simulated)
    url = await simulator.start()
    adapter = FivegBot(config(url, **(settings or {})), tokens)
    hooks.adapter = adapter
    raw = Http(TIMEOUT, 4)
    await adapter.open()
    await simulator.verified(LONGEST)
    hooks.requests.clear()
    try:
        yield Stage(adapter, simulator, hooks, url, raw)
    finally:
        await adapter.close()
        await raw.close()
        await simulator.stop()
        await hooks.stop()


@asynccontextmanager
async def run_bench() -> AsyncIterator[Bench]:
    """The conformance suite's bench. Without `sent` statuses: the suite wants one receipt a message."""
    async with run_stage({"report_sent": False}) as stage, deaf_url() as deaf:
        unreachable = FivegBot(config(deaf))
        stranger = FivegBot(config(stage.url, app_key="wrong"))
        yield Bench(
            adapter=stage.adapter,
            simulator=stage.simulator,
            hooks=stage.hooks,
            message=plain,
            address=address,
            magic=magic,
            unreachable=unreachable,
            stranger=stranger,
            forge=lambda genuine: replace(genuine, headers={**genuine.headers, "signature": "0" * 64}),
            uplink={"address": address(1), "text": "退订"},
            longest=2000,
        )
        await unreachable.close()
        await stranger.close()


async def sent_bytes(message: Outbound, **settings: Any) -> bytes:
    """The body that the adapter puts on the wire for a message."""
    bodies: list[bytes] = []

    async def record(scope: Any, receive: Any, send: Any) -> None:
        request = await read_request(scope, receive)
        bodies.append(request.body)
        answer = {"errorCode": 0, "accessToken": "t", "expires": 7200, "messageId": "m"}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": orjson.dumps(answer)})

    server = HttpServer(record)
    adapter = FivegBot(config(await server.start("127.0.0.1", 0), **settings))
    await adapter.send([message])
    await adapter.close()
    await server.stop()
    return bodies[-1]


def offline(now: float = NOW, **settings: Any) -> FivegBot:
    """An adapter that speaks to nobody, at a fixed time."""
    return FivegBot(config("http://127.0.0.1:9", **settings), now=lambda: now)


def batch(count: int, first: int = 0, card: Card | None = None) -> list[Outbound]:
    """Messages to ordinary numbers."""
    return [plain(message_key(n), address(n), card=card) for n in range(first, first + count)]
