"""Two independent implementations of SMPP, smpplib and smpp.pdu3, as judges of ours.

What our adapter writes, smpp.pdu3 reads and writes again octet for octet, also as a centre that our adapter
is bound to; the client of smpplib sends and receives at our simulated centre.
"""

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from channels.base import DeliveryState, Outcome, Receipt, WebhookReply, WebhookRequest
from channels.gateways.smpp import SmppSimulator
from channels.lines.gsm import encode_gsm
from channels.smpp import Smpp, codec
from channels.smpp.codec import Place
from channels.smpp.codes import MEANINGS
from channels.smpp.submits import Submits, cut_for_phones, keep_whole

from .clock import LONGEST, until
from .cmpp import make_message, mobile
from .smpp import ACCOUNT, make_config

smpplib_client = pytest.importorskip("smpplib.client")
smpplib_consts = pytest.importorskip("smpplib.consts")
smpplib_gsm = pytest.importorskip("smpplib.gsm")
pdu_encoding = pytest.importorskip("smpp.pdu.pdu_encoding")
operations = pytest.importorskip("smpp.pdu.operations")
pdu_types = pytest.importorskip("smpp.pdu.pdu_types")

LONG = "尊敬的纳税人，您的汇算清缴申报期将于五月底结束。" * 6
SUBMITS = Submits("", Place(0, 0, "10690012366"), Place(1, 1), MEANINGS, "text")
PARTS = [
    *cut_for_phones("税务提醒😀", 0, gsm=False),
    *cut_for_phones(LONG, 7, gsm=False),
    *cut_for_phones("Tax {2025} € " * 20, 8, gsm=True),
    *keep_whole(LONG, gsm=False),
]


@pytest.mark.parametrize("part", PARTS)
def test_smpp_pdu_reads_and_writes_our_submit(part: Any) -> None:
    raw = SUBMITS.write(3, part, [b"8613910000001\0"])
    found = pdu_encoding.PDUEncoder().decode(io.BytesIO(raw))
    assert found.params["destination_addr"] == b"8613910000001"
    assert (found.params["short_message"] or found.params["message_payload"]) == part.content
    assert pdu_encoding.PDUEncoder().encode(found) == raw


def test_smpp_pdu_reads_our_bind() -> None:
    raw = codec.write_bind(1, "taxbureau", "secret08", "", Place(0, 0))
    found = pdu_encoding.PDUEncoder().decode(io.BytesIO(raw))
    assert (found.params["system_id"], found.params["password"]) == (b"taxbureau", b"secret08")
    assert pdu_encoding.PDUEncoder().encode(found) == raw


def test_smpplib_knows_the_same_default_alphabet() -> None:
    # In its table a back quote stands for what has no character, and the escape for itself.
    table = [character for character in smpplib_gsm.GSM_CHARACTER_TABLE if character not in "`\x1b"]
    assert len(table) >= 135
    for character in table:
        assert encode_gsm(character) == [smpplib_gsm.gsm_encode(character)]


@asynccontextmanager
async def foreign_centre(received: list[Any]) -> AsyncIterator[str]:
    """A centre whose every octet is smpp.pdu3's: binds anybody, takes everything, reports it delivered."""
    coder = pdu_encoding.PDUEncoder()

    def answers(asked: Any) -> list[Any]:
        number = asked.seqNum
        match asked.id.name:
            case "bind_transceiver":
                return [operations.BindTransceiverResp(number, system_id=b"foreign")]
            case "submit_sm":
                received.append(asked)
                told = b"id:%05d sub:001 dlvrd:001 submit date:2611221130 done date:2611221131 " % number
                report = operations.DeliverSM(
                    number,
                    source_addr=asked.params["destination_addr"],
                    destination_addr=asked.params["source_addr"],
                    esm_class=pdu_types.EsmClass(
                        pdu_types.EsmClassMode.DEFAULT, pdu_types.EsmClassType.SMSC_DELIVERY_RECEIPT
                    ),
                    short_message=told + b"stat:DELIVRD err:000 text:",
                )
                return [operations.SubmitSMResp(number, message_id=b"%05d" % number), report]
            case "unbind":
                return [operations.UnbindResp(number)]
        return []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = await reader.readexactly(4)
                raw = length + await reader.readexactly(int.from_bytes(length) - 4)
                for answer in answers(coder.decode(io.BytesIO(raw))):
                    writer.write(coder.encode(answer))
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_our_adapter_works_with_a_foreign_centre() -> None:
    received: list[Any] = []
    receipts: list[Receipt] = []
    async with foreign_centre(received) as where:
        adapter = Smpp(make_config(where))

        async def keep(request: WebhookRequest) -> WebhookReply:
            parsed = adapter.parse(request)
            receipts.extend(parsed.receipts)
            return parsed.reply

        await adapter.open()
        adapter.listen(keep)
        results = await adapter.send(
            [make_message("a", mobile(1), "税务提醒"), make_message("b", mobile(2), LONG)]
        )
        await until(lambda: len(receipts) == 4)
        await adapter.close()
    assert {result.outcome for result in results} == {Outcome.ACCEPTED}
    assert {receipt.state for receipt in receipts} == {DeliveryState.DELIVERED}
    refs = {ref for result in results for ref in result.ref.split("+")}
    assert {receipt.ref for receipt in receipts} == refs
    texts = [pdu.params["short_message"] for pdu in received]
    assert "【示例市税务局】税务提醒".encode("utf-16-be") in texts


async def test_the_client_of_smpplib_sends_and_receives_at_our_centre() -> None:
    simulator = SmppSimulator()
    host, _, port = (await simulator.start()).partition(":")
    heard: list[bytes] = []
    await asyncio.to_thread(speak, host, int(port), heard)
    await simulator.stop()
    [entry] = simulator.books.entries
    assert (entry.address, entry.text, entry.parts, entry.state) == (mobile(1), LONG, 3, "delivered")
    assert len(heard) == 3
    assert all(b"stat:DELIVRD" in text for text in heard)


def speak(host: str, port: int, heard: list[bytes]) -> None:
    """Bind, send a long text, wait for the reports of its parts, unbind."""
    client = smpplib_client.Client(host, port, timeout=LONGEST, allow_unknown_opt_params=True)
    done = threading.Event()

    def receive(pdu: Any) -> int:
        heard.append(pdu.short_message)
        if len(heard) == 3:
            done.set()
        return 0

    client.set_message_received_handler(receive)
    client.set_message_sent_handler(lambda pdu: None)
    client.connect()
    client.bind_transceiver(system_id=ACCOUNT.system_id, password=ACCOUNT.password)
    parts, coding, esm_class = smpplib_gsm.make_parts(LONG)
    for part in parts:
        client.send_message(
            source_addr_ton=0,
            source_addr=ACCOUNT.source,
            dest_addr_ton=smpplib_consts.SMPP_TON_INTL,
            dest_addr_npi=smpplib_consts.SMPP_NPI_ISDN,
            destination_addr=f"86{mobile(1)}",
            short_message=part,
            data_coding=coding,
            esm_class=esm_class,
            registered_delivery=True,
        )
    while not done.is_set():
        client.read_once()
    client.unbind()
    client.disconnect()
