"""The platform's two desks for access tokens, with their quotas. Protocol sheet section 1."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

LIFE = 7200.0
_OVERLAP = 300.0
_MINUTE, _DAY = 60.0, 86400.0


class Refused(Exception):
    """The platform answers with an errcode."""

    def __init__(self, errcode: int, errmsg: str) -> None:
        super().__init__(errmsg)
        self.errcode = errcode
        self.errmsg = errmsg


@dataclass(slots=True)
class _Token:
    value: str
    ends: float


class _Counter:
    """At most `limit` calls within `seconds`, counted from the first of them."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit, self._seconds = limit, seconds
        self._since, self._count = float("-inf"), 0

    def take(self, now: float) -> bool:
        if now - self._since >= self._seconds:
            self._since, self._count = now, 0
        self._count += 1
        return self._count <= self._limit

    def reset(self) -> None:
        self._since = float("-inf")


class TokenDesk:
    """Hands out access tokens and judges them. Times are seconds of `clock`; a token lives `life` seconds,
    and all other times shrink with it. `asked` counts the calls for the stable one."""

    def __init__(self, clock: Callable[[], float], life: float = LIFE) -> None:
        self.asked = 0
        self._clock = clock
        self._life = life
        self._overlap = _OVERLAP * life / LIFE
        self._stable: _Token | None = None
        self._classic: _Token | None = None
        self._known: dict[str, _Token] = {}
        self._forced_at = float("-inf")
        self._a_minute, self._a_day = _Counter(10_000, _MINUTE), _Counter(500_000, _DAY)
        self._forced, self._classics = _Counter(20, _DAY), _Counter(2_000, _DAY)

    def stable(self, *, force: bool) -> tuple[str, int]:
        """The stable token and its remaining seconds: the same one until it nears its end."""
        self.asked += 1
        now = self._clock()
        if not self._a_minute.take(now):
            raise Refused(45011, "api minute-quota reach limit, must slower, retry next minute")
        if not self._a_day.take(now):
            raise Refused(45009, "reach max api daily quota limit")
        current = self._stable
        if force:
            self._force(now)
        if force or current is None or current.ends - now <= self._overlap:
            self._stable = self._issue(now)
            if current is not None:
                current.ends = now if force else min(current.ends, now + self._overlap)
        assert self._stable is not None
        return self._stable.value, int(max(1, self._stable.ends - now))

    def _force(self, now: float) -> None:
        if now - self._forced_at < 30 * self._life / LIFE:
            raise Refused(45011, "api minute-quota reach limit, must slower, retry next minute")
        if not self._forced.take(now):
            raise Refused(45009, "reach max api daily quota limit")
        self._forced_at = now

    def classic(self) -> tuple[str, int]:
        """A new token; the one before it ends five minutes later."""
        now = self._clock()
        if not self._classics.take(now):
            raise Refused(45009, "reach max api daily quota limit")
        if self._classic is not None:
            self._classic.ends = min(self._classic.ends, now + self._overlap)
        self._classic = self._issue(now)
        return self._classic.value, int(max(1, self._life))

    def judge(self, value: str) -> None:
        """Raises Refused unless the token is valid."""
        token = self._known.get(value)
        if not value:
            raise Refused(41001, "access_token missing")
        if token is None:
            raise Refused(40001, "invalid credential, access_token is invalid or not latest")
        if self._clock() >= token.ends:
            raise Refused(42001, "access_token expired")

    def expire(self) -> None:
        """End every token that the desk does not hold as current, and the current ones too, unnoticed by
        the desk: what happens when another system forces a new one."""
        for token in self._known.values():
            token.ends = self._clock()
        self._stable = self._classic = None

    def _issue(self, now: float) -> _Token:
        token = _Token(secrets.token_urlsafe(102), now + self._life)
        self._known[token.value] = token
        return token
