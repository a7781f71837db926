"""Two SMS accounts of one channel, each at a simulated gateway of its own, and a sender that tests drive."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from campaigns.rounds import tick
from channels.gateways.base import Simulator
from outreach.governance.vault import open_vault
from outreach.ledger.gateways import GatewayDraft, load_gateways, save_gateway
from outreach.ledger.merge import merge_receipts
from outreach.ledger.pacing import Pacer, keep_pace
from outreach.ledger.post import Sender
from outreach.ledger.reconcile import reconcile_gateway
from outreach.ledger.send import drain_batch
from outreach.rehearsal import HOST, NAMES, build_simulators, plan_rehearsal
from outreach.runtime import Runtime
from outreach.worker import build_sender
from tests import town


@dataclass
class Pair:
    """Accounts `one` and `other`, their simulators by id, and a process without loops of its own."""

    rt: Runtime
    wire: town.Wire
    sender: Sender
    pacer: Pacer
    one: int
    other: int
    simulators: dict[int, Simulator]

    async def judge(self) -> int:
        """What the duty does each second; afterwards this process sees how the accounts stand."""
        changes = await keep_pace(self.pacer)
        self.refresh()
        return changes

    def refresh(self) -> None:
        """A second passes for whoever holds the accounts in memory."""
        self.sender.fleet._loaded_at = float("-inf")
        self.sender.fleet.meter._trips.clear()

    async def drain(self, gateway_id: int | None = None) -> int:
        """Send every open batch, of one account or of both, once."""
        await self.rt.db.execute("update batch set next_at = now() where state = 0")
        rows = await self.rt.db.fetch(
            "select shard, id from batch where state = 0 and gateway_id = coalesce(%(g)s, gateway_id)"
            " order by id",
            {"g": gateway_id},
        )
        return sum([await drain_batch(self.sender, row["shard"], row["id"]) for row in rows])

    async def drain_one(self, row: dict[str, Any]) -> int:
        """Send one batch once."""
        return await drain_batch(self.sender, row["id"] % 8, row["id"])

    async def reconcile(self) -> None:
        """Rests are over; what can be looked into is."""
        for gateway in (await load_gateways(self.rt)).values():
            await self.rt.db.execute("update message set not_before = now() where not_before is not null")
            await reconcile_gateway(self.sender, gateway)

    async def merge(self) -> None:
        """Wait for the receipts of both and apply them."""
        await self.wire.quiesce()
        while await merge_receipts(self.rt):
            pass

    async def pass_time(self, seconds: float) -> None:
        """What happened is so much longer ago."""
        for table, column in (("gateway_pace", "since"), ("gateway_outcome", "at")):
            await self.rt.db.execute(
                f"update {table} set {column} = {column} - %(s)s * interval '1 second'", {"s": seconds}
            )

    async def batches(self) -> list[dict[str, Any]]:
        """All batches in their order."""
        return await self.rt.db.fetch(
            "select id, gateway_id, watermark, settled, fence, state, n from batch order by id"
        )

    async def breaker(self, gateway_id: int) -> str:
        """How an account stands."""
        return (await load_gateways(self.rt))[gateway_id].breaker.value

    async def log(self) -> list[tuple[int, str, str]]:
        """The accounts' log: account, what, reason."""
        rows = await self.rt.db.fetch("select gateway_id, what, reason from gateway_change order by id")
        return [(row["gateway_id"], row["what"], row["reason"]) for row in rows]

    def addresses(self, gateway_id: int) -> list[str]:
        """Where an account's gateway has sent, in order."""
        return [entry.address for entry in self.simulators[gateway_id].books.entries]


async def _add_other(rt: Runtime, ids: dict[str, int]) -> tuple[int, Simulator]:
    first = (await load_gateways(rt))[ids["aliyun_sms"]]
    text = open_vault(rt.settings).decrypt("gateway", "config_enc", first.id, first.config_enc)
    with town.held_ports(len(NAMES)) as held:
        ports = dict(zip(NAMES, held, strict=True))
        config = orjson.loads(text) | {"endpoint": f"http://{HOST}:{ports['aliyun_sms']}"}
        draft = GatewayDraft(
            "演练·短信乙",
            "aliyun_sms",
            config,
            first.rate.per_second,
            first.rate.burst,
            window_size=first.window_size,
            quiet_seconds=first.quiet_seconds,
            secret=config["callback_secret"],
        )
        async with rt.db.begin() as conn:
            other = await save_gateway(conn, rt.settings, draft)
        plan = await plan_rehearsal(rt, ports, ids | {"aliyun_sms": other}, faults={}, capable=1.0)
        simulator = build_simulators(plan)["aliyun_sms"]
        await simulator.start(HOST, ports["aliyun_sms"])
    return other, simulator


@asynccontextmanager
async def paired(
    rt: Runtime, count: int, *, launch: bool = True, faults: dict[str, Any] | None = None, **wiring: Any
) -> AsyncIterator[Pair]:
    """A round of `count` messages, cut for both accounts in turn; `faults` befall the first."""
    await town.settle_town(rt, town.households(count))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt, faults={"aliyun_sms": faults or {}}, **wiring) as wire:
        other, simulator = await _add_other(wire.rt, wire.ids)
        sender = build_sender(wire.rt)
        one = wire.ids["aliyun_sms"]
        simulators = {one: wire.simulators["aliyun_sms"], other: simulator}
        wire.simulators["other"] = simulator
        pair = Pair(wire.rt, wire, sender, Pacer(wire.rt, sender.fleet), one, other, simulators)
        if launch:
            await town.launch(wire.rt, ["sms"])
            assert await tick(town.ticker(wire.rt)) == count
        try:
            yield pair
        finally:
            await sender.fleet.close()
