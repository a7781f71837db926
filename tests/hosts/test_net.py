"""The cables themselves: what is cut is cut, in the direction that was meant, and comes back."""

import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.hosts.needed import hosts_needed
from tests.hosts.net import Host, hosts

PORT, COUNT = 9000, 1000
SHORT, LONG = 0.3, 60.0
"""Seconds that a datagram gets that need not come, and one that must."""
_FORCED_BUFFER = 33
"""SO_RCVBUFFORCE of asm-generic/socket.h."""

pytestmark = [pytest.mark.slow, hosts_needed]


@dataclass(frozen=True)
class End:
    """A host and its socket."""

    host: Host
    socket: socket.socket

    def reaches(self, other: "End", count: int = 1, seconds: float = SHORT) -> int:
        """How many of so many datagrams arrive, each of them within so many seconds of the last."""
        arrived, word = 0, secrets.token_bytes(8)
        for _ in range(count):
            self.socket.sendto(word, (other.host.address, PORT))
            arrived += other.hears(word, 0.0)
        while arrived < count and other.hears(word, seconds):
            arrived += 1
        return arrived

    def hears(self, word: bytes, seconds: float) -> bool:
        """Whether a datagram with this word comes; older ones may come late, and are passed over."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(2048) != word:
                continue
        except (TimeoutError, BlockingIOError):
            return False
        return True


@contextmanager
def two() -> Iterator[tuple[End, End]]:
    with hosts("one", "two") as made:
        ends = []
        for host in made.values():
            with host.inside():
                one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.setsockopt(socket.SOL_SOCKET, _FORCED_BUFFER, 2**23)
            one.bind((host.address, PORT))
            ends.append(End(host, one))
        first, second = ends
        while not (first.reaches(second) and second.reaches(first)):
            continue
        yield first, second
        for end in ends:
            end.socket.close()


def test_a_cable_is_cut_and_mended() -> None:
    with two() as (first, second):
        first.host.cut()
        assert first.reaches(second) == second.reaches(first) == 0
        first.host.mend()
        deadline = time.monotonic() + LONG
        while not (first.reaches(second) and second.reaches(first)):
            assert time.monotonic() < deadline


def test_one_direction_alone_is_cut() -> None:
    with two() as (first, second):
        first.host.lose([second.host])
        assert (first.reaches(second), second.reaches(first, seconds=LONG)) == (0, 1)
        first.host.regain([second.host])
        assert (first.reaches(second, seconds=LONG), second.reaches(first, seconds=LONG)) == (1, 1)


def test_packets_are_lost_at_random_in_both_directions() -> None:
    with two() as (first, second):
        first.host.drop(0.3)
        for sender, listener in ((first, second), (second, first)):
            assert 0.6 * COUNT < sender.reaches(listener, COUNT, 1.0) < 0.8 * COUNT
        first.host.drop_nothing()
        assert first.reaches(second, COUNT, LONG) == COUNT


def test_a_narrow_line_lets_little_pass_and_loses_what_would_wait_too_long() -> None:
    with two() as (first, second):
        # Half of them would need a quarter of a minute.
        first.host.narrow(8, 200)
        assert second.reaches(first, COUNT) < COUNT / 2
        first.host.widen()
        first.host.narrow(64, 200)
        # Its own kernel holds a sender back before anything is lost.
        first.socket.settimeout(LONG)
        began = time.monotonic()
        for _ in range(COUNT // 2):
            first.socket.sendto(b"x", (second.host.address, PORT))
        assert time.monotonic() - began > 1.0
        first.host.widen()
        assert second.reaches(first, COUNT, LONG) == COUNT
