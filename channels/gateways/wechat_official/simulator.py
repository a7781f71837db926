"""The simulated platform itself: routes, template messages, followers."""

import asyncio
import random
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from channels.gateways.base import BookEntry, Faults, Simulator
from channels.gateways.http_server import HttpServer, answer_json, cut_connection, read_body
from channels.gateways.wechat_official.logins import Logins
from channels.gateways.wechat_official.pushes import Pusher, cdata, event_xml
from channels.gateways.wechat_official.rules import complain
from channels.gateways.wechat_official.tokens import LIFE, Refused, TokenDesk

DEMO_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "SIM-tax-reminder-0000000000000000000000000a": ("thing1", "time2", "thing3"),
    "SIM-filing-result-000000000000000000000000b": ("thing1", "amount2", "phrase3", "date4"),
    "SIM-service-notice-00000000000000000000000c": ("thing1", "thing2"),
}
"""Template ids and their keys."""

_OPENID = re.compile(r"o[A-Za-z0-9_-]{5,63}")
_PAGE = re.compile(r"[A-Za-z0-9_][\w./?=&%-]*")
_ACCOUNT = "gh_sim"
_NOTICE = "/cgi-bin/message/subscribe/bizsend"
_NOTICE_FIELDS = {"touser", "template_id", "page", "miniprogram", "data", "miniprogram_state", "lang"}


@dataclass(frozen=True, slots=True)
class Account:
    """The simulated official account. Times in seconds; `daily_quota` counts calls of template/send.
    `allowed` are the IP addresses that may call (empty: all)."""

    app_id: str = "wxSIM00000000001"
    app_secret: str = "simulated-secret"
    callback_token: str = "simulatedtoken"
    encoding_aes_key: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    templates: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(DEMO_TEMPLATES))
    token_seconds: float = LIFE
    dedup_seconds: float = 600.0
    push_seconds: float = 5.0
    daily_quota: int = 100_000
    allowed: frozenset[str] = frozenset()


class WechatOfficialSimulator(Simulator):
    """Every well-formed openid follows until it unfollows (`uplink`, or POST /_sim/followers with
    `follow` and `unfollow`, lists of openids). POST /_sim/templates adds templates: id to list of keys. POST
    /_sim/visitor with `openid` says who opens the login page. Everybody has subscribed for good, unless POST
    /_sim/consents says of an openid how many notices it still takes."""

    name = "wechat_official"

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
        self.logins = Logins(self.account.app_id, clock)
        self.pusher = Pusher(
            callback_url,
            self.account.callback_token,
            self.account.encoding_aes_key,
            self.account.app_id,
            self.account.push_seconds,
        )
        self.templates = dict(self.account.templates)
        self.unfollowed: set[str] = set()
        self.consents: dict[str, int] = {}
        self.calls = 0
        self._clock = clock
        self._sent: dict[tuple[str, str], tuple[float, int]] = {}
        self._order = random.Random(self.faults.seed)
        self._server = HttpServer(self._serve)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the base URL."""
        self.pusher.start()
        return await self._server.start(host, port)

    async def stop(self) -> None:
        """Stop listening, drop what is not pushed yet."""
        await self.pusher.stop()
        await self._server.stop()

    def uplink(self, message: Mapping[str, Any]) -> None:
        """`address`, and `kind` of `text` (default, with `text`), `subscribe` (with an optional `scene`) or
        `unsubscribe`."""
        openid, kind = str(message["address"]), message.get("kind", "text")
        if kind == "text":
            number = 10**16 + secrets.randbelow(10**15)
            fields = cdata("Content", str(message.get("text", ""))) + f"<MsgId>{number}</MsgId>"
            return self._push(0.0, openid, "text", fields)
        if kind not in ("subscribe", "unsubscribe"):
            raise ValueError(f"unknown uplink kind: {kind}")
        (self.unfollowed.discard if kind == "subscribe" else self.unfollowed.add)(openid)
        scene = f"qrscene_{message['scene']}" if message.get("scene") else ""
        return self._push(0.0, openid, "event", cdata("Event", kind) + cdata("EventKey", scene))

    def _push(self, delay: float, openid: str, kind: str, fields: str) -> None:
        self.pusher.later(delay, openid, event_xml(_ACCOUNT, openid, int(time.time()), kind, fields))

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
                raise Refused(40164, f"invalid ip {client}, not in whitelist")
            if (method, path) == ("POST", "/cgi-bin/message/template/send"):
                return await self._send(query, body, receive, send)
            if (method, path) == ("POST", _NOTICE):
                return await self._notify(query, body, receive, send)
            if (method, path) == ("GET", "/connect/oauth2/authorize"):
                return await _redirect(send, self.logins.send_back(query))
            answer = self._manage(method, path, query, body)
        except Refused as error:
            answer = _error(error)
        return await answer_json(send, 200 if answer is not None else 404, answer)

    def control(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any | None:
        """The common control interface, and followers and templates."""
        if (method, path) == ("POST", "/_sim/followers"):
            change = orjson.loads(body)
            self.unfollowed |= set(change.get("unfollow", ()))
            self.unfollowed -= set(change.get("follow", ()))
            return {"unfollowed": len(self.unfollowed)}
        if (method, path) == ("POST", "/_sim/consents"):
            self.consents.update({openid: int(count) for openid, count in orjson.loads(body).items()})
            return {"consents": len(self.consents)}
        if (method, path) == ("POST", "/_sim/visitor"):
            self.logins.visitor = str(orjson.loads(body)["openid"])
            return {"visitor": self.logins.visitor}
        if (method, path) == ("POST", "/_sim/templates"):
            self.templates.update({name: tuple(keys) for name, keys in orjson.loads(body).items()})
            return {"templates": len(self.templates)}
        return super().control(method, path, query, body)

    def _manage(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any | None:
        match method, path:
            case "POST", "/cgi-bin/stable_token":
                asked = _object(body)
                self._recognise(asked)
                return _token(*self.tokens.stable(force=asked.get("force_refresh") is True))
            case "GET", "/sns/oauth2/access_token":
                self._know(query)
                return self.logins.exchange(query)
            case "GET", "/cgi-bin/token":
                self._recognise(query)
                return _token(*self.tokens.classic())
            case "GET", "/cgi-bin/template/get_all_private_template":
                self.tokens.judge(query.get("access_token", ""))
                return {"template_list": [_describe(name, keys) for name, keys in self.templates.items()]}
            case "POST", "/cgi-bin/clear_quota":
                self.tokens.judge(query.get("access_token", ""))
                self.calls = 0
                return {"errcode": 0, "errmsg": "ok"}
        return None

    def _recognise(self, asked: Mapping[str, Any]) -> None:
        if asked.get("grant_type") != "client_credential":
            raise Refused(40002, "invalid grant_type")
        self._know(asked)

    def _know(self, asked: Mapping[str, Any]) -> None:
        if asked.get("appid") != self.account.app_id:
            raise Refused(40013, "invalid appid")
        if asked.get("secret") != self.account.app_secret:
            raise Refused(40125, "invalid appsecret")

    async def _send(self, query: Mapping[str, str], body: bytes, receive: Any, send: Any) -> None:
        self.tokens.judge(query.get("access_token", ""))
        self.calls += 1
        if self.calls > self.account.daily_quota:
            raise Refused(45009, "reach max api daily quota limit")
        message = _object(body)
        openid, own_id = self._validate(message)
        earlier = self._earlier(openid, own_id)
        if earlier is not None:
            return await answer_json(send, 200, {"errcode": 0, "errmsg": "ok", "msgid": earlier})
        fate = self.fate(openid, "reject", "throttle", "drop_before")
        if fate == "drop_before":
            return await cut_connection(receive)
        if fate == "throttle":
            raise Refused(45011, "api minute-quota reach limit, must slower, retry next minute")
        if fate == "reject" or openid in self.unfollowed:
            raise Refused(43004, "require subscribe")
        return await self._accept(message, openid, own_id, receive, send)

    async def _notify(self, query: Mapping[str, str], body: bytes, receive: Any, send: Any) -> None:
        """A subscription notice: no key of the sender, no number in the answer, and one consent for each,
        unless it was given for good."""
        self.tokens.judge(query.get("access_token", ""))
        message = _object(body)
        if message.keys() - _NOTICE_FIELDS:
            raise Refused(47001, "data format error")
        openid, _ = self._validate({**message, "url": message.get("page", "")})
        fate = self.fate(openid, "reject", "throttle", "drop_before")
        if fate == "drop_before":
            return await cut_connection(receive)
        if fate == "throttle":
            raise Refused(45011, "api minute-quota reach limit, must slower, retry next minute")
        if fate == "reject":
            raise Refused(40003, "invalid openid")
        left = self.consents.get(openid)
        if left == 0:
            raise Refused(43101, "user refuse to accept the msg")
        if left is not None:
            self.consents[openid] = left - 1
        text = "".join(entry["value"] for entry in message["data"].values())
        self.books.record(key="", address=openid, ref="", text=text)
        return await self._answer_late(openid, {"errcode": 0, "errmsg": "ok"}, receive, send)

    async def _answer_late(self, openid: str, answer: dict[str, Any], receive: Any, send: Any) -> None:
        fate = self.fate(openid, "drop_after", "error_after", "slow")
        if fate == "drop_after":
            return await cut_connection(receive)
        if fate == "error_after":
            return await answer_json(send, 502, None)
        if fate == "slow":
            await asyncio.sleep(self.faults.slow_seconds)
        return await answer_json(send, 200, answer)

    def _validate(self, message: Mapping[str, Any]) -> tuple[str, str]:
        openid, own_id = message.get("touser"), message.get("client_msg_id", "")
        if not isinstance(openid, str) or not _OPENID.fullmatch(openid):
            raise Refused(40003, "invalid openid")
        keys = self.templates.get(str(message.get("template_id")))
        if keys is None:
            raise Refused(40037, "invalid template_id")
        program = message.get("miniprogram", {"pagepath": "index"})
        if not isinstance(program, dict) or not _PAGE.fullmatch(str(program.get("pagepath"))):
            raise Refused(41030, "invalid page")
        if not isinstance(own_id, str) or len(own_id) > 32 or not isinstance(message.get("url", ""), str):
            raise Refused(47001, "data format error")
        if trouble := complain(keys, message.get("data")):
            raise Refused(47003, trouble)
        return openid, own_id

    def _earlier(self, openid: str, own_id: str) -> int | None:
        if not own_id:
            return None
        horizon = self._clock() - self.account.dedup_seconds
        while self._sent:
            oldest = next(iter(self._sent))
            if self._sent[oldest][0] > horizon:
                break
            del self._sent[oldest]
        known = self._sent.get((openid, own_id))
        return known[1] if known else None

    async def _accept(
        self, message: Mapping[str, Any], openid: str, own_id: str, receive: Any, send: Any
    ) -> None:
        msgid = 3_000_000_000_000_000_000 + len(self.books.entries)
        if own_id:
            self._sent[openid, own_id] = (self._clock(), msgid)
        text = "".join(entry["value"] for entry in message["data"].values())
        entry = self.books.record(key=own_id, address=openid, ref=str(msgid), text=text)
        await self._report(entry)
        return await self._answer_late(openid, {"errcode": 0, "errmsg": "ok", "msgid": msgid}, receive, send)

    async def _report(self, entry: BookEntry) -> None:
        if self.fate(entry.address, "silent"):
            return
        failed = bool(self.fate(entry.address, "fail"))
        self.books.mark(entry.number, "failed" if failed else "delivered")
        status = "failed:user block" if failed else "success"
        event, number = cdata("Event", "TEMPLATESENDJOBFINISH"), f"<MsgID>{entry.ref}</MsgID>"
        fields = event + number + cdata("Status", status)
        xml = event_xml(_ACCOUNT, entry.address, int(time.time()), "event", fields)
        twice = bool(self.fate(entry.address, "twice"))
        if self.faults.receipts_before_answer:
            await self.pusher.deliver(entry.address, xml)
        for _ in range(1 + twice - self.faults.receipts_before_answer):
            late = self._order.uniform(0, 4) if self.faults.shuffle else 1.0
            self.pusher.later(self.faults.receipt_delay * late, entry.address, xml)


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = orjson.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise Refused(47001, "data format error")
    return asked


def _token(value: str, seconds: int) -> dict[str, Any]:
    return {"access_token": value, "expires_in": seconds}


def _describe(name: str, keys: tuple[str, ...]) -> dict[str, str]:
    content = "\n".join(f"{key}:{{{{{key}.DATA}}}}" for key in keys)
    return {"template_id": name, "title": "模拟模板", "content": content, "example": content}


def _error(error: Refused) -> dict[str, Any]:
    rid = "-".join(secrets.token_hex(4) for _ in range(3))
    return {"errcode": error.errcode, "errmsg": f"{error.errmsg} rid: {rid}"}


async def _redirect(send: Any, address: str) -> None:
    headers = [(b"location", address.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 302, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
