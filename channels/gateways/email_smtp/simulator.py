"""The simulated relay: books, reports pushed to a web address, one-click unsubscription."""

import asyncio
import contextlib
import random
from collections.abc import Mapping
from typing import Any

from channels.gateways.base import Faults, Simulator
from channels.gateways.email_smtp.reports import Envelope, write_absence, write_complaint, write_status
from channels.gateways.email_smtp.rules import Mail
from channels.gateways.email_smtp.session import Session, lot
from channels.gateways.http_server import HttpServer, serve_control
from channels.http import Http, MaybeSent, NotSent

_TRIES = 3
_LANES = 16
_REMEMBERED = 50_000
_CLICK = b"List-Unsubscribe=One-Click"
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_MAIL = {"content-type": "message/rfc822"}


class EmailSmtpSimulator(Simulator):
    """`start` returns `host:port` of the relay; the control interface stands at `control_url`.

    Reports go to `report_url` as the raw mail in the body of a POST, tried three times. `login` asks for
    that user name and password; `greylist` refuses each recipient's first mail with 450. The local part of
    an address takes the magic digits: `x.13800000001@example.com`.
    """

    name = "email_smtp"

    def __init__(
        self,
        faults: Faults | None = None,
        report_url: str = "",
        login: tuple[str, str] | None = None,
        *,
        pipelining: bool = True,
        greylist: bool = False,
        size: int = 10_485_760,
    ) -> None:
        super().__init__(faults)
        self.report_url = report_url
        self.login = login
        self.size = size
        self.hello = [f"SIZE {size}", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"]
        self.hello += ["PIPELINING"] if pipelining else []
        self.hello += ["AUTH PLAIN LOGIN"] if login else []
        self.sessions: set[Session] = set()
        self.control_url = ""
        self.sent: dict[str, Envelope] = {}
        self._greylist: set[str] | None = set() if greylist else None
        self._order = random.Random(self.faults.seed)
        self._early: list[bytes] = []
        self._queue: asyncio.Queue[tuple[str, Mapping[str, str], bytes]] = asyncio.Queue()
        self._lanes: list[asyncio.Task[None]] = []
        self._stopping = False
        self._http = Http(5.0, _LANES)
        self._control = HttpServer(self._serve_control)
        self._server: asyncio.Server | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns `host:port`."""
        loop = asyncio.get_running_loop()
        self._lanes = [loop.create_task(self._run()) for _ in range(_LANES)]
        self._server = await loop.create_server(lambda: Session(self), host, port)
        self.control_url = await self._control.start(host, 0)
        return f"{host}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening, drop clients and what is not pushed yet."""
        if self._server is not None:
            self._server.close()
        for session in list(self.sessions):
            session.abort()
        self._stopping = True
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        await self._control.stop()
        await self._http.close()

    def greylisted(self, recipient: str) -> bool:
        """Whether this recipient is met for the first time and must be tried again."""
        if self._greylist is None or recipient in self._greylist:
            return False
        self._greylist.add(recipient)
        return True

    def slow_seconds(self) -> float:
        """How late a slow answer comes."""
        return self.faults.slow_seconds

    def early(self) -> bool:
        """Whether reports go out before the answer."""
        return self.faults.receipts_before_answer

    def accept(self, envelope: Envelope, mail: Mail) -> str:
        """Book a mail for one recipient and arrange its report; returns the queue id."""
        ref = f"{len(self.books.entries):010X}"
        entry = self.books.record(key=mail.key, address=envelope.recipient, ref=ref, text=mail.text)
        self.sent[envelope.recipient] = envelope
        if len(self.sent) > _REMEMBERED:
            del self.sent[next(iter(self.sent))]
        name = lot(envelope.recipient)
        failed = bool(self.fate(name, "fail"))
        self.books.mark(entry.number, "failed" if failed else "delivered")
        asked = ("FAILURE" if failed else "SUCCESS") in envelope.notify
        if asked and envelope.sender and not self.fate(name, "silent"):
            self._report(write_status(envelope, failed=failed), 2 if self.fate(name, "twice") else 1)
        return ref

    def _report(self, report: bytes, times: int) -> None:
        if self.faults.receipts_before_answer:
            self._early.append(report)
            times -= 1
        for _ in range(times):
            late = self._order.uniform(0, 4) if self.faults.shuffle else 1.0
            self._later(self.faults.receipt_delay * late, self.report_url, _MAIL, report)

    async def report_now(self) -> None:
        """Push what must overtake the answer."""
        reports, self._early = self._early, []
        for report in reports:
            await self._push(self.report_url, _MAIL, report)

    def uplink(self, message: Mapping[str, Any]) -> None:
        """`address`, whose last mail is answered, and `kind`: `unsubscribe` (one-click, default),
        `complaint` or `absence` (a holiday notice)."""
        envelope = self.sent[str(message["address"])]
        match message.get("kind", "unsubscribe"):
            case "unsubscribe":
                if not envelope.unsubscribe:
                    raise ValueError("the last mail to this address offers no unsubscription")
                self._later(0.0, envelope.unsubscribe, _FORM, _CLICK)
            case "complaint":
                self._later(0.0, self.report_url, _MAIL, write_complaint(envelope))
            case "absence":
                self._later(0.0, self.report_url, _MAIL, write_absence(envelope))
            case kind:
                raise ValueError(f"unknown uplink kind: {kind}")

    def _later(self, delay: float, url: str, headers: Mapping[str, str], body: bytes) -> None:
        asyncio.get_running_loop().call_later(delay, self._queue.put_nowait, (url, headers, body))

    async def _run(self) -> None:
        while not self._stopping:
            await self._push(*await self._queue.get())

    async def _push(self, url: str, headers: Mapping[str, str], body: bytes) -> bool:
        for wait in range(_TRIES if url else 0):
            await asyncio.sleep(wait * 0.05)
            with contextlib.suppress(NotSent, MaybeSent):
                answer = await self._http.request("POST", url, headers=headers, body=body)
                if 200 <= answer.status < 300:
                    return True
        return False

    async def _serve_control(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await serve_control(self.control, scope, receive, send)
