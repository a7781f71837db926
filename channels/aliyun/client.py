"""One signed call to Dysmsapi, version 2017-05-25.

Source: protocol sheet `aliyun_dysms`, sections 1 and 3.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from channels.aliyun.signing import encode_pairs, sign_request
from channels.http import Http
from channels.sending import TooLate

VERSION = "2017-05-25"
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Credentials:
    """An AccessKey pair of a RAM user."""

    key_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; `code` is empty if the body is not what the protocol describes."""

    status: int
    code: str
    message: str
    data: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """The operation was done."""
        return 200 <= self.status < 300 and self.code == "OK"


def read_answer(status: int, body: bytes) -> Answer:
    """Read a response body; whatever cannot be read becomes an answer without code."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Answer(status, "", "", {})
    if not isinstance(data, dict):
        return Answer(status, "", "", {})
    code, message = data.get("Code"), data.get("Message")
    return Answer(
        status, code if isinstance(code, str) else "", message if isinstance(message, str) else "", data
    )


class Client:
    """A pool of connections to one endpoint that signs what it sends.

    Parameters of a person (numbers, texts) travel in the form body and never in the URL, which proxies and
    access logs write down; the server takes a parameter from either place.
    """

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials,
        *,
        timeout: float,
        concurrency: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        parts = urlsplit(endpoint)
        port = parts.port
        self._host = parts.hostname or ""
        if port is not None and port != DEFAULT_PORTS[parts.scheme]:
            self._host = f"{self._host}:{port}"
        self._url = f"{parts.scheme}://{self._host}/"
        self._credentials = credentials
        self._http = Http(timeout, concurrency)
        self._slots = asyncio.Semaphore(concurrency)
        self.now = now

    async def call(
        self,
        action: str,
        form: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """Call an operation once a connection is free. `deadline` is in the event loop's time.

        Raises TooLate, NotSent or MaybeSent.
        """
        async with self._slots:
            if deadline is not None and asyncio.get_running_loop().time() > deadline:
                raise TooLate(action)
            body = encode_pairs(form).encode()
            headers = self._sign(action, query or {}, body)
            url = f"{self._url}?{encode_pairs(query)}" if query else self._url
            response = await self._http.request("POST", url, headers=headers, body=body)
        return read_answer(response.status, response.body)

    def _sign(self, action: str, query: Mapping[str, str], body: bytes) -> dict[str, str]:
        headers = sign_request(
            method="POST",
            host=self._host,
            action=action,
            version=VERSION,
            query=query,
            body=body,
            access_key_id=self._credentials.key_id,
            access_key_secret=self._credentials.secret,
            nonce=secrets.token_hex(16),
            at=self.now(),
        )
        return {**headers, "accept": "application/json"}

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.close()
