"""The bot's account on the platform: who it is, how its requests must look, its one valid token."""

import hmac
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from channels.gateways.fiveg_bot.schema import Violation, record, text

TOKEN_MISSING, TOKEN_ILLEGAL, TOKEN_EXPIRED, API_LIMIT = 41001, 40014, 42001, 45001
APP_KEY_WRONG, APP_ID_MISSING, APP_KEY_MISSING = 40001, 41002, 41004
_CREDENTIALS = record({"appId": text(1, 200), "appKey": text(1, 200)})
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Account:
    """`prefixed_token`: the value of a token begins with `accessToken ` as one carrier's does.
    `needs_accept_and_date`: requests without these headers fail. `codes_as_text`: errorCode is a string.
    `encode_paths`: pushes carry the chatbotId percent-encoded. `tell_url`: the token comes with a url."""

    chatbot_id: str = "sip:106500000@botplatform.rcs.chinaunicom.cn"
    app_id: str = "app-1"
    app_key: str = "key-1"
    callback_token: str = "tok123"
    token_seconds: float = 7200.0
    tokens_a_day: int = 2000
    prefixed_token: bool = False
    needs_accept_and_date: bool = True
    codes_as_text: bool = False
    encode_paths: bool = False
    tell_url: bool = True
    status: int = 0

    def operation(self, path: str) -> str | None:
        """What follows `/bot/v1/{chatbotId}` in an already decoded path, None if the path is another's."""
        prefix = f"/bot/v1/{self.chatbot_id}"
        return path[len(prefix) :] if path.startswith(f"{prefix}/") else None

    def check_headers(self, headers: Mapping[str, str]) -> None:
        """Raises Violation. A missing Accept or Date shows as a missing token on one carrier's platform."""
        wanted = "application/json" in headers.get("accept", "") and headers.get("date", "").endswith(" GMT")
        if self.needs_accept_and_date and not wanted:
            raise Violation(TOKEN_MISSING, "accept, date")

    def info(self) -> dict[str, Any]:
        """The bot's card (protocol section 7)."""
        number, _, domain = self.chatbot_id.removeprefix("sip:").partition("@")
        return {
            "accessNo": number,
            "domain": domain,
            "serviceName": "税务提醒",
            "SMSNumber": number,
            "verified": True,
            "authOrg": "示例机构",
            "status": self.status,
            "criticalChatbot": False,
            "category": ["政务"],
            "menu": {},
        }


class Tokens:
    """Issues tokens; only the latest is good."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._value, self._expires_at = "", 0.0
        self._day, self._issued_today = 0, 0
        self.issued = 0

    def issue(self, request: Any, base: str) -> dict[str, Any]:
        """A new token for the right credentials, which ends the one before. Raises Violation."""
        account = self._account
        if isinstance(request, dict) and not request.get("appId"):
            raise Violation(APP_ID_MISSING, "appId")
        if isinstance(request, dict) and not request.get("appKey"):
            raise Violation(APP_KEY_MISSING, "appKey")
        _CREDENTIALS(request, "")
        given, right = f"{request['appId']}|{request['appKey']}", f"{account.app_id}|{account.app_key}"
        if not hmac.compare_digest(given.encode(), right.encode()):
            raise Violation(APP_KEY_WRONG, "appKey")
        self._count()
        self._value, self._expires_at = str(uuid.uuid4()), time.time() + account.token_seconds
        shown = f"accessToken {self._value}" if account.prefixed_token else self._value
        told = {"url": base} if account.tell_url else {}
        return {"accessToken": shown, "expires": account.token_seconds, **told}

    def expire(self) -> None:
        """End the valid token's life now."""
        self._expires_at = 0.0

    def check(self, authorization: str) -> None:
        """Raises Violation unless the header holds the latest token."""
        if not authorization:
            raise Violation(TOKEN_MISSING, "authorization")
        if not self._value or authorization != f"accessToken {self._value}":
            raise Violation(TOKEN_ILLEGAL, "authorization")
        if time.time() >= self._expires_at:
            raise Violation(TOKEN_EXPIRED, "authorization")

    def _count(self) -> None:
        day = int(time.time() // _DAY)
        if day != self._day:
            self._day, self._issued_today = day, 0
        if self._issued_today >= self._account.tokens_a_day:
            raise Violation(API_LIMIT, "accessToken")
        self._issued_today += 1
        self.issued += 1
