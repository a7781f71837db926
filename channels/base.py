"""The whole contract between the ledger and a provider.

An adapter turns our types into a provider's bytes and the provider's bytes into our types. It holds no
database, no retry loop, no rate limit and no template: those decide, and an adapter only speaks.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

from channels.errors import Fault


class Channel(StrEnum):
    """A medium. Several adapters may serve one channel."""

    SMS = "sms"
    RCS = "rcs"
    WECHAT = "wechat"
    EMAIL = "email"
    WECOM = "wecom"
    DINGTALK = "dingtalk"


class Outcome(StrEnum):
    """What we know after a request. Anything that is not certain is `UNKNOWN`."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class DeliveryState(StrEnum):
    """What a receipt can report, in the order of the ledger's ranks."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"
    READ = "read"


class InboundKind(StrEnum):
    """What a taxpayer can send back."""

    TEXT = "text"
    SUGGESTION = "suggestion"
    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    UNSUBSCRIBE = "unsubscribe"
    COMPLAINT = "complaint"


@dataclass(frozen=True, slots=True)
class Action:
    """A button under a card. `kind` is `reply`, `url`, `dial`, `calendar` or `map`; `value` is the URL, the
    number, `start/end` as RFC 3339 for a calendar entry, `latitude,longitude,name` or words to search for on
    a map; `postback` comes back when it is pressed."""

    kind: str
    label: str
    value: str = ""
    postback: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A rich message in no provider's dialect; what it may hold stands in `channels.cards`.

    `layout` is `vertical`, or `left` or `right`, the side of the picture on a card that lies. With `more` it
    is the first card of a carousel: `width` and `chips` are those of the whole. `height` is the picture's.
    """

    title: str
    body: str
    image_url: str = ""
    actions: tuple[Action, ...] = ()
    chips: tuple[Action, ...] = ()
    layout: str = "vertical"
    height: str = "medium"
    width: str = "medium"
    more: tuple["Card", ...] = ()


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message: its name as shown, its media type, its octets. With `inline_id` it is
    a picture that the HTML shows as `cid:inline_id`."""

    name: str
    kind: str
    content: bytes = field(repr=False)
    inline_id: str = ""


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message for one person.

    `key` is known before anything leaves (at most 16 characters of 0-9a-z) and travels to the gateway as
    its reference. `text` is the rendered plain text without signature; `signature` stands in 【】 before an
    SMS; `template` and `params` serve the providers that only take filed templates; `attachments` only those
    with the feature of this name.
    """

    key: str
    address: str
    text: str
    signature: str = ""
    subject: str = ""
    html: str = ""
    card: Card | None = None
    template: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    unsubscribe_url: str = ""
    attachments: tuple[Attachment, ...] = ()


class SendResult(NamedTuple):
    """The outcome of one message of a batch. `fault` is set unless accepted; `code` is the provider's."""

    key: str
    outcome: Outcome
    ref: str = ""
    fault: Fault | None = None
    code: str = ""
    retry_after: timedelta | None = None


def accepted(key: str, ref: str = "") -> SendResult:
    """The gateway took it."""
    return SendResult(key, Outcome.ACCEPTED, ref)


def refused(key: str, fault: Fault, code: str = "", retry_after: timedelta | None = None) -> SendResult:
    """The gateway certainly did not take it."""
    return SendResult(key, Outcome.REFUSED, "", fault, code, retry_after)


def unknown(key: str, code: str = "") -> SendResult:
    """Nobody can tell whether the gateway took it."""
    return SendResult(key, Outcome.UNKNOWN, "", Fault.OUTCOME_UNKNOWN, code)


@dataclass(frozen=True, slots=True)
class Query:
    """A question about a message whose outcome is unknown. `sent_on` is when the try was made.

    `candidates` are the keys under which its request may have travelled where a request shares one key
    (`Receipt.whole_request`): those of its batch from just after the previous message to the same address
    up to its own. Empty: only its own.
    """

    key: str
    address: str
    sent_on: datetime
    ref: str = ""
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryResult:
    """`found` None: could not ask, ask again later. `state` is what the provider knows if found."""

    key: str
    found: bool | None
    ref: str = ""
    state: DeliveryState | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A delivery report.

    At least one of `key` and `ref` is set. Where one request carries several messages and the provider
    echoes the request's key only, `key` is that of the request's first message, `whole_request` is true
    and `address` tells which of them is meant. `fallback`: the phone could not show it and the provider used
    this channel instead.
    """

    state: DeliveryState
    key: str = ""
    ref: str = ""
    address: str = ""
    whole_request: bool = False
    code: str = ""
    at: datetime | None = None
    fallback: Channel | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """What a taxpayer sent back. `key` is set if the provider tells which message it answers."""

    kind: InboundKind
    address: str
    text: str = ""
    key: str = ""
    at: datetime | None = None
    provider_id: str = ""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A push as it came in; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    remote: str = ""


@dataclass(frozen=True, slots=True)
class WebhookReply:
    """What the provider expects as answer once everything is durable."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a push says, and the answer that acknowledges it."""

    receipts: tuple[Receipt, ...] = ()
    inbound: tuple[Inbound, ...] = ()
    reply: WebhookReply = WebhookReply()


Push = Callable[[WebhookRequest], Awaitable[WebhookReply]]
"""Takes a push and returns once everything in it is durable. Raises WebhookRejected if it cannot be read, and
whatever else keeps it from being durable."""


class DeliveryClass(StrEnum):
    """What may be done about an unknown outcome (docs/delivery.md)."""

    IDEMPOTENT = "A"
    QUERYABLE = "B"
    ECHOED = "C"
    BLIND = "D"


@dataclass(frozen=True, slots=True)
class Facts:
    """What an adapter declares about its provider.

    `batch_size`: messages one request may carry. `rate_unit`: `message` or `request`, the unit in which
    the provider limits. `idempotent_for`: how long it de-duplicates our key. `queryable`: it can be asked
    by our key or by address and day. `echoes_key`: receipts carry our key. `features`: of `card`, `html`,
    `attachments`, `read_receipt`, `uplink`, `sms_fallback`, `filed_template`, `web_login`, `result_query`.
    """

    channel: Channel
    batch_size: int = 1
    rate_unit: str = "message"
    idempotent_for: timedelta | None = None
    queryable: bool = False
    echoes_key: bool = False
    features: frozenset[str] = frozenset()

    @property
    def delivery_class(self) -> DeliveryClass:
        """The strongest promise that the declared facts allow."""
        if self.idempotent_for is not None:
            return DeliveryClass.IDEMPOTENT
        if self.queryable:
            return DeliveryClass.QUERYABLE
        return DeliveryClass.ECHOED if self.echoes_key else DeliveryClass.BLIND


@dataclass(frozen=True, slots=True)
class Limits:
    """What the account is allowed, as data: `rate` units a second with `burst`; a day's `quota`."""

    rate: float
    burst: int = 1
    quota: int | None = None


class Config(BaseModel):
    """Base of an adapter's settings; the console draws its form from the JSON schema."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout: float = 10.0


class Adapter(ABC):
    """A provider's protocol. One instance per gateway account and process.

    `send` and `query` never raise for what a provider does: each message gets its result, in order.
    `send` returns within one and a half times `Config.timeout`: what got no turn by half of it comes back as
    refused and deferred. It takes at most `facts.batch_size` messages in one request, and splits a longer
    batch into requests by itself, several at a time. `parse` is pure.
    """

    name: ClassVar[str]
    facts: ClassVar[Facts]
    config_type: ClassVar[type[Config]]
    shares_tokens: ClassVar[bool] = False
    """Whether the adapter takes `tokens`, a `channels.tokens.TokenStore`, beside its configuration."""
    listens: ClassVar[bool] = False
    """Whether the provider reports over the adapter's own connections: then somebody must `listen`."""

    async def open(self) -> None:
        """Connect, fetch what is needed. Raises GatewayError."""
        return

    async def close(self) -> None:
        """Release connections. May be called more than once."""
        return

    @abstractmethod
    async def check(self) -> None:
        """Try the account without sending anything. Raises GatewayError with a Chinese message."""

    @abstractmethod
    async def send(self, batch: Sequence[Outbound]) -> list[SendResult]:
        """Send a batch, one result per message in the same order."""

    async def query(self, questions: Sequence[Query]) -> list[QueryResult]:
        """Ask about messages whose outcome is unknown, where `facts.queryable`; or what became of accepted
        ones, by `Query.ref`, with the feature `result_query`."""
        return [QueryResult(q.key, None) for q in questions]

    def verify(self, request: WebhookRequest) -> None:
        """Check that a push is the provider's. Raises WebhookRejected."""
        raise NotImplementedError(f"{self.name} takes no pushes")

    def parse(self, request: WebhookRequest) -> Parsed:
        """Read a verified push. Raises WebhookRejected if it cannot be read."""
        raise NotImplementedError(f"{self.name} takes no pushes")

    def login_page(self, back: str, state: str) -> str:
        """The provider's page that proves who somebody is there and sends her to `back` with `code` and
        `state`. Only with the feature `web_login`."""
        raise NotImplementedError(f"{self.name} proves nobody's address")

    async def read_login(self, code: str) -> str:
        """Whose address a code from that page proves; it serves once. Raises GatewayError. Only with the
        feature `web_login`."""
        raise NotImplementedError(f"{self.name} proves nobody's address")

    def listen(self, push: Push) -> None:
        """From now on keep the connections open and hand in what comes down on them, as pushes that `verify`
        and `parse` know. A reply of status 200 goes to the provider; without one nothing is acknowledged, so
        that the provider repeats it. Only where `listens`."""
        raise NotImplementedError(f"{self.name} has no connections to listen on")
