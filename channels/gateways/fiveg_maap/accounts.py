"""The simulated account: who may call, and how a call must look (sheet sections 1 and 2)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime, parsedate_to_datetime

from channels.gateways.fiveg_maap.reading import Refused

_SEND = (
    "/messaging/group/v1/outbound/{}/requests",
    "/messaging/interaction/v1/outbound/{}/requests",
    "/messaging/v1/outbound/{}/requests",
)
_REVOKE = "/messaging/v1/outbound/{}/requests/"


@dataclass(frozen=True, slots=True)
class Account:
    """`secret` is a password whose hash makes the digest (`hashed`), or a token that does by itself. Dates
    may be `skew_seconds` off. `push_signed`: pushes carry the same kind of digest. `encoded`: and the
    chatbot percent-encoded in their paths. `misspelt`: the fallback's text is called smBodyText."""

    chatbot_id: str = "sip:106500000@botplatform.rcs.chinamobile.com"
    account: str = "csp00001"
    secret: str = "2a97516c354b68848cdbd8f54a226a0a55b21ed138e207ad6c5cbb9c00aa5aea"
    hashed: bool = False
    skew_seconds: float = 900.0
    push_signed: bool = True
    encoded: bool = False
    misspelt: bool = False
    needs_user_type: bool = False
    revoke_method: str = "PUT"

    def digest(self, date: str) -> str:
        """What an Authorization header says for a Date header."""
        key = hashlib.sha256(self.secret.encode()).hexdigest() if self.hashed else self.secret
        return hashlib.sha256((key + date).encode()).hexdigest()

    def authorization(self, date: str) -> str:
        """The whole Authorization header."""
        return "Basic " + base64.b64encode(f"{self.account}:{self.digest(date)}".encode()).decode()

    def check_headers(self, headers: Mapping[str, str], now: float) -> None:
        """Raises Refused: 401 for a stranger, 400 for a request that does not look as it must."""
        date = headers.get("date", "")
        self._check_digest(headers.get("authorization", ""), date)
        try:
            moment = parsedate_to_datetime(date)
            # RFC 1123 and nothing near it; whatever cannot be written back as it came is none.
            fits = format_datetime(moment, usegmt=True)[5:] == date[5:] and date.endswith(" GMT")
        except (ValueError, TypeError):
            fits = False
        if not fits:
            raise Refused(401, "SVC0001", "Date")
        if abs(now - moment.timestamp()) > self.skew_seconds:
            raise Refused(401, "SVC0001", "Date is too far off")
        if self.needs_user_type and (headers.get("usertype") != "10" or headers.get("appid") != self.account):
            raise Refused(400, "SVC0002", "UserType")

    def _check_digest(self, given: str, date: str) -> None:
        kind, _, coded = given.partition(" ")
        try:
            name, _, digest = base64.b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name, digest = "", ""
        right = f"{self.account}:{self.digest(date)}"
        if kind != "Basic" or not hmac.compare_digest(f"{name}:{digest}".encode(), right.encode()):
            raise Refused(401, "SVC0001", "Authorization")

    def is_send(self, path: str) -> bool:
        """Whether a decoded path is where messages are sent to."""
        return path in {template.format(self.chatbot_id) for template in _SEND}

    def revoked(self, path: str) -> str:
        """The messageId of a decoded path that takes a message back; empty if it is another path."""
        before = _REVOKE.format(self.chatbot_id)
        if not path.startswith(before) or not path.endswith("/status"):
            return ""
        return path.removeprefix(before).removesuffix("/status")
