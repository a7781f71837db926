"""Requests to the platform: headers and digest, fresh for every request (protocol section 2)."""

import asyncio
import math
from collections.abc import Callable, Mapping
from email.utils import formatdate

from channels.fiveg_maap.config import FivegMaapConfig
from channels.fiveg_maap.keys import authorize, hash_secret
from channels.http import Http, Response
from channels.sending import TooLate


class MaapClient:
    """One chatbot's HTTP requests. `now` is Unix time in seconds."""

    def __init__(self, config: FivegMaapConfig, now: Callable[[], float]) -> None:
        self.config = config
        self._http = Http(config.timeout, config.concurrency)
        self._now = now
        self._secret = hash_secret(config.account_secret.get_secret_value(), config.row.hashed)
        self._fresh = (-1, {"date": ""})

    async def call(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        deadline: float = math.inf,
    ) -> Response:
        """One request. Raises TooLate and NotSent (certainly nothing was done) and MaybeSent."""
        if asyncio.get_running_loop().time() > deadline:
            raise TooLate("not_started")
        sent = {**self._common(), **(headers or {})}
        return await self._http.request(method, url, headers=sent, body=body)

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.close()

    def _common(self) -> dict[str, str]:
        second = int(self._now())
        if self._fresh[0] != second:
            self._fresh = (second, self._headers(second))
        return self._fresh[1]

    def _headers(self, second: int) -> dict[str, str]:
        config, date = self.config, formatdate(second, usegmt=True)
        more = {name: value.format(account=config.account) for name, value in config.row.headers}
        return {
            "Authorization": authorize(config.account, self._secret, date),
            "Date": date,
            "Content-Type": config.row.content_type,
            "Accept": "application/xml",
            "User-Agent": f"SP/{config.chatbot_id}",
            **more,
        }
