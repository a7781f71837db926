"""Ports for servers that bind them only a moment after they were chosen, in another process perhaps."""

import random
import socket
from contextlib import ExitStack, suppress

LOOPBACK = "127.0.0.1"

_RANGE = range(15_000, 32_000)
"""Below everything that a system hands out by itself (Linux from 32768, RFC 6335 from 49152): until it is
bound no connection and no other server is given such a port by chance."""

_TRIES = 1_000


def unused_ports(count: int, host: str = LOOPBACK) -> list[int]:
    """Different ports of a host that nobody listens on. Raises OSError if there are not so many."""
    chance = random.SystemRandom()
    with ExitStack() as stack:
        found: list[int] = []
        for _ in range(_TRIES):
            if len(found) == count:
                return found
            with suppress(OSError):
                server = stack.enter_context(socket.create_server((host, chance.choice(_RANGE))))
                found.append(server.getsockname()[1])
    raise OSError(f"no {count} unused ports at {host}")


def unused_port(host: str = LOOPBACK) -> int:
    """A port of a host that nobody listens on. Raises OSError."""
    return unused_ports(1, host)[0]


def is_unused(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    try:
        socket.create_server((host, port)).close()
    except OSError:
        return False
    return True
