"""One message to one person outside any round: a one-time code, a test send.

It is asked for by the person and worthless a few minutes later, so it is tried once and never again: whoever
did not get her code asks for another.
"""

from typing import Any

from channels.errors import GatewayError
from outreach.db.sql import load_queries
from outreach.errors import Unavailable
from outreach.governance.vault import open_vault
from outreach.ledger.content import compile_content, compose
from outreach.ledger.gateways import ADDRESS_KINDS, Fleet
from outreach.ledger.keys import encode_key
from outreach.ledger.protocol import classify
from outreach.ledger.states import State
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)


async def send_direct(
    rt: Runtime,
    fleet: Fleet,
    *,
    person_id: int,
    channel: str,
    template: str,
    values: dict[str, Any],
    purpose: str,
) -> bool:
    """Send a template to one person now; whether the gateway took it. Raises Unavailable without a gateway
    that works, or without the template."""
    gateway = await rt.db.fetch_one(SQL["pick_gateway"], {"channel": channel})
    keys = {"person_id": person_id, "kind": ADDRESS_KINDS[channel]}
    address = await rt.db.fetch_one(SQL["person_address"], keys)
    if gateway is None:
        raise Unavailable(f"没有可用的 {channel} 网关，请先在设置中添加")
    if address is None:
        return False
    found = await rt.db.fetch_one(
        SQL["filing_of"], {"gateway_id": gateway["id"], "code": template, "channel": channel}
    )
    if found is None:
        raise Unavailable(f"没有编码为 {template} 的 {channel} 模板")
    compiled = compile_content(channel, found["content"])
    try:
        adapter = await fleet.adapter(gateway["id"])
    except GatewayError as error:
        raise Unavailable(f"{channel} 网关暂时无法使用：{error.message}") from error
    row = await rt.db.fetch_one(
        SQL["begin_direct"], {"person_id": person_id, "gateway_id": gateway["id"], "purpose": purpose}
    )
    assert row is not None
    message = compose(
        compiled,
        values,
        key=encode_key(row["id"]),
        address=open_vault(rt.settings).decrypt("address", "value_enc", address["id"], address["value_enc"]),
        signature=rt.settings.signature,
        filing=found["filing"],
        unsubscribe="",
    )
    (result,) = await adapter.send([message])
    fleet.meter.note(gateway["id"], [result])
    verdict = classify(await fleet.gateway(gateway["id"]), row["id"], result, 1, 0)
    state = State.FAILED if verdict.state is State.PLANNED else verdict.state
    await rt.db.execute(
        SQL["end_direct"], {"id": row["id"], "state": int(state), "ref": verdict.ref, "code": verdict.code}
    )
    get_log().info("direct.sent", purpose=purpose, gateway=gateway["id"], state=state.name.lower())
    return state is not State.FAILED
