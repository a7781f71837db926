"""Asks what became of accepted messages where a provider pushes no receipts but answers by reference.

Only of accounts whose adapter declares the feature `result_query`; batch by batch, at growing distances,
while the provider remembers. What it says is merged like a receipt: by rank, so that asking twice changes
nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from channels.base import Adapter, Query, QueryResult
from channels.errors import GatewayError
from outreach.clock import utc_now
from outreach.db.sql import load_queries
from outreach.governance.vault import open_vault
from outreach.ledger.codes import fit_code
from outreach.ledger.gateways import ADDRESS_KINDS, Fleet, Gateway
from outreach.ledger.keys import encode_key
from outreach.ledger.merge import Arrival, Match, merge_matches
from outreach.ledger.states import OF_DELIVERY, State
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

FEATURE = "result_query"
_MEMORY = 24 * 3600.0
"""Seconds for which a provider answers: that of DingTalk, the only one that is asked."""
_PAUSES = (120, 600, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
"""Seconds from the first window to the first question, then from question to question."""
_TROUBLE_PAUSE = 300.0
_AT_ONCE = 100

Row = Mapping[str, Any]


async def ask_results(rt: Runtime, fleet: Fleet) -> int:
    """Ask about the next batch that is due; how many were asked about, 0 or 1. The database is not asked
    either while there is no such account."""
    asked = {
        gateway.id: gateway
        for gateway in (await fleet.gateways()).values()
        if gateway.active and FEATURE in gateway.facts.features
    }
    if not asked:
        return 0
    batch = await _claim(rt, list(asked))
    return await _ask(rt, fleet, asked[batch["gateway_id"]], batch) if batch else 0


async def _claim(rt: Runtime, gateways: Sequence[int]) -> Row | None:
    keys = {"gateways": gateways, "memory": _MEMORY, "first": _PAUSES[0], "pauses": list(_PAUSES[1:])}
    async with rt.db.begin() as conn:
        await conn.execute(SQL["forget_batches"], keys)
        await conn.execute(SQL["note_batches"], keys)
        return await (await conn.execute(SQL["claim_batch"], keys)).fetchone()


async def _ask(rt: Runtime, fleet: Fleet, gateway: Gateway, batch: Row) -> int:
    try:
        adapter = await fleet.adapter(gateway.id)
    except GatewayError:
        await rt.db.execute(SQL["take_up_again"], {**batch, "pause": _TROUBLE_PAUSE})
        return 0
    rows = await rt.db.fetch(SQL["open_messages"], {**batch, "kind": ADDRESS_KINDS[gateway.channel]})
    for begin in range(0, len(rows), _AT_ONCE):
        some = rows[begin : begin + _AT_ONCE]
        answers = await _query(rt, adapter, some)
        if all(answer.found is None for answer in answers):
            get_log().warning("results.silent", gateway=gateway.id, code=answers[0].code)
            await rt.db.execute(SQL["take_up_again"], {**batch, "pause": _TROUBLE_PAUSE})
            return 0
        async with rt.db.begin() as conn:
            matches = list(_matches(gateway.id, some, answers))
            await merge_matches(conn, batch["period"], batch["shard"], matches)
    return 1


async def _query(rt: Runtime, adapter: Adapter, rows: Sequence[Row]) -> list[QueryResult]:
    vault, now = open_vault(rt.settings), utc_now()
    return await adapter.query(
        [
            Query(
                encode_key(row["id"]),
                vault.decrypt("address", "value_enc", row["address_id"], row["value_enc"]),
                now,
                row["ref"],
            )
            for row in rows
        ]
    )


def _matches(gateway_id: int, rows: Sequence[Row], answers: Sequence[QueryResult]) -> Iterator[Match]:
    now = utc_now()
    for row, answer in zip(rows, answers, strict=True):
        state = OF_DELIVERY[answer.state] if answer.found and answer.state else State.ACCEPTED
        if state is not State.ACCEPTED:
            told = (gateway_id, row["id"], False, None, row["ref"], int(state), fit_code(answer.code))
            yield row["id"], Arrival(*told, False, None, now, 0, "", 0)
