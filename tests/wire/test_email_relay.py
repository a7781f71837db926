"""The simulated relay is strict: what a real one would refuse must not pass in a rehearsal."""

import asyncio

import pytest

from channels.gateways.email_smtp.rules import Improper, read_mail

from .email_smtp import relay


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "blank"),
        (b"From: a\n\n", "bare"),
        (b"Subject: a\r\n\r\n", "From is missing"),
        (b"From: a\r\nFrom: b\r\n\r\n", "twice"),
        (b"From: " + b"a" * 1000 + b"\r\n\r\n", "998"),
    ],
)
def test_the_simulated_relay_is_strict(content: bytes, complaint: str) -> None:
    with pytest.raises(Improper, match=complaint):
        read_mail(content, utf8=False)


async def talk(where: str, lines: list[bytes]) -> list[str]:
    """Speak to the relay one command at a time; the first line of each reply's code."""
    host, _, port = where.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    codes = []
    for line in [b"", *lines]:
        writer.write(line)
        while (reply := await reader.readline())[3:4] == b"-":
            continue
        codes.append(reply[:3].decode())
    writer.close()
    return codes


async def test_the_simulated_relay_keeps_the_order_of_commands() -> None:
    async with relay() as (_, where):
        hello, mail = b"EHLO a\r\n", b"MAIL FROM:<a@b.cn>\r\n"
        rcpt, data = b"RCPT TO:<c@d.cn>\r\n", b"DATA\r\n"
        assert await talk(where, [mail, rcpt, data, hello]) == ["220", "503", "503", "503", "250"]
        orders = [hello, mail, mail, data, rcpt]
        assert await talk(where, orders) == ["220", "250", "250", "503", "503", "250"]
        malformed = [hello, b"NOOP\n", b"MAIL FROM: <a@b.cn>\r\n"]
        assert await talk(where, malformed) == ["220", "250", "500", "501"]
        head = b"From: a\r\nDate: Sun, 15 Mar 2026 09:00:00 +0800\r\n"
        head += b"Message-ID: <a@b>\r\nMIME-Version: 1.0\r\n"
        whole = [hello, mail, rcpt, data]
        assert (await talk(where, [*whole, head + b"\r\n.\r\n"]))[-1] == "250"
        assert (await talk(where, [*whole, head + b"\r\n.a\r\n.\r\n"]))[-1] == "554"
        assert (await talk(where, [*whole, head + b"\r\na\n\r\n.\r\n"]))[-1] == "554"
        assert (await talk(where, [*whole, head + b"Precedence: bulk\r\n\r\n.\r\n"]))[-1] == "554"
