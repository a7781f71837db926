"""Reports and replies that come down on an adapter's own connections, fed to the desk that takes pushes.

Every worker keeps the connections of such accounts open, whether there is anything to send or not: a report
may come hours after its message, and on any of them. What comes in becomes durable by the same code as a push
by web, and only then does the adapter answer its provider.
"""

import asyncio
from functools import partial

from channels.base import Adapter, WebhookReply, WebhookRequest
from channels.errors import GatewayError
from channels.registry import ADAPTERS
from outreach.ledger.duties import keep_on
from outreach.ledger.gateways import Fleet, Gateway
from outreach.ledger.parts import merge_parts
from outreach.ledger.post import Sender
from outreach.ledger.receipts import ReceiptDesk
from outreach.logs import get_log

_ATTEND_SECONDS = 1.0
_PARTS_SECONDS = 0.5


class UplinkFeed:
    """Listens to the accounts of one process that report over their connections; `opened_only`: without
    opening any by itself, as a process does that sends a code now and then."""

    def __init__(self, fleet: Fleet, desk: ReceiptDesk, *, opened_only: bool = False) -> None:
        self._fleet, self._desk, self._opened_only = fleet, desk, opened_only
        self._heard: dict[int, Adapter] = {}
        self._silent: set[int] = set()

    async def attend(self) -> int:
        """Listen to every such account that can be opened, also to one that was opened anew. A closed one is
        left alone: a copy of the database must not take another installation's reports."""
        gateways = (await self._fleet.gateways()).values()
        listening = [
            one
            for one in gateways
            if one.active
            and ADAPTERS[one.adapter].listens
            and (not self._opened_only or self._fleet.has_opened(one.id))
        ]
        await asyncio.gather(*map(self._listen, listening))
        return 0

    async def _listen(self, gateway: Gateway) -> None:
        try:
            adapter = await self._fleet.adapter(gateway.id)
        except GatewayError as error:
            if gateway.id not in self._silent:
                self._silent.add(gateway.id)
                get_log().warning(
                    "uplink.silent", gateway=gateway.id, fault=error.fault.value, code=error.code
                )
            return
        self._silent.discard(gateway.id)
        if self._heard.get(gateway.id) is not adapter:
            self._heard[gateway.id] = adapter
            adapter.listen(partial(self._take, gateway.id))

    async def _take(self, gateway_id: int, request: WebhookRequest) -> WebhookReply:
        gateway = await self._fleet.gateway(gateway_id)
        return await self._desk.accept(gateway_id, gateway.secret, request)


async def feed_opened(fleet: Fleet, desk: ReceiptDesk) -> None:
    """Listen for ever to what this process has opened by sending over it: a gateway reports on any connection
    of the account."""
    feed = UplinkFeed(fleet, desk, opened_only=True)
    await keep_on("uplinks", feed.attend, idle=_ATTEND_SECONDS)


async def feed_uplinks(sender: Sender) -> None:
    """Listen for ever; what comes in is taken to its message by the merge, and by parts here."""
    desk = ReceiptDesk(sender.rt, sender.fleet)
    try:
        await asyncio.gather(
            keep_on("uplinks", UplinkFeed(sender.fleet, desk).attend, idle=_ATTEND_SECONDS),
            keep_on("parts", partial(merge_parts, sender.rt), idle=_PARTS_SECONDS),
        )
    finally:
        await desk.close()
