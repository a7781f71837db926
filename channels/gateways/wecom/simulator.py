"""The simulated platform itself: routes, application messages, members."""

import asyncio
import hashlib
import re
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from channels.gateways.base import Faults, Simulator, shown_number
from channels.gateways.http_server import HttpServer, answer_json, cut_connection, read_body
from channels.gateways.wechat_official.pushes import cdata
from channels.gateways.wechat_official.tokens import LIFE, Refused, TokenDesk
from channels.gateways.wecom.pushes import Pusher
from channels.gateways.wecom.rules import ASKING, read_message, read_receivers

_USERID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Account:
    """The simulated application. Times in seconds. `allowed` are the IP addresses that may call (empty:
    all); `calls_a_minute` and `messages_a_minute` are what a corporation may call and a member gets."""

    corp_id: str = "wwSIM0000000001"
    corp_secret: str = "simulated-secret"
    agent_id: int = 1000002
    callback_token: str = "simulatedtoken"
    encoding_aes_key: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    token_seconds: float = LIFE
    push_seconds: float = 5.0
    calls_a_minute: int = 10_000
    messages_a_minute: int = 30
    allowed: frozenset[str] = frozenset()


class WecomSimulator(Simulator):
    """Every well-formed userid is a member, unless POST /_sim/members names it in one of the lists `absent`,
    `unlicensed`, `present`. POST /_sim/callback with `url` tells where to push. `dropped` counts what a
    member did not get because of too many messages, which the platform does not tell either."""

    name = "wecom"

    def __init__(
        self,
        faults: Faults | None = None,
        account: Account | None = None,
        callback_url: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(faults)
        self.account = account or Account()
        self.tokens = TokenDesk(clock, self.account.token_seconds)
        self.absent: set[str] = set()
        self.unlicensed: set[str] = set()
        self.recalled: set[str] = set()
        self.dropped = 0
        self.control_url = ""
        self._clock = clock
        self._url = callback_url
        self._pusher: Pusher | None = None
        self._sent: dict[bytes, tuple[float, dict[str, Any]]] = {}
        self._messages: dict[str, float] = {}
        self._calls: deque[float] = deque()
        self._got: defaultdict[str, deque[float]] = defaultdict(deque)
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
                self._url,
                own.callback_token,
                own.encoding_aes_key,
                own.corp_id,
                own.agent_id,
                own.push_seconds,
            )
        return self._pusher

    def uplink(self, message: Mapping[str, Any]) -> None:
        """`address`, and `kind` of `text` (default, with `text`), `click` (with `key`) or `card` (a button of
        a card is pressed: `key` and `task_id`)."""
        userid, kind = str(message["address"]), message.get("kind", "text")
        key = cdata("EventKey", str(message.get("key", "")))
        match kind:
            case "text":
                number = 10**18 + secrets.randbelow(10**17)
                fields = cdata("Content", str(message.get("text", ""))) + f"<MsgId>{number}</MsgId>"
                self.pusher.push(userid, "text", fields)
            case "click":
                self.pusher.push(userid, "event", cdata("Event", "click") + key)
            case "card":
                task = cdata("TaskId", str(message.get("task_id", "")))
                code = cdata("ResponseCode", secrets.token_urlsafe(24))
                card = cdata("CardType", "button_interaction")
                fields = cdata("Event", "template_card_event") + key + task + card + code
                self.pusher.push(userid, "event", fields)
            case _:
                raise ValueError(f"unknown uplink kind: {kind}")

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = await read_body(receive)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        method, path = scope["method"], scope["path"]
        if path.startswith("/_sim/"):
            known = self.control(method, path, query, body)
            return await answer_json(send, 200 if known is not None else 404, known)
        try:
            client = scope["client"][0] if scope.get("client") else ""
            if self.account.allowed and client not in self.account.allowed:
                raise Refused(60020, f"not allow to access from your ip, from ip: {client}")
            if (method, path) == ("POST", "/cgi-bin/message/send"):
                return await self._send(query, body, receive, send)
            answer = self._manage(method, path, query, body)
        except Refused as error:
            answer = {"errcode": error.errcode, "errmsg": f"{error.errmsg}, hint: [{secrets.token_hex(8)}]"}
        return await answer_json(send, 200 if answer is not None else 404, answer)

    def control(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any | None:
        """The common control interface, and members and the callback address."""
        if (method, path) == ("POST", "/_sim/members"):
            change = orjson.loads(body)
            self.absent |= set(change.get("absent", ()))
            self.unlicensed |= set(change.get("unlicensed", ()))
            self.absent -= set(change.get("present", ()))
            self.unlicensed -= set(change.get("present", ()))
            return {"absent": len(self.absent), "unlicensed": len(self.unlicensed)}
        if (method, path) == ("POST", "/_sim/callback"):
            self.pusher.url = str(orjson.loads(body)["url"])
            return {"ok": True}
        return super().control(method, path, query, body)

    def _manage(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any | None:
        match method, path:
            case "GET", "/cgi-bin/gettoken":
                if query.get("corpid") != self.account.corp_id:
                    raise Refused(40013, "invalid corpid")
                if query.get("corpsecret") != self.account.corp_secret:
                    raise Refused(40001, "invalid credential")
                value, seconds = self.tokens.stable(force=False)
                return {"errcode": 0, "errmsg": "ok", "access_token": value, "expires_in": seconds}
            case "GET", "/cgi-bin/agent/get":
                self._judge(query)
                if query.get("agentid") != str(self.account.agent_id):
                    raise Refused(301002, "not allow operate another agent with this accesstoken")
                return {"errcode": 0, "errmsg": "ok", "agentid": self.account.agent_id, "name": "仿真应用"}
            case "POST", "/cgi-bin/message/recall":
                self._judge(query)
                return self._recall(_object(body).get("msgid"))
        return None

    def _judge(self, query: Mapping[str, str]) -> None:
        try:
            self.tokens.judge(query.get("access_token", ""))
        except Refused as error:
            if error.errcode != 40001:
                raise
            # 40001 is the wrong secret here; a token that nobody issued has a number of its own.
            raise Refused(40014, "invalid access_token") from error

    def _recall(self, msgid: object) -> dict[str, Any]:
        sent = self._messages.get(msgid) if isinstance(msgid, str) else None
        if sent is None or self._clock() - sent > _DAY:
            raise Refused(40058, "invalid Request Parameter, msgid")
        self.recalled.add(str(msgid))
        return {"errcode": 0, "errmsg": "ok"}

    async def _send(self, query: Mapping[str, str], body: bytes, receive: Any, send: Any) -> None:
        self._judge(query)
        self._count_call()
        if rb"\u" in body:
            raise Refused(40033, "invalid charset, \\u escapes are not allowed")
        message = _object(body)
        if message.get("agentid") != self.account.agent_id:
            raise Refused(40056, "invalid agentid")
        text, receivers = read_message(message), read_receivers(message)
        earlier = self._earlier(message)
        if earlier is not None:
            return await answer_json(send, 200, earlier)
        strikes = {self.fate(receiver, "throttle", "drop_before") for receiver in receivers}
        if "drop_before" in strikes:
            return await cut_connection(receive)
        if "throttle" in strikes:
            raise Refused(45009, "api freq out of limit")
        return await self._accept(message, text, receivers, receive, send)

    def _count_call(self) -> None:
        now = self._clock()
        while self._calls and now - self._calls[0] >= 60:
            self._calls.popleft()
        if len(self._calls) >= self.account.calls_a_minute:
            raise Refused(45009, "api freq out of limit")
        self._calls.append(now)

    def _earlier(self, message: Mapping[str, Any]) -> dict[str, Any] | None:
        known = self._sent.get(_digest(message))
        if known is None or message.get("enable_duplicate_check") != 1:
            return None
        fresh = self._clock() - known[0] < message.get("duplicate_check_interval", 1800)
        return known[1] if fresh else None

    async def _accept(
        self, message: Mapping[str, Any], text: str, receivers: list[str], receive: Any, send: Any
    ) -> None:
        strangers = [r for r in receivers if self._is_stranger(r)]
        unlicensed = [r for r in receivers if r in self.unlicensed and r not in strangers]
        reached = [r for r in receivers if r not in strangers and r not in unlicensed]
        if not reached and not unlicensed:
            raise Refused(81013, "user & party & tag all invalid")
        msgid = secrets.token_urlsafe(32)
        self._messages[msgid] = self._clock()
        answer: dict[str, Any] = {"errcode": 0, "errmsg": "ok", "msgid": msgid}
        if strangers:
            answer["invaliduser"] = "|".join(strangers).lower()
        if unlicensed:
            answer["unlicenseduser"] = "|".join(unlicensed).lower()
        card = message.get("template_card")
        if isinstance(card, dict) and card.get("card_type") in ASKING:
            answer["response_code"] = secrets.token_urlsafe(32)
        self._sent[_digest(message)] = (self._clock(), answer)
        task = str(card.get("task_id", "")) if isinstance(card, dict) else shown_number(text)
        for receiver in reached:
            if self._has_room(receiver):
                self.books.record(key=task, address=receiver, ref=msgid, text=text)
        strikes = {self.fate(receiver, "drop_after", "error_after", "slow") for receiver in receivers}
        if "drop_after" in strikes:
            return await cut_connection(receive)
        if "error_after" in strikes:
            return await answer_json(send, 502, None)
        if "slow" in strikes:
            await asyncio.sleep(self.faults.slow_seconds)
        return await answer_json(send, 200, answer)

    def _is_stranger(self, receiver: str) -> bool:
        if receiver == "@all" or receiver.startswith(("party:", "tag:")):
            return False
        known = _USERID.fullmatch(receiver) is not None and receiver not in self.absent
        return not known or bool(self.fate(receiver, "reject"))

    def _has_room(self, receiver: str) -> bool:
        now, got = self._clock(), self._got[receiver]
        while got and now - got[0] >= 60:
            got.popleft()
        if len(got) >= self.account.messages_a_minute:
            self.dropped += 1
            return False
        got.append(now)
        return True


def _digest(message: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(orjson.dumps(message, option=orjson.OPT_SORT_KEYS)).digest()


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = orjson.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise Refused(40035, "invalid parameter")
    return asked
