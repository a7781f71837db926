"""Every decoder of what comes in from outside, fed with anything: raw octets and genuine messages that were
bent. Nothing but the declared error may come out, within a bounded time and with bounded memory.

`make fuzz ARGS="--seconds 600"` goes on for as long as one likes (ARGS="--only cmpp" for one of them).
"""

import argparse
import contextlib
import json
import logging
import re
import struct
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.base import Adapter, WebhookRequest
from channels.cmpp import Cmpp
from channels.cmpp import codec as cmpp_codec
from channels.cmpp.pushes import piece_of
from channels.dingtalk import Dingtalk
from channels.email_smtp import EmailSmtp
from channels.errors import WebhookRejected
from channels.fiveg_maap.xml import XmlInvalid, read_xml
from channels.gateways.wechat_official.pushes import encrypt
from channels.lines.line import BadMessage
from channels.lines.texts import read_joint
from channels.registry import ADAPTERS
from channels.smpp import Smpp
from channels.smpp import codec as smpp_codec
from channels.wechat_official import WechatOfficial, WechatSubscription, crypto
from channels.wecom import Wecom

from . import (
    aliyun,
    aliyun_rcs,
    cmpp,
    dingtalk,
    email_smtp,
    fiveg_bot,
    fiveg_maap,
    smpp,
    tencent,
    wechat_official,
    wecom,
)
from .hostile import similar_json

SAMPLES = Path(__file__).parent / "samples"
BOT_PUSHES = {
    "deliveryNotification/{bot}/status": "status_push.json",
    "messageNotification/{bot}/messages": "uplink_*.json",
    "notifyInfoNotification/{bot}/notice/rcsspam": "complaint.json",
}
MAAP_PUSHES = {"DeliveryInfoNotification": "delivered.xml", "InboundMessageNotification": "inbound.xml"}
NOWHERE = "http://127.0.0.1:9"
MOST_SECONDS = 2.0
"""Processor time that one input may take: what is slower than this is a way to stop a process."""
ROOM, PER_OCTET = 4 << 20, 400
"""Memory that one input may take: whatever lengths it declares, only what is there may be unfolded."""


@dataclass(frozen=True)
class Decoder:
    """`read` takes a body; `allowed` is what may come out of it beside a result. `adapter` is whose it is."""

    adapter: str
    name: str
    read: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...]
    corpus: tuple[bytes, ...]


def request(body: bytes, path: str = "/hooks/7", method: str = "POST", **query: str) -> WebhookRequest:
    return WebhookRequest(method, path, query, {}, body)


def parse(adapter: Adapter, path: str, method: str, body: bytes) -> object:
    return adapter.parse(request(body, path, method))


def pushed(
    adapter: Adapter, corpus: tuple[bytes, ...], path: str = "/hooks/7", method: str = "POST"
) -> Decoder:
    read = partial(parse, adapter, path, method)
    return Decoder(adapter.name, f"{adapter.name} {path.split('/')[-1]}", read, (WebhookRejected,), corpus)


def files(folder: str, pattern: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted((SAMPLES / folder).glob(pattern)))


def recorded(folder: str) -> tuple[bytes, ...]:
    told = json.loads((SAMPLES / folder / "messages.json").read_text("utf-8"))
    return tuple(bytes.fromhex(one["hex"]) for one in told["deliver"].values())


def sealed(
    adapter: Adapter, aes_key: str, owner: str, wrap: Callable[[str], bytes], content: bytes
) -> object:
    """A content that came in encrypted: whoever knows the key may say anything, too."""
    inside = encrypt(aes_key, owner, content.decode("utf-8", "replace"))
    return adapter.parse(request(wrap(inside), timestamp="1", nonce="n"))


def in_xml(encrypted: str) -> bytes:
    return f"<xml><ToUserName>x</ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()


def in_json(encrypted: str) -> bytes:
    return orjson.dumps({"encrypt": encrypted})


def cut(codec: Any, reader: Callable[[bytes], object], body: bytes) -> object:
    """What a connection does with octets: frames, and each body read."""
    return [reader(frame.body) for frame in codec.cut_frames(bytearray(body))]


def of_cmpp(version: str, body: bytes) -> object:
    told = cmpp_codec.read_deliver(body, cmpp_codec.LAYOUTS[version])
    return (
        cmpp_codec.read_report(told.content) if told.is_report else (piece_of(told), read_joint(told.content))
    )


def decoders() -> Iterator[Decoder]:
    """All of them."""
    yield from _lines()
    yield from _clouds()
    official = wechat_official.make_config(NOWHERE)
    for kind in (WechatOfficial, WechatSubscription):
        yield from _encrypted(
            kind(official),
            wechat_official.AES_KEY,
            official.app_id,
            in_xml,
            files("wechat_official", "*.xml"),
        )
    account = wecom.ACCOUNT
    staff = Wecom(wecom.make_config(NOWHERE))
    yield from _encrypted(staff, account.encoding_aes_key, account.corp_id, in_xml, files("wecom", "*.xml"))
    ding = Dingtalk(dingtalk.make_config(NOWHERE))
    events = (b'{"EventType":"check_url"}', b'{"EventType":"user_add_org","UserId":["a"]}')
    yield from _encrypted(ding, dingtalk.ACCOUNT.encoding_aes_key, dingtalk.ACCOUNT.app_key, in_json, events)
    mail = EmailSmtp(email_smtp.make_config("127.0.0.1:25"))
    yield pushed(mail, files("email_smtp", "*.eml"), f"/hooks/7/{email_smtp.SECRET}")


def _lines() -> Iterator[Decoder]:
    delivers = recorded("cmpp")
    for version in ("2.0", "3.0"):
        adapter = Cmpp(cmpp.make_config("127.0.0.1:1", version=version))
        yield pushed(adapter, delivers, f"/{version}", "CONNECTION")
        read = partial(cut, cmpp_codec, partial(of_cmpp, version))
        yield Decoder("cmpp", f"cmpp frames {version}", read, (BadMessage,), delivers)
    for name in ("read_connect_answer", "read_submit_answer", "read_query_answer", "read_report"):
        yield Decoder(
            "cmpp", f"cmpp {name}", getattr(cmpp_codec, name), (BadMessage,), (bytes(12), bytes(67))
        )
    delivers = recorded("smpp")
    yield pushed(Smpp(smpp.make_config("127.0.0.1:1")), delivers, "/smpp", "CONNECTION")
    read = partial(cut, smpp_codec, smpp_codec.read_deliver)
    yield Decoder("smpp", "smpp frames", read, (BadMessage,), delivers)
    yield Decoder("smpp", "smpp read_message_id", smpp_codec.read_message_id, (BadMessage,), (b"4f3d\0",))


def _clouds() -> Iterator[Decoder]:
    for what, sample in (("report", "push_report.json"), ("up", "push_up.json")):
        path = f"/hooks/7/{aliyun.SECRET}/{what}"
        yield pushed(aliyun.make_adapter(NOWHERE), files("aliyun_sms", sample), path)
        yield pushed(aliyun_rcs.make_adapter(NOWHERE), files("aliyun_rcs", sample), path)
    for what, sample in (("report", "push_report.json"), ("reply", "push_reply.json")):
        path = f"/hooks/7/{tencent.SECRET}/{what}"
        yield pushed(tencent.make_adapter(NOWHERE), files("tencent_sms", sample), path)
    for kind, pattern in BOT_PUSHES.items():
        path = f"/hooks/7/secret/{kind}".replace("{bot}", fiveg_bot.CHATBOT)
        yield pushed(fiveg_bot.offline(), files("fiveg_bot", pattern), path)
    for what, sample in MAAP_PUSHES.items():
        path = f"/hooks/7/secret/{what}/{fiveg_maap.ACCOUNT.chatbot_id}"
        yield pushed(fiveg_maap.offline(), files("fiveg_maap", sample), path)
    yield Decoder("fiveg_maap", "fiveg_maap xml", read_xml, (XmlInvalid,), files("fiveg_maap", "*.xml"))


def _encrypted(
    adapter: Adapter, aes_key: str, owner: str, wrap: Callable[[str], bytes], inside: tuple[bytes, ...]
) -> Iterator[Decoder]:
    whole = tuple(wrap(encrypt(aes_key, owner, each.decode())) for each in inside)
    yield pushed(adapter, (*whole, *inside))
    read = partial(sealed, adapter, aes_key, owner, wrap)
    yield Decoder(adapter.name, f"{adapter.name} inside", read, (WebhookRejected,), inside)
    opened = partial(_open, crypto.read_key(aes_key), owner)
    sealed_once = tuple(encrypt(aes_key, owner, each.decode()).encode() for each in inside)
    yield Decoder(adapter.name, f"{adapter.name} aes", opened, (WebhookRejected,), sealed_once)


def _open(key: bytes, owner: str, body: bytes) -> object:
    return crypto.decrypt(key, owner, body.decode("latin-1"))


# --- bent messages

_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_SPLICES = (
    b"",
    b"\0",
    b"\xff" * 8,
    b"<",
    b"&#x0;",
    b"]]>",
    b"[" * 200,
    b"{" * 200,
    b'"',
    b"\\ud800",
    b"\r\n",
    b"--",
)


def bent(corpus: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Genuine messages with pieces cut out, doubled, put in, or overwritten by lengths that are not true."""
    places = st.integers(0, 1 << 16)

    def change(drawn: tuple[bytes, list[tuple[str, int, int, bytes, int]]]) -> bytes:
        body, changes = drawn
        for kind, at, size, new, number in changes:
            at %= len(body) + 1
            match kind:
                case "cut":
                    body = body[:at] + body[at + size :]
                case "double":
                    body = body[: at + size] + body[at:]
                case "put":
                    body = body[:at] + new + body[at:]
                case "flip":
                    body = (
                        body[:at]
                        + bytes(octet ^ number & 0xFF for octet in body[at : at + 1])
                        + body[at + 1 :]
                    )
                case "size":
                    told = struct.pack(">I", number)[-(size % 4 + 1) :]
                    body = body[:at] + told + body[at + len(told) :]
        return body

    kinds = st.sampled_from(("cut", "double", "put", "flip", "size"))
    splices = st.binary(max_size=8) | st.sampled_from(_SPLICES)
    one = st.tuples(kinds, places, st.integers(0, 64), splices, st.sampled_from(_NUMBERS) | places)
    whole = st.sampled_from(corpus)
    joined = st.lists(whole, min_size=1, max_size=3).map(b"".join)
    return st.tuples(whole | joined, st.lists(one, min_size=1, max_size=4)).map(change)


def inputs(decoder: Decoder) -> st.SearchStrategy[bytes]:
    """Everything that a decoder is fed with."""
    fed = st.binary(max_size=400) | bent(decoder.corpus)
    example = decoder.corpus[0]
    if example.lstrip()[:1] in (b"{", b"["):
        fed |= similar_json(example)
    names = sorted(set(re.findall(rb"<(\w+)>", example)))
    if names:
        fed |= _similar_xml(tuple(names))
    return fed


def _similar_xml(names: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    leaf = st.text(max_size=20).map(lambda text: re.sub("[<&]", "", text).encode("utf-8", "replace"))

    def element(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
        parts = st.tuples(st.sampled_from(names), inner | st.lists(inner, max_size=4).map(b"".join))
        return parts.map(lambda told: b"<%s>%s</%s>" % (told[0], told[1], told[0]))

    return element(st.recursive(leaf, element, max_leaves=12))


def attempt(decoder: Decoder, body: bytes) -> None:
    """Read one input and look at what it cost."""
    tracemalloc.start()
    try:
        began = time.thread_time()
        with contextlib.suppress(*decoder.allowed):
            decoder.read(body)
        spent = time.thread_time() - began
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spent < MOST_SECONDS, f"{spent:.1f} s for {len(body)} octets"
    assert peak < ROOM + PER_OCTET * len(body), f"{peak} octets for {len(body)}"


def fuzz(decoder: Decoder, examples: int) -> None:
    """Feed a decoder."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(inputs(decoder))
    def feed(body: bytes) -> None:
        attempt(decoder, body)

    feed()


TABLE = tuple(decoders())


@pytest.mark.parametrize("decoder", TABLE, ids=lambda decoder: decoder.name.replace(" ", "-"))
def test_nothing_but_the_declared_error_comes_out(decoder: Decoder) -> None:
    fuzz(decoder, 60)


@pytest.mark.parametrize("decoder", TABLE, ids=lambda decoder: decoder.name.replace(" ", "-"))
def test_genuine_messages_are_read(decoder: Decoder) -> None:
    read = 0
    for body in decoder.corpus:
        with contextlib.suppress(*decoder.allowed):
            decoder.read(body)
            read += 1
    assert read or decoder.corpus == (bytes(12), bytes(67)), "what is bent here would never get far"


def test_every_adapter_has_its_decoders_here() -> None:
    assert {decoder.adapter for decoder in TABLE} == set(ADAPTERS)
    assert all(decoder.corpus for decoder in TABLE)


@pytest.mark.parametrize("length", [0, 11, 8193, 1 << 24, 0xFFFFFFFF])
@pytest.mark.parametrize("codec", [cmpp_codec, smpp_codec], ids=["cmpp", "smpp"])
def test_no_room_is_made_for_what_is_only_announced(codec: Any, length: int) -> None:
    if codec is smpp_codec and length == 8193:
        length = smpp_codec.LARGEST + 1
    tracemalloc.start()
    try:
        with pytest.raises(BadMessage):
            codec.cut_frames(bytearray(struct.pack(">IIII", length, 5, 1, 1)))
        assert tracemalloc.get_traced_memory()[1] < ROOM // 16
    finally:
        tracemalloc.stop()


def test_a_decoder_that_fails_is_caught() -> None:
    with pytest.raises((AssertionError, IndexError)):
        fuzz(Decoder("x", "x", lambda body: body[3], (BadMessage,), (b"0123",)), 200)
    with pytest.raises(AssertionError):
        fuzz(Decoder("x", "x", lambda body: bytearray(ROOM * 2), (), (b"0123",)), 5)


def main() -> None:
    """The long run."""
    reader = argparse.ArgumentParser(description="feed every decoder with anything, for as long as told")
    reader.add_argument("--seconds", type=float, default=300.0)
    reader.add_argument("--only", default="", help="only decoders whose name begins so")
    told = reader.parse_args()
    logging.disable(logging.CRITICAL)
    chosen = [decoder for decoder in TABLE if decoder.name.startswith(told.only)]
    ends, rounds = time.monotonic() + told.seconds, 0
    while time.monotonic() < ends:
        for decoder in chosen:
            fuzz(decoder, 200)
            if time.monotonic() >= ends:
                break
        rounds += 1
    sys.stdout.write(f"{len(chosen)} decoders, {rounds} rounds of 200 inputs each, nothing else came out\n")


if __name__ == "__main__":
    main()
