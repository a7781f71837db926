"""One access token per bot, shared by everything that speaks for the bot (protocol section 2).

Fetching a token kills the one before it, and a day allows 2,000: so processes share it through a
`TokenStore`, refresh it at 80 % of its life, one at a time, and never faster than the quota lasts.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import timedelta

import orjson

from channels.errors import Fault, GatewayError
from channels.tokens import TokenStore

SHARE_OF_LIFE = 0.8
FETCH_BURST = 30
SECONDS_PER_FETCH = 45.0
"""30 at once and one every 45 s stay below 2,000 a day."""

_PAUSE_AFTER_FAILURE = 1.0


@dataclass(frozen=True, slots=True)
class Token:
    """An access token without its prefix, the base that came with it, and when to replace it (Unix s)."""

    value: str
    base: str
    refresh_at: float
    expires_at: float


class TokenFailed(GatewayError):
    """No token could be had, so nothing was sent."""

    def __init__(self, fault: Fault, message: str, code: str = "", pause: timedelta | None = None) -> None:
        super().__init__(fault, message, code)
        self.pause = pause


class TokenSource:
    """The token of one bot. `fetch` asks the platform; it raises TokenFailed."""

    def __init__(
        self, name: str, fetch: Callable[[], Awaitable[Token]], store: TokenStore, now: Callable[[], float]
    ) -> None:
        self._name, self._fetch, self._store, self._now = name, fetch, store, now
        self._token: Token | None = None
        self._failure: tuple[float, TokenFailed] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._allowance, self._counted_at = float(FETCH_BURST), now()

    async def current(self) -> Token:
        """A token that should work. Raises TokenFailed."""
        token = self._token
        if token is not None and self._now() < token.refresh_at:
            return token
        return await self._renew(token)

    async def replace(self, refused: Token) -> Token:
        """Another token than the one that the platform just refused. Raises TokenFailed."""
        return await self._renew(refused)

    async def _renew(self, stale: Token | None) -> Token:
        async with self._one_at_a_time:
            if self._token is not None and self._token != stale:
                return self._token
            # Everybody who waited for a fetch that failed shares its failure instead of repeating it.
            if self._failure is not None and self._now() - self._failure[0] < _PAUSE_AFTER_FAILURE:
                raise self._failure[1]
            async with self._store.lock(self._name):
                self._token = await self._shared(stale) or await self._fetch_and_share()
            return self._token

    async def _shared(self, stale: Token | None) -> Token | None:
        saved = await self._store.load(self._name)
        token = Token(**orjson.loads(saved)) if saved else None
        if token is None or (stale is not None and token.value == stale.value):
            return None
        return token if self._now() < token.refresh_at else None

    async def _fetch_and_share(self) -> Token:
        try:
            self._spend_allowance()
            token = await self._fetch()
        except TokenFailed as failure:
            self._failure = (self._now(), failure)
            raise
        await self._store.save(self._name, orjson.dumps(asdict(token)), token.expires_at - self._now())
        return token

    def _spend_allowance(self) -> None:
        now = self._now()
        gained = max(0.0, now - self._counted_at) / SECONDS_PER_FETCH
        self._allowance, self._counted_at = min(FETCH_BURST, self._allowance + gained), now
        if self._allowance < 1:
            wait = timedelta(seconds=(1 - self._allowance) * SECONDS_PER_FETCH)
            text = "令牌被反复作废，可能另有系统在使用同一 Chatbot；为不耗尽每日配额，暂停获取"
            raise TokenFailed(Fault.UNAUTHORIZED, text, "token_quota", wait)
        self._allowance -= 1
