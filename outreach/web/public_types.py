"""What other areas hand to the taxpayers' pages and get from them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class MessageProof:
    """What a public check may tell about a message: nothing about its receiver."""

    bureau: str
    kind: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a message was sent, in sentences for taxpayers; no personal data."""

    bureau: str
    purpose: str
    legal_basis: str
    reason: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Rating:
    """One rating (5 very satisfied … 1 very dissatisfied) of a household's statement."""

    taxpayer_id: int
    statement_id: int
    stars: int


@dataclass(frozen=True, slots=True)
class Binding:
    """Binding an address that a provider proves (outreach.ledger.bindings).

    begin    (link of the verified visit, as its hash): the provider's page; None when there is nobody to bind
    take     (state, code from that page): keep who she is there; whether it was of use
    confirm  (state, link of the visit that presses the button): bind; whether it was hers and in time
    """

    begin: Callable[[bytes], Awaitable[str | None]]
    take: Callable[[str, str], Awaitable[bool]]
    confirm: Callable[[str, bytes], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class PdfMail:
    """A document that leaves as a file: its number, its check value in hex, the octets of the PDF."""

    number: str
    digest: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Mailing:
    """Letters to the address on file of a verified person; each tells whether the gateway took it. Both raise
    Unavailable without a gateway that works.

    code      (person, code): proves that she reads that mailbox
    document  (person, PDF): only to an address that was proved
    """

    code: Callable[[int, str], Awaitable[bool]]
    document: Callable[[int, PdfMail], Awaitable[bool]]


class InfoDeps(Protocol):
    """The part of the wiring that the information pages use."""

    @property
    def check_message(self) -> Callable[[str], Awaitable[MessageProof | None]]: ...

    @property
    def explain_message(self) -> Callable[[str], Awaitable[Explanation | None]]: ...

    @property
    def explain_visit(self) -> Callable[[bytes], Awaitable[Explanation | None]] | None: ...

    @property
    def stop_messages(self) -> Callable[[str, str], Awaitable[None]]: ...
