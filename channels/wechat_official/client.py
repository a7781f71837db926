"""Calls to the platform: the access token that all calls of an account share, and the JSON answers."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from hashlib import blake2b
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from channels.errors import Fault, GatewayError
from channels.http import Http, MaybeSent, NotSent, Response
from channels.tokens import TokenStore
from channels.wechat_official.answers import STALE_TOKEN, Answer, explain, fault_of

_EARLY = 300.0
_FORCE_EVERY = 30.0
_RETRY_RENEWAL = 10.0
_HEADERS = {"content-type": "application/json"}


class Unreadable(Exception):
    """An answer that is not the platform's JSON; `code` tells what came instead."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TooLate(Exception):
    """The caller's deadline passed before the message's turn came; nothing was sent."""


class Client:
    """The platform's HTTP interface for one account. At most `concurrency` requests at a time."""

    def __init__(
        self, base: str, app_id: str, secret: str, timeout: float, concurrency: int, tokens: TokenStore
    ) -> None:
        self._base = base.rstrip("/")
        self._tokens = tokens
        # The credentials are part of the name: a check of wrong ones must not pass with another's token.
        digest = blake2b(f"{self._base}|{app_id}|{secret}".encode(), digest_size=8).hexdigest()
        self._name = f"wechat_official:{app_id}:{digest}"
        self._grant = {"grant_type": "client_credential", "appid": app_id, "secret": secret}
        self._http = Http(timeout, concurrency)
        self._slots = asyncio.Semaphore(concurrency)
        self._timeout = timeout
        self._renewal: asyncio.Task[None] | None = None
        self._token = ""
        self._renew_at = self._ends_at = 0.0
        self._forced_at = -_FORCE_EVERY

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
        if answer.errcode in STALE_TOKEN:
            token = await self._in_time(self._replace(token), deadline)
            answer = await self._ask(method, path, token, body, deadline)
        return answer

    async def _in_time(self, token: Coroutine[Any, Any, str], deadline: float | None) -> str:
        try:
            async with asyncio.timeout_at(None if deadline is None else deadline + self._timeout):
                return await token
        except TimeoutError as error:
            raise TooLate from error

    async def exchange(self, code: str) -> Answer:
        """What the platform says of a code from its login page, which needs no access token: protocol sheet
        section 5. Raises GatewayError if there is no usable answer."""
        grant = {"appid": self._grant["appid"], "secret": self._grant["secret"], "code": code}
        query = urlencode({**grant, "grant_type": "authorization_code"})
        try:
            return read_answer(
                await self._http.request("GET", f"{self._base}/sns/oauth2/access_token?{query}")
            )
        except (NotSent, MaybeSent, Unreadable) as error:
            raise no_answer(error) from error

    async def token(self) -> str:
        """A valid access token. Raises GatewayError."""
        if time.monotonic() >= self._renew_at:
            await self._share(self._renew)
        return self._token

    async def _replace(self, refused: str) -> str:
        if self._token == refused:
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
        await self._take_or_fetch(refused=refused, force=False)
        # The platform hands out the same token until its end, even one that another system has
        # invalidated. Forcing is limited to 20 a day, 30 seconds apart.
        if self._token == refused and time.monotonic() - self._forced_at >= _FORCE_EVERY:
            self._forced_at = time.monotonic()
            await self._take_or_fetch(refused=refused, force=True)

    async def _take_or_fetch(self, *, refused: str, force: bool) -> None:
        async with self._tokens.lock(self._name):
            saved = await self._tokens.load(self._name)
            if saved is None or not self._take(orjson.loads(saved), refused):
                await self._fetch(force=force)
                seconds = self._ends_at - time.monotonic()
                shared = {"token": self._token, "ends_at": time.time() + seconds}
                await self._tokens.save(self._name, orjson.dumps(shared), seconds)

    def _take(self, shared: Mapping[str, Any], refused: str) -> bool:
        seconds = shared["ends_at"] - time.time()
        if shared["token"] == refused or seconds <= _EARLY:
            return False
        self._token, self._ends_at = shared["token"], time.monotonic() + seconds
        self._renew_at = self._ends_at - _EARLY
        return True

    async def _fetch(self, *, force: bool) -> None:
        body = orjson.dumps({**self._grant, "force_refresh": force})
        try:
            response = await self._http.request(
                "POST", f"{self._base}/cgi-bin/stable_token", headers=_HEADERS, body=body
            )
            answer = read_answer(response)
        except (NotSent, MaybeSent, Unreadable) as error:
            raise no_answer(error) from error
        self._keep(answer)

    def _keep(self, answer: Answer) -> None:
        token, seconds = answer.fields.get("access_token"), answer.fields.get("expires_in")
        if answer.errcode:
            raise GatewayError(fault_of(answer.errcode), explain(answer), str(answer.errcode))
        if not isinstance(token, str) or not token or not isinstance(seconds, int):
            raise GatewayError(Fault.UNREACHABLE, "公众平台的应答中没有 access_token")
        now = time.monotonic()
        self._token, self._ends_at = quote(token, safe=""), now + seconds
        self._renew_at = now + max(seconds - _EARLY, seconds / 2)

    async def _ask(self, method: str, path: str, token: str, body: bytes, deadline: float | None) -> Answer:
        async with self._slots:
            if deadline is not None and asyncio.get_running_loop().time() > deadline:
                raise TooLate
            url = f"{self._base}{path}?access_token={token}"
            return read_answer(await self._http.request(method, url, headers=_HEADERS, body=body))


def _retrieve(renewal: asyncio.Task[None]) -> None:
    # A failure that nobody waits for any more is no news.
    if not renewal.cancelled():
        renewal.exception()


def no_answer(error: NotSent | MaybeSent | Unreadable) -> GatewayError:
    """What staff are told if the platform gives no usable answer."""
    if isinstance(error, Unreadable):
        return GatewayError(Fault.UNREACHABLE, f"公众平台的应答无法识别（{error.code}）", error.code)
    return GatewayError(Fault.UNREACHABLE, "无法连接公众平台，请检查网络和接口地址")


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
