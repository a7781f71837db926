"""Calls to a platform whose accounts fetch an access token and show it in every call's URL: WeChat, WeCom,
DingTalk. Fetching again returns the same token while it lives; where that one is dead, WeChat can be forced.
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
from channels.http import Http, MaybeSent, NotSent, Response
from channels.sending import TooLate, Unreadable
from channels.tokens import TokenStore

_EARLY = 300.0
_RETRY_RENEWAL = 10.0
_HEADERS = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The platform's JSON: its code (0 is success), its text and all fields."""

    errcode: int
    errmsg: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Grant:
    """The request that fetches a token, secret included; with a body it is a POST. `forced` is the body that
    asks for another token than the living one, where the platform can be made to."""

    path: str = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    forced: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Desk:
    """A platform and an account there.

    `name` is the token's name in the store; `platform` is what staff call the platform. `is_stale` tells the
    answers that ask for another token, `explain` makes of a refusal what staff are told. Refused tokens are
    asked about `replace_every` seconds at the most often, and forced every `force_every`.
    """

    base: str
    name: str
    grant: Grant
    platform: str
    is_stale: Callable[[Answer], bool]
    explain: Callable[[Answer], GatewayError]
    replace_every: float = 10.0
    force_every: float = 30.0


def name_token(platform: str, base: str, account: str, secret: str) -> str:
    """The token's name in the store: of one platform, account and secret, without telling the secret."""
    # The secret is part of it: a check of a wrong one must not pass with another's token.
    digest = blake2b(f"{base}|{account}|{secret}".encode(), digest_size=8).hexdigest()
    return f"{platform}:{account}:{digest}"


class TokenClient:
    """A platform's HTTP interface for one account. At most `concurrency` requests at a time."""

    def __init__(self, desk: Desk, timeout: float, concurrency: int, tokens: TokenStore) -> None:
        self._desk, self._tokens, self._timeout = desk, tokens, timeout
        self._http = Http(timeout, concurrency)
        self._slots = asyncio.Semaphore(concurrency)
        self._renewal: asyncio.Task[None] | None = None
        self._token = ""
        self._renew_at = self._ends_at = 0.0
        self._replaced_at, self._forced_at = -desk.replace_every, -desk.force_every

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
        return self._expect(await self._explained(self.call(method, path, body)))

    async def ask_openly(self, path: str) -> Answer:
        """A call that needs no access token. Raises GatewayError for every answer that is not a success."""
        return self._expect(await self._explained(self._read("GET", path)))

    async def prove(self) -> None:
        """Fetch a token whether one is known or not. Raises GatewayError."""
        await self._fetch(force=False)

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
        if self._token == refused and time.monotonic() - self._replaced_at >= self._desk.replace_every:
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
            await self._take_or_fetch(refused="", force=False)
        except GatewayError as error:
            # A token is renewed while the old one still works: an outage of a minute need not be felt.
            if error.fault is not Fault.UNREACHABLE or time.monotonic() >= self._ends_at:
                raise
            self._renew_at = min(time.monotonic() + _RETRY_RENEWAL, self._ends_at)

    async def _exchange(self, refused: str) -> None:
        try:
            await self._take_or_fetch(refused, force=False)
            if self._token == refused and self._may_force():
                self._forced_at = time.monotonic()
                await self._take_or_fetch(refused, force=True)
        finally:
            # Not before the end: whoever comes meanwhile waits for this fetch.
            self._replaced_at = time.monotonic()

    def _may_force(self) -> bool:
        desk = self._desk
        return bool(desk.grant.forced) and time.monotonic() - self._forced_at >= desk.force_every

    async def _take_or_fetch(self, refused: str, *, force: bool) -> None:
        async with self._tokens.lock(self._desk.name):
            saved = await self._tokens.load(self._desk.name)
            if saved is None or not self._take(orjson.loads(saved), refused):
                await self._fetch(force=force)
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

    async def _fetch(self, *, force: bool) -> None:
        grant = self._desk.grant
        body = grant.forced if force else grant.body
        answer = self._expect(await self._explained(self._read("POST" if body else "GET", grant.path, body)))
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
            return await self._read(method, f"{path}{'&' if '?' in path else '?'}access_token={token}", body)

    async def _read(self, method: str, path: str, body: bytes = b"") -> Answer:
        headers = _HEADERS if body else None
        return read_answer(
            await self._http.request(method, self._desk.base + path, headers=headers, body=body)
        )

    async def _explained(self, call: Coroutine[Any, Any, Answer]) -> Answer:
        platform = self._desk.platform
        try:
            return await call
        except Unreadable as error:
            text = f"{platform}的应答无法识别（{error.code}）"
            raise GatewayError(Fault.UNREACHABLE, text, error.code) from error
        except (NotSent, MaybeSent) as error:
            raise GatewayError(Fault.UNREACHABLE, f"无法连接{platform}，请检查网络和接口地址") from error

    def _expect(self, answer: Answer) -> Answer:
        if answer.errcode:
            raise self._desk.explain(answer)
        return answer


def _retrieve(renewal: asyncio.Task[None]) -> None:
    # A failure that nobody waits for any more is no news.
    if not renewal.cancelled():
        renewal.exception()


def read_answer(response: Response) -> Answer:
    """The JSON answer in a response. Raises Unreadable."""
    if response.status != 200:
        raise Unreadable(f"http {response.status}")
    try:
        fields: Mapping[str, Any] = orjson.loads(response.body)
        code = fields.get("errcode", 0)
        return Answer(int(code), str(fields.get("errmsg", "")), dict(fields))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Unreadable("not json") from error
