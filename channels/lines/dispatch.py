"""A batch on its way: texts cut into parts, numbers gathered, answers weighed.

The parts of a text leave one after the other. If the first is refused, nothing was taken. Once one was taken
the text is completed as long as time lasts; if it cannot be, its outcome is unknown, unless the gateway
refuses a part for good: then the phone never shows the text.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from channels.base import SendResult, accepted, refused, unknown
from channels.errors import Fault
from channels.lines.line import BadMessage, Frame, Line, Lost
from channels.lines.pool import NoTurn, Pool
from channels.lines.texts import Part

PARTIAL = "partial"
_BUSY_PAUSE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gateway said of a request: accepted with the reference of each number, refused with a fault, or,
    with neither, nothing certain. `is_single`: it may be about one number of several."""

    refs: tuple[str, ...] = ()
    fault: Fault | None = None
    code: str = ""
    is_single: bool = False


class Carrier(Protocol):
    """The bytes of a request that carries a part of a text, and of its answer."""

    def write(self, sequence: int, part: Part, numbers: Sequence[bytes]) -> bytes:
        """The request."""

    def read(self, frame: Frame, count: int) -> Answer:
        """The answer to a request to `count` numbers. Raises BadMessage."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready to leave: its place in the batch, its number padded, its whole text."""

    position: int
    key: str
    number: bytes
    text: str


class _Refused(Exception):
    def __init__(
        self, fault: Fault, code: str, retry_after: timedelta | None = None, is_single: bool = False
    ) -> None:
        super().__init__(code)
        self.fault, self.code, self.retry_after, self.is_single = fault, code, retry_after, is_single


class _Unknown(Exception):
    def __init__(self, code: str = "") -> None:
        super().__init__(code)
        self.code = code


class Dispatch:
    """No text is begun after half of `timeout` seconds, and no answer awaited beyond one and a half."""

    def __init__(
        self, pool: Pool, carrier: Carrier, cut: Callable[[str], Sequence[Part]], timeout: float
    ) -> None:
        now = asyncio.get_running_loop().time()
        self._begins_by, self._completes_by = now + timeout / 2, now + timeout
        self._ends_by = now + 1.5 * timeout
        self._pool, self._carrier, self._cut = pool, carrier, cut

    async def run(self, letters: Sequence[Letter], most: int) -> dict[int, SendResult]:
        """Send letters, one text to at most `most` numbers at once; results by position."""
        groups = gather(letters, most)
        results: dict[int, SendResult] = {}
        for group, sent in zip(groups, await asyncio.gather(*map(self.send, groups)), strict=True):
            results |= {letter.position: result for letter, result in zip(group, sent, strict=True)}
        return results

    async def send(self, letters: Sequence[Letter]) -> list[SendResult]:
        """Send one text to all letters' numbers, in as many requests as it has parts."""
        numbers = [letter.number for letter in letters]
        taken: list[tuple[str, ...]] = []
        for part in self._cut(letters[0].text):
            try:
                taken.append(await self._submit(part, numbers))
            except _Refused as refusal:
                if part.number == 1 and refusal.is_single and len(letters) > 1:
                    return await self._halve(letters)
                return [_weigh(letter.key, part, refusal) for letter in letters]
            except _Unknown as doubt:
                return [unknown(letter.key, doubt.code) for letter in letters]
        refs = ("+".join(parts) for parts in zip(*taken, strict=True))
        return [accepted(letter.key, ref) for letter, ref in zip(letters, refs, strict=True)]

    async def _halve(self, letters: Sequence[Letter]) -> list[SendResult]:
        # One bad number has the whole request refused: the good ones must not suffer for it.
        middle = len(letters) // 2
        halves = await asyncio.gather(self.send(letters[:middle]), self.send(letters[middle:]))
        return [result for half in halves for result in half]

    async def _submit(self, part: Part, numbers: Sequence[bytes]) -> tuple[str, ...]:
        until = self._begins_by if part.number == 1 else self._completes_by
        while True:
            try:
                line = await self._pool.turn(until)
            except NoTurn as error:
                pause = _BUSY_PAUSE if error.fault is Fault.THROTTLED else None
                raise _Refused(error.fault, error.code, pause) from error
            answer = await self._ask(line, part, numbers)
            if answer.refs:
                line.speed_up()
                return answer.refs
            if answer.fault is None:
                raise _Unknown(answer.code)
            is_busy = answer.fault is Fault.THROTTLED
            pause = timedelta(seconds=line.slow_down()) if is_busy else None
            if not (is_busy and part.number > 1):
                raise _Refused(answer.fault, answer.code, pause, answer.is_single)

    async def _ask(self, line: Line, part: Part, numbers: Sequence[bytes]) -> Answer:
        try:
            frame = await line.ask(
                lambda sequence: self._carrier.write(sequence, part, numbers), self._ends_by
            )
            return self._carrier.read(frame, len(numbers))
        except (Lost, TimeoutError, BadMessage) as error:
            raise _Unknown from error


def _weigh(key: str, part: Part, refusal: _Refused) -> SendResult:
    if part.number > 1 and refusal.fault.retryable:
        return unknown(key, PARTIAL)
    return refused(key, refusal.fault, refusal.code, refusal.retry_after)


def gather(letters: Sequence[Letter], most: int) -> list[list[Letter]]:
    """Groups of one text with at most `most` numbers, none of them twice."""
    groups: list[list[Letter]] = []
    filling: dict[str, list[Letter]] = {}
    for letter in letters:
        group = filling.get(letter.text)
        if group is None or len(group) >= most or any(other.number == letter.number for other in group):
            group = filling[letter.text] = []
            groups.append(group)
        group.append(letter)
    return groups
