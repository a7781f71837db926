"""The simulated gateway: books, reports and uplinks over the provider's own connections.

Source: protocol sheet `cmpp`. `POST /_sim/uplink` takes `address`, `text`, and if wanted `extension` (digits
behind the access number), `fmt` (0, 8 or 15) and `size` (octets of content in one part). `POST /_sim/command`
takes `do`: `terminate`, `active_test` or `cut`, for every connection.
"""

import asyncio
import functools
import itertools
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from channels.gateways.base import Faults, Simulator
from channels.gateways.cmpp import fields as wire
from channels.gateways.cmpp import rules
from channels.gateways.cmpp.account import (
    CHINA,
    VERSION_3,
    Account,
    clocks_agree,
    countersign,
    id_behind,
    make_id,
    sign,
)
from channels.gateways.cmpp.deliveries import Delivery, write_report, write_uplink
from channels.gateways.cmpp.session import Command, Session
from channels.gateways.http_server import HttpServer, serve_control

_GATEWAY_CODE = 123456
_ADDRESS_FATES = ("drop_after", "error_after", "slow")


class CmppSimulator(Simulator):
    """`start` returns `host:port`; the control interface stands at `control_url`.

    A text is booked when its last part has come in, with the Msg_Ids of its parts joined by `+` as reference.
    `answer_delay`: seconds before a SUBMIT is answered. `answer_timeout`: seconds after which a DELIVER is
    repeated. `trickle`: answers leave in
    pieces of five octets. Where a text has several parts, a reported failure is that of the last.
    """

    name = "cmpp"

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
        self._ids = itertools.count(random.Random(self.faults.seed).randrange(1 << 16))
        self._order = random.Random(self.faults.seed)
        self._fragments: dict[tuple[str, int, int], dict[int, tuple[str, int]]] = {}
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

    def connect(self, session: Session, body: bytes) -> bytes:
        """Judge a CONNECT; the answer has the form of the version that is spoken."""
        status, fields = self._judge_connect(body)
        asked = fields.get("version", VERSION_3)
        spoken = min(asked, self.account.highest)
        raw = status.to_bytes(4 if spoken >= VERSION_3 else 1)
        if status == 0:
            session.version = spoken
            proof = countersign(raw, fields["authenticator"], self.account.secret)
            asyncio.get_running_loop().call_soon(self._find_homes)
        else:
            proof = bytes(16)
        return raw + proof + bytes([self.account.highest])

    def _judge_connect(self, body: bytes) -> tuple[int, dict[str, Any]]:
        account = self.account
        if len(body) != wire.size_of(wire.CONNECT):
            return 1, {}
        fields = wire.read(wire.CONNECT, body)
        if fields["source"].rstrip(b"\0") != account.sp_id.encode():
            return 2, fields
        if fields["version"] not in (0x20, 0x21, VERSION_3) or fields["version"] > account.highest:
            return 4, fields
        genuine = sign(account.sp_id, account.secret, fields["stamp"])
        if fields["authenticator"] != genuine or not clocks_agree(fields["stamp"], self._now(), account.skew):
            return 3, fields
        if sum(bool(session.version) for session in self.sessions) >= account.connections:
            return 5, fields
        return 0, fields

    async def submit(self, session: Session, sequence: int, body: bytes) -> None:
        """Judge, suffer, book, answer a SUBMIT."""
        self.submits += 1
        try:
            if self.answer_delay:
                await asyncio.sleep(self.answer_delay)
            fields, numbers, fragment = self._read(session, body)
            self._suffer_before(numbers)
            first = self._next_id(len(numbers))
            reports = self._book(numbers, fragment, first, fields)
            await self._conclude(session, sequence, numbers, first, reports)
        except rules.Refused as refusal:
            self._answer(session, sequence, 0, refusal.result)
        except ConnectionAbortedError:
            session.abort()
        finally:
            session.waiting -= 1

    def _next_id(self, count: int = 1) -> int:
        sequence = next(self._ids)
        for _ in range(count - 1):
            next(self._ids)
        return make_id(self._now(), _GATEWAY_CODE, sequence)

    def _read(self, session: Session, body: bytes) -> tuple[dict[str, Any], list[str], rules.Fragment]:
        try:
            fields = wire.read_submit(body, session.version >= VERSION_3)
        except wire.Malformed:
            raise rules.Refused(rules.LENGTH) from None
        numbers = rules.check(fields, self.account, session.version)
        return fields, numbers, rules.read_fragment(fields)

    def _suffer_before(self, numbers: list[str]) -> None:
        fates = {self.fate(number, "reject", "throttle", "drop_before") for number in numbers}
        if "drop_before" in fates:
            raise ConnectionAbortedError
        if "throttle" in fates:
            raise rules.Refused(rules.BUSY)
        if "reject" in fates:
            raise rules.Refused(rules.DESTINATION)

    def _book(
        self, numbers: list[str], fragment: rules.Fragment, first: int, fields: Mapping[str, Any]
    ) -> list[tuple[Delivery, int]]:
        reports = []
        for place, number in enumerate(numbers):
            msg_id = id_behind(first, place)
            entry = self._collect(number, fragment, msg_id)
            failed = bool(self.fate(number, "fail")) and fragment.number == fragment.total
            if fields["registered"] == 1 and not self.fate(number, "silent"):
                done = functools.partial(self._reported, entry, "failed" if failed else "delivered")
                now = self._now().astimezone(CHINA)
                report = write_report(number, msg_id, fields, failed, self._next_id(), now, done)
                reports.append((report, 2 if self.fate(number, "twice") else 1))
        return reports

    def _reported(self, entry: int | None, state: str) -> None:
        self.reports_answered += 1
        if entry is not None:
            self.books.mark(entry, state)

    def _collect(self, number: str, fragment: rules.Fragment, msg_id: int) -> int | None:
        """Book a text that is whole now; returns its number in the books."""
        place = (number, fragment.reference, fragment.total)
        parts = self._fragments.setdefault(place, {})
        parts[fragment.number] = (fragment.text, msg_id)
        if len(parts) < fragment.total:
            return None
        del self._fragments[place]
        ordered = [parts[n] for n in sorted(parts)]
        ref = "+".join(str(one) for _, one in ordered)
        text = "".join(text for text, _ in ordered)
        entry = self.books.record(key="", address=number, ref=ref, text=text, parts=len(ordered))
        return entry.number

    async def _conclude(
        self,
        session: Session,
        sequence: int,
        numbers: list[str],
        first: int,
        reports: list[tuple[Delivery, int]],
    ) -> None:
        fate = next((f for number in numbers if (f := self.fate(number, *_ADDRESS_FATES))), "")
        early = self.faults.receipts_before_answer
        for report, times in reports:
            for nth in range(times):
                late = self._order.uniform(0, 4) if self.faults.shuffle else nth + 1.0
                delay = 0.0 if early and not nth else self.faults.receipt_delay * late
                asyncio.get_running_loop().call_later(delay, self.send_later, report)
        if early:
            await self._until_answered(session)
        if fate == "drop_after":
            return session.abort()
        if fate == "error_after":
            return session.answer(Command.SUBMIT, sequence, b"\xff\xff\xff")
        if fate == "slow":
            await asyncio.sleep(self.faults.slow_seconds)
        return self._answer(session, sequence, first, 0)

    async def _until_answered(self, session: Session) -> None:
        before = self.reports_answered
        for _ in range(200):
            await asyncio.sleep(0.005)
            if self.reports_answered > before:
                return

    @staticmethod
    def _answer(session: Session, sequence: int, msg_id: int, result: int) -> None:
        session.answer(Command.SUBMIT, sequence, msg_id.to_bytes(8) + result.to_bytes(session.width))

    def send_later(self, delivery: Delivery) -> None:
        """Hand a DELIVER to the next connection in turn, or keep it until there is one."""
        ready = sorted((s for s in self.sessions if s.version and not s.is_leaving), key=id)
        if ready:
            ready[next(self._turns) % len(ready)].deliver(delivery)
        else:
            self._homeless.append(delivery)

    def _find_homes(self) -> None:
        homeless, self._homeless = self._homeless, []
        for delivery in homeless:
            self.send_later(delivery)

    def totals_of(self, body: bytes) -> bytes:
        """QUERY_RESP: the day's figures; there is one service."""
        told = wire.read(wire.QUERY, body)
        states = self.books.totals()
        accepted = sum(entry.parts for entry in self.books.entries)
        sums = (accepted, accepted, states["delivered"], accepted - states["delivered"] - states["failed"])
        figures = (*sums, states["failed"], 0, 0, 0)
        head = wire.write(wire.QUERY[:3], told)
        return head + b"".join(figure.to_bytes(4) for figure in figures)

    def uplink(self, message: Mapping[str, Any]) -> None:
        """A phone sends a text to the access number."""
        dest = f"{self.account.source}{message.get('extension', '')}"
        base = {"dest": dest.encode(), "service_id": self.account.service_id.encode()}
        for delivery in write_uplink(message, base, self._next_id, next(self._ids) % 256):
            self.send_later(delivery)

    def order(self, what: str) -> None:
        """`terminate`, `active_test` or `cut` every connection."""
        for session in list(self.sessions):
            match what:
                case "terminate":
                    session.is_leaving = True
                    session.request(Command.TERMINATE)
                case "active_test":
                    session.request(Command.ACTIVE_TEST)
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
