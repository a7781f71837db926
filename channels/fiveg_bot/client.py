"""Requests to the platform: headers, token, base URL, and another try when the token was refused."""

import asyncio
import math
from collections.abc import Callable, Mapping
from email.utils import formatdate
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import orjson

from channels.errors import Fault
from channels.fiveg_bot.codes import FAULT_OF, error_code, pause_after, read_json, token_refused
from channels.fiveg_bot.config import FivegBotConfig
from channels.fiveg_bot.tokens import SHARE_OF_LIFE, Token, TokenFailed, TokenSource
from channels.http import Http, MaybeSent, NotSent, Response
from channels.sending import TooLate
from channels.tokens import TokenStore

_PREFIX = "accesstoken "
_DEFAULT_LIFE = 7200.0
_REPLACEMENTS = 2
"""The first may be a token that another process left behind, the second is fresh."""


def strip_prefix(value: str) -> str:
    """A token without the `accessToken ` that one carrier puts into the value itself."""
    value = value.strip()
    return value[len(_PREFIX) :].strip() if value.lower().startswith(_PREFIX) else value


def resolve_base(server_root: str, returned: Any) -> str:
    """The base that came with a token, or the configured root if that cannot be used.

    It may lack a scheme or go on to `/bot/…`. A root over TLS is never left for one without.
    """
    if not isinstance(returned, str) or not returned.strip():
        return server_root
    scheme = server_root.partition("://")[0]
    url = returned.strip() if "://" in returned else f"{scheme}://{returned.strip()}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"https", scheme} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        usable = False
    return url.partition("/bot/")[0].partition("?")[0].rstrip("/") if usable else server_root


def _store_name(config: FivegBotConfig) -> str:
    # The credentials are part of the name, or a check of wrong ones would pass with another account's token.
    secret = f"{config.server_root}|{config.app_id}|{config.app_key.get_secret_value()}"
    return f"{config.chatbot_id}:{blake2b(secret.encode(), digest_size=8).hexdigest()}"


class BotClient:
    """One bot's HTTP requests. `now` is Unix time in seconds."""

    def __init__(self, config: FivegBotConfig, store: TokenStore, now: Callable[[], float]) -> None:
        self.config = config
        self._http = Http(config.timeout, config.concurrency)
        self._now = now
        self._tokens = TokenSource(_store_name(config), self._fetch_token, store, now)
        self._date = (0, "")

    async def connect(self) -> None:
        """Have a token. Raises TokenFailed."""
        await self._tokens.current()

    async def call(
        self,
        method: str,
        operation: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        deadline: float = math.inf,
    ) -> Response:
        """One operation of the bot. No request starts after `deadline` (the event loop's time).

        Raises NotSent, TokenFailed, TooLate (certainly nothing was done) and MaybeSent.
        """
        token = await self._tokens.current()
        response = await self._request(token, method, operation, body, headers, deadline)
        for _ in range(_REPLACEMENTS):
            if not token_refused(response):
                break
            token = await self._tokens.replace(token)
            response = await self._request(token, method, operation, body, headers, deadline)
        return response

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.close()

    async def _request(
        self,
        token: Token,
        method: str,
        operation: str,
        body: bytes,
        headers: Mapping[str, str] | None,
        deadline: float,
    ) -> Response:
        if asyncio.get_running_loop().time() > deadline:
            raise TooLate
        url = f"{token.base}{self.config.path}{operation}"
        sent = {**self._common(), "authorization": f"accessToken {token.value}", **(headers or {})}
        return await self._http.request(method, url, headers=sent, body=body)

    def _common(self) -> dict[str, str]:
        second = int(self._now())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True))
        return {"accept": "application/json", "content-type": "application/json", "date": self._date[1]}

    async def _fetch_token(self) -> Token:
        config = self.config
        asked = {"appId": config.app_id, "appKey": config.app_key.get_secret_value()}
        url = f"{config.server_root}{config.path}/accessToken"
        try:
            response = await self._http.request("POST", url, headers=self._common(), body=orjson.dumps(asked))
        except (NotSent, MaybeSent) as error:
            raise TokenFailed(
                Fault.UNREACHABLE, "连接不上 5G 消息平台，请检查服务器地址和网络", str(error)
            ) from error
        return self._read_token(response)

    def _read_token(self, response: Response) -> Token:
        document = read_json(response)
        code, value = error_code(document), document.get("accessToken")
        if code or not isinstance(value, str) or not strip_prefix(value):
            raise self._no_token(response, code)
        life = document.get("expires")
        seconds = float(life) if isinstance(life, int | float) and 0 < life < 1e7 else _DEFAULT_LIFE
        base = self.config.server_root
        if self.config.follow_token_url:
            base = resolve_base(base, document.get("url"))
        now = self._now()
        return Token(strip_prefix(value), base, now + seconds * SHARE_OF_LIFE, now + seconds)

    def _no_token(self, response: Response, code: int | None) -> TokenFailed:
        if code is None or response.status >= 500:
            missing = response.status in {404, 405}
            fault = Fault.MISCONFIGURED if missing else Fault.UNREACHABLE
            text = f"获取令牌失败：平台返回 HTTP {response.status}，请核对服务器地址和 Chatbot ID"
            return TokenFailed(fault, text, f"http_{response.status}")
        fault = FAULT_OF.get(code, Fault.UNREACHABLE)
        if fault.touches != "gateway":
            fault = Fault.MISCONFIGURED
        text = f"获取令牌失败：平台返回 {code}，请核对 appId、appKey 和 Chatbot ID"
        return TokenFailed(fault, text, str(code), pause_after(code, self._now()))
