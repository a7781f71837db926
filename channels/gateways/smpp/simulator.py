"""The simulated centre: books, reports and uplinks over its clients' own connections. Source: sheet `smpp`.

`POST /_sim/uplink` takes `address`, `text`, and if wanted `coding` (0 or 8) and `size` (octets in one part).
`POST /_sim/command` takes `do`: `unbind`, `enquire` or `cut`, for every connection.
"""

import asyncio
import functools
import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from channels.gateways.base import Faults, Simulator
from channels.gateways.http_server import HttpServer, serve_control
from channels.gateways.smpp import rules, wire
from channels.gateways.smpp.session import Delivery, Session
from channels.gateways.smpp.wire import Account, Command, Reader, Status
from channels.lines.gsm import encode_gsm

_LATE_FATES = ("drop_after", "error_after", "slow")
_RECEIPT, _UDHI = 0x04, 0x40


class SmppSimulator(Simulator):
    """`start` returns `host:port`; the control interface stands at `control_url`.

    A text is booked when its last part has come in, with the numbers of its parts joined by `+` as reference.
    `answer_delay`: seconds before a request is answered; `answer_timeout`: after which a deliver_sm is
    repeated. Where a text has several parts, a reported failure is that of the last.
    """

    name = "smpp"

    def __init__(
        self,
        faults: Faults | None = None,
        account: Account | None = None,
        *,
        answer_delay: float = 0.0,
        answer_timeout: float = 60.0,
        trickle: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(faults)
        self.account = account or Account()
        self.answer_delay = answer_delay
        self.answer_timeout = answer_timeout
        self.trickle = trickle
        self.sessions: set[Session] = set()
        self.submits = 0
        self.reports_answered = 0
        self.control_url = ""
        self._now = now
        self._ids = itertools.count(0xA00000)
        self._order = random.Random(self.faults.seed)
        self._fragments: dict[tuple[str, int, int], dict[int, tuple[str, str]]] = {}
        self._turns = itertools.count()
        self._homeless: list[Delivery] = []
        self._server: asyncio.Server | None = None
        self._control = HttpServer(self._serve_control)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns `host:port`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Session(self), host, port)
        self.control_url = await self._control.start(host, 0)
        return f"{host}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening, drop clients and what is not delivered yet."""
        if self._server is not None:
            self._server.close()
        for session in list(self.sessions):
            session.abort()
        await asyncio.sleep(0)
        await self._control.stop()

    def bind(self, session: Session, body: bytes) -> Status:
        """Judge a bind of any mode."""
        reader = Reader(body)
        try:
            system_id, password, _ = reader.text(16), reader.text(9), reader.text(13)
            version, _, _ = (reader.number() for _ in range(3))
            reader.text(41)
        except wire.Malformed:
            return Status.COMMAND_LENGTH
        if system_id != self.account.system_id:
            return Status.SYSTEM_ID
        if password != self.account.password:
            return Status.PASSWORD
        full = sum(bool(other.mode) for other in self.sessions) >= self.account.connections
        return Status.BIND_FAILED if full or version not in (0x33, 0x34) else Status.OK

    def bound(self) -> None:
        """Somebody can receive now."""
        homeless, self._homeless = self._homeless, []
        for delivery in homeless:
            self.send_later(delivery)

    async def submit(self, session: Session, sequence: int, body: bytes) -> None:
        """Judge, suffer, book, answer a submit_sm."""
        self.submits += 1
        try:
            if self.answer_delay:
                await asyncio.sleep(self.answer_delay)
            submit = rules.read_submit(body, self.account)
            self._suffer_before(submit.number)
            message_id = f"{next(self._ids):x}"
            reports = self._book(submit, message_id)
            await self._conclude(session, sequence, submit, message_id, reports)
        except rules.Refused as refusal:
            session.answer(Command.SUBMIT, refusal.status, sequence)
        except ConnectionAbortedError:
            session.abort()
        finally:
            session.waiting -= 1

    def _suffer_before(self, number: str) -> None:
        match self.fate(number, "reject", "throttle", "drop_before"):
            case "drop_before":
                raise ConnectionAbortedError
            case "throttle":
                raise rules.Refused(Status.THROTTLED)
            case "reject":
                raise rules.Refused(Status.DESTINATION)

    def _book(self, submit: rules.Submit, message_id: str) -> list[Delivery]:
        entry = self._collect(submit, message_id)
        if not submit.wants_report or self.fate(submit.number, "silent"):
            return []
        failed = bool(self.fate(submit.number, "fail")) and submit.part == submit.total
        done = functools.partial(self._reported, entry, "failed" if failed else "delivered")
        report = Delivery(self._write_report(submit, message_id, failed), done)
        return [report] * (2 if self.fate(submit.number, "twice") else 1)

    def _collect(self, submit: rules.Submit, message_id: str) -> int | None:
        place = (submit.number, submit.reference, submit.total)
        parts = self._fragments.setdefault(place, {})
        parts[submit.part] = (submit.text, message_id)
        if len(parts) < submit.total:
            return None
        del self._fragments[place]
        ordered = [parts[n] for n in sorted(parts)]
        ref, text = "+".join(one for _, one in ordered), "".join(text for text, _ in ordered)
        return self.books.record(key="", address=submit.number, ref=ref, text=text, parts=len(ordered)).number

    def _reported(self, entry: int | None, state: str) -> None:
        self.reports_answered += 1
        if entry is not None:
            self.books.mark(entry, state)

    def _write_report(self, submit: rules.Submit, message_id: str, failed: bool) -> bytes:
        stamp = self._now().strftime("%y%m%d%H%M")
        told = str(int(message_id, 16)) if self.account.decimal else message_id
        stat, err = ("UNDELIV", "001") if failed else ("DELIVRD", "000")
        text = (
            f"id:{told} sub:001 dlvrd:{int(not failed):03d} submit date:{stamp} done date:{stamp}"
            f" stat:{stat} err:{err} text:"
        )
        options = {wire.RECEIPTED_ID: wire.write_text(message_id), wire.STATE: b"\5" if failed else b"\2"}
        if self.account.receipts == "text":
            options = {}
        if self.account.receipts == "tlv":
            text = ""
        return _write_deliver(submit.address, submit.source, _RECEIPT, 0, text.encode(), options)

    async def _conclude(
        self,
        session: Session,
        sequence: int,
        submit: rules.Submit,
        message_id: str,
        reports: list[Delivery],
    ) -> None:
        fate = self.fate(submit.number, *_LATE_FATES)
        early = self.faults.receipts_before_answer
        for nth, report in enumerate(reports):
            late = self._order.uniform(0, 4) if self.faults.shuffle else nth + 1.0
            delay = 0.0 if early and not nth else self.faults.receipt_delay * late
            asyncio.get_running_loop().call_later(delay, self.send_later, report)
        if early:
            await self._until_answered()
        if fate == "drop_after":
            raise ConnectionAbortedError
        if fate == "error_after":
            return session.answer(Command.SUBMIT, Status.OK, sequence, b"no end")
        if fate == "slow":
            await asyncio.sleep(self.faults.slow_seconds)
        return session.answer(Command.SUBMIT, Status.OK, sequence, wire.write_text(message_id))

    async def _until_answered(self) -> None:
        before = self.reports_answered
        for _ in range(200):
            await asyncio.sleep(0.005)
            if self.reports_answered > before:
                return

    def send_later(self, delivery: Delivery) -> None:
        """Hand a deliver_sm to the next receiver in turn, or keep it until there is one."""
        ready = sorted((session for session in self.sessions if "r" in session.mode), key=id)
        if ready:
            ready[next(self._turns) % len(ready)].deliver(delivery)
        else:
            self._homeless.append(delivery)

    def uplink(self, message: Mapping[str, Any]) -> None:
        """A phone sends a text to the bureau's number."""
        for body in _write_uplink(message, self.account.source, next(self._ids) % 256):
            self.send_later(Delivery(body, lambda: None))

    def order(self, what: str) -> None:
        """`unbind`, `enquire` or `cut` every connection."""
        for session in list(self.sessions):
            match what:
                case "unbind":
                    session.request(Command.UNBIND)
                case "enquire":
                    session.request(Command.ENQUIRE)
                case "cut":
                    session.abort()

    def control(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any | None:
        """The common control interface, and `/_sim/command`."""
        if (method, path) == ("POST", "/_sim/command"):
            self.order(orjson.loads(body)["do"])
            return {"ok": True}
        return super().control(method, path, query, body)

    async def _serve_control(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await serve_control(self.control, scope, receive, send)


def _write_deliver(
    source: str, dest: str, esm: int, coding: int, content: bytes, options: Mapping[int, bytes]
) -> bytes:
    ton = b"\1\1" if source.startswith("86") else b"\0\1"
    head = b"\0" + ton + wire.write_text(source) + b"\0\1" + wire.write_text(dest) + bytes((esm, 0, 0))
    body = b"\0\0" + bytes((0, 0, coding, 0, len(content))) + content
    return head + body + wire.write_options(options)


def _write_uplink(message: Mapping[str, Any], dest: str, reference: int) -> Iterator[bytes]:
    coding, size = int(message.get("coding", 8)), int(message.get("size", 140))
    text = str(message["text"])
    content = b"".join(encode_gsm(text) or []) if coding == 0 else text.encode("utf-16-be")
    source = str(message["address"])
    if len(content) <= size:
        yield _write_deliver(source, dest, 0, coding, content, {})
        return
    pieces = [content[n : n + size - 6] for n in range(0, len(content), size - 6)]
    for number, piece in enumerate(pieces, 1):
        header = bytes((5, 0, 3, reference, len(pieces), number))
        yield _write_deliver(source, dest, _UDHI, coding, header + piece, {})
