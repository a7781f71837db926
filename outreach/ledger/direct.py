"""One message to one person outside any round: a one-time code, a test send.

It is asked for by the person and worthless a few minutes later, so it is tried once and never again: whoever
did not get her code asks for another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from channels.base import Attachment, Outbound
from channels.errors import GatewayError
from outreach.db.sql import load_queries
from outreach.errors import Unavailable
from outreach.governance.vault import open_vault
from outreach.ledger.content import Content, compile_content, compose
from outreach.ledger.gateways import ADDRESS_KINDS, Fleet
from outreach.ledger.keys import encode_key
from outreach.ledger.protocol import classify
from outreach.ledger.states import State
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

TEST, TEST_MARK = "test", "【测试】"


@dataclass(frozen=True, slots=True)
class Direct:
    """What is sent to whom: content and values, the address in clear, the provider's code of the text."""

    channel: str
    content: Content
    values: Mapping[str, Any]
    address: str
    filing: str
    purpose: str
    mark: str = ""
    attachments: tuple[Attachment, ...] = ()


async def send_direct(
    rt: Runtime,
    fleet: Fleet,
    *,
    person_id: int,
    channel: str,
    template: str,
    values: dict[str, Any],
    purpose: str,
    attachments: Sequence[Attachment] = (),
    only_proved: bool = False,
) -> bool:
    """Send a template to one person now; whether the gateway took it. `only_proved`: to an address that was
    verified, or not at all. Raises Unavailable without a gateway that works, or without the template."""
    gateway = await _gateway(rt, channel)
    keys = {"person_id": person_id, "kind": ADDRESS_KINDS[channel], "only_proved": only_proved}
    address = await rt.db.fetch_one(SQL["person_address"], keys)
    if address is None:
        return False
    found = await rt.db.fetch_one(
        SQL["filing_of"], {"gateway_id": gateway["id"], "code": template, "channel": channel}
    )
    if found is None:
        raise Unavailable(f"没有编码为 {template} 的 {channel} 模板")
    told = open_vault(rt.settings).decrypt("address", "value_enc", address["id"], address["value_enc"])
    letter = Direct(
        channel,
        compile_content(channel, found["content"]),
        values,
        told,
        found["filing"],
        purpose,
        attachments=tuple(attachments),
    )
    return await _send(rt, fleet, gateway, letter, person_id)


async def send_test(
    rt: Runtime, fleet: Fleet, *, version_id: int, channel: str, address: str, values: Mapping[str, Any]
) -> bool:
    """Send a version's real text, marked 【测试】, to an address of staff; whether the gateway took it. No
    round counts it. Raises Unavailable without a gateway that works, or where its filed text has no place
    for the mark."""
    gateway = await _gateway(rt, channel)
    keys = {"version_id": version_id, "gateway_id": gateway["id"]}
    found = await rt.db.fetch_one(SQL["version_filed"], keys)
    if found is None:
        raise Unavailable("没有这个模板版本")
    content = compile_content(channel, found["content"])
    letter = Direct(channel, content, values, address, found["filing"], TEST, mark=TEST_MARK)
    return await _send(rt, fleet, gateway, letter, None)


def marked(message: Outbound, mark: str) -> Outbound:
    """The same message with a mark wherever the reader looks first. Raises Unavailable where the provider
    sends a filed text that has no place for it."""
    card = replace(message.card, title=mark + message.card.title) if message.card else None
    subject = mark + message.subject if message.subject else ""
    params = dict(message.params)
    if message.template:
        if not params:
            raise Unavailable("这个账号只按报备的固定文字发送，加不上【测试】字样，不能试发")
        first = next(iter(params))
        # 【】 holds the signature, and providers refuse it within a value.
        params[first] = f"（{mark.strip('【】')}）{params[first]}"
    text = mark + message.text if message.text else ""
    return replace(message, text=text, subject=subject, card=card, params=params)


async def _gateway(rt: Runtime, channel: str) -> dict[str, Any]:
    gateway = await rt.db.fetch_one(SQL["pick_gateway"], {"channel": channel})
    if gateway is None:
        raise Unavailable(f"没有可用的 {channel} 网关，请先在设置中添加")
    return gateway


async def _send(
    rt: Runtime, fleet: Fleet, gateway: Mapping[str, Any], letter: Direct, person_id: int | None
) -> bool:
    channel, purpose = letter.channel, letter.purpose
    try:
        adapter = await fleet.adapter(gateway["id"])
    except GatewayError as error:
        raise Unavailable(f"{channel} 网关暂时无法使用：{error.message}") from error
    row = await rt.db.fetch_one(
        SQL["begin_direct"], {"person_id": person_id, "gateway_id": gateway["id"], "purpose": purpose}
    )
    assert row is not None
    message = compose(
        letter.content,
        letter.values,
        key=encode_key(row["id"]),
        address=letter.address,
        signature=rt.settings.signature,
        filing=letter.filing,
        unsubscribe="",
    )
    if letter.attachments:
        message = replace(message, attachments=letter.attachments)
    if letter.mark:
        message = marked(message, letter.mark)
    (result,) = await adapter.send([message])
    fleet.meter.note(gateway["id"], [result])
    verdict = classify(await fleet.gateway(gateway["id"]), row["id"], result, 1, 0)
    state = State.FAILED if verdict.state is State.PLANNED else verdict.state
    await rt.db.execute(
        SQL["end_direct"], {"id": row["id"], "state": int(state), "ref": verdict.ref, "code": verdict.code}
    )
    get_log().info("direct.sent", purpose=purpose, gateway=gateway["id"], state=state.name.lower())
    return state is not State.FAILED
