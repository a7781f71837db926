"""The books of the simulated gateways against the ledger, message by message.

A message that the ledger holds as accepted or beyond must stand in exactly one book exactly once; one that is
unknown, or failed without a reference, may stand there once; every other one must not stand there at all. An
entry without our key (CMPP, SMPP) is told by the gateway's reference, and where we never got it by the
destination.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from outreach.governance.vault import open_vault
from outreach.ledger.gateways import ADDRESS_KINDS, load_gateways
from outreach.ledger.keys import DIRECT_FROM, MESSAGES_PER_BATCH, decode_key
from outreach.ledger.states import State
from outreach.runtime import Runtime

_PAGE = 50_000
_EMPTY_KEY = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one gateway's books say against the ledger, in messages. All but `booked`, `held` and
    `unknown_booked` must be zero."""

    gateway: str
    booked: int
    held: int
    lost: int
    duplicated: int
    unexpected: int
    unknown_booked: int

    @property
    def equal(self) -> bool:
        """Whether the books equal the ledger."""
        return not (self.lost or self.duplicated or self.unexpected)


async def read_books(rt: Runtime, control: str) -> list[dict[str, Any]]:
    """Every entry of a simulator's books."""
    entries: list[dict[str, Any]] = []
    while True:
        answer = await rt.http.get(f"{control}/_sim/books", params={"after": len(entries)}, timeout=60)
        page = answer.json()["entries"]
        entries += page
        if len(page) < _PAGE:
            return entries


async def compare_books(rt: Runtime, controls: dict[str, str]) -> list[Comparison]:
    """Compare every simulated gateway's books with the ledger."""
    comparisons = []
    for gateway in (await load_gateways(rt)).values():
        if gateway.adapter not in controls:
            continue
        entries = await read_books(rt, controls[gateway.adapter])
        rows = await rt.db.fetch(
            "select m.id, m.dest, m.state, m.ref, m.ref is not null as referred"
            " from batch b join message m on m.period = b.period"
            " and m.shard = b.shard and m.id >= b.id * 1000 and m.id < (b.id + 1) * 1000"
            " where b.gateway_id = %(id)s",
            {"id": gateway.id},
        )
        booked = _booked(rt, gateway.channel, [entry for entry in entries if entry["key"]], rows)
        nameless = [entry for entry in entries if not entry["key"] and entry["ref"]]
        if nameless:
            outside = await rt.db.fetch(
                "select d.ref, a.dest from direct_message d"
                " left join address a on a.person_id = d.person_id and a.kind = %(kind)s"
                " where d.gateway_id = %(id)s",
                {"id": gateway.id, "kind": ADDRESS_KINDS[gateway.channel]},
            )
            booked += _booked_by_reference(rt, gateway.channel, nameless, rows, outside)
        comparisons.append(_compare(gateway.name, booked, rows))
    return comparisons


def _booked(
    rt: Runtime, channel: str, entries: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> Counter[int]:
    # A request that carries many messages has one key: the destination tells which of them is meant.
    vault, kind = open_vault(rt.settings), f"address.{ADDRESS_KINDS[channel]}"
    places: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in rows:
        places[row["id"] // MESSAGES_PER_BATCH, row["dest"]].append(row["id"])
    for ids in places.values():
        ids.sort()
    counts: Counter[int] = Counter()
    for entry in entries:
        first = decode_key(plain_key(entry["key"]))
        if first is None or first >= DIRECT_FROM:
            continue
        dest = vault.dest(vault.blind_index(kind, entry["address"]))
        behind = [one for one in places[first // MESSAGES_PER_BATCH, dest] if one >= first]
        counts[behind[0] if behind else first] += 1
    return counts


def _booked_by_reference(
    rt: Runtime,
    channel: str,
    entries: list[dict[str, Any]],
    rows: list[dict[str, Any]],
    outside: list[dict[str, Any]],
) -> Counter[int]:
    vault, kind = open_vault(rt.settings), f"address.{ADDRESS_KINDS[channel]}"
    known: dict[tuple[str, int], int] = {}
    doubtful: dict[int | None, list[int]] = defaultdict(list)
    outside_refs = {_plain_ref(row["ref"]) for row in outside if row["ref"]}
    for row in outside:
        # A test goes to nobody of the registry: without its answer any entry may be it.
        if not row["ref"]:
            doubtful[row["dest"]].append(DIRECT_FROM)
    for row in sorted(rows, key=lambda one: -one["id"]):
        if row["ref"]:
            known[_plain_ref(row["ref"]), row["dest"]] = row["id"]
        elif row["state"] in (State.UNKNOWN, State.FAILED):
            doubtful[row["dest"]].append(row["id"])
    counts: Counter[int] = Counter()
    for number, entry in enumerate(entries, 1):
        dest = vault.dest(vault.blind_index(kind, entry["address"]))
        message_id = DIRECT_FROM if entry["ref"] in outside_refs else known.get((entry["ref"], dest))
        if message_id is None:
            likely = doubtful[dest] or doubtful[None]
            message_id = likely.pop() if likely else -number
        if message_id != DIRECT_FROM:
            counts[message_id] += 1
    return counts


def _plain_ref(ref: str) -> str:
    # The ledger marks the parts of a long text with what was reported of them (outreach/ledger/parts.py).
    return "+".join(part.rstrip("=!") for part in ref.split("+")) if "+" in ref else ref


def plain_key(key: str) -> str:
    """Our key out of the form in which a gateway books it (a UUID for 5G messages)."""
    packed = key.replace("-", "")
    if len(packed) != 32:
        return key
    try:
        return bytes.fromhex(packed).rstrip(b"\0").decode("ascii")
    except ValueError:
        return _EMPTY_KEY


def _compare(name: str, booked: Counter[int], rows: list[dict[str, Any]]) -> Comparison:
    # A failure may have been reported before or after acceptance; the gateway's reference tells which.
    sent = {State.ACCEPTED, State.DELIVERED, State.READ}
    held = {row["id"] for row in rows if row["state"] in sent}
    held |= {row["id"] for row in rows if row["state"] == State.FAILED and row["referred"]}
    open_to_both = {row["id"] for row in rows if row["state"] in (State.UNKNOWN, State.FAILED)}
    unknown = {row["id"] for row in rows if row["state"] == State.UNKNOWN}
    return Comparison(
        name,
        sum(booked.values()),
        len(held),
        len(held - booked.keys()),
        sum(count - 1 for count in booked.values() if count > 1),
        len(booked.keys() - held - open_to_both),
        len(unknown & booked.keys()),
    )


def books_table(comparisons: list[Comparison]) -> Table:
    """The comparison for the terminal."""
    headers = ["网关", "网关受理", "台账受理", "丢失", "重复", "多出", "未知且已受理"]
    table = Table(title="仿真网关的账与台账，逐条核对", title_justify="left")
    for number, header in enumerate(headers):
        table.add_column(header, justify="right" if number else "left")
    for row in comparisons:
        numbers = (row.booked, row.held, row.lost, row.duplicated, row.unexpected, row.unknown_booked)
        table.add_row(row.gateway, *(f"{number:,}" for number in numbers))
    return table
