"""Delivery reports: when, how often and in which order a simulated service pushes them."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from channels.gateways.aliyun_api.pushes import Item, Pusher
from channels.gateways.base import BookEntry, Simulator
from channels.gateways.report_queue import ReportQueue

CHINA = timezone(timedelta(hours=8), "UTC+8")


class Reporter:
    """Reports accepted entries. `url` tells where they go now; `item` writes one, by the entry's number."""

    def __init__(
        self,
        simulator: Simulator,
        pusher: Pusher,
        url: Callable[[], str],
        item: Callable[[int], Item],
    ) -> None:
        self._simulator, self._pusher, self._url, self._item = simulator, pusher, url, item
        self._queue = ReportQueue(
            self._push,
            lambda: simulator.faults.receipt_delay,
            lambda: simulator.faults.seed if simulator.faults.shuffle else None,
        )

    def start(self) -> None:
        """Begin to hand out what is due; ends with the pusher."""
        self._pusher.spawn(self._queue.run())

    async def schedule(self, entries: Sequence[BookEntry]) -> None:
        """Report them later, or before the sender is answered, as the faults have it."""
        told = [entry for entry in entries if not self._simulator.fate(entry.address, "silent")]
        if self._simulator.faults.receipts_before_answer:
            await self._pusher.push_now(self._url(), [self._item(entry.number) for entry in told])
            return
        for entry in told:
            self._queue.add(entry.number, 2 if self._simulator.fate(entry.address, "twice") else 1)

    def _push(self, numbers: Sequence[int]) -> None:
        self._pusher.push_later(self._url(), [self._item(number) for number in numbers])


@lru_cache(maxsize=1024)
def clock(at: datetime) -> str:
    """How the provider writes a time; those of a request and of a push are alike."""
    return at.isoformat(" ", "seconds")[:19]
