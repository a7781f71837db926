"""The simulated platform itself: routes, work notices, the robot's address."""

import asyncio
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from channels.gateways.base import Faults, Simulator, shown_number
from channels.gateways.dingtalk.notices import Notices, Task
from channels.gateways.dingtalk.pushes import Pusher
from channels.gateways.dingtalk.robot import Robot, RobotDesk
from channels.gateways.dingtalk.rules import read_notice
from channels.gateways.http_server import HttpServer, answer_json, cut_connection, read_body
from channels.gateways.wechat_official.tokens import LIFE, Refused, TokenDesk

_USERID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_NOTICES = "/topapi/message/corpconversation"
_STALE = (41001, 40014, 42001)


@dataclass(frozen=True, slots=True)
class Account:
    """The simulated application. Times in seconds; `persons_a_minute` is what it may send to."""

    app_key: str = "dingSIM00000001"
    app_secret: str = "simulated-secret"
    agent_id: int = 1234567
    callback_token: str = "simulatedtoken"
    encoding_aes_key: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    robot: Robot = field(default_factory=Robot)
    token_seconds: float = LIFE
    push_seconds: float = 5.0
    persons_a_minute: int = 5_000


class DingtalkSimulator(Simulator):
    """Every well-formed userid is a person of the organisation, unless POST /_sim/members names it in the
    list `absent` (and `present` again). POST /_sim/callback with `url` tells where to push. What the group's
    robot says stands in the books under the address `robot`."""

    name = "dingtalk"

    def __init__(
        self,
        faults: Faults | None = None,
        account: Account | None = None,
        callback_url: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(faults)
        self.account = account or Account()
        self.tokens = TokenDesk(clock, self.account.token_seconds)
        self.notices = Notices(clock)
        self.absent: set[str] = set()
        self.control_url = ""
        self._robot = RobotDesk(self.account.robot, clock)
        self._clock = clock
        self._url = callback_url
        self._pusher: Pusher | None = None
        self._persons: deque[float] = deque()
        self._server = HttpServer(self._serve)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the base URL."""
        self.control_url = await self._server.start(host, port)
        return self.control_url

    async def stop(self) -> None:
        """Stop listening, drop what is not pushed yet."""
        if self._pusher is not None:
            await self._pusher.stop()
        await self._server.stop()

    @property
    def pusher(self) -> Pusher:
        """Who pushes; needs a running event loop."""
        if self._pusher is None:
            own = self.account
            self._pusher = Pusher(
                self._url, own.callback_token, own.encoding_aes_key, own.app_key, own.push_seconds
            )
        return self._pusher

    def uplink(self, message: Mapping[str, Any]) -> None:
        """Push an event: its fields, `EventType` among them (`check_url` unless told otherwise)."""
        self.pusher.push({"EventType": "check_url", **message})

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = await read_body(receive)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        method, path = scope["method"], scope["path"]
        if path.startswith("/_sim/"):
            known = self.control(method, path, query, body)
            return await answer_json(send, 200 if known is not None else 404, known)
        try:
            if (method, path) == ("POST", f"{_NOTICES}/asyncsend_v2"):
                return await self._send(query, _read_body(scope, body), receive, send)
            answer = self._manage(method, path, query, scope, body)
        except Refused as error:
            answer = _error(error)
        return await answer_json(send, 200 if answer is not None else 404, answer)

    def control(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any | None:
        """The common control interface, and members and the callback address."""
        if (method, path) == ("POST", "/_sim/members"):
            change = orjson.loads(body)
            self.absent |= set(change.get("absent", ()))
            self.absent -= set(change.get("present", ()))
            return {"absent": len(self.absent)}
        if (method, path) == ("POST", "/_sim/callback"):
            self.pusher.url = str(orjson.loads(body)["url"])
            return {"ok": True}
        return super().control(method, path, query, body)

    def _manage(
        self, method: str, path: str, query: Mapping[str, str], scope: dict[str, Any], body: bytes
    ) -> Any | None:
        match method, path:
            case "GET", "/gettoken":
                if (query.get("appkey"), query.get("appsecret")) != (
                    self.account.app_key,
                    self.account.app_secret,
                ):
                    raise Refused(40096, "不合法的appKey或appSecret")
                value, seconds = self.tokens.stable(force=False)
                return _success(access_token=value, expires_in=seconds)
            case "POST", "/robot/send":
                words = self._robot.take(query, _read_body(scope, body))
                self.books.record(key="", address="robot", ref="", text=words)
                return {"errcode": 0, "errmsg": "ok"}
            case "POST", "/topapi/message/corpconversation/getsendprogress":
                task = self._task(query, _read_body(scope, body), "task_id")
                done = self._clock() >= task.ready_at
                return _success(
                    progress={"progress_in_percent": 100 if done else 0, "status": 2 if done else 1}
                )
            case "POST", "/topapi/message/corpconversation/getsendresult":
                task = self._task(query, _read_body(scope, body), "task_id")
                return _success(send_result=self.notices.describe(task))
            case "POST", "/topapi/message/corpconversation/recall":
                self._task(query, _read_body(scope, body), "msg_task_id").recalled = True
                return _success()
        return None

    def _task(self, query: Mapping[str, str], asked: Mapping[str, Any], name: str) -> Task:
        self._judge(query, asked)
        return self.notices.find(asked.get(name))

    def _judge(self, query: Mapping[str, str], asked: Mapping[str, Any]) -> None:
        try:
            self.tokens.judge(query.get("access_token", ""))
        except Refused as error:
            raise Refused(
                40014 if error.errcode == 40001 else error.errcode, "不合法的access_token"
            ) from error
        if str(asked.get("agent_id")) != str(self.account.agent_id):
            raise Refused(40035, "不合法的参数 agent_id")

    async def _send(self, query: Mapping[str, str], asked: dict[str, Any], receive: Any, send: Any) -> None:
        self._judge(query, asked)
        receivers, words = read_notice(asked)
        self._count(len(receivers))
        if all(self._is_stranger(user) for user in receivers):
            raise Refused(33012, "无效的USERID")
        strikes = {self.fate(user, "throttle", "drop_before") for user in receivers}
        if "drop_before" in strikes:
            return await cut_connection(receive)
        if "throttle" in strikes:
            raise Refused(143103, "企业单应用消息发送人次QPM超限")
        task = self.notices.open(self.faults.receipt_delay)
        content = orjson.dumps(asked["msg"], option=orjson.OPT_SORT_KEYS).decode()
        for user in receivers:
            self._deliver(task, user, content, words)
        strikes = {self.fate(user, "drop_after", "error_after", "slow") for user in receivers}
        if "drop_after" in strikes:
            return await cut_connection(receive)
        if "error_after" in strikes:
            return await answer_json(send, 502, None)
        if "slow" in strikes:
            await asyncio.sleep(self.faults.slow_seconds)
        return await answer_json(send, 200, _success(task_id=task.number))

    def _deliver(self, task: Task, user: str, content: str, words: str) -> None:
        if self._is_stranger(user):
            return task.users.setdefault("invalid", []).append(user)
        if code := self.notices.forbid(user, content):
            task.forbidden.append({"code": code, "count": 1, "userid": user})
            return task.users.setdefault("forbidden", []).append(user)
        entry = self.books.record(key=shown_number(words), address=user, ref=str(task.number), text=words)
        if self.fate(user, "fail"):
            self.books.mark(entry.number, "failed")
            return task.users.setdefault("failed", []).append(user)
        read = bool(self.fate(user, "read"))
        self.books.mark(entry.number, "read" if read else "delivered")
        return task.users.setdefault("read" if read else "unread", []).append(user)

    def _is_stranger(self, user: str) -> bool:
        if user == "@all" or user.startswith("dept:"):
            return False
        known = _USERID.fullmatch(user) is not None and user not in self.absent
        return not known or bool(self.fate(user, "reject"))

    def _count(self, persons: int) -> None:
        now = self._clock()
        while self._persons and now - self._persons[0] >= 60:
            self._persons.popleft()
        if len(self._persons) + persons > self.account.persons_a_minute:
            raise Refused(143103, "企业单应用消息发送人次QPM超限")
        self._persons.extend([now] * persons)


def _read_body(scope: dict[str, Any], body: bytes) -> dict[str, Any]:
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    if kinds and kinds[0].startswith(b"application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        asked = orjson.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise Refused(40035, "不合法的参数")
    return asked


def _success(**fields: Any) -> dict[str, Any]:
    return {"errcode": 0, "errmsg": "ok", **fields, "request_id": secrets.token_hex(6)}


def _error(error: Refused) -> dict[str, Any]:
    if error.errcode not in _STALE:
        return {"errcode": error.errcode, "errmsg": error.errmsg, "request_id": secrets.token_hex(6)}
    # Of a token this platform tells in an envelope.
    told = f"ding talk error[subcode={error.errcode},submsg={error.errmsg}]"
    return {"errcode": 88, "sub_code": str(error.errcode), "sub_msg": error.errmsg, "errmsg": told}
