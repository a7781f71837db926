"""SMPP on paper: recorded messages, texts in parts, and what hostile bytes do to the readers."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import Parsed, WebhookRequest
from channels.errors import Fault, WebhookRejected
from channels.gateways.smpp import wire
from channels.lines.gsm import decode_gsm, encode_gsm
from channels.lines.line import BadMessage, Frame
from channels.smpp import Smpp, codec
from channels.smpp.codec import Place
from channels.smpp.codes import MEANINGS
from channels.smpp.submits import Submits, canonical_id, cut_for_phones, keep_whole

from .smpp import make_config

SAMPLES = json.loads((Path(__file__).parent / "samples" / "smpp" / "messages.json").read_text("utf-8"))
SUBMITS = Submits("", Place(0, 0, "10690012366"), Place(1, 1), MEANINGS, "text")


def read(body: bytes, bases: tuple[str, str] = ("text", "text")) -> Parsed:
    config = make_config("127.0.0.1:1", id_in_answer=bases[0], id_in_report=bases[1])
    return Smpp(config).parse(WebhookRequest("CONNECTION", "", {}, {}, body))


def test_bind_as_recorded() -> None:
    told = SAMPLES["bind"]
    assert codec.write_bind(1, told["system_id"], told["password"], "", Place(0, 0)).hex() == told["hex"]


@pytest.mark.parametrize("name", SAMPLES["submit"])
def test_submit_as_recorded(name: str) -> None:
    told: dict[str, Any] = SAMPLES["submit"][name]
    gsm = told.get("gsm", False)
    parts = keep_whole(told["text"], gsm=gsm) if told.get("whole") else None
    parts = parts or cut_for_phones(told["text"], told.get("reference", 0), gsm=gsm)
    made = SUBMITS.write(7, parts[told.get("index", 0)], [b"8613900000001\0"])
    assert made.hex() == told["hex"]


@pytest.mark.parametrize("name", SAMPLES["deliver"])
def test_deliver_as_recorded(name: str) -> None:
    told = SAMPLES["deliver"][name]
    parsed = read(bytes.fromhex(told["hex"]), told.get("bases", ("text", "text")))
    receipts = [(r.state.value, r.ref, r.address, r.code) for r in parsed.receipts]
    wanted = [(told["state"], told["ref"], told["address"], told["code"])] if "state" in told else []
    assert receipts == wanted
    texts = [(told["address"], told["text"])] if "text" in told else []
    assert [(one.address, one.text) for one in parsed.inbound] == texts


@pytest.mark.parametrize("name", SAMPLES["deliver"])
def test_every_deliver_is_answered_by_its_sequence(name: str) -> None:
    body = bytes.fromhex(SAMPLES["deliver"][name]["hex"])
    asked = [sequence for _, _, sequence, _ in wire.cut(bytearray(body))]
    answers = list(wire.cut(bytearray(read(body).reply.body)))
    assert answers == [(0x80000005, 0, sequence, b"\0") for sequence in asked]


@pytest.mark.parametrize(
    ("message_id", "base", "wanted"),
    [("00ff", "hex", "255"), ("0255", "decimal", "255"), ("00ff", "text", "00ff"), ("x-1", "hex", "x-1")],
)
def test_numbers_of_messages_are_compared_in_one_form(message_id: str, base: Any, wanted: str) -> None:
    assert canonical_id(message_id, base) == wanted


@pytest.mark.parametrize(
    ("status", "fault"),
    [(0x58, Fault.THROTTLED), (0x14, Fault.THROTTLED), (0x0B, Fault.INVALID_ADDRESS), (0xFF, None)],
)
def test_answers_say_what_they_touch(status: int, fault: Fault | None) -> None:
    answer = SUBMITS.read(Frame(0x80000004, 1, b"", status), 1)
    assert (answer.refs, answer.fault, answer.code) == ((), fault, f"0x{status:02X}")
    nack = SUBMITS.read(Frame(0x80000000, 1, b"", 0x03), 1)
    assert nack.fault is Fault.REJECTED


def test_an_answer_without_a_number_is_not_read_as_accepted() -> None:
    for body in (b"", b"\0", b"no end"):
        with pytest.raises(BadMessage):
            SUBMITS.read(Frame(0x80000004, 1, body), 1)


@given(st.text(alphabet=st.sampled_from("abc€{}[]ÄΩ \n"), min_size=1, max_size=700))
@settings(max_examples=150, deadline=None)
def test_the_default_alphabet_survives_in_parts(text: str) -> None:
    parts = cut_for_phones(text, 9, gsm=True)
    assert {part.coding for part in parts} == {0}
    pieces = [part.content[6:] if part.total > 1 else part.content for part in parts]
    assert all(len(piece) <= (153 if len(parts) > 1 else 160) for piece in pieces)
    assert "".join(map(decode_gsm, pieces)) == text
    assert not any(piece.endswith(b"\x1b") for piece in pieces)


def test_chinese_is_not_in_the_default_alphabet() -> None:
    assert encode_gsm("税") is None
    assert cut_for_phones("a税", 0, gsm=True)[0].coding == 8


GENUINE = [bytes.fromhex(told["hex"]) for told in SAMPLES["deliver"].values()]


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A recorded message with some of its octets changed, taken away or added."""
    message = bytearray(draw(st.sampled_from(GENUINE)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(message)))
        message[place : place + draw(st.integers(0, 6))] = draw(st.binary(max_size=6))
    return bytes(message)


@given(raw=st.binary(max_size=300) | mangled().map(lambda raw: raw[16:]))
@settings(max_examples=300, deadline=None)
def test_readers_read_or_say_that_they_cannot(raw: bytes) -> None:
    for reader in (codec.read_deliver, codec.read_message_id):
        try:
            reader(raw)
        except BadMessage:
            continue


@given(raw=st.binary(max_size=200) | mangled(), bases=st.sampled_from([("hex", "decimal"), ("text", "text")]))
@settings(max_examples=300, deadline=None)
def test_hostile_pushes_are_rejected_or_read(raw: bytes, bases: tuple[str, str]) -> None:
    try:
        parsed = read(raw, bases)
    except WebhookRejected:
        return
    assert all("\0" not in one.text + one.address for one in parsed.inbound)


@pytest.mark.parametrize("length", [0, 15, 70_001, 0xFFFFFFFF])
def test_a_length_that_no_message_has_is_refused_at_once(length: int) -> None:
    with pytest.raises(BadMessage):
        codec.cut_frames(bytearray(length.to_bytes(4) + bytes(12)))


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
