"""What the tests of e-mail share: a bench, a relay, a server that says what a test makes it say."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from channels.base import Outbound, WebhookRequest
from channels.email_smtp import EmailSmtp, EmailSmtpConfig
from channels.gateways.base import MAGIC, Faults
from channels.gateways.email_smtp import EmailSmtpSimulator

from .clock import SLOW, TIMEOUT
from .conformance import Bench, message_key
from .hooks import Hooks

SAMPLES = Path(__file__).parent / "samples" / "email_smtp"
SECRET = "sample-secret-0123456789"
FATES = {fate: digits for digits, fate in MAGIC.items()}


def make_config(where: str, **changes: Any) -> EmailSmtpConfig:
    host, _, port = where.partition(":")
    settings: dict[str, Any] = {
        "host": host,
        "port": int(port),
        "tls": "none",
        "from_address": "notice@tax.example.cn",
        "from_name": "示例市税务局",
        "envelope_domain": "bounce.tax.example.cn",
        "list_id": "notice.tax.example.cn",
        "connections": 4,
        "timeout": TIMEOUT,
        "callback_secret": SECRET,
    }
    return EmailSmtpConfig(**{**settings, **changes})


def make_message(key: str, address: str, text: str) -> Outbound:
    html = f"<!doctype html><p>{'内容' * 40}</p>"
    url = f"https://tax.example.cn/u/{key}"
    return Outbound(key, address, text, subject="关于汇算清缴的提醒", html=html, unsubscribe_url=url)


def forge(request: WebhookRequest) -> WebhookRequest:
    return replace(request, path=request.path[:-1] + "x")


@pytest.fixture(name="bench")
async def email_bench() -> AsyncIterator[Bench]:
    hooks = Hooks()
    base = await hooks.start()
    login = ("sender", "right")
    simulator = EmailSmtpSimulator(Faults(slow_seconds=SLOW), f"{base}/hooks/7/{SECRET}", login)
    where = await simulator.start()
    account = {"username": "sender", "password": "right", "delivery_receipts": True}
    adapter = EmailSmtp(make_config(where, **account))
    unreachable = EmailSmtp(make_config("127.0.0.1:9", **account))
    stranger = EmailSmtp(make_config(where, **{**account, "password": "wrong"}))
    hooks.adapter = adapter
    await adapter.open()
    yield Bench(
        adapter,
        simulator,
        hooks,
        make_message,
        address=lambda n: f"taxpayer{n}@example.com",
        magic=lambda fate: f"x.1380000{FATES[fate]}@example.com",
        unreachable=unreachable,
        stranger=stranger,
        forge=forge,
        longest=5000,
    )
    for each in (adapter, unreachable, stranger):
        await each.close()
    await simulator.stop()
    await hooks.stop()


def sim_of(bench: Bench) -> EmailSmtpSimulator:
    """The bench's simulator by its own type."""
    assert isinstance(bench.simulator, EmailSmtpSimulator)
    return bench.simulator


@asynccontextmanager
async def relay(**options: Any) -> AsyncIterator[tuple[EmailSmtpSimulator, str]]:
    """A simulated relay and its `host:port`."""
    simulator = EmailSmtpSimulator(**options)
    where = await simulator.start()
    yield simulator, where
    await simulator.stop()


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[str]:
    """A server that says what the test makes it say."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *features: str) -> None:
    writer.write(b"220 ready\r\n")
    await reader.readline()
    lines = ["me", *features]
    for line in lines[:-1]:
        writer.write(f"250-{line}\r\n".encode())
    writer.write(f"250 {lines[-1]}\r\n".encode())


def batch_of(count: int) -> list[Outbound]:
    """Messages to as many ordinary addresses."""
    return [make_message(message_key(n), f"taxpayer{n}@example.com", f"第{n}封") for n in range(count)]
