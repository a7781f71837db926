"""The documents that the platform takes, read strictly: namespaces, order, required elements.

Sheet sections 3, 5 and 10.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

import orjson

from channels.gateways.fiveg_bot.schema import CARD, SUGGESTIONS, Violation

NAMESPACE = "urn:oma:xml:rest:netapi:messaging:1"
_CARD = "application/vnd.gsma.botmessage.v1.0+json"
_CHIPS = "application/vnd.gsma.botsuggestion.v1.0+json"
_FILE = "application/vnd.gsma.rcs-ft-http+xml"
_MULTIPART = 'multipart/mixed; boundary="next"'
_TEL = re.compile(r"tel:\+86(1[0-9]{10})")
_REPORTS = {"Sent", "Delivered", "Displayed", "Failed", "Interworking", "SMS"}
_TRUTH = {"true": True, "false": False}
_LONGEST_STORE = 259_200

_OUTER = (
    "address",
    "destinationAddress",
    "senderAddress",
    "senderName",
    "outboundIMMessage",
    "clientCorrelator",
)
_INNER = (
    "imFormat", "subject", "contentType", "conversationID", "contributionID", "inReplyToContributionID",
    "serviceCapability", "messageId", "bodyText", "reportRequest", "shortMessageSupported", "smsBodyText",
    "smBodyText", "storeSupported", "multimediaMessageSupported", "mmsSubject", "mmsBodyText",
    "mmsBodyTextLarge", "fallbackSupported", "fallbackContentType", "rcsBodyText", "trafficType",
    "temporaryStoredTime",
)  # fmt: skip
_NEEDED = ("contentType", "conversationID", "contributionID", "serviceCapability", "messageId", "bodyText")


class Refused(Exception):
    """What the platform answers instead of taking a request."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"{status} {code} {text}")
        self.status = status
        self.code = code
        self.text = text


@dataclass(slots=True)
class Element:
    """An element with its namespace, empty if it has none."""

    space: str
    name: str
    text: str = ""
    inner: list["Element"] = field(default_factory=list)

    def texts(self, name: str) -> list[str]:
        """The texts of the children of a name, stripped."""
        return [child.text.strip() for child in self.inner if child.name == name]

    def only(self, name: str) -> str:
        """The text of the one child of a name that must be there. Raises Refused."""
        found = self.texts(name)
        if len(found) != 1 or not found[0]:
            raise invalid(name)
        return found[0]

    def maybe(self, name: str) -> str:
        """The text of the child of a name; empty if there is none. Raises Refused."""
        return self.only(name) if self.texts(name) else ""


def invalid(where: str) -> Refused:
    """The platform cannot decode the request."""
    return Refused(400, "SVC0002", where)


def read_document(body: bytes, root: str) -> Element:
    """The root, of which only it itself may have a namespace, and must. Raises Refused."""
    parser, opened, done = expat.ParserCreate(namespace_separator=" "), list[Element](), list[Element]()

    def start(name: str, _attributes: object) -> None:
        space, _, local = name.rpartition(" ")
        element = Element(space, local)
        if opened:
            opened[-1].inner.append(element)
            if space:
                raise invalid(f"{local} is qualified")
        opened.append(element)

    def end(_name: str) -> None:
        done.append(opened.pop())

    def text(data: str) -> None:
        opened[-1].text += data

    def doctype(*_declared: object) -> None:
        raise invalid("DOCTYPE")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        raise invalid("not XML") from None
    if (done[-1].space, done[-1].name) != (NAMESPACE, root):
        raise invalid(f"{done[-1].space} {done[-1].name}")
    return done[-1]


def _check_order(element: Element, known: tuple[str, ...]) -> None:
    places = [known.index(child.name) if child.name in known else -1 for child in element.inner]
    if -1 in places:
        raise invalid(element.inner[places.index(-1)].name)
    if places != sorted(places):
        raise invalid(f"order in {element.name}")


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that the platform took.

    `text` is what a person would read; `buttons` are label and postback data of all that can be pressed;
    `sms` is the fallback's text, empty if there is to be none.
    """

    message_id: str
    contribution_id: str
    conversation_id: str
    correlator: str
    numbers: tuple[str, ...]
    text: str
    buttons: tuple[tuple[str, str], ...]
    media: tuple[str, ...]
    sms: str
    store: bool
    reports: frozenset[str]


def read_send(body: bytes, chatbot_id: str, user: str, sms_name: str) -> Taken:
    """An outboundMessageRequest of the chatbot; `user` is the header that names one. Raises Refused."""
    document = read_document(body, "outboundMessageRequest")
    _check_order(document, _OUTER)
    numbers = tuple(_number(text) for text in document.texts("destinationAddress"))
    if not numbers:
        raise invalid("destinationAddress")
    if len(numbers) > 100:
        raise Refused(403, "POL0003", "destinationAddress")
    if document.only("senderAddress") != chatbot_id:
        raise Refused(403, "POL0001", "senderAddress")
    first = document.only("address")
    if first not in {f"tel:+86{numbers[0]}", "tel:+8600000", "00000"}:
        raise invalid("address")
    if user not in {f"+86{numbers[0]}", "+8600000"}:
        raise invalid("Address header")
    messages = [child for child in document.inner if child.name == "outboundIMMessage"]
    if len(messages) != 1:
        raise invalid("outboundIMMessage")
    return _read_message(messages[0], numbers, document.only("clientCorrelator"), sms_name)


def _read_message(message: Element, numbers: tuple[str, ...], correlator: str, sms_name: str) -> Taken:
    _check_order(message, _INNER)
    for name in _NEEDED:
        if len(message.texts(name)) != 1:
            raise invalid(name)
    message_id = message.only("messageId")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", message_id):
        raise invalid("messageId")
    capability = next(child for child in message.inner if child.name == "serviceCapability")
    if (capability.only("capabilityId"), capability.only("version")) != (
        "ChatbotSA", '+g.gsma.rcs.botversion="#=1"',
    ):  # fmt: skip
        raise invalid("serviceCapability")
    reports = frozenset(message.texts("reportRequest"))
    if not reports <= _REPORTS:
        raise invalid("reportRequest")
    wants_sms, sms = _truth(message, "shortMessageSupported"), message.maybe(sms_name)
    if wants_sms != bool(sms):
        raise invalid(sms_name)
    stored = message.maybe("temporaryStoredTime")
    if stored and not (stored.isdecimal() and int(stored) <= _LONGEST_STORE):
        raise invalid("temporaryStoredTime")
    bodies = [child.text for child in message.inner if child.name == "bodyText"]
    text, buttons, media = _read_body(message.only("contentType"), bodies[0])
    return Taken(
        message_id,
        message.only("contributionID"),
        message.only("conversationID"),
        correlator,
        numbers,
        text,
        tuple(buttons),
        tuple(media),
        sms,
        _truth(message, "storeSupported"),
        reports,
    )


def _number(text: str) -> str:
    match = _TEL.fullmatch(text)
    if match is None:
        raise Refused(400, "SVC0004", "destinationAddress")
    return match[1]


def _truth(message: Element, name: str) -> bool:
    found = message.texts(name) or ["false"]
    if len(found) != 1 or found[0] not in _TRUTH:
        raise invalid(name)
    return _TRUTH[found[0]]


_Body = tuple[str, list[tuple[str, str]], list[str]]


def _read_body(kind: str, body: str) -> _Body:
    if kind in {"text/plain", "text/plain;charset=UTF-8"}:
        if not body.strip() or len(body) > 2000:
            raise invalid("bodyText")
        return body, [], []
    if kind == _MULTIPART:
        found = [_read_json(part, text) for part, text in _parts(body)]
        return _joined(found)
    if kind == _FILE:
        raise Refused(400, "SVC0002", "files are not simulated")
    return _read_json(kind, body)


def _joined(found: list[_Body]) -> _Body:
    texts = [text for text, _, _ in found if text]
    return (
        "\n".join(texts),
        [button for _, buttons, _ in found for button in buttons],
        [url for _, _, media in found for url in media],
    )


def _parts(body: str) -> list[tuple[str, str]]:
    # XML folds CR LF into LF, so that a part's length is that of its content alone.
    pieces = f"\n{body}".replace("\r\n", "\n").split("\n--next")
    if len(pieces) < 3 or pieces[0].strip() or pieces[-1].strip() != "--":
        raise invalid("multipart")
    parts = []
    for piece in pieces[1:-1]:
        head, gap, text = piece.lstrip("\n").partition("\n\n")
        headers = dict(line.split(": ", 1) for line in head.split("\n") if ": " in line)
        if not gap or headers.get("Content-Length") != str(len(text.encode())):
            raise invalid("Content-Length")
        parts.append((headers.get("Content-Type", ""), text))
    return parts


def _read_json(kind: str, text: str) -> _Body:
    check = {_CARD: CARD, _CHIPS: SUGGESTIONS}.get(kind)
    if check is None:
        raise invalid("contentType")
    try:
        document = orjson.loads(text)
        check(document, kind)
    except (orjson.JSONDecodeError, Violation) as error:
        raise invalid(f"bodyText: {error}") from None
    if kind == _CHIPS:
        return "", _pressable(document["suggestions"]), []
    [(form, card)] = document["message"].items()
    cards = card["content"] if form == "generalPurposeCardCarousel" else [card["content"]]
    texts = [each[name] for each in cards for name in ("title", "description") if name in each]
    buttons = [button for each in cards for button in _pressable(each.get("suggestions", []))]
    return "\n".join(texts), buttons, [each["media"]["mediaUrl"] for each in cards if "media" in each]


def _pressable(suggestions: list[Mapping[str, Mapping[str, object]]]) -> list[tuple[str, str]]:
    found = []
    for suggestion in suggestions:
        for button in suggestion.values():
            postback = button.get("postback")
            data = postback.get("data", "") if isinstance(postback, dict) else ""
            found.append((str(button["displayText"]), str(data)))
    return found


def read_revoke(body: bytes) -> str:
    """The number from which a message is to be taken back. Raises Refused."""
    document = read_document(body, "messageStatusReport")
    if document.only("status") != "RevokeRequested":
        raise invalid("status")
    return _number(document.only("address"))
