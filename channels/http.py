"""The seam to the HTTP client of the hot send path, and the classification that the ledger relies on.

Behind it stands pyreqwest (measured in stack notes: 12-14 k requests/s per core, httpx 0.25 k). What an
adapter sees is one function and three ends: a response, `NotSent` (certainly nothing accepted) or
`MaybeSent` (bytes may have reached the gateway).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import (
    BuilderError,
    ConnectError,
    ConnectTimeoutError,
    PoolTimeoutError,
    PyreqwestError,
)

_IDLE_SECONDS = 3.0
# Servers close idle connections after 5 seconds and more. A request that meets the closing is lost in doubt,
# so a connection is dropped here before the server can.


class NotSent(Exception):
    """The request did not leave: refused connection, no route, pool exhausted, unusable URL."""


class MaybeSent(Exception):
    """The request may have been read: time-out, reset after bytes, unreadable answer."""


@dataclass(frozen=True, slots=True)
class Response:
    """Status, lower-case headers and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def _never_connected(error: ConnectError | ConnectTimeoutError) -> bool:
    # The client also calls it a ConnectError when a peer hangs up after it has read the request, and a
    # ConnectTimeoutError when the answer does not come in time. Only the cause tells a failed connect
    # from those, so everything else counts as sent.
    causes = (error.details or {}).get("causes") or []
    return any(cause["message"] == "client error (Connect)" for cause in causes)


class Http:
    """A connection pool to one gateway."""

    def __init__(self, timeout: float = 10.0, connections: int = 64) -> None:
        self._client: Client = (
            ClientBuilder()
            .timeout(timedelta(seconds=timeout))
            .connect_timeout(timedelta(seconds=min(timeout, 5.0)))
            .pool_timeout(timedelta(seconds=timeout))
            .pool_idle_timeout(timedelta(seconds=_IDLE_SECONDS))
            .max_connections(connections)
            .follow_redirects(False)
            .no_proxy()
            .http1_only()
            .tcp_nodelay(True)
            .build()
        )

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """Send one request. Raises NotSent or MaybeSent."""
        task = asyncio.current_task()
        cancelled_before = task.cancelling() if task else 0
        try:
            builder = self._client.request(method, url)
            if headers:
                builder = builder.headers(dict(headers))
            if body:
                builder = builder.body_bytes(body)
            response = await builder.build().send()
            content = await response.bytes()
        except (PoolTimeoutError, BuilderError, ValueError) as error:
            raise NotSent(type(error).__name__) from error
        except (ConnectError, ConnectTimeoutError) as error:
            raise (NotSent if _never_connected(error) else MaybeSent)(type(error).__name__) from error
        except PyreqwestError as error:
            raise MaybeSent(type(error).__name__) from error
        if task and task.cancelling() > cancelled_before:
            # The client swallows a cancellation that meets the answer.
            raise asyncio.CancelledError
        pairs = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status, pairs, bytes(content))

    async def close(self) -> None:
        """Drop the pool."""
        await self._client.close()
