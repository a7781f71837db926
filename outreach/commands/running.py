"""What commands share: the console, the servers that they reach, errors told in a line."""

import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer
import uvloop
from rich.console import Console

from outreach.config import Settings, load_settings
from outreach.db.migrate import migrate
from outreach.embedded import start_servers
from outreach.errors import OutreachError
from outreach.logs import configure_logs
from outreach.runtime import Runtime, close_runtime, open_runtime

console = Console()
Result = TypeVar("Result")


def run(work: Callable[[Runtime], Awaitable[Result]]) -> Result:
    """Do one piece of work on a migrated database. Ends the command with 1 where it raises OutreachError."""
    settings = load_settings()
    configure_logs("WARNING", settings.log_json)

    async def inside(there: Settings) -> Result:
        await migrate(there.database_url)
        rt = await open_runtime(there, name="cli")
        try:
            return await work(rt)
        finally:
            await close_runtime(rt)

    with complaining(), reached(settings) as there:
        return uvloop.run(inside(there))


@contextmanager
def reached(settings: Settings) -> Iterator[Settings]:
    """The settings with servers that answer: given ones, or ours, joined or started."""
    if settings.database_url and settings.redis_url:
        yield settings
        return
    servers = start_servers(settings.var)
    try:
        yield settings.model_copy(update={"database_url": servers.dsn, "redis_url": servers.redis_url})
    finally:
        servers.stop()


@contextmanager
def complaining() -> Iterator[None]:
    """An OutreachError is told in its own words, and the command ends with 1."""
    try:
        yield
    except OutreachError as error:
        console.print(f"[red]{error.message}[/red]（{error.code}）", highlight=False)
        raise typer.Exit(1) from None


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM ends what runs inside as Ctrl-C does."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    yield


def tell(text: str) -> None:
    """A line, printed as it is."""
    console.print(text, highlight=False)


async def tell_progress(done: int, total: int) -> None:
    """How much of long work is done."""
    tell(f"{done:,} / {total:,}")
