"""Events and messages that the platform pushes: XML in safe mode. Protocol sheet section 4."""

import hashlib
from datetime import UTC, datetime
from xml.parsers import expat

from channels.base import DeliveryState, Inbound, InboundKind, Parsed, Receipt, WebhookReply
from channels.errors import WebhookRejected

MAX_BODY = 64 * 1024
_MAX_FIELDS = 200
_SCENE = "qrscene_"

ACKNOWLEDGED = WebhookReply(headers={"content-type": "text/plain; charset=utf-8"}, body=b"success")


def read_xml(body: bytes) -> dict[str, str]:
    """The text of the root's direct children by name. No entities, no DTD. Raises WebhookRejected."""
    if len(body) > MAX_BODY:
        raise WebhookRejected("push is too long")
    reader = _Reader()
    parser = expat.ParserCreate("UTF-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise WebhookRejected("push is not XML") from error
    return reader.fields


class _Reader:
    """Collects the root's children; what is nested deeper belongs to events that are not read."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self._depth = 0
        self._name = ""

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth != 2:
            return
        if name in self.fields or len(self.fields) >= _MAX_FIELDS:
            raise WebhookRejected("push repeats a field or has too many")
        self.fields[name] = ""
        self._name = name

    def end(self, _name: str) -> None:
        self._depth -= 1

    def text(self, data: str) -> None:
        if self._depth == 2:
            self.fields[self._name] += data

    def refuse(self, *_declared: object) -> None:
        raise WebhookRejected("push declares a document type")


def read_push(fields: dict[str, str]) -> Parsed:
    """What a decrypted push says. Events that concern nobody here are acknowledged and dropped.
    Raises WebhookRejected."""
    kind = fields.get("Event", "") if fields.get("MsgType") == "event" else fields.get("MsgType", "")
    match kind:
        case "TEMPLATESENDJOBFINISH":
            return Parsed(receipts=(_read_receipt(fields),), reply=ACKNOWLEDGED)
        case "subscribe":
            scene = fields.get("EventKey", "").removeprefix(_SCENE)
            return _inbound(fields, InboundKind.FOLLOW, scene)
        case "unsubscribe":
            return _inbound(fields, InboundKind.UNFOLLOW)
        case "text":
            return _inbound(fields, InboundKind.TEXT, fields.get("Content", ""))
    return Parsed(reply=ACKNOWLEDGED)


def _read_receipt(fields: dict[str, str]) -> Receipt:
    ref, status = fields.get("MsgID", ""), fields.get("Status", "").strip()
    if not ref or not status:
        raise WebhookRejected("job report without MsgID or Status")
    state = DeliveryState.DELIVERED if status == "success" else DeliveryState.FAILED
    # One of the platform's words carries a space after the colon, the others do not.
    code = "" if status == "success" else ":".join(part.strip() for part in status.split(":"))
    return Receipt(state, ref=ref, address=_sender(fields), code=code[:64], at=_time(fields))


def _inbound(fields: dict[str, str], kind: InboundKind, text: str = "") -> Parsed:
    message = Inbound(kind, _sender(fields), text, at=_time(fields), provider_id=_identify(fields))
    return Parsed(inbound=(message,), reply=ACKNOWLEDGED)


def _sender(fields: dict[str, str]) -> str:
    openid = fields.get("FromUserName", "").strip()
    if not openid or len(openid) > 128:
        raise WebhookRejected("push without FromUserName")
    return openid


def _time(fields: dict[str, str]) -> datetime:
    try:
        return datetime.fromtimestamp(int(fields.get("CreateTime", "")), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise WebhookRejected("push without a readable CreateTime") from error


def _identify(fields: dict[str, str]) -> str:
    # Three tries bear the same sender, second and message id; hashed, for an id must not name a person.
    names = ("FromUserName", "CreateTime", "Event", "MsgId")
    told = "\n".join(fields.get(name, "") for name in names)
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:32]
