"""What the gateways booked, day by day, as arrays: the judge of what reached whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import orjson

from channels.gateways.aliyun_sms.server import AliyunSmsSimulator
from channels.gateways.base import Faults
from outreach.books import plain_key
from outreach.ledger.keys import MESSAGES_PER_BATCH, decode_key
from outreach.runtime import Runtime
from tests.season.stage import SILENT, Stage

CHANNELS = ("sms", "rcs", "wechat", "email")
STATES = ("accepted", "delivered", "failed", "read")
_PAGE = 50_000
_FIRST_MOBILE = 13_900_000_000
_STATE = {name: number for number, name in enumerate(STATES)}


@dataclass(frozen=True, slots=True)
class Entries:
    """A place per acceptance: the batch that its key names, the person at its address, its state. `pending`:
    entries of which a report must still come."""

    batch: np.ndarray
    person: np.ndarray
    state: np.ndarray
    pending: int = 0


@dataclass(slots=True)
class Books:
    """How far the books of each channel were read."""

    stage: Stage
    read: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANNELS, 0))


async def new_entries(books: Books) -> dict[str, Entries]:
    """What was booked since the last `turn_page`, by channel; may be asked again."""
    found = {
        channel: await _read(books.stage.rt, books.stage.controls[channel], books.read[channel], channel)
        for channel in CHANNELS
    }
    return {channel: entries for channel, entries in found.items() if len(entries.person)}


def turn_page(books: Books, seen: Mapping[str, Entries]) -> None:
    """The day is judged: its entries are not read again."""
    for channel, entries in seen.items():
        books.read[channel] += len(entries.person)


async def _read(rt: Runtime, control: str, after: int, channel: str) -> Entries:
    batches: list[int] = []
    persons: list[int] = []
    states: list[int] = []
    fates, pending = AliyunSmsSimulator(Faults(silent=SILENT)), 0
    while True:
        answer = await rt.http.get(
            f"{control}/_sim/books", params={"after": after + len(persons)}, timeout=120
        )
        page = orjson.loads(answer.content)["entries"]
        batches += [_batch_of(entry["key"]) for entry in page]
        persons += [person_at(channel, entry["address"]) for entry in page]
        states += [_STATE[entry["state"]] for entry in page]
        unsaid = [entry["address"] for entry in page if entry["state"] == STATES[0]]
        pending += sum(not fates.fate(address, "silent") for address in unsaid)
        if len(page) < _PAGE:
            return Entries(
                np.array(batches, dtype=np.int64),
                np.array(persons, dtype=np.int64),
                np.array(states, dtype=np.int8),
                pending,
            )


def _batch_of(key: str) -> int:
    message_id = decode_key(plain_key(key))
    return -1 if message_id is None else message_id // MESSAGES_PER_BATCH


def person_at(channel: str, address: str) -> int:
    """Whose address it is: the spelling of tests/bench/population.py, read backwards."""
    match channel:
        case "wechat":
            return int(address[1:])
        case "email":
            return int(address.partition("@")[0][1:])
    return int(address[-11:]) - _FIRST_MOBILE
