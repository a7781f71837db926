"""Ports that are chosen before they are bound."""

import socket

import pytest

from outreach import ports

LINUX_GIVES_FROM = 32_768
"""Where nobody has set it otherwise."""


def test_they_are_different_free_and_none_that_the_system_gives_away() -> None:
    found = ports.unused_ports(50)
    assert len(set(found)) == 50
    assert max(found) < LINUX_GIVES_FROM
    assert ports.is_unused(found[0])


def test_a_port_that_somebody_listens_on_is_not_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        assert not ports.is_unused(taken)
        monkeypatch.setattr(ports, "_RANGE", range(taken, taken + 1))
        with pytest.raises(OSError, match="no 1 unused ports"):
            ports.unused_port()
