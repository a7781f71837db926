"""An account at a gateway that is reached over long connections: what its adapters have in common."""

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from channels.base import Outbound, Push, SendResult, WebhookRequest, refused
from channels.errors import Fault, GatewayError, WebhookRejected
from channels.lines.dispatch import Carrier, Dispatch, Letter
from channels.lines.line import Dialect, Frame, Line, Lost, Peer
from channels.lines.pool import Pool
from channels.lines.texts import Part, TextInvalid
from channels.lines.uplinks import METHOD, Pushes, Uplinks

_REFERENCES = 256


@dataclass(frozen=True, slots=True)
class Manner:
    """How an account sends: `pad` makes a number as it stands on the wire (ValueError: it is none), `cut` the
    parts of a text with a reference (TextInvalid), `most` numbers go into one request."""

    pad: Callable[[str], bytes]
    cut: Callable[[str, int], Sequence[Part]]
    most: int = 1


class LineAccount:
    """Sends, listens and tests over `connections` connections. `timeout`: that of the adapter's contract."""

    def __init__(
        self,
        peer: Peer,
        dialect: Dialect,
        pushes: Pushes,
        carrier: Carrier,
        manner: Manner,
        *,
        connections: int,
        timeout: float,
    ) -> None:
        self._dialect, self._carrier, self._manner, self._timeout = dialect, carrier, manner, timeout
        self._references = itertools.count(random.randrange(_REFERENCES))
        self._uplinks = Uplinks(pushes, timeout)
        self._pool = Pool(peer, dialect, connections, self._uplinks.take, timeout / 2)

    async def open(self) -> None:
        """Connect once; further connections follow. Raises GatewayError."""
        await self._pool.open()

    async def close(self) -> None:
        """Take leave of the gateway."""
        self._uplinks.close()
        await self._pool.close()

    def listen(self, push: Push) -> None:
        """Keep all connections open and hand in what comes down on them."""
        self._uplinks.listen(push)
        self._pool.keep()

    async def ask(self, request: Callable[[int], bytes]) -> Frame:
        """Log in on a further connection, ask, leave. Raises GatewayError."""
        line = await self._pool.fresh()
        try:
            return await self._ask(line, request)
        finally:
            await line.leave()

    async def _ask(self, line: Line, request: Callable[[int], bytes]) -> Frame:
        try:
            return await line.ask(request, asyncio.get_running_loop().time() + self._timeout)
        except (Lost, TimeoutError) as error:
            raise GatewayError(Fault.UNREACHABLE, "网关登录成功，但不应答请求") from error

    async def check(self) -> None:
        """Log in on a further connection and test it. Raises GatewayError."""
        await self.ask(self._dialect.write_probe)

    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """Send over all connections, as many at a time as their windows hold."""
        results: dict[int, SendResult] = {}
        letters = []
        for position, message in enumerate(batch):
            prepared = self._prepare(position, message)
            if isinstance(prepared, Letter):
                letters.append(prepared)
            else:
                results[position] = prepared
        dispatch = Dispatch(self._pool, self._carrier, self._cut, self._timeout)
        results |= await dispatch.run(letters, self._manner.most)
        return [results[position] for position in range(len(batch))]

    def _prepare(self, position: int, message: Outbound) -> Letter | SendResult:
        text = f"【{message.signature}】{message.text}" if message.signature else message.text
        try:
            padded = self._manner.pad(message.address)
        except ValueError:
            return refused(message.key, Fault.INVALID_ADDRESS, "address")
        try:
            self._manner.cut(text, 0)
        except TextInvalid as error:
            return refused(message.key, Fault.REJECTED, str(error))
        return Letter(position, message.key, padded, text)

    def _cut(self, text: str) -> Sequence[Part]:
        return self._manner.cut(text, next(self._references) % _REFERENCES)


def verify_line(request: WebhookRequest) -> None:
    """A push comes over a connection that has logged in, never by HTTP. Raises WebhookRejected."""
    if request.method != METHOD:
        raise WebhookRejected("reports come over the connection only")
