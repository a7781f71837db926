"""Two independent implementations of CMPP, pycmpp (2.0) and cmppy (3.0), as judges of ours.

Their messages are those of our codec octet for octet, their clients talk to our gateway, and pycmpp reads
what our adapter sends.
"""

import asyncio
import socket
from typing import Any

import pytest

from channels.cmpp import codec
from channels.cmpp.codec import LAYOUTS, SubmitForm
from channels.gateways.base import Faults
from channels.gateways.cmpp import Account, CmppSimulator
from channels.lines.texts import Part, cut_text

from .clock import LONGEST

pycmpp_request = pytest.importorskip("pycmpp.request")
pycmpp_response = pytest.importorskip("pycmpp.response")
pycmpp_utils = pytest.importorskip("pycmpp.utils")
cmppy = pytest.importorskip("cmppy")

TEXT = "税务提醒😀"
NUMBERS = ["13910000001", "13910000002"]
LOOSE = Account(service_id="", source="1069", skew=90_000)
"""They sign with the clock of the machine, whatever its time zone."""


def without_sequence(message: bytes) -> bytes:
    return message[:8] + message[12:]


def ours(version: str, part: Part, **settings: Any) -> bytes:
    form = SubmitForm(LAYOUTS[version], sp_id="900001", **settings)
    return form.write(1, part, [form.pad(number) for number in NUMBERS])


@pytest.mark.parametrize("part", cut_text(TEXT, 0) + cut_text("字" * 130, 77))
def test_pycmpp_writes_the_same_submit(part: Part) -> None:
    head = part.content[:6] if part.total > 1 else None
    made = pycmpp_request.SubmitRequestInstance().create(
        msg_src="900001",
        msg_content=part.content[6:].decode("utf-16-be") if head else part.content.decode("utf-16-be"),
        dest_terminal_id=NUMBERS,
        msg_head=head,
        src_id="1069",
        pk_total=part.total,
        pk_number=part.number,
        registered_delivery=1,
        service_id="TAX",
        tp_udhi=int(part.total > 1),
    )
    assert without_sequence(made) == without_sequence(ours("2.0", part, service_id="TAX", source="1069"))


def test_pycmpp_reads_our_submit() -> None:
    [part] = cut_text(TEXT, 0)
    found = pycmpp_request.SubmitRequestInstance().resolve(ours("2.0", part, service_id="TAX", source="1069"))
    assert (found["msg_content"], found["destusr_tl"], found["msg_src"]) == (TEXT, 2, "900001")
    assert found["src_id"].rstrip("\0") == "1069"
    assert found["register_delivery"] == 1


def test_cmppy_writes_the_same_submit() -> None:
    [part] = cut_text(TEXT, 0)
    made = cmppy.SubmitReq(
        "900001",
        TEXT,
        src_id="1069",
        dest_terminal_id=NUMBERS,
        service_id="TAX",
        registered_delivery=1,
        feecode="000000",
    ).message
    assert without_sequence(made) == without_sequence(ours("3.0", part, service_id="TAX", source="1069"))


@pytest.mark.parametrize(
    ("version", "theirs"),
    [
        (0x21, lambda: pycmpp_request.ConnectRequestInstance().create("900001", "888888")),
        (0x30, lambda: cmppy.ConnectReq("900001", "888888").message),
    ],
)
def test_they_prove_themselves_as_we_do(version: int, theirs: Any) -> None:
    made = theirs()
    stamp = int.from_bytes(made[-4:])
    wanted = codec.write_connect(1, "900001", "888888", version, stamp)
    assert without_sequence(made) == without_sequence(wanted)


async def test_the_client_of_cmppy_sends_through_our_gateway() -> None:
    # It reads one answer to each request, and would take a report for the next one.
    simulator = CmppSimulator(Faults(silent=1.0), LOOSE)
    host, _, port = (await simulator.start()).partition(":")
    request = cmppy.SubmitReq(
        "900001", TEXT, src_id="10690001", dest_terminal_id=NUMBERS, service_id="", registered_delivery=1
    )
    client = cmppy.Cmppy(host, int(port), "900001", "888888")
    answer = await asyncio.to_thread(client.request, request)
    await simulator.stop()
    assert answer.result == 0
    assert [(entry.address, entry.text) for entry in simulator.books.entries] == [
        (number, TEXT) for number in NUMBERS
    ]


async def test_the_client_of_pycmpp_sends_a_long_text_through_our_gateway() -> None:
    simulator = CmppSimulator(account=LOOSE)
    host, _, port = (await simulator.start()).partition(":")
    text = "尊敬的纳税人，您的汇算清缴申报期将于五月底结束。" * 5
    await asyncio.to_thread(speak, host, int(port), text)
    await simulator.stop()
    [entry] = simulator.books.entries
    assert (entry.address, entry.text, entry.parts) == (NUMBERS[0], text, 2)


def speak(host: str, port: int, text: str) -> None:
    """The steps of pycmpp's client, without its loop that never ends."""
    with socket.create_connection((host, port), timeout=LONGEST) as peer:
        peer.sendall(pycmpp_request.ConnectRequestInstance().create("900001", "888888"))
        connected = pycmpp_response.ConnectResponseInstance()
        connected.resolve(peer.recv(30))
        assert connected.status == 0
        pieces = pycmpp_utils.split_message(text)
        for number, piece in enumerate(pieces, 1):
            request = pycmpp_request.SubmitRequestInstance()
            message = request.create(
                "900001",
                piece,
                NUMBERS[:1],
                msg_head=bytes((5, 0, 3, 9, len(pieces), number)),
                src_id="1069",
                pk_total=len(pieces),
                pk_number=number,
                tp_udhi=1,
            )
            peer.sendall(message)
            answer = pycmpp_response.SubmitResponseInstance()
            answer.resolve(peer.recv(21))
            assert (answer.status, answer.seq_id) == (0, request.seq_id)
