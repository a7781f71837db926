"""CMPP on paper: recorded messages, texts in parts, and what hostile bytes do to the readers."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.base import InboundKind, Parsed, WebhookRequest
from channels.cmpp import Cmpp, codec
from channels.cmpp.codec import LAYOUTS, SubmitForm
from channels.cmpp.codes import MEANINGS
from channels.errors import Fault, WebhookRejected
from channels.gateways.cmpp import account as gateway_account
from channels.gateways.cmpp import fields as wire
from channels.lines.line import BadMessage
from channels.lines.tables import read_table
from channels.lines.texts import MOST_PARTS, Part, TextInvalid, cut_text, read_joint
from outreach.rendering.sms_parts import count_parts, cut_parts

from .cmpp import ACCOUNT, make_config

SAMPLES = json.loads((Path(__file__).parent / "samples" / "cmpp" / "messages.json").read_text("utf-8"))
VERSIONS = ("2.0", "3.0")


def form(version: str) -> SubmitForm:
    return SubmitForm(
        LAYOUTS[version], sp_id=ACCOUNT.sp_id, service_id=ACCOUNT.service_id, source=ACCOUNT.source
    )


def read(version: str, body: bytes) -> Parsed:
    return Cmpp(make_config("127.0.0.1:1", version=version)).parse(
        WebhookRequest("CONNECTION", "", {}, {}, body)
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_connect_as_recorded(version: str) -> None:
    told = SAMPLES["connect"]
    layout = LAYOUTS[version]
    made = codec.write_connect(1, told["sp_id"], told["secret"], layout.version, told["stamp"])
    assert made.hex() == told[version]
    assert codec.authenticate(told["sp_id"], told["secret"], told["stamp"]).hex() == told["authenticator"]


@pytest.mark.parametrize("version", VERSIONS)
def test_submit_as_recorded(version: str) -> None:
    told = SAMPLES["submit"]
    maker = form(version)
    [part] = cut_text(told["text"], 0)
    made = maker.write(told["sequence"], part, [maker.pad(number) for number in told["numbers"]])
    assert made.hex() == told[version]
    assert len(made) == {"2.0": 188, "3.0": 235}[version]


@pytest.mark.parametrize("name", SAMPLES["deliver"])
def test_deliver_as_recorded(name: str) -> None:
    told = SAMPLES["deliver"][name]
    parsed = read(told["version"], bytes.fromhex(told["hex"]))
    if "state" in told:
        [receipt] = parsed.receipts
        at = datetime.fromisoformat(told["at"]) if told["at"] else None
        assert (receipt.state.value, receipt.ref, receipt.address, receipt.code, receipt.at) == (
            told["state"],
            told["ref"],
            told["address"],
            told["code"],
            at,
        )
        assert not (receipt.key or receipt.whole_request or parsed.inbound)
    else:
        [inbound] = parsed.inbound
        assert (inbound.kind, inbound.address, inbound.text) == (
            InboundKind.TEXT,
            told["address"],
            told["text"],
        )
        assert inbound.provider_id
        assert not parsed.receipts


@pytest.mark.parametrize("name", SAMPLES["deliver"])
def test_every_deliver_is_answered_with_its_own_number(name: str) -> None:
    told = SAMPLES["deliver"][name]
    asked = list(wire.cut(bytearray.fromhex(told["hex"])))
    answers = list(wire.cut(bytearray(read(told["version"], bytes.fromhex(told["hex"])).reply.body)))
    width = 4 if told["version"] == "3.0" else 1
    assert answers == [(0x80000005, sequence, body[:8] + bytes(width)) for _, sequence, body in asked]


def test_numbers_of_messages_are_unsigned_and_count_on_in_their_low_bits() -> None:
    told = int(SAMPLES["msg_id"]["value"])
    assert told > 2**63
    body = told.to_bytes(8) + b"\0"
    assert codec.read_submit_answer(body) == (told, 0)
    assert codec.read_submit_answer(body + b"\0\0\x08") == (told, 8)
    last = told | 0xFFFF
    assert codec.id_of(last, 0) == last
    assert codec.id_of(last, 2) == (told & ~0xFFFF) + 1
    at = datetime(2026, 11, 22, 3, 30, tzinfo=gateway_account.CHINA)
    assert gateway_account.make_id(at, 123456, 789) == told


def test_the_answer_to_a_connect_is_read_by_its_length() -> None:
    proof = bytes(range(16))
    second = codec.read_connect_answer(b"\x04" + proof + b"\x20")
    assert (second.status, second.proof, second.version) == (4, proof, 0x20)
    third = codec.read_connect_answer(b"\0\0\0\0" + proof + b"\x30")
    assert (third.status, third.proof, third.version) == (0, proof, 0x30)
    with pytest.raises(BadMessage):
        codec.read_connect_answer(bytes(19))


@example("税" * 66 + "😀" * 40)
@example("a" + "😀" * 70)
@given(st.text(alphabet=st.sampled_from("税a😀𠮷é "), min_size=1, max_size=400))
@settings(max_examples=150, deadline=None)
def test_parts_are_those_that_are_billed(text: str) -> None:
    parts = cut_text(text, 7)
    assert len(parts) == count_parts(text).parts
    if len(parts) == 1:
        assert parts == [Part(text.encode("utf-16-be"))]
        return
    pieces = []
    for number, part in enumerate(parts, 1):
        assert (part.number, part.total) == (number, len(parts))
        assert part.content[:6] == bytes((5, 0, 3, 7, len(parts), number))
        assert len(part.content) <= 140
        pieces.append(part.content[6:].decode("utf-16-be"))
    assert pieces == cut_parts(text)


def test_texts_that_cannot_leave_say_why() -> None:
    assert len(cut_text("税" * 67 * MOST_PARTS, 0)) == MOST_PARTS
    for text, why in (("", "empty"), ("\ud83d", "encoding"), ("税" * (67 * MOST_PARTS + 1), "length")):
        with pytest.raises(TextInvalid, match=why):
            cut_text(text, 0)


def test_a_vendors_table_is_read_and_mistakes_are_named() -> None:
    assert read_table("108=throttled，140 = rejected; 141=invalid_address") == {
        108: Fault.THROTTLED,
        140: Fault.REJECTED,
        141: Fault.INVALID_ADDRESS,
    }
    assert read_table("") == {}
    for wrong in ("108", "108=maybe", "x=rejected"):
        with pytest.raises(ValueError, match=wrong):
            read_table(wrong)
    assert 3 not in MEANINGS
    assert not any(result >= 100 for result in MEANINGS)


GENUINE = [bytes.fromhex(told["hex"]) for told in SAMPLES["deliver"].values()]


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A recorded message with some of its octets changed, taken away or added."""
    message = bytearray(draw(st.sampled_from(GENUINE)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(message)))
        message[place : place + draw(st.integers(0, 6))] = draw(st.binary(max_size=6))
    return bytes(message)


READERS: dict[str, Callable[[bytes], Any]] = {
    "connect": codec.read_connect_answer,
    "submit": codec.read_submit_answer,
    "query": codec.read_query_answer,
    "report": codec.read_report,
    "deliver 2.0": lambda raw: codec.read_deliver(raw, LAYOUTS["2.0"]),
    "deliver 3.0": lambda raw: codec.read_deliver(raw, LAYOUTS["3.0"]),
}


@pytest.mark.parametrize("name", READERS)
@given(raw=st.binary(max_size=300) | mangled().map(lambda raw: raw[12:]))
@settings(max_examples=200, deadline=None)
def test_readers_read_or_say_that_they_cannot(name: str, raw: bytes) -> None:
    try:
        READERS[name](raw)
    except BadMessage:
        return


@pytest.mark.parametrize("version", VERSIONS)
@given(raw=st.binary(max_size=200) | mangled())
@settings(max_examples=200, deadline=None)
def test_hostile_pushes_are_rejected_or_read(version: str, raw: bytes) -> None:
    try:
        parsed = read(version, raw)
    except WebhookRejected:
        return
    assert all("\0" not in one.text + one.address for one in parsed.inbound)


@given(st.lists(st.binary(max_size=60), max_size=8), st.data())
@settings(max_examples=200, deadline=None)
def test_frames_come_whole_however_they_are_cut(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(codec.write_frame(5, number, body) for number, body in enumerate(bodies))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    buffer, frames = bytearray(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer += stream[start:end]
        frames += codec.cut_frames(buffer)
    assert [frame.body for frame in frames] == bodies
    assert not buffer


@pytest.mark.parametrize("length", [0, 11, 8193, 0xFFFFFFFF])
def test_a_length_that_no_message_has_is_refused_at_once(length: int) -> None:
    with pytest.raises(BadMessage):
        codec.cut_frames(bytearray(length.to_bytes(4) + bytes(8)))


@given(st.binary(max_size=140))
@settings(max_examples=300, deadline=None)
def test_joints_never_lie_outside_their_content(content: bytes) -> None:
    joint, rest = read_joint(content)
    assert content.endswith(rest)
    assert joint is None or 1 <= joint.number <= joint.total <= 255
