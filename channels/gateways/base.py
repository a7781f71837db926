"""What all simulated gateways share: books, faults and a control interface.

Control interface of every simulator (never part of the provider's protocol):
  GET  /_sim/books?after=N   {"entries": [...], "next": M}: every acceptance in order, from the N-th on
  GET  /_sim/totals          {"accepted": ..., "delivered": ..., "failed": ..., "read": ...}
  POST /_sim/faults          a JSON object of `Faults` fields to change
  POST /_sim/uplink          a JSON object: a taxpayer answers (fields by simulator)
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

MAGIC_PREFIX = "1380000"
"""Mobile numbers 1380000xxxx behave as `MAGIC` says, whatever the fault rates are."""

MAGIC = {
    "0001": "reject",
    "0002": "throttle",
    "0003": "drop_before",
    "0004": "drop_after",
    "0005": "error_after",
    "0006": "fail",
    "0007": "silent",
    "0008": "slow",
    "0009": "twice",
}
"""The last four digits and what happens.

`reject`: refused for this address. `throttle`: refused for the rate. `drop_before`: the connection is cut
and nothing was accepted. `drop_after`: accepted, then the connection is cut. `error_after`: accepted, then
a 502. `fail`: accepted, a failure is reported. `silent`: accepted, nothing is ever reported. `slow`:
accepted, answered after `Faults.slow_seconds`. `twice`: accepted, each report is pushed twice.
"""


TRANSIENT = frozenset({"throttle", "drop_before", "drop_after", "error_after", "slow", "late"})


@dataclass(frozen=True, slots=True)
class Faults:
    """Rates are 0 to 1, drawn from the seed and the address, so a run can be repeated.

    What befalls a request (`TRANSIENT`) is drawn anew for every request that an address is in, otherwise a
    message once dropped would be dropped at every further try. What befalls a message (`reject`, `fail`,
    `silent`, `twice`, `read`) belongs to its address and stays. `late`: accepted and answered only after
    `late_seconds`, whether the client still waits or not (of the simulators that know it). `unread` is no
    fault: so many contents are booked without a look at them, where looking would cost more than what a
    bench measures.
    """

    reject: float = 0.0
    throttle: float = 0.0
    drop_before: float = 0.0
    drop_after: float = 0.0
    error_after: float = 0.0
    slow: float = 0.0
    slow_seconds: float = 5.0
    late: float = 0.0
    late_seconds: float = 2.0
    fail: float = 0.0
    silent: float = 0.0
    twice: float = 0.0
    read: float = 0.0
    unread: float = 0.0
    shuffle: bool = False
    receipt_delay: float = 0.05
    receipts_before_answer: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class BookEntry:
    """One message that the gateway accepted. `key` is the sender's reference as the gateway received it;
    where a request shares one reference, `key` is the request's and `address` tells the message."""

    number: int
    key: str
    address: str
    ref: str
    text: str
    parts: int
    state: str


class Books:
    """Every acceptance, in order; the judge of what was sent."""

    def __init__(self) -> None:
        self.entries: list[BookEntry] = []
        self._reported = {"delivered": 0, "failed": 0, "read": 0}

    def record(self, *, key: str, address: str, ref: str, text: str = "", parts: int = 1) -> BookEntry:
        """Write down an acceptance."""
        entry = BookEntry(len(self.entries), key, address, ref, text, parts, "accepted")
        self.entries.append(entry)
        return entry

    def mark(self, number: int, state: str) -> None:
        """Note what was reported of an entry: `delivered`, `failed` or `read`."""
        entry = self.entries[number]
        if entry.state in self._reported:
            self._reported[entry.state] -= 1
        self._reported[state] += 1
        self.entries[number] = BookEntry(
            entry.number, entry.key, entry.address, entry.ref, entry.text, entry.parts, state
        )

    def totals(self) -> dict[str, int]:
        """Entries by state, and `accepted` for all of them."""
        return {"accepted": len(self.entries), **self._reported}


_NUMBER = re.compile(r"编号：([0-9a-z]{1,16})(?![0-9A-Za-z])")


def shown_number(text: str) -> str:
    """The sender's reference where a provider has no field for one, so that it stands in the text: the last
    that follows `编号：`, or an empty string."""
    return next(reversed(_NUMBER.findall(text)), "")


class Simulator(ABC):
    """Base of the simulators. `start` binds a loopback port and returns the base URL or `host:port`."""

    name: str

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.books = Books()
        self._asked: Counter[tuple[str, str]] = Counter()

    def fate(self, address: str, *names: str) -> str:
        """Which of the named faults strikes this address now, or an empty string."""
        digits = address[-11:]
        if digits.startswith(MAGIC_PREFIX) and MAGIC.get(digits[-4:]) in names:
            return MAGIC[digits[-4:]]
        for name in names:
            rate = getattr(self.faults, name)
            if rate and self.draw(self._occasion(address, name), name) < rate:
                return name
        return ""

    def _occasion(self, address: str, name: str) -> str:
        if name not in TRANSIENT:
            return address
        self._asked[address, name] += 1
        return f"{address}#{self._asked[address, name]}"

    def draw(self, address: str, name: str) -> float:
        """A number in [0, 1) that depends on the seed, the address and the fault's name alone."""
        digest = hashlib.blake2b(f"{self.faults.seed}|{name}|{address}".encode(), digest_size=8).digest()
        return (int.from_bytes(digest) >> 11) / 2**53

    def control(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any | None:
        """Answer the control interface, or None if the path is not one of its."""
        match method, path:
            case "GET", "/_sim/books":
                after = int(query.get("after", "0"))
                entries = [asdict(entry) for entry in self.books.entries[after : after + 50_000]]
                return {"entries": entries, "next": after + len(entries)}
            case "GET", "/_sim/totals":
                return self.books.totals()
            case "POST", "/_sim/faults":
                self.faults = replace(self.faults, **orjson.loads(body))
                return asdict(self.faults)
            case "POST", "/_sim/uplink":
                self.uplink(orjson.loads(body))
                return {"ok": True}
        return None

    @abstractmethod
    def uplink(self, message: Mapping[str, Any]) -> None:
        """A taxpayer answers: push what the provider would push."""

    @abstractmethod
    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the address for the adapter's configuration."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop listening, drop what is not pushed yet."""
