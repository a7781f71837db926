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


class InfoDeps(Protocol):
    """The part of the wiring that the information pages use."""

    @property
    def check_message(self) -> Callable[[str], Awaitable[MessageProof | None]]: ...

    @property
    def explain_message(self) -> Callable[[str], Awaitable[Explanation | None]]: ...

    @property
    def stop_messages(self) -> Callable[[str, str], Awaitable[None]]: ...
