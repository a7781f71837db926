"""A bureau's site whose servers are doubled: a standby that follows synchronously, Valkey by sentinels, the
workers, the web and the gateways, each on a host of its own.
"""

import dataclasses
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import psycopg
from pydantic import SecretStr

from outreach import rehearsal
from outreach.config import Settings
from tests.chaos.ground import TEMPLATE, Tempo, clone, drop, write_template
from tests.chaos.process import Part
from tests.hosts.net import Host, hosts
from tests.hosts.postgres import PORT, Cluster, make_standby, promote
from tests.hosts.process import begin
from tests.hosts.site import CLIENT, SERVER, VALKEY_PORT, WEB_PORT, flags, postgres
from tests.hosts.valkey import Place, Quintet

HOSTS = {
    "gateways": "gates",
    "web": "office",
    "scheduler": "office",
    "worker-1": "one",
    "worker-2": "two",
}
"""Where each process of a run stands."""
GATEWAY_PORTS = {name: 9000 + number for number, name in enumerate(rehearsal.NAMES)}

_SENTINEL_PORT = 26379
_VALKEYS = ("valkey1", "valkey2", "sentinel1", "sentinel2", "sentinel3")
_FOLLOWER = "follower"
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Doubled:
    """The hosts and the servers; the processes of a run come and go."""

    hosts: dict[str, Host]
    primary: Cluster
    standby: Cluster
    quintet: Quintet
    folder: Path
    tempo: Tempo

    def settings(self, database: str, folder: Path) -> Settings:
        """What all processes of a run share."""
        office = self.hosts["office"].address
        servers = ",".join(self.hosts[name].address for name in ("data", "standby"))
        return Settings(
            database_url=f"host={servers} target_session_attrs=read-write"
            f" user=outreach dbname={database} {CLIENT}",
            redis_url=self.quintet.url,
            var=folder,
            master_key=SecretStr("5f" * 32),
            secure_cookies=False,
            host=office,
            port=WEB_PORT,
            public_url=f"http://{office}:{WEB_PORT}",
            lease_seconds=self.tempo.lease,
            tick_seconds=0.3,
            log_level="WARNING",
        )

    @asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[Settings]:
        """A fresh database with its people."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        clone(self.primary.admin, name)
        try:
            yield self.settings(name, folder)
        finally:
            drop((self.primary if self.primary.pid else self.standby).admin, name)

    def launch(self, name: str, part: Part) -> BaseProcess:
        """Start a process of a run on its host."""
        host = self.hosts[HOSTS[name]]
        settings = part.settings.model_copy(update={"host": host.address})
        return begin(host, dataclasses.replace(part, settings=settings))

    def fail_over(self) -> None:
        """The primary is gone for good, the standby takes its place; there is no second one any more."""
        self.primary.kill()
        promote(self.standby)

    def valkeys(self) -> list[Host]:
        """The hosts of the servers and of the sentinels."""
        return [self.hosts[name] for name in _VALKEYS]


@contextmanager
def doubled(folder: Path, tempo: Tempo, *, synchronous: bool = True) -> Iterator[Doubled]:
    """Running servers; this thread is on a host of its own meanwhile, which nobody cuts. `synchronous`:
    whether commits wait for the standby."""
    names = ("data", "standby", *_VALKEYS, *dict.fromkeys(HOSTS.values()), "judge")
    with hosts(*names) as made, made["judge"].inside(), postgres(folder, made["data"]) as primary:
        places = [
            Place(
                made[name].address, _SENTINEL_PORT if name.startswith("sentinel") else VALKEY_PORT, made[name]
            )
            for name in _VALKEYS
        ]
        quintet = Quintet(folder / "valkey", places)
        before = rehearsal.HOST
        standby = _follow(primary, folder / "standby", made["data"], made["standby"])
        try:
            with made["standby"].inside():
                standby.start()
            if synchronous:
                _insist(primary)
            quintet.start()
            # Where the accounts of a rehearsal look for their gateways.
            rehearsal.HOST = made["gates"].address
            yield Doubled(made, primary, standby, quintet, folder, tempo)
        finally:
            rehearsal.HOST = before
            quintet.stop()
            standby.kill()


async def settle(site: Doubled, people: int) -> None:
    """Write the database that those of the runs are cloned from."""
    usual = site.settings("outreach", site.folder)
    await write_template(usual.database_url, site.settings(TEMPLATE, site.folder), people)


def _follow(primary: Cluster, folder: Path, source: Host, place: Host) -> Cluster:
    link = f"host={source.address} port={PORT} user=postgres application_name={_FOLLOWER} {CLIENT}"
    more = (
        f"primary_conninfo={link}",
        f"listen_addresses={place.address}",
        "wal_receiver_timeout=3s",
        "wal_receiver_status_interval=1s",
        "wal_retrieve_retry_interval=500ms",
    )
    return make_standby(primary, folder, flags(*SERVER, *more))


def _insist(primary: Cluster) -> None:
    """From here on no commit is answered that the standby has not got, however long it is away."""
    with psycopg.connect(primary.admin, autocommit=True) as connection:
        connection.execute("alter system set wal_sender_timeout = '3s'")
        connection.execute(f"alter system set synchronous_standby_names = '{_FOLLOWER}'")
        connection.execute("select pg_reload_conf()")
        deadline = time.monotonic() + _PATIENCE_SECONDS
        query = "select 1 from pg_stat_replication where sync_state = 'sync'"
        while connection.execute(query).fetchone() is None:
            if time.monotonic() > deadline:
                raise TimeoutError("the standby does not follow")
            time.sleep(0.1)
