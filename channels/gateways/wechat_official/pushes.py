"""The platform's side of the callback server: encrypted, signed, tried three times. Sheet section 4."""

import asyncio
import base64
import contextlib
import hashlib
import secrets
import struct
import time
from collections.abc import Coroutine
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from channels.http import Http, MaybeSent, NotSent

_TRIES = 3
_LANES = 128
_XML = {"content-type": "text/xml"}


def sign(*parts: str) -> str:
    """sha1(concat(sort[...])) as hexadecimal digits."""
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def encrypt(aes_key: str, app_id: str, message: str, prefix: bytes | None = None) -> str:
    """The `Encrypt` element of a message; `prefix` are the 16 random bytes."""
    key = base64.b64decode(aes_key + "=")
    content = message.encode()
    plain = (prefix or secrets.token_bytes(16)) + struct.pack(">I", len(content)) + content + app_id.encode()
    fill = 32 - len(plain) % 32
    cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(cipher.update(plain + bytes([fill]) * fill) + cipher.finalize()).decode()


def event_xml(account: str, openid: str, created: int, kind: str, fields: str) -> str:
    """The XML of an event or a message; `fields` is XML after MsgType."""
    return (
        f"<xml><ToUserName><![CDATA[{account}]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName>"
        f"<CreateTime>{created}</CreateTime><MsgType><![CDATA[{kind}]]></MsgType>{fields}</xml>"
    )


def cdata(name: str, value: str) -> str:
    """An element with text that may hold anything."""
    return f"<{name}><![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]></{name}>"


class Pusher:
    """Delivers pushes to the callback URL, several at a time; each is tried three times, `limit` seconds
    for each answer."""

    def __init__(self, url: str, token: str, aes_key: str, app_id: str, limit: float) -> None:
        self.url = url
        self._token, self._aes_key, self._app_id, self._limit = token, aes_key, app_id, limit
        self._queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._lanes: list[asyncio.Task[None]] = []
        self._http: Http | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to deliver what is queued."""
        self._http = Http(self._limit, _LANES)
        self._lanes = [asyncio.create_task(self._run()) for _ in range(_LANES)]

    async def stop(self) -> None:
        """Drop what is not delivered yet."""
        self._stopping = True
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    def later(self, delay: float, openid: str, xml: str) -> None:
        """Queue a push after a delay in seconds."""
        asyncio.get_running_loop().call_later(delay, self._queue.put_nowait, (openid, xml))

    async def _run(self) -> None:
        while not self._stopping:
            openid, xml = await self._queue.get()
            await self.deliver(openid, xml)

    def deliver(self, openid: str, xml: str) -> Coroutine[Any, Any, bool]:
        """Push now; whether it was acknowledged."""
        url, body = self._seal(openid, xml)
        return self._try(url, body)

    async def _try(self, url: str, body: bytes) -> bool:
        if not self.url or self._http is None:
            return False
        for _ in range(_TRIES):
            with contextlib.suppress(NotSent, MaybeSent):
                answer = await self._http.request("POST", url, headers=_XML, body=body)
                if answer.status == 200 and answer.body in (b"success", b""):
                    return True
        return False

    def _seal(self, openid: str, xml: str) -> tuple[str, bytes]:
        stamp, nonce = str(int(time.time())), str(secrets.randbelow(10**9))
        sealed = encrypt(self._aes_key, self._app_id, xml)
        signature = sign(self._token, stamp, nonce)
        whole = sign(self._token, stamp, nonce, sealed)
        query = (
            f"signature={signature}&timestamp={stamp}&nonce={nonce}&openid={quote(openid, safe='')}"
            f"&encrypt_type=aes&msg_signature={whole}"
        )
        body = f"<xml>{cdata('ToUserName', 'gh_sim')}{cdata('Encrypt', sealed)}</xml>"
        return f"{self.url}?{query}", body.encode()

    async def introduce(self, echo: str) -> bool:
        """Ask the callback URL to prove itself, as when staff save it; whether it did."""
        stamp, nonce = str(int(time.time())), str(secrets.randbelow(10**9))
        signature = sign(self._token, stamp, nonce)
        query = f"signature={signature}&timestamp={stamp}&nonce={nonce}&echostr={quote(echo, safe='')}"
        assert self._http is not None
        answer = await self._http.request("GET", f"{self.url}?{query}")
        return answer.status == 200 and answer.body == echo.encode()
