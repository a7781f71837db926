"""A stage for the delivery protocol: one round whose batches are cut, and hands that hold, drop and move
things as processes and clocks would."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from campaigns.rounds import tick
from channels.gateways.base import Books
from outreach.governance.vault import open_vault
from outreach.ledger.gateways import Gateway
from outreach.ledger.merge import merge_orphans, merge_receipts
from outreach.ledger.post import Sender
from outreach.ledger.protocol import Claim, claim_batch
from outreach.ledger.reconcile import reconcile_gateway
from outreach.ledger.send import drain_batch
from outreach.ledger.states import State
from outreach.runtime import Runtime
from outreach.worker import build_sender
from tests import town

ADAPTERS = {
    "sms": "aliyun_sms",
    "rcs": "fiveg_bot",
    "wechat": "wechat_official",
    "email": "email_smtp",
}
DROPPED_AFTER = "13800000004"
"""The simulators accept what goes to this number, and cut the connection."""

FIRST_ID = 1_000_000
"""The first message of the first batch."""


@dataclass
class Stage:
    """A round at a simulated gateway. `sender` is a worker process without loops of its own."""

    rt: Runtime
    wire: town.Wire
    sender: Sender
    adapter: str

    @property
    def books(self) -> Books:
        """What the gateway has accepted."""
        return self.wire.simulators[self.adapter].books

    async def gateway(self) -> Gateway:
        """The account, as a process that looks now sees it."""
        self.sender.fleet._loaded_at = float("-inf")
        return await self.sender.fleet.gateway(self.wire.ids[self.adapter])

    async def claim(self, owner: str) -> Claim | None:
        """Take the first batch."""
        row = await self.rt.db.fetch_one("select shard, id from batch order by id limit 1")
        assert row is not None
        return await claim_batch(self.rt, await self.gateway(), row["shard"], row["id"], owner)

    async def drain(self) -> int:
        """Send every open batch once."""
        await self.rt.db.execute("update batch set next_at = now() where state = 0")
        rows = await self.rt.db.fetch("select shard, id from batch where state = 0 order by id")
        return sum([await drain_batch(self.sender, row["shard"], row["id"]) for row in rows])

    async def reconcile(self) -> int:
        """Let a reconciler look at what rests."""
        return await reconcile_gateway(self.sender, await self.gateway())

    async def merge(self) -> None:
        """Wait for the gateway's receipts and apply them."""
        await self.wire.quiesce()
        while await merge_receipts(self.rt):
            pass
        await self.rt.db.execute("update receipt_orphan set not_before = now()")
        await merge_orphans(self.rt)

    async def end_lease(self) -> None:
        """Time passes: whoever holds a batch has held it too long."""
        await self.rt.db.execute(
            "update batch set lease_until = now() - interval '1 second', next_at = now()"
        )

    async def end_rest(self) -> None:
        """Time passes: whatever rests has rested."""
        await self.rt.db.execute("update message set not_before = now() where not_before is not null")

    async def put(self, position: int, state: State, **columns: Any) -> None:
        """Bring the message at a position into a state, as an earlier life of the round would have."""
        await self.rt.db.execute(
            "insert into message_count (round_id, step, org_id, state, n, households)"
            " select round_id, step, org_id, s.state, s.sign, s.sign * cardinality(taxpayer_ids)"
            " from message m, lateral (values (m.state, -1), (%(state)s::smallint, 1)) s (state, sign)"
            " where id = %(id)s",
            {"id": FIRST_ID + position, "state": int(state)},
        )
        if state is State.UNKNOWN:
            columns.setdefault("tried_at", "now()")
        given = "".join(f", {name} = {value}" for name, value in columns.items())
        await self.rt.db.execute(
            f"update message set state = %(state)s{given} where id = %(id)s",
            {"id": FIRST_ID + position, "state": int(state)},
        )

    async def put_away(self) -> None:
        """All batches count as sent; what became of their messages is `put`."""
        await self.rt.db.execute("update batch set state = 1, watermark = n, settled = n")

    async def message(self, position: int = 0) -> dict[str, Any]:
        """The row of the message at a position of the first batch."""
        row = await self.rt.db.fetch_one(
            "select *, extract(epoch from not_before - now())::float8 as rests"
            " from message where id = %(id)s",
            {"id": FIRST_ID + position},
        )
        assert row is not None
        return row

    async def states(self, count: int) -> list[State]:
        """The states of the first messages."""
        return [State((await self.message(position))["state"]) for position in range(count)]

    async def change_mobile(self, person: int, number: str) -> None:
        """The registry learns of another number."""
        vault = open_vault(self.rt.settings)
        bidx = vault.blind_index("address.mobile", number)
        await self.rt.db.execute(
            "update address set value_enc = %(value)s, bidx = %(bidx)s, dest = %(dest)s"
            " where person_id = %(person)s and kind = 'mobile'",
            {
                "value": vault.encrypt("address", "value_enc", person * 8, number),
                "bidx": bidx,
                "dest": vault.dest(bidx),
                "person": person,
            },
        )


@asynccontextmanager
async def staged(
    rt: Runtime,
    people: Sequence[town.Household],
    channel: str = "sms",
    *,
    launch: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    quiet_seconds: float = 900.0,
    **wiring: Any,
) -> AsyncIterator[Stage]:
    """A round of one step whose batches are cut, with nothing sent yet."""
    rt = Runtime(rt.settings.model_copy(update=settings or {}), rt.db, rt.redis, rt.http)
    await town.settle_town(rt, people)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt, quiet_seconds=quiet_seconds, **wiring) as wire:
        await town.launch(wire.rt, [channel], **(launch or {}))
        assert await tick(town.ticker(wire.rt)) == len({one.person for one in people})
        sender = build_sender(wire.rt)
        try:
            yield Stage(wire.rt, wire, sender, ADAPTERS[channel])
        finally:
            await sender.fleet.close()
