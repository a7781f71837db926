"""Calls to a platform whose accounts fetch an access token with one GET and show it in every call's URL.

WeCom and DingTalk both do: fetching again returns the same token while it lives, so nothing is ever forced.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

import orjson

from channels.errors import Fault, GatewayError
from channels.http import Http, MaybeSent, NotSent
from channels.tokens import TokenStore
from channels.wechat_official.answers import Answer
from channels.wechat_official.client import TooLate, Unreadable, read_answer

_EARLY = 300.0
_RETRY_RENEWAL = 10.0
_REPLACE_EVERY = 10.0
_HEADERS = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where and how an account gets its token.

    `grant` is the path and query of the request, secret included. `name` is the token's name in the store.
    `platform` is what staff call the platform. `is_stale` tells the answers that ask for another token,
    `explain` makes of a refusal what staff are told.
    """

    base: str
    name: str
    grant: str = field(repr=False)
    platform: str
    is_stale: Callable[[Answer], bool]
    explain: Callable[[Answer], GatewayError]


def name_token(platform: str, base: str, account: str, secret: str) -> str:
    """The token's name in the store: of one platform, account and secret, without telling the secret."""
    # The secret is part of it: a check of a wrong one must not pass with another's token.
    digest = blake2b(f"{base}|{account}|{secret}".encode(), digest_size=8).hexdigest()
    return f"{platform}:{account}:{digest}"


class Client:
    """A platform's HTTP interface for one account. At most `concurrency` requests at a time."""

    def __init__(self, desk: Desk, timeout: float, concurrency: int, tokens: TokenStore) -> None:
        self._desk, self._tokens, self._timeout = desk, tokens, timeout
        self._http = Http(timeout, concurrency)
        self._slots = asyncio.Semaphore(concurrency)
        self._renewal: asyncio.Task[None] | None = None
        self._token = ""
        self._renew_at = self._ends_at = 0.0
        self._replaced_at = -_REPLACE_EVERY

    async def close(self) -> None:
        """Drop the connections."""
        if self._renewal is not None:
            self._renewal.cancel()
        await self._http.close()

    async def call(
        self, method: str, path: str, body: bytes = b"", *, deadline: float | None = None
    ) -> Answer:
        """Call with the account's token; a stale token is replaced once and the call made once more. Nothing
        is begun after `deadline`, in the event loop's time. Raises TooLate, NotSent, MaybeSent, Unreadable,
        and GatewayError if no token can be had (nothing accepted)."""
        token = await self._in_time(self.token(), deadline)
        answer = await self._ask(method, path, token, body, deadline)
        if self._desk.is_stale(answer):
            token = await self._in_time(self._replace(token), deadline)
            answer = await self._ask(method, path, token, body, deadline)
        return answer

    async def manage(self, method: str, path: str, body: bytes = b"") -> Answer:
        """A call outside of sending. Raises GatewayError for every answer that is not a success."""
        try:
            answer = await self.call(method, path, body)
        except (NotSent, MaybeSent, Unreadable) as error:
            raise self._no_answer(error) from error
        if answer.errcode:
            raise self._desk.explain(answer)
        return answer

    async def prove(self) -> None:
        """Fetch a token whether one is known or not. Raises GatewayError."""
        await self._fetch()

    async def token(self) -> str:
        """A valid access token. Raises GatewayError."""
        if time.monotonic() >= self._renew_at:
            await self._share(self._renew)
        return self._token

    async def _in_time(self, token: Coroutine[Any, Any, str], deadline: float | None) -> str:
        try:
            async with asyncio.timeout_at(None if deadline is None else deadline + self._timeout):
                return await token
        except TimeoutError as error:
            raise TooLate from error

    async def _replace(self, refused: str) -> str:
        # The platform hands out the same token while it believes in it: asking for every message that it
        # refuses would only use up the account's calls.
        if self._token == refused and time.monotonic() - self._replaced_at >= _REPLACE_EVERY:
            await self._share(lambda: self._exchange(refused))
        return self._token

    async def _share(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        # All who wait share one fetch and its failure; who gives up waiting does not stop it.
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(work())
            self._renewal.add_done_callback(_retrieve)
        await asyncio.shield(self._renewal)

    async def _renew(self) -> None:
        try:
            await self._take_or_fetch(refused="")
        except GatewayError as error:
            # A token is renewed while the old one still works: an outage of a minute need not be felt.
            if error.fault is not Fault.UNREACHABLE or time.monotonic() >= self._ends_at:
                raise
            self._renew_at = min(time.monotonic() + _RETRY_RENEWAL, self._ends_at)

    async def _exchange(self, refused: str) -> None:
        try:
            await self._take_or_fetch(refused)
        finally:
            # Not before the end: whoever comes meanwhile waits for this fetch.
            self._replaced_at = time.monotonic()

    async def _take_or_fetch(self, refused: str) -> None:
        async with self._tokens.lock(self._desk.name):
            saved = await self._tokens.load(self._desk.name)
            if saved is None or not self._take(orjson.loads(saved), refused):
                await self._fetch()
                seconds = self._ends_at - time.monotonic()
                shared = {"token": self._token, "ends_at": time.time() + seconds}
                await self._tokens.save(self._desk.name, orjson.dumps(shared), seconds)

    def _take(self, shared: Mapping[str, Any], refused: str) -> bool:
        seconds = shared["ends_at"] - time.time()
        if shared["token"] == refused or seconds <= _EARLY:
            return False
        self._token, self._ends_at = shared["token"], time.monotonic() + seconds
        self._renew_at = self._ends_at - _EARLY
        return True

    async def _fetch(self) -> None:
        try:
            answer = read_answer(await self._http.request("GET", self._desk.base + self._desk.grant))
        except (NotSent, MaybeSent, Unreadable) as error:
            raise self._no_answer(error) from error
        if answer.errcode:
            raise self._desk.explain(answer)
        token, seconds = answer.fields.get("access_token"), answer.fields.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(seconds, int):
            raise GatewayError(Fault.UNREACHABLE, f"{self._desk.platform}的应答中没有 access_token")
        now = time.monotonic()
        self._token, self._ends_at = quote(token, safe=""), now + seconds
        self._renew_at = now + max(seconds - _EARLY, seconds / 2)

    async def _ask(self, method: str, path: str, token: str, body: bytes, deadline: float | None) -> Answer:
        async with self._slots:
            if deadline is not None and asyncio.get_running_loop().time() > deadline:
                raise TooLate
            url = f"{self._desk.base}{path}{'&' if '?' in path else '?'}access_token={token}"
            return read_answer(await self._http.request(method, url, headers=_HEADERS, body=body))

    def _no_answer(self, error: NotSent | MaybeSent | Unreadable) -> GatewayError:
        platform = self._desk.platform
        if isinstance(error, Unreadable):
            return GatewayError(Fault.UNREACHABLE, f"{platform}的应答无法识别（{error.code}）", error.code)
        return GatewayError(Fault.UNREACHABLE, f"无法连接{platform}，请检查网络和接口地址")


def _retrieve(renewal: asyncio.Task[None]) -> None:
    # A failure that nobody waits for any more is no news.
    if not renewal.cancelled():
        renewal.exception()
