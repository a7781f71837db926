"""The platform's side of the callback address: encrypted, signed, tried three times. Sheet section 4."""

import asyncio
import contextlib
import secrets
import time
from urllib.parse import urlencode

from channels.gateways.wechat_official.pushes import cdata, encrypt, sign
from channels.http import Http, MaybeSent, NotSent

_TRIES = 3
_XML = {"content-type": "text/xml"}


class Pusher:
    """Pushes for one application to `url`; each is tried three times, `limit` seconds for each answer."""

    def __init__(self, url: str, token: str, aes_key: str, corp_id: str, agent_id: int, limit: float) -> None:
        self.url = url
        self._token, self._aes_key, self._corp_id, self._agent_id = token, aes_key, corp_id, agent_id
        self._http = Http(limit, 16)
        self._tasks: set[asyncio.Task[bool]] = set()

    async def stop(self) -> None:
        """Drop what is not delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()

    def push(self, userid: str, kind: str, fields: str) -> None:
        """Push an event or a message of a member; `fields` is XML after MsgType."""
        xml = (
            f"<xml>{cdata('ToUserName', self._corp_id)}{cdata('FromUserName', userid)}"
            f"<CreateTime>{int(time.time())}</CreateTime>{cdata('MsgType', kind)}{fields}"
            f"<AgentID>{self._agent_id}</AgentID></xml>"
        )
        task = asyncio.get_running_loop().create_task(self._deliver(xml))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, xml: str) -> bool:
        if not self.url:
            return False
        sealed = encrypt(self._aes_key, self._corp_id, xml)
        agent = cdata("AgentID", str(self._agent_id))
        body = f"<xml>{cdata('ToUserName', self._corp_id)}{agent}{cdata('Encrypt', sealed)}</xml>"
        url = f"{self.url}?{urlencode(self._stamp(sealed))}"
        for _ in range(_TRIES):
            with contextlib.suppress(NotSent, MaybeSent):
                answer = await self._http.request("POST", url, headers=_XML, body=body.encode())
                if answer.status == 200:
                    return True
        return False

    async def introduce(self, echo: str) -> bool:
        """Ask the callback address to prove itself, as when staff save it; whether it did."""
        sealed = encrypt(self._aes_key, self._corp_id, echo)
        query = urlencode({**self._stamp(sealed), "echostr": sealed})
        answer = await self._http.request("GET", f"{self.url}?{query}")
        return answer.status == 200 and answer.body == echo.encode()

    def _stamp(self, sealed: str) -> dict[str, str]:
        stamp, nonce = str(int(time.time())), str(secrets.randbelow(10**9))
        return {
            "msg_signature": sign(self._token, stamp, nonce, sealed),
            "timestamp": stamp,
            "nonce": nonce,
        }
