"""Several hosts on one machine: network namespaces on a bridge of their own, with addresses of their own.

Needs root and iproute2. Nothing of it touches the machine's own network: the bridge stands in a namespace.
Packets are lost and delayed by what nearly every kernel has (netem is not everywhere): a random number that
classic BPF reads, and a token bucket with a short queue.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNET = 0x40000000
"""linux/sched.h"""
_NOBODY = "02:00:00:00:00:01"
"""A station that no bridge has ever heard of."""
_SINK, _DRAIN = "sink", "drain"
_RANDOM = 0xFFFFF038
"""SKF_AD_OFF + SKF_AD_RANDOM of linux/filter.h: a load from there gives 32 random bits."""


@dataclass(frozen=True, slots=True)
class Host:
    """A namespace with addresses on the bridge; the first is its own. `home`: descriptor of where the hosts
    were made from."""

    name: str
    namespace: str
    switch: str
    addresses: tuple[str, ...]
    home: int

    @property
    def address(self) -> str:
        """Where the others reach it."""
        return self.addresses[0]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread is on the host; what it starts stays there. Nothing may be awaited meanwhile, unless
        the whole loop is inside."""
        there = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY)
        try:
            with _visit(there):
                yield
        finally:
            os.close(there)

    @contextmanager
    def outside(self) -> Iterator[None]:
        """For a moment this thread is where the hosts were made from. Nothing may be awaited meanwhile."""
        with _visit(self.home):
            yield

    def cut(self) -> None:
        """Somebody pulls the cable: packets vanish, nobody is told."""
        _ip("-n", self.switch, "link", "set", self.name, "down")

    def mend(self) -> None:
        """The cable is back."""
        _ip("-n", self.switch, "link", "set", self.name, "up")

    def lose_way(self, address: str) -> None:
        """This host alone no longer reaches an address."""
        _ip("-n", self.namespace, "route", "add", "blackhole", f"{address}/32")

    def lose(self, others: Sequence["Host"]) -> None:
        """What this host sends to the others vanishes, and nobody is told; what they send still arrives."""
        for address in _addresses(others):
            place = ("neigh", "replace", address, "lladdr", _NOBODY, "dev", "eth0", "nud", "permanent")
            _ip("-n", self.namespace, *place)

    def regain(self, others: Sequence["Host"]) -> None:
        """The others hear it again."""
        for address in _addresses(others):
            _ip("-n", self.namespace, "neigh", "del", address, "dev", "eth0")

    def drop(self, share: float) -> None:
        """Such a share of the packets is lost at random, to the host and from it."""
        code = f"4,32 0 0 {_RANDOM},53 0 1 {int(share * 2**32)},6 0 0 0,6 0 0 {2**32 - 1}"
        _tc(self.switch, "qdisc", "add", "dev", self.name, "clsact")
        for way in ("ingress", "egress"):
            what = ("bpf", "bytecode", code, "action", "mirred", "egress", "redirect", "dev", _SINK)
            _tc(self.switch, "filter", "add", "dev", self.name, way, *what)

    def drop_nothing(self) -> None:
        """All packets arrive again."""
        _tc(self.switch, "qdisc", "del", "dev", self.name, "clsact")

    def narrow(self, kilobits: int, milliseconds: int) -> None:
        """So many thousand bits a second pass each way; what would queue for longer is lost."""
        bucket = ("tbf", "rate", f"{kilobits}kbit", "burst", "4kb", "latency", f"{milliseconds}ms")
        for namespace, device in self._ends():
            _tc(namespace, "qdisc", "add", "dev", device, "root", *bucket)

    def widen(self) -> None:
        """The line is wide again."""
        for namespace, device in self._ends():
            _tc(namespace, "qdisc", "del", "dev", device, "root")

    def _ends(self) -> tuple[tuple[str, str], tuple[str, str]]:
        return (self.switch, self.name), (self.namespace, "eth0")


@contextmanager
def hosts(*names: str, extra: str = "") -> Iterator[dict[str, Host]]:
    """Hosts by name; the one called `extra` has a second address. All of it goes away at the end."""
    stem = f"or{os.getpid()}"
    switch = f"{stem}sw"
    made = [switch]
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _ip("netns", "add", switch)
        _ip("-n", switch, "link", "add", "bridge0", "type", "bridge")
        _ip("-n", switch, "link", "add", _SINK, "type", "veth", "peer", "name", _DRAIN)
        for device in ("bridge0", _SINK, _DRAIN):
            _ip("-n", switch, "link", "set", device, "up")
        found = {}
        for number, name in enumerate(names, 11):
            addresses = (f"10.77.0.{number}", *([f"10.77.0.{number + 100}"] if name == extra else []))
            host = Host(name, f"{stem}{name}", switch, addresses, home)
            _ip("netns", "add", host.namespace)
            made.append(host.namespace)
            _join(host)
            found[name] = host
        yield found
    finally:
        for namespace in made:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True)
        os.close(home)


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


def _addresses(others: Sequence[Host]) -> list[str]:
    return [address for other in others for address in other.addresses]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _tc(namespace: str, *words: str) -> None:
    subprocess.run(["tc", "-n", namespace, *words], check=True, capture_output=True)


@contextmanager
def _visit(there: int) -> Iterator[None]:
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(before)
        os.close(before)


def _enter(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
