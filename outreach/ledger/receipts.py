"""Receipts in: verified, parsed, appended durably in groups, and only then answered.

The inbox keeps no unique key: a receipt that comes twice does no harm, because states only climb. What it
means for a message is worked out later, in sets (merge.py).
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from channels.base import Adapter, Channel, Receipt, WebhookReply, WebhookRequest
from channels.errors import WebhookRejected
from outreach.clock import in_beijing, utc_now
from outreach.db.copy import copy_rows
from outreach.db.group_commit import GroupCommit
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.governance.vault import Vault, open_vault
from outreach.ledger.codes import fit_code, fit_ref, fit_text
from outreach.ledger.gateways import ADDRESS_KINDS, Fleet, Gateway, build_adapter
from outreach.ledger.inbound import record_inbound
from outreach.ledger.keys import decode_key
from outreach.ledger.states import OF_DELIVERY
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

_COLUMNS = (
    ("period", "int4"),
    ("gateway_id", "int2"),
    ("message_id", "int8"),
    ("whole_request", "bool"),
    ("dest", "int8"),
    ("ref", "text"),
    ("state", "int2"),
    ("code", "text"),
    ("fallback", "bool"),
    ("at", "timestamptz"),
)

_ADDRESS_LENGTH = 320
_PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A receipt as it is appended; the address only as its keyed index."""

    gateway_id: int
    message_id: int | None
    whole_request: bool
    dest: int | None
    ref: str | None
    state: int
    code: str | None
    fallback: bool
    at: datetime | None


class ReceiptDesk:
    """Takes the pushes of all gateways for one web process."""

    def __init__(self, rt: Runtime, fleet: Fleet) -> None:
        self._rt, self._fleet = rt, fleet
        self._commit = GroupCommit[InboxRow](self._append)
        self._periods: set[int] = set()
        self._adapters: dict[tuple[int, bytes], Adapter] = {}

    async def accept(self, gateway_id: int, secret: str, request: WebhookRequest) -> WebhookReply:
        """Verify, parse, append, then answer. Raises NotFound for a wrong address and WebhookRejected for a
        push that is not the provider's; whatever the database raises makes the provider repeat it."""
        gateway = (await self._fleet.gateways()).get(gateway_id)
        if gateway is None or not hmac.compare_digest(gateway.secret.encode(), secret.encode()):
            raise NotFound("没有这个回调地址")
        adapter = self._parser(gateway)
        adapter.verify(request)
        parsed = adapter.parse(request)
        vault = open_vault(self._rt.settings)
        await self._commit.put([self._row(vault, gateway, receipt) for receipt in parsed.receipts])
        for message in parsed.inbound:
            await record_inbound(self._rt, gateway, message)
        return parsed.reply

    def _parser(self, gateway: Gateway) -> Adapter:
        # Parsing is pure, so a web process keeps an adapter that it never opens.
        place = (gateway.id, gateway.config_enc)
        if place not in self._adapters:
            self._adapters[place], _ = build_adapter(self._rt.settings, gateway)
        return self._adapters[place]

    def _row(self, vault: Vault, gateway: Gateway, receipt: Receipt) -> InboxRow:
        dest = None
        if receipt.address:
            kind = ADDRESS_KINDS[gateway.channel]
            dest = vault.dest(
                vault.blind_index(f"address.{kind}", fit_text(receipt.address, _ADDRESS_LENGTH))
            )
        return InboxRow(
            gateway.id,
            decode_key(receipt.key) if receipt.key else None,
            receipt.whole_request,
            dest,
            fit_ref(receipt.ref),
            int(OF_DELIVERY[receipt.state]),
            fit_code(receipt.code),
            receipt.fallback is Channel.SMS,
            receipt.at,
        )

    async def _append(self, rows: Sequence[InboxRow]) -> None:
        period = period_of(utc_now())
        async with self._rt.db.begin() as conn:
            if period not in self._periods:
                await conn.execute("select ensure_period('receipt_inbox', %s)", (period,))
                await conn.commit()
                self._periods.add(period)
            await copy_rows(
                conn,
                "receipt_inbox",
                _COLUMNS,
                (
                    (
                        period,
                        r.gateway_id,
                        r.message_id,
                        r.whole_request,
                        r.dest,
                        r.ref,
                        r.state,
                        r.code,
                        r.fallback,
                        r.at,
                    )
                    for r in rows
                ),
            )

    async def close(self) -> None:
        """Stop taking; what is not yet durable is answered with an error, so the provider repeats it."""
        await self._commit.close()


def period_of(moment: datetime) -> int:
    """The month of a moment in Beijing, yyyymm."""
    local = in_beijing(moment)
    return local.year * 100 + local.month


async def accept_push(
    desk: ReceiptDesk, gateway_id: int, secret: str, request: WebhookRequest
) -> WebhookReply:
    """The webhook route's one call: 200 only after everything is durable, 403 and 404 for strangers."""
    try:
        return await desk.accept(gateway_id, secret, request)
    except WebhookRejected as error:
        get_log().warning("push.rejected", gateway=gateway_id, reason=str(error))
        return WebhookReply(403)


async def receipts_behind(rt: Runtime) -> bool:
    """Whether receipts have waited for their merge for more than a minute. Until they are merged nobody can
    tell who has had nothing (reliability: the sweep stops, not the ingest)."""
    row = await rt.db.fetch_one(SQL["behind"], {"patience": _PATIENCE})
    return bool(row and row["behind"])
