"""Who uses the server of a directory: several processes may, the last one out stops it.

Two lock files (flock(2), given back by the kernel when a process dies, however it dies): `start.lock` is
held alone while a server is started or stopped; `holders.lock` is shared by everybody who uses it. A server
whose starter was killed keeps running and is taken over by the next one who comes.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Holders:
    """The two locks of one directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._start, self._held = directory / "start.lock", directory / "holders.lock"
        self._holder: int | None = None

    @property
    def joined(self) -> bool:
        """Whether we use the server."""
        return self._holder is not None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else starts or stops the server meanwhile; waits for its turn."""
        descriptor = _open(self._start)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def join(self) -> None:
        """Be one of those who use the server; within `alone`."""
        if self._holder is None:
            self._holder = _open(self._held)
            fcntl.flock(self._holder, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Use it no longer; True for the last one. Within `alone`, so that two cannot leave at once."""
        if self._holder is None:
            return False
        try:
            fcntl.flock(self._holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(self._holder)
            self._holder = None


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
