"""What adapters share that send by requests: a batch worked off in lanes, a refused request halved, and what
a call that brought no answer says about its message."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from channels.base import Outbound, SendResult, refused, unknown
from channels.errors import Fault, GatewayError
from channels.http import MaybeSent, NotSent

SendOne = Callable[[Outbound, float], Awaitable[SendResult]]
SendRequest = Callable[[Sequence[Outbound]], Awaitable[tuple[list[SendResult], bool]]]
"""Sends messages in one request: what became of each, and whether the whole was refused, so that certainly
nothing of it was taken, for what may be one of them alone."""


class TooLate(NotSent):
    """The caller's deadline passed before the message's turn came; nothing was sent."""


class Unreadable(Exception):
    """An answer that is not the protocol's; `code` tells what came instead."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


NO_ANSWER = (GatewayError, NotSent, MaybeSent, Unreadable)
"""How a call ends without an answer that can be judged."""


async def send_each(
    batch: Sequence[Outbound], send_one: SendOne, *, lanes: int, timeout: float
) -> list[SendResult]:
    """One message at a time in each of `lanes`; results in the order of the batch. `send_one` is told the
    deadline, in the event loop's time, after which nothing may begin: half of `timeout` from now. What had no
    turn by then is deferred."""
    deadline = asyncio.get_running_loop().time() + timeout / 2
    results = [refused(message.key, Fault.DEFERRED) for message in batch]
    work = iter(enumerate(batch))
    await asyncio.gather(*(_drain(work, results, send_one, deadline) for _ in range(min(lanes, len(batch)))))
    return results


async def _drain(
    work: Iterator[tuple[int, Outbound]], results: list[SendResult], send_one: SendOne, deadline: float
) -> None:
    for position, message in work:
        if asyncio.get_running_loop().time() >= deadline:
            return
        results[position] = await send_one(message, deadline)


async def send_halving(messages: Sequence[Outbound], send_request: SendRequest) -> list[SendResult]:
    """One request, or where it was refused for what may be one of its messages, its halves, until the bad
    ones stand alone and do not cost the others."""
    results, single = await send_request(messages)
    if not single or len(messages) == 1:
        return results
    middle = len(messages) // 2
    halves = (send_halving(half, send_request) for half in (messages[:middle], messages[middle:]))
    return [result for half in await asyncio.gather(*halves) for result in half]


def judge_silence(key: str, error: Exception) -> SendResult:
    """The outcome of a message whose call ended in one of `NO_ANSWER`."""
    match error:
        case GatewayError():
            return refused(key, error.fault, error.code)
        case TooLate():
            return refused(key, Fault.DEFERRED)
        case NotSent():
            return refused(key, Fault.UNREACHABLE)
        case Unreadable():
            return unknown(key, error.code)
        case _:
            return unknown(key)
