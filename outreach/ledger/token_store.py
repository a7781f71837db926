"""The tokens of gateway accounts, shared by all processes through Valkey and sealed there.

It must not raise and must not be needed: without Valkey, or after it has lost everything, each process goes
on with its own copy, and a token that another one has killed is refused and fetched anew.
"""

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b

from redis.asyncio import Redis
from redis.exceptions import RedisError

from outreach.governance.vault import SealBroken, Vault
from outreach.logs import get_log

_LOCK_SECONDS = 40
_LONGEST_WAIT = 10.0
_LOOK_SECONDS = 0.05

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class ValkeyTokens:
    """A `channels.tokens.TokenStore` of one tenant."""

    def __init__(self, redis: Redis, vault: Vault) -> None:
        self._redis, self._vault = redis, vault
        self._release = redis.register_script(_RELEASE)
        self._own: dict[str, tuple[bytes, float]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """One process at a time, as far as Valkey can tell; who waits too long goes ahead."""
        key, mark = f"token:lock:{self._row(name):x}", secrets.token_hex(8)
        async with self._locks[name]:
            await self._wait(key, mark)
            try:
                yield
            finally:
                await self._let_go(key, mark)

    async def load(self, name: str) -> bytes | None:
        """What any process saved last, or what this one saved if Valkey does not know."""
        row = self._row(name)
        try:
            sealed = await self._redis.get(f"token:{row:x}")
            if sealed is not None:
                return self._vault.decrypt("gateway", "token", row, sealed).encode()
        except (RedisError, OSError, SealBroken) as error:
            get_log().warning("token.local", error=type(error).__name__)
        token, ends_at = self._own.get(name, (None, 0.0))
        return token if time.monotonic() < ends_at else None

    async def save(self, name: str, token: bytes, seconds: float) -> None:
        """Keep a token, sealed, for as long as it lives."""
        row = self._row(name)
        self._own[name] = (token, time.monotonic() + seconds)
        sealed = self._vault.encrypt("gateway", "token", row, token.decode())
        try:
            await self._redis.set(f"token:{row:x}", sealed, px=max(1, int(seconds * 1000)))
        except (RedisError, OSError) as error:
            get_log().warning("token.local", error=type(error).__name__)

    def _row(self, name: str) -> int:
        digest = blake2b(self._vault.blind_index("token", name), digest_size=7).digest()
        return int.from_bytes(digest, "big")

    async def _wait(self, key: str, mark: str) -> None:
        until = time.monotonic() + _LONGEST_WAIT
        try:
            while not await self._redis.set(key, mark, nx=True, ex=_LOCK_SECONDS):
                if time.monotonic() > until:
                    return
                await asyncio.sleep(_LOOK_SECONDS)
        except (RedisError, OSError) as error:
            get_log().warning("token.local", error=type(error).__name__)

    async def _let_go(self, key: str, mark: str) -> None:
        try:
            await self._release(keys=[key], args=[mark])
        except (RedisError, OSError):
            # It expires by itself.
            return
