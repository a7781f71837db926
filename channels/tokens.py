"""Where the processes of one installation keep the access tokens that a provider gives an account.

Some providers let one token live at a time: fetching another kills the one before it, and a day allows few.
So whoever needs a token looks here first, and one process at a time fetches.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol


class TokenStore(Protocol):
    """Keeps tokens by names that hold no secret.

    `load` and `save` are called under `lock`. What is stored is a credential: it must not be logged and
    should not outlive `seconds`. A store must not raise: without its server it finds and keeps nothing.
    """

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """Held while one process looks for a newer token or fetches one."""
        ...

    async def load(self, name: str) -> bytes | None:
        """What was saved last, if it is still there."""
        ...

    async def save(self, name: str, token: bytes, seconds: float) -> None:
        """Keep a token for as long as it lives."""
        ...


class LocalTokens:
    """A store within one process, for installations that run a single one."""

    def __init__(self) -> None:
        self._saved: dict[str, bytes] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """See TokenStore."""
        async with self._locks[name]:
            yield

    async def load(self, name: str) -> bytes | None:
        """See TokenStore."""
        return self._saved.get(name)

    async def save(self, name: str, token: bytes, seconds: float) -> None:
        """See TokenStore."""
        self._saved[name] = token
