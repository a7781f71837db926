"""The simulated SMPP centre by itself: what it refuses, written with bare hands from the protocol sheet."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.gateways.base import Faults
from channels.gateways.smpp import Account, SmppSimulator, rules

from .clock import TIMEOUT, leap, until
from .cmpp import mobile

BIND = b"taxbureau\0secret08\0\0\x34\0\0\0"


def message(command: int, sequence: int, body: bytes) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command, 0, sequence) + body


def submit(**changes: Any) -> bytes:
    """A proper submit_sm, but for what is changed."""
    fields: dict[str, bytes] = {
        "service_type": b"\0",
        "source": b"\0\0" + b"10690012366\0",
        "dest": b"\1\1" + f"86{mobile(1)}".encode() + b"\0",
        "esm_class": b"\0",
        "protocol": b"\0\0",
        "schedule": b"\0",
        "validity": b"\0",
        "registered": b"\1",
        "replace": b"\0",
        "coding": b"\x08",
        "default": b"\0",
        "length": b"\x08",
        "content": "税务提醒".encode("utf-16-be"),
        "options": b"",
    }
    return b"".join({**fields, **changes}.values())


class Hands:
    """A client without any library."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, command: int, body: bytes) -> tuple[int, int, bytes]:
        self.writer.write(message(command, 7, body))
        return await self.read()

    async def read(self) -> tuple[int, int, bytes]:
        length, command, status, _ = struct.unpack(">IIII", await self.reader.readexactly(16))
        return command, status, await self.reader.readexactly(length - 16)


@asynccontextmanager
async def hands(simulator: SmppSimulator, *, bind: int = 0x09) -> AsyncIterator[Hands]:
    host, _, port = (await simulator.start()).partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    one = Hands(reader, writer)
    if bind:
        assert (await one.ask(bind, BIND))[:2] == (0x80000000 | bind, 0)
    yield one
    writer.close()
    await simulator.stop()


@pytest.mark.parametrize("command", [0x01, 0x02, 0x09])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (BIND, 0x00),
        (BIND.replace(b"taxbureau", b"stranger"), 0x0F),
        (BIND.replace(b"secret08", b"wrong"), 0x0E),
        (BIND.replace(b"\x34", b"\x50"), 0x0D),
        (BIND.replace(b"secret08", b"longer than nine"), 0x02),
        (BIND[:12], 0x02),
    ],
)
async def test_a_bind_of_any_mode_is_judged(command: int, body: bytes, status: int) -> None:
    async with hands(SmppSimulator(), bind=0) as one:
        answer = await one.ask(command, body)
    told = b"centre\0\x02\x10\0\1\x34" if status == 0 else b""
    assert answer == (0x80000000 | command, status, told)


async def test_a_second_bind_is_refused() -> None:
    async with hands(SmppSimulator()) as one:
        assert await one.ask(0x09, BIND) == (0x80000009, 0x05, b"")


async def test_a_receiver_does_not_send_and_a_transmitter_gets_no_reports() -> None:
    async with hands(SmppSimulator(), bind=0x01) as one:
        assert await one.ask(0x04, submit()) == (0x80000004, 0x04, b"")
    async with hands(SmppSimulator(Faults(receipt_delay=0.0)), bind=0x02) as one:
        assert (await one.ask(0x04, submit()))[1] == 0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.read(), 0.1)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 0x00),
        ({"length": b"\x09"}, 0x02),
        ({"content": b"", "length": b"\0"}, 0x01),
        ({"content": bytes(142), "length": b"\x8e"}, 0x01),
        ({"dest": b"\1\1" + mobile(1).encode() + b"\0"}, 0x0B),
        ({"dest": b"\7\1" + mobile(1).encode() + b"\0"}, 0x50),
        ({"source": b"\0\0" + b"12345\0"}, 0x0A),
        ({"source": b"\7\0" + b"10690012366\0"}, 0x48),
        ({"service_type": b"WAP\0"}, 0x15),
        ({"esm_class": b"\1"}, 0x43),
        ({"esm_class": b"\4"}, 0x43),
        ({"esm_class": b"\x40"}, 0x43),
        ({"schedule": b"tomorrow\0"}, 0x61),
        ({"validity": b"261122180000032+\0"}, 0x00),
        ({"validity": b"later\0"}, 0x62),
        ({"registered": b"\7"}, 0x07),
        ({"replace": b"\2"}, 0x54),
        ({"coding": b"\x77"}, 0x45),
        ({"options": b"\x04\x24\0\2ab"}, 0x01),
        ({"options": b"\x04\x24\0\x09ab"}, 0x02),
        ({"content": b"\5\0\3\1\1\1ab", "esm_class": b"\x40", "options": b"\x02\x0c\0\2\0\1"}, 0xC1),
        ({"options": b"\x02\x0c\0\2\0\1"}, 0xC2),
    ],
)
async def test_a_submit_is_checked_field_by_field(changes: dict[str, bytes], status: int) -> None:
    simulator = SmppSimulator()
    async with hands(simulator) as one:
        command, told, body = await one.ask(0x04, submit(**changes))
    assert (command, told) == (0x80000004, status)
    assert bool(body) == bool(simulator.books.entries) == (status == 0)


async def test_beyond_the_window_its_queue_is_full() -> None:
    async with hands(SmppSimulator(Faults(silent=1.0), answer_delay=0.05)) as one:
        for _ in range(12):
            one.writer.write(message(0x04, 7, submit()))
        answers = [await one.read() for _ in range(12)]
    assert sorted(status for _, status, _ in answers) == [0] * 10 + [0x14] * 2


async def test_commands_that_it_does_not_know_are_nacked() -> None:
    async with hands(SmppSimulator()) as one:
        assert await one.ask(0x03, b"x\0\0\0\0") == (0x80000000, 0x03, b"")
        assert (await one.ask(0x04, submit()))[1] == 0


@pytest.mark.parametrize("length", [3, 15, 1 << 20])
async def test_a_wrong_length_ends_the_connection(length: int) -> None:
    async with hands(SmppSimulator()) as one:
        one.writer.write(length.to_bytes(4) + bytes(12))
        assert (await one.read())[:2] == (0x80000000, 0x02)
        assert await one.reader.read() == b""


async def test_a_report_that_is_put_off_comes_again() -> None:
    simulator = SmppSimulator(Faults(receipt_delay=0.0), answer_timeout=TIMEOUT)
    async with hands(simulator) as one:
        one.writer.write(message(0x04, 7, submit()))
        heard = [await one.read(), await one.read()]
        assert sorted(command for command, _, _ in heard) == [0x05, 0x80000004]
        one.writer.write(struct.pack(">IIII", 17, 0x80000005, 0x64, 1) + b"\0")
        await leap(TIMEOUT)
        assert (await one.read())[0] == 0x05
        assert simulator.reports_answered == 0
        one.writer.write(struct.pack(">IIII", 17, 0x80000005, 0, 1) + b"\0")
        await until(lambda: simulator.reports_answered == 1)


@given(st.binary(max_size=120) | st.tuples(st.integers(0, 70), st.binary(max_size=6)))
@settings(max_examples=300, deadline=None)
def test_hostile_submits_are_refused_or_read(hostile: bytes | tuple[int, bytes]) -> None:
    raw = bytearray(submit(options=b"\x02\x0c\0\2\0\1"))
    if isinstance(hostile, tuple):
        raw[hostile[0] : hostile[0] + len(hostile[1])] = hostile[1]
    else:
        raw = bytearray(hostile)
    try:
        rules.read_submit(bytes(raw), Account())
    except rules.Refused:
        return
