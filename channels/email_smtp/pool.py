"""The connections of one account, and a batch spread over them."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from channels.base import Outbound, SendResult, refused, unknown
from channels.email_smtp.connection import Connection, Server, connect
from channels.email_smtp.transaction import Courier, Interrupted, Mail
from channels.errors import Fault, GatewayError

_IDLE = 20.0
_STRIKES = 3
_PER_LANE = 10


class Pool:
    """At most `size` connections, each for at most `per_connection` mails."""

    def __init__(self, server: Server, size: int, per_connection: int) -> None:
        self.size = size
        self._server = server
        self._per_connection = per_connection
        self._slots = asyncio.Semaphore(size)
        self._idle: list[Connection] = []

    async def acquire(self, *, fresh: bool = False, deadline: float | None = None) -> Connection | None:
        """A connection that can take a mail; `fresh`: not one from before. None if no turn came by
        `deadline`, in the event loop's time. Raises GatewayError."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            return None
        try:
            while self._idle and not fresh:
                connection = self._idle.pop()
                if connection.is_usable(_IDLE):
                    return connection
                connection.abort()
            return await connect(self._server)
        except BaseException:
            self._slots.release()
            raise

    def release(self, connection: Connection) -> None:
        """Give a sound connection back."""
        self._slots.release()
        if self.is_spent(connection):
            connection.quit()
        else:
            connection.rest()
            self._idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """Give up a connection in an unknown state."""
        self._slots.release()
        connection.abort()

    def is_spent(self, connection: Connection) -> bool:
        """Whether it has carried what one connection may."""
        return connection.carried >= self._per_connection

    async def close(self) -> None:
        """Take leave on all idle connections."""
        while self._idle:
            self._idle.pop().quit()
        await asyncio.sleep(0)


class Dispatch:
    """One batch on its way. `prepare` makes a mail for a connection, or the result if it cannot leave. No
    mail is begun after half of `timeout` seconds, and none is waited for beyond one and a half."""

    def __init__(
        self,
        pool: Pool,
        batch: Sequence[Outbound],
        prepare: Callable[[int, Connection], Mail | SendResult],
        timeout: float,
    ) -> None:
        self._deadline = asyncio.get_running_loop().time() + timeout / 2
        self._ends_at = self._deadline + timeout
        self._pool = pool
        self._prepare = prepare
        self._left = deque(range(len(batch)))
        self._failure: GatewayError | None = None
        self._strikes = 0
        self.results = [unknown(message.key) for message in batch]

    async def run(self) -> list[SendResult]:
        """Send over as many connections as are worth it; what could not leave is refused."""
        lanes = min(self._pool.size, -(-len(self.results) // _PER_LANE))
        await asyncio.gather(*(self._lane() for _ in range(lanes)))
        fault, code = (self._failure.fault, self._failure.code) if self._failure else (Fault.DEFERRED, "")
        for position in self._left:
            self.results[position] = refused(self.results[position].key, fault, code)
        return self.results

    async def _lane(self) -> None:
        while self._left and self._strikes < _STRIKES and not self._is_late():
            try:
                connection = await self._pool.acquire(deadline=self._deadline)
            except GatewayError as error:
                self._failure = error
                return
            if connection is not None:
                connection.ends_at = self._ends_at
                await self._use(connection)

    def _is_late(self) -> bool:
        return asyncio.get_running_loop().time() >= self._deadline

    async def _use(self, connection: Connection) -> None:
        try:
            await Courier(connection, self._take, self._done).run()
        except Interrupted as error:
            self._pool.discard(connection)
            self._note(error)
        except BaseException:
            self._pool.discard(connection)
            raise
        else:
            self._pool.release(connection)

    def _note(self, error: Interrupted) -> None:
        self._strikes += not error.stale
        self._failure = GatewayError(error.fault, "")
        if error.unsent is not None:
            self._left.appendleft(error.unsent.position)

    def _take(self, connection: Connection) -> Mail | None:
        while self._left and not self._pool.is_spent(connection) and not self._is_late():
            position = self._left.popleft()
            prepared = self._prepare(position, connection)
            if isinstance(prepared, Mail):
                connection.carried += 1
                return prepared
            self.results[position] = prepared
        return None

    def _done(self, mail: Mail, result: SendResult) -> None:
        self.results[mail.position] = result
        if result.fault is None:
            self._strikes, self._failure = 0, None
