"""The platform's side of the event address: encrypted, signed, tried three times until the answer holds the
encrypted word. Sheet, event callback crypto."""

import asyncio
import base64
import contextlib
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from channels.gateways.wechat_official.pushes import encrypt, sign
from channels.http import Http, MaybeSent, NotSent, Response

_TRIES = 3
_JSON = {"content-type": "application/json"}


class Pusher:
    """Pushes events of the account `owner` to `url`, `limit` seconds for each answer."""

    def __init__(self, url: str, token: str, aes_key: str, owner: str, limit: float) -> None:
        self.url = url
        self._token, self._aes_key, self._owner = token, aes_key, owner
        self._http = Http(limit, 16)
        self._tasks: set[asyncio.Task[bool]] = set()

    async def stop(self) -> None:
        """Drop what is not delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()

    def push(self, event: Mapping[str, Any]) -> None:
        """Push an event in the background."""
        task = asyncio.get_running_loop().create_task(self.deliver(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def deliver(self, event: Mapping[str, Any]) -> bool:
        """Push an event now; whether it was acknowledged."""
        if not self.url:
            return False
        stamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(8)
        sealed = encrypt(self._aes_key, self._owner, orjson.dumps(event).decode())
        signature = sign(self._token, stamp, nonce, sealed)
        query = urlencode(
            {"signature": signature, "msg_signature": signature, "timestamp": stamp, "nonce": nonce}
        )
        body = orjson.dumps({"encrypt": sealed})
        for _ in range(_TRIES):
            with contextlib.suppress(NotSent, MaybeSent):
                answer = await self._http.request("POST", f"{self.url}?{query}", headers=_JSON, body=body)
                if self.is_acknowledged(answer):
                    return True
        return False

    def is_acknowledged(self, answer: Response) -> bool:
        """Whether an answer holds the word, for this account and signed."""
        try:
            told = orjson.loads(answer.body)
            stamp, nonce, sealed = told["timeStamp"], told["nonce"], told["encrypt"]
            signed = told["msg_signature"] == sign(self._token, stamp, nonce, sealed)
            return answer.status == 200 and signed and self._open(sealed) == b"success"
        except (ValueError, KeyError, TypeError):
            return False

    def _open(self, sealed: str) -> bytes:
        key = base64.b64decode(self._aes_key + "=")
        cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        plain = cipher.update(base64.b64decode(sealed)) + cipher.finalize()
        plain = plain[: -plain[-1]]
        length = int.from_bytes(plain[16:20], "big")
        if plain[20 + length :] != self._owner.encode():
            raise ValueError("for another account")
        return plain[20 : 20 + length]
