"""The simulated CMPP gateway by itself: what it refuses, written with bare hands from the protocol sheet."""

import asyncio
import hashlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.gateways.base import Faults
from channels.gateways.cmpp import Account, CmppSimulator, rules
from channels.gateways.cmpp import fields as wire

from .cmpp import mobile

CHINA = timezone(timedelta(hours=8))


def message(command: int, sequence: int, body: bytes) -> bytes:
    return struct.pack(">III", 12 + len(body), command, sequence) + body


def connect(version: int = 0x30, sp_id: str = "900001", secret: str = "888888") -> bytes:
    stamp = datetime.now(CHINA).strftime("%m%d%H%M%S")
    proof = hashlib.md5(sp_id.encode() + bytes(9) + secret.encode() + stamp.encode()).digest()
    return sp_id.encode() + proof + struct.pack(">BI", version, int(stamp))


def submit(**changes: Any) -> bytes:
    """A proper SUBMIT of 3.0 to one number, but for what is changed."""
    fields: dict[str, bytes] = {
        "msg_id": bytes(8),
        "pk": b"\1\1",
        "registered": b"\1",
        "level": b"\0",
        "service_id": b"TAX".ljust(10, b"\0"),
        "fee_user": b"\2",
        "fee_number": bytes(32),
        "fee_kind": b"\0",
        "pid": b"\0",
        "udhi": b"\0",
        "fmt": b"\x08",
        "msg_src": b"900001",
        "fee_type": b"01",
        "fee_code": b"000000",
        "valid": bytes(17),
        "at_time": bytes(17),
        "src_id": b"10690012366".ljust(21, b"\0"),
        "count": b"\1",
        "numbers": mobile(1).encode().ljust(32, b"\0"),
        "dest_kind": b"\0",
        "length": b"\x08",
        "content": "税务提醒".encode("utf-16-be"),
        "link": bytes(20),
    }
    return b"".join({**fields, **changes}.values())


class Hands:
    """A client without any library."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, command: int, sequence: int, body: bytes) -> tuple[int, int, bytes]:
        self.writer.write(message(command, sequence, body))
        return await self.read()

    async def read(self) -> tuple[int, int, bytes]:
        length, command, sequence = struct.unpack(">III", await self.reader.readexactly(12))
        return command, sequence, await self.reader.readexactly(length - 12)


@asynccontextmanager
async def hands(simulator: CmppSimulator, *, logged_in: bool = True) -> AsyncIterator[Hands]:
    host, _, port = (await simulator.start()).partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    one = Hands(reader, writer)
    if logged_in:
        command, _, body = await one.ask(1, 1, connect())
        assert (command, body[:4]) == (0x80000001, bytes(4))
    yield one
    writer.close()
    await simulator.stop()


@pytest.mark.parametrize(
    ("body", "status", "length"),
    [
        (connect(0x20), 0, 18),
        (connect(0x30), 0, 21),
        (connect(0x30)[:-1], 1, 21),
        (connect(sp_id="900009"), 2, 21),
        (connect(secret="wrong"), 3, 21),
        (connect(0x40), 4, 21),
    ],
    ids=["2.0", "3.0", "short", "stranger", "wrong secret", "4.0"],
)
async def test_a_connect_is_judged_in_its_own_form(body: bytes, status: int, length: int) -> None:
    async with hands(CmppSimulator(), logged_in=False) as one:
        command, sequence, answer = await one.ask(1, 77, body)
        assert (command, sequence, len(answer)) == (0x80000001, 77, length)
        assert int.from_bytes(answer[: length - 17]) == status
        if status:
            assert await one.reader.read() == b"", "a refused client is left"


async def test_a_gateway_of_2_0_says_so_to_a_client_of_3_0() -> None:
    async with hands(CmppSimulator(account=Account(highest=0x20)), logged_in=False) as one:
        _, _, answer = await one.ask(1, 1, connect(0x30))
    assert (len(answer), answer[0], answer[-1]) == (18, 4, 0x20)


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({}, 0),
        ({"pk": b"\1\2"}, 1),
        ({"pk": b"\0\1"}, 1),
        ({"pk": b"\2\1"}, 1),
        ({"udhi": b"\1"}, 1),
        ({"udhi": b"\1", "pk": b"\2\1", "content": b"\5\0\3\x11\2\2ab"}, 1),
        ({"udhi": b"\2"}, 1),
        ({"fmt": b"\x09"}, 1),
        ({"registered": b"\2"}, 1),
        ({"level": b"\x0a"}, 1),
        ({"length": b"\x07"}, 4),
        ({"link": bytes(8)}, 4),
        ({"count": b"\2"}, 4),
        ({"fee_type": b"09"}, 5),
        ({"fee_code": b"abcdef"}, 5),
        ({"length": b"\x8e", "content": bytes(142)}, 6),
        ({"service_id": b"OTHER".ljust(10, b"\0")}, 7),
        ({"service_id": b"TAX\0X".ljust(10, b"\0")}, 1),
        ({"src_id": b"1069999".ljust(21, b"\0")}, 10),
        ({"msg_src": b"900002"}, 11),
        ({"fee_number": b"139".ljust(32, b"\0")}, 12),
        ({"numbers": b"12345".ljust(32, b"\0")}, 13),
        ({"valid": b"tomorrow".ljust(17, b"\0")}, 1),
        ({"valid": b"261122180000032+\0"}, 0),
    ],
)
async def test_a_submit_is_checked_field_by_field(changes: dict[str, bytes], result: int) -> None:
    simulator = CmppSimulator()
    async with hands(simulator) as one:
        command, _, answer = await one.ask(4, 2, submit(**changes))
    assert (command, int.from_bytes(answer[8:])) == (0x80000004, result)
    assert bool(simulator.books.entries) == (result == 0)


async def test_a_repeated_sequence_is_told() -> None:
    async with hands(CmppSimulator()) as one:
        assert (await one.ask(4, 2, submit()))[2][8:] == bytes(4)
        command, _, answer = await one.ask(4, 2, submit())
    assert (command, answer) == (0x80000004, bytes(8) + b"\0\0\0\3")


async def test_beyond_the_window_it_says_flow_control() -> None:
    async with hands(CmppSimulator(Faults(silent=1.0), answer_delay=0.05)) as one:
        for sequence in range(2, 20):
            one.writer.write(message(4, sequence, submit()))
        answers = [await one.read() for _ in range(18)]
    busy = [sequence for _, sequence, body in answers if body[8:] == b"\0\0\0\x08"]
    assert busy == [18, 19]


@pytest.mark.parametrize(
    "raw",
    [
        b"\0\0\0\x0b" + bytes(8),
        b"\0\1\0\0" + bytes(8),
        message(4, 1, submit()),
        message(0x80000005, 1, bytes(12)),
    ],
)
async def test_strangers_and_nonsense_are_cut_off(raw: bytes) -> None:
    async with hands(CmppSimulator(), logged_in=False) as one:
        one.writer.write(raw)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await one.read()


async def test_a_report_that_is_not_answered_is_repeated_three_times_and_the_client_dropped() -> None:
    simulator = CmppSimulator(Faults(receipt_delay=0.0), answer_timeout=0.05)
    async with hands(simulator) as one:
        one.writer.write(message(4, 2, submit()))
        heard = []
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            while True:
                heard.append(await one.read())
    reports = [body for command, _, body in heard if command == 5]
    assert len(reports) == 3
    assert len(set(reports)) == 1
    assert len(reports[0]) == 109 - 12 + 71


@given(
    st.binary(max_size=300) | st.tuples(st.integers(0, 250), st.binary(max_size=6)),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_hostile_submits_are_refused_or_read(hostile: bytes | tuple[int, bytes], third: bool) -> None:
    raw = bytearray(submit())
    if isinstance(hostile, tuple):
        raw[hostile[0] : hostile[0] + len(hostile[1])] = hostile[1]
    else:
        raw = bytearray(hostile)
    try:
        fields = wire.read_submit(bytes(raw), third)
        rules.check(fields, Account(), 0x30 if third else 0x20)
        rules.read_fragment(fields)
    except (wire.Malformed, rules.Refused):
        return
