"""Second tries that come too late, found by the long series of `make chaos`: a worker that was held up for
longer than it holds its messages must leave them alone.
"""

import asyncio

from campaigns.rounds import tick
from outreach.ledger import reconcile
from outreach.ledger.states import State
from outreach.runtime import Runtime
from outreach.worker import build_sender
from tests import town

COUNT, HOLD = 3, 1.1


async def test_who_holds_a_message_no_longer_does_not_call_it_failed(rt: Runtime) -> None:
    await town.settle_town(rt, town.households(COUNT))
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    async with town.wired(rt, quiet_seconds=0.1, timeout=30.0) as wire:
        await town.launch(wire.rt, ["sms"])
        await tick(town.ticker(wire.rt))
        await rt.db.execute("update batch set settled = n, watermark = n, state = 1")
        await rt.db.execute("update message set not_before = now()")
        sender = build_sender(wire.rt)
        gateway = (await sender.fleet.gateways())[wire.ids["aliyun_sms"]]
        account = await sender.fleet.account(gateway.id)
        (group,) = await reconcile._take(sender, gateway, HOLD)
        await asyncio.sleep(HOLD + 0.2)
        await reconcile._reconcile_group(sender, gateway, account, group, HOLD)
        assert await town.states(rt) == {State.UNKNOWN: COUNT}
        assert not wire.simulators["aliyun_sms"].books.entries
        await reconcile.reconcile_gateway(sender, gateway)
        assert await town.states(rt) == {State.ACCEPTED: COUNT}
        await sender.fleet.close()
