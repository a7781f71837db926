"""The platform's login page and the exchange of its codes. Sheet section 5."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from channels.gateways.wechat_official.tokens import Refused

_LIFE = 300.0
_ORDER = ["appid", "redirect_uri", "response_type", "scope", "state"]


class Logins:
    """Whoever opens the page is `visitor`, an openid, as who carries the phone is to the real one. A code
    serves once, for five minutes by `clock`."""

    def __init__(self, app_id: str, clock: Callable[[], float]) -> None:
        self.visitor = "oSIMvisitor00000000000000001"
        self._app_id, self._clock = app_id, clock
        self._codes: dict[str, tuple[str, float]] = {}
        self._used: set[str] = set()

    def send_back(self, query: Mapping[str, str]) -> str:
        """Where the page sends the visitor. Raises Refused."""
        state, back = query.get("state", ""), query.get("redirect_uri", "")
        if list(query) != _ORDER or query["response_type"] != "code" or query["scope"] != "snsapi_base":
            raise Refused(10003, "redirect_uri 或参数错误")
        if query["appid"] != self._app_id:
            raise Refused(40013, "invalid appid")
        if not urlsplit(back).netloc or len(state) > 128 or not (state.isascii() and state.isalnum()):
            raise Refused(10003, "redirect_uri 或 state 错误")
        code = secrets.token_hex(16)
        self._codes[code] = (self.visitor, self._clock())
        return f"{back}{'&' if '?' in back else '?'}{urlencode({'code': code, 'state': state})}"

    def exchange(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Who came with a code. Raises Refused."""
        if query.get("grant_type") != "authorization_code":
            raise Refused(40002, "invalid grant_type")
        code = query.get("code", "")
        if code in self._used:
            raise Refused(40163, "code been used")
        openid, since = self._codes.pop(code, ("", 0.0))
        if not openid or self._clock() - since > _LIFE:
            raise Refused(40029, "invalid code")
        self._used.add(code)
        return {
            "access_token": secrets.token_urlsafe(64),
            "expires_in": 7200,
            "refresh_token": secrets.token_urlsafe(64),
            "openid": openid,
            "scope": "snsapi_base",
        }
