"""One signed call to Tencent Cloud SMS, version 2021-01-11. Source: protocol sheet `tencent_sms`."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from channels.http import Http
from channels.sending import TooLate
from channels.tencent.signing import sign_request

VERSION = "2021-01-11"
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Account:
    """A key pair of a sub-user, the application that it sends for, and the region of the API."""

    secret_id: str
    secret_key: str
    sdk_app_id: str
    region: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. `code` is that of a whole request refused; `data` is empty if the body is not what the
    protocol describes."""

    status: int
    code: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """The operation was done; what became of each number stands in `data`."""
        return 200 <= self.status < 300 and not self.code and bool(self.data)


def read_answer(status: int, body: bytes) -> Answer:
    """Read a response body; whatever cannot be read becomes an answer without code and data."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Answer(status)
    data = document.get("Response") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        return Answer(status)
    if "Error" not in data:
        return Answer(status, "", data)
    error = data["Error"]
    code = error.get("Code") if isinstance(error, dict) else None
    return Answer(status, code, data) if isinstance(code, str) else Answer(status)


class Client:
    """A pool of connections to one endpoint that signs what it sends, for one application of an account."""

    def __init__(
        self,
        endpoint: str,
        account: Account,
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
        self._account = account
        self._http = Http(timeout, concurrency)
        self._slots = asyncio.Semaphore(concurrency)
        self.now = now

    async def call(self, action: str, params: Mapping[str, Any], *, deadline: float | None = None) -> Answer:
        """Call an operation once a connection is free. `deadline` is in the event loop's time.

        Raises TooLate, NotSent or MaybeSent.
        """
        async with self._slots:
            if deadline is not None and asyncio.get_running_loop().time() > deadline:
                raise TooLate(action)
            body = orjson.dumps({"SmsSdkAppId": self._account.sdk_app_id, **params})
            headers = self._sign(action, body)
            response = await self._http.request("POST", self._url, headers=headers, body=body)
        return read_answer(response.status, response.body)

    def _sign(self, action: str, body: bytes) -> dict[str, str]:
        signed = sign_request(
            host=self._host,
            body=body,
            secret_id=self._account.secret_id,
            secret_key=self._account.secret_key,
            at=self.now(),
        )
        operation = {"x-tc-action": action, "x-tc-version": VERSION, "x-tc-region": self._account.region}
        return {**signed, **operation}

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.close()
