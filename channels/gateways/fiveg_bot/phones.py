"""The phones behind the platform: who can read 5G messages, who is offline, and what becomes of a message."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from channels.gateways.base import BookEntry, Books
from channels.gateways.fiveg_bot.pusher import Pusher, Status
from channels.gateways.fiveg_bot.requests import Accepted

KINDS = ("5g", "sms", "offline", "absent", "blocked")
"""`5g` online and able, `sms` no 5G message terminal, `offline` able but away, `absent` not to be found,
`blocked` the user has refused the bot."""

_CHINA = timezone(timedelta(hours=8))
_NOT_FOUND, _NOT_5G, _OFFLINE, _REJECTED = 1, 2, 4, 5
_RANK = {"accepted": 0, "delivered": 1, "failed": 1, "read": 2}
_STATES = {
    "delivered": "delivered",
    "deliveredToNetwork": "delivered",
    "displayed": "read",
    "failed": "failed",
}
_RECENT = 50_000


@dataclass(slots=True)
class Sent:
    """A message on its way."""

    message: Accepted
    entry: BookEntry
    copies: int = 1
    reads: bool = False
    arrived: bool = False
    revoked: bool = False


@dataclass(slots=True)
class Report:
    """A status of a message."""

    books: Books
    chatbot_id: str
    sent: Sent
    name: str
    code: int = 0
    at: str = ""

    def fire(self) -> dict[str, Any] | None:
        """See Status."""
        if self.name != "sent":
            if self.sent.revoked:
                return None
            self.sent.arrived = True
        if self.name not in self.sent.message.reports:
            self.taken()
            return None
        return self.info(self.name)

    def taken(self) -> None:
        """See Status."""
        state, number = _STATES.get(self.name), self.sent.entry.number
        if state and _RANK[state] > _RANK[self.books.entries[number].state]:
            self.books.mark(number, state)

    def info(self, status: str) -> dict[str, Any]:
        """The entry of deliveryInfoList."""
        # Once, so that a report which is pushed twice says the same twice.
        self.at = self.at or datetime.fromtimestamp(time.time(), _CHINA).isoformat(timespec="milliseconds")
        return {
            "messageId": self.sent.message.message_id,
            "dateTime": self.at,
            "status": status,
            "destinationAddress": self.chatbot_id,
            "senderAddress": f"tel:+86{self.sent.message.address}",
            **({"errorCode": self.code, "errorMessage": "failed"} if self.code else {}),
        }


class Revocation(Report):
    """The end of an attempt to take a message back: it wins unless the message has arrived."""

    __slots__ = ()

    def fire(self) -> dict[str, Any] | None:
        """See Status."""
        self.sent.revoked = not self.sent.arrived
        return self.info("revokeOk" if self.sent.revoked else "revokeFail")


@dataclass(frozen=True, slots=True)
class Expiry:
    """The end of the time for which a message is stored."""

    phones: "Phones"
    sent: Sent

    def fire(self) -> None:
        """See Status."""
        self.phones.expire(self.sent)

    def taken(self) -> None:
        """See Status."""


class Phones:
    """What becomes of messages. `kind_of` tells a number's kind unless `terminals` names it."""

    def __init__(
        self,
        books: Books,
        pusher: Pusher,
        chatbot_id: str,
        kind_of: Callable[[str], str],
        store_seconds: float,
    ) -> None:
        self._books, self._pusher, self._chatbot_id = books, pusher, chatbot_id
        self._kind_of, self._store_seconds = kind_of, store_seconds
        self.terminals: dict[str, str] = {}
        self.recent: dict[str, Sent] = {}
        self._last: dict[str, Sent] = {}
        self._stored: dict[str, list[Sent]] = {}

    def kind(self, address: str) -> str:
        """The kind of a number's terminal."""
        return self.terminals.get(address) or self._kind_of(address)

    def last_to(self, address: str) -> Sent | None:
        """The latest message to a number, if it is not long ago."""
        return self._last.get(address)

    def change(self, terminals: dict[str, str], delay: float) -> None:
        """Change terminals; who comes online gets what was stored."""
        for address, kind in terminals.items():
            if kind not in KINDS:
                raise ValueError(f"terminal must be one of {KINDS}")
            self.terminals[address] = kind
            if kind == "5g":
                for sent in self._stored.pop(address, []):
                    self._schedule(self._arrive(sent), delay)

    def take(self, sent: Sent, fails: bool) -> list[Status]:
        """What is to be reported of a message that was just accepted."""
        self._remember(sent)
        if fails:
            return self._report(sent, "failed", _NOT_FOUND)
        match self.kind(sent.message.address):
            case "5g":
                return [*self._report(sent, "sent"), *self._arrive(sent)]
            case "sms":
                return self._fall_back(sent, _NOT_5G)
            case "offline" if sent.message.store:
                return self._keep(sent)
            case "offline":
                return self._fall_back(sent, _OFFLINE)
            case "absent":
                return self._report(sent, "failed", _NOT_FOUND)
        return self._report(sent, "failed", _REJECTED)

    def revoke(self, message_id: str, delay: float) -> bool:
        """Try to take a message back; the result is pushed. False: no such message."""
        sent = self.recent.get(message_id)
        if sent is None:
            return False
        self._pusher.later(Revocation(self._books, self._chatbot_id, sent, "revoke"), delay)
        return True

    def _remember(self, sent: Sent) -> None:
        for kept, name in ((self.recent, sent.message.message_id), (self._last, sent.message.address)):
            kept.pop(name, None)
            kept[name] = sent
            if len(kept) > _RECENT:
                del kept[next(iter(kept))]

    def _arrive(self, sent: Sent) -> list[Status]:
        return self._report(sent, "delivered") + (self._report(sent, "displayed") if sent.reads else [])

    def _fall_back(self, sent: Sent, code: int) -> list[Status]:
        if sent.message.sms:
            return self._report(sent, "deliveredToNetwork")
        return self._report(sent, "failed", code)

    def _keep(self, sent: Sent) -> list[Status]:
        self._stored.setdefault(sent.message.address, []).append(sent)
        self._pusher.later(Expiry(self, sent), self._store_seconds)
        return self._report(sent, "sent")

    def expire(self, sent: Sent) -> None:
        """Give up waiting for a phone to come online."""
        waiting = self._stored.get(sent.message.address, [])
        if sent in waiting:
            waiting.remove(sent)
            self._schedule(self._fall_back(sent, _OFFLINE), 0.0)

    def _schedule(self, statuses: Iterable[Status], delay: float) -> None:
        for status in statuses:
            self._pusher.later(status, delay)

    def _report(self, sent: Sent, name: str, code: int = 0) -> list[Status]:
        return [Report(self._books, self._chatbot_id, sent, name, code)] * sent.copies
