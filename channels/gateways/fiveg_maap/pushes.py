"""What the platform pushes (sheet sections 4 to 6): documents, digests, repetition until they are taken."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from html import escape
from typing import Any
from urllib.parse import quote

from channels.gateways.fiveg_maap.accounts import Account
from channels.gateways.fiveg_maap.reading import NAMESPACE, Taken
from channels.http import Http, MaybeSent, NotSent

_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 10.0, 30.0)
_RESPONSE = "application/vnd.gsma.botsuggestion.response.v1.0+json"
_SPAM = "application/vnd.gsma.rcsspam-report+xml"
_HOME = "bj.ims.mnc000.mcc460.3gppnetwork.org"


def wrap(root: str, inner: str) -> str:
    """A document of the interface."""
    return f'<?xml version="1.0" encoding="UTF-8"?><msg:{root} xmlns:msg="{NAMESPACE}">{inner}</msg:{root}>'


def leaf(name: str, text: str) -> str:
    """An element with a text."""
    return f"<{name}>{escape(text)}</{name}>"


def delivery_info(number: str, message_id: str, status: str, description: str) -> str:
    """One element of a deliveryInfoNotification; the user's address is written in the platform's two ways."""
    address = f"tel:+86{number}" if int(number) % 2 else f"sip:+86{number}@{_HOME}"
    return (
        f"<deliveryInfo>{leaf('address', address)}{leaf('messageId', message_id)}"
        f"{leaf('deliveryStatus', status)}{leaf('description', description) if description else ''}"
        "</deliveryInfo>"
    )


def write_inbound(message: Mapping[str, Any], last: Taken | None, chatbot_id: str) -> str:
    """What a taxpayer sends: `address` and `text`; or `press`, the label of a button of the last message to
    her; or `spam`. Raises ValueError if there is no such button."""
    kind, body = "text/plain", str(message.get("text", ""))
    if "press" in message:
        label = str(message["press"])
        pressed = [data for name, data in (last.buttons if last else ()) if name == label]
        if not pressed:
            raise ValueError(f"no button {label} in the last message")
        text, data = (piece.replace("\\", "\\\\").replace('"', '\\"') for piece in (label, pressed[0]))
        kind = _RESPONSE
        body = f'{{"response":{{"reply":{{"displayText":"{text}","postback":{{"data":"{data}"}}}}}}}}'
    elif "spam" in message:
        kind, body = _SPAM, "<SR><Spam-Type>other</Spam-Type></SR>"
    inner = (
        leaf("destinationAddress", chatbot_id)
        + leaf("senderAddress", f" sip:+86{message['address']}@{_HOME} ")
        + leaf("messageId", uuid.uuid4().hex)
        + leaf("contentType", kind)
        + f"<bodyText><![CDATA[{body.replace(']]>', ']]]]><![CDATA[>')}]]></bodyText>"
        + leaf("conversationID", last.conversation_id if last else str(uuid.uuid4()))
        + leaf("contributionID", str(uuid.uuid4()))
        + (leaf("inReplyToContributionID", last.contribution_id) if last else "")
    )
    return wrap("inboundMessageNotification", f"<inboundMessage>{inner}</inboundMessage>")


class Pusher:
    """Pushes to `url`; without one nothing is told, and everything counts as taken."""

    def __init__(self, account: Account, url: str) -> None:
        self.url = url
        self._account = account
        self._http = Http(10.0, 16)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def stop(self) -> None:
        """Drop what is not pushed yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()

    def spawn(self, work: Any) -> None:
        """Do something beside everything else, until `stop`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def push(self, what: str, document: str) -> bool:
        """Push a document until it is taken; False after too many tries."""
        if not self.url:
            return True
        bot = self._account.chatbot_id
        path = f"/{what}/{quote(bot, safe='') if self._account.encoded else bot}"
        for pause in _PAUSES:
            with contextlib.suppress(NotSent, MaybeSent):
                answer = await self._http.request(
                    "POST", self.url + path, headers=self._headers(), body=document.encode()
                )
                if answer.status in {200, 204}:
                    return True
            await asyncio.sleep(pause)
        return False

    def _headers(self) -> dict[str, str]:
        date = formatdate(time.time(), usegmt=True)
        signed = {"Authorization": self._account.authorization(date)} if self._account.push_signed else {}
        return {"Content-Type": "application/xml", "Date": date, **signed}


def notification(infos: Iterable[str], chatbot_id: str) -> str:
    """A deliveryInfoNotification."""
    link = f"https://maap.example.cn/messaging/v1/outbound/{quote(chatbot_id, safe='')}/requests"
    inner = "".join(infos) + f'<link rel="OutboundMessageRequest" href="{link}"/>'
    return wrap("deliveryInfoNotification", inner)
