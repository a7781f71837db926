"""A custom robot of a group: signed, 20 messages a minute. Sheet, custom robot webhook."""

import base64
import hashlib
import hmac
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from channels.gateways.dingtalk.rules import read_robot
from channels.gateways.wechat_official.tokens import Refused

_HOUR_MS = 3_600_000
_MINUTE, _BLOCKED = 60.0, 600.0
_RATE = 20


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot's address and secret; an empty secret asks for no signature."""

    access_token: str = "simulated-robot"
    secret: str = "SECsimulated0123456789"


class RobotDesk:
    """Judges what comes to a robot. Times are seconds of `clock`; time stamps are of the epoch."""

    def __init__(self, robot: Robot, clock: Callable[[], float]) -> None:
        self._robot, self._clock = robot, clock
        self._sent: deque[float] = deque()
        self._blocked_until = float("-inf")

    def take(self, query: Mapping[str, str], message: Mapping[str, Any]) -> str:
        """The words of a message that the group gets. Raises Refused."""
        if query.get("access_token") != self._robot.access_token:
            raise Refused(300001, "token is not exist")
        if self._robot.secret:
            self._judge(query.get("timestamp", ""), query.get("sign", ""))
        words = read_robot(message)
        self._count()
        return words

    def _judge(self, stamp: str, signature: str) -> None:
        if not stamp.isdigit() or abs(int(stamp) - self._clock() * 1000) > _HOUR_MS:
            raise Refused(310000, "description:invalid timestamp;solution:请检查加签的时间戳")
        told = f"{stamp}\n{self._robot.secret}".encode()
        digest = hmac.new(self._robot.secret.encode(), told, hashlib.sha256).digest()
        if signature != base64.b64encode(digest).decode():
            raise Refused(310000, "description:sign not match;solution:请检查加签的密钥")

    def _count(self) -> None:
        now = self._clock()
        while self._sent and now - self._sent[0] >= _MINUTE:
            self._sent.popleft()
        if len(self._sent) >= _RATE:
            self._blocked_until = now + _BLOCKED
        if now < self._blocked_until:
            raise Refused(130101, "send too fast, exceed 20 times per minute")
        self._sent.append(now)
