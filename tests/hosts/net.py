"""Several hosts on one machine: network namespaces on a bridge of their own, with addresses of their own.

Needs root and iproute2. Nothing of it touches the machine's own network: the bridge stands in a namespace.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNET = 0x40000000
"""linux/sched.h"""


@dataclass(frozen=True, slots=True)
class Host:
    """A namespace with addresses on the bridge; the first is its own."""

    name: str
    namespace: str
    switch: str
    addresses: tuple[str, ...]

    @property
    def address(self) -> str:
        """Where the others reach it."""
        return self.addresses[0]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread is on the host; what it starts stays there. Nothing may be awaited meanwhile."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(before)
            os.close(there)
            os.close(before)

    def cut(self) -> None:
        """Somebody pulls the cable: packets vanish, nobody is told."""
        _ip("-n", self.switch, "link", "set", self.name, "down")

    def mend(self) -> None:
        """The cable is back."""
        _ip("-n", self.switch, "link", "set", self.name, "up")

    def lose_way(self, address: str) -> None:
        """This host alone no longer reaches an address."""
        _ip("-n", self.namespace, "route", "add", "blackhole", f"{address}/32")


@contextmanager
def hosts(*names: str, extra: str = "") -> Iterator[dict[str, Host]]:
    """Hosts by name; the one called `extra` has a second address. All of it goes away at the end."""
    stem = f"or{os.getpid()}"
    switch = f"{stem}sw"
    made = [switch]
    try:
        _ip("netns", "add", switch)
        _ip("-n", switch, "link", "add", "bridge0", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge0", "up")
        found = {}
        for number, name in enumerate(names, 11):
            addresses = (f"10.77.0.{number}", *([f"10.77.0.{number + 100}"] if name == extra else []))
            host = Host(name, f"{stem}{name}", switch, addresses)
            _ip("netns", "add", host.namespace)
            made.append(host.namespace)
            _join(host)
            found[name] = host
        yield found
    finally:
        for namespace in made:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True)


def _join(host: Host) -> None:
    link = ("link", "add", host.name, "type", "veth", "peer", "name", "eth0", "netns", host.namespace)
    _ip("-n", host.switch, *link)
    _ip("-n", host.switch, "link", "set", host.name, "master", "bridge0", "up")
    for address in host.addresses:
        _ip("-n", host.namespace, "addr", "add", f"{address}/24", "dev", "eth0")
    for name in ("lo", "eth0"):
        _ip("-n", host.namespace, "link", "set", name, "up")


def why_not() -> str:
    """Why this machine cannot make hosts; empty if it can."""
    probe = f"or{os.getpid()}try"
    try:
        done = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    except FileNotFoundError:
        return "iproute2 is not installed"
    if done.returncode != 0:
        return f"`ip netns add` failed: {done.stderr.strip()}"
    _ip("netns", "del", probe)
    return "" if Path("/run/netns").is_dir() else "there is no /run/netns"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _enter(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
