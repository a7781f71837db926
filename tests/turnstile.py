"""A turnstile before a simulated gateway: it makes "in the middle of a round" a fact, however quick or slow
the machine is. And what a test then knows of those who send."""

import asyncio
from collections.abc import Mapping
from typing import Any

from channels.gateways.aliyun_sms.server import AliyunSmsSimulator
from channels.gateways.base import Simulator
from channels.gateways.fiveg_bot.server import FivegBotGateway
from channels.gateways.http_server import HttpServer, cut_connection
from channels.gateways.wechat_official.simulator import WechatOfficialSimulator
from outreach.runtime import Runtime

_SENDINGS = ("/messages", "/message/template/send")
_ACTIONS = (b"SendSms", b"SendBatchSms")
_PATIENCE = 60.0
_BELIEF_SECONDS = 0.5


class Turnstile:
    """What would send messages passes until the books hold `after` of them. Later requests stand before it,
    neither accepted nor refused, until it is opened, or they are turned away. To be set up before anybody has
    connected, and opened before the account's time-out has passed."""

    def __init__(self, simulator: Simulator, after: int) -> None:
        self._simulator, self._after = simulator, after
        self._standing: set[asyncio.Future[bool]] = set()
        server = _server_of(simulator)
        self._app = server._app
        server._app = self._serve

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if _sends(scope) and len(self._simulator.books.entries) >= self._after:
            passage: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._standing.add(passage)
            try:
                if not await passage:
                    return await cut_connection(receive)
            finally:
                self._standing.discard(passage)
        return await self._app(scope, receive, send)

    async def crowd(self, count: int) -> None:
        """Wait until so many requests stand before it."""
        async with asyncio.timeout(_PATIENCE):
            while len(self._standing) < count:
                await asyncio.sleep(0.01)

    def open(self, after: int | None = None) -> None:
        """Let who stands there pass, and everybody after, or until the books hold `after` messages."""
        self._after = 1 << 62 if after is None else after
        self._end(True)

    def turn_away(self) -> None:
        """Who stands there is never let in, though whoever sent it may have gone; who comes later, is."""
        self._after = 1 << 62
        self._end(False)

    def _end(self, passes: bool) -> None:
        for passage in self._standing:
            passage.set_result(passes)
        self._standing = set()


def _server_of(simulator: Simulator) -> HttpServer:
    match simulator:
        case AliyunSmsSimulator():
            return simulator._front._server
        case FivegBotGateway() | WechatOfficialSimulator():
            return simulator._server
    raise TypeError(type(simulator).__name__)


def _sends(scope: Mapping[str, Any]) -> bool:
    if scope["path"].endswith(_SENDINGS):
        return True
    return any(name == b"x-acs-action" and value in _ACTIONS for name, value in scope["headers"])


async def beliefs_lapse() -> None:
    """What a process has read of a round before now, it asks anew from now on (a third of a second, by
    `Gate`)."""
    await asyncio.sleep(_BELIEF_SECONDS)


async def none_is_held(rt: Runtime) -> bool:
    """Whether nobody has a batch in hand: nothing is on its way any more."""
    return await rt.db.fetch("select 1 as one from batch where state = 0 and lease_until is not null") == []


async def one_request_at_a_time(rt: Runtime, adapter: str) -> None:
    """Every sender asks the gate before each request to the account, and waits for its answer."""
    await rt.db.execute("update gateway set burst = 1 where adapter = %(adapter)s", {"adapter": adapter})
