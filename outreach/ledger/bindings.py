"""Binding: a taxpayer whom a statement's code has proved proves which address on another channel is hers.

She leaves for the provider's page with a state and comes back with a code, which the adapter exchanges for
her address there. The way back is a visit from a foreign site, so that it only keeps what was learned; it is
bound when the visit that began it confirms on a page of ours. A state is signed, serves once, and lives ten
minutes.
"""

import hmac
import secrets

from pyroaring import BitMap

from channels.errors import GatewayError
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Unavailable
from outreach.governance.vault import Vault, open_vault
from outreach.labels.keys import reach_key
from outreach.labels.sets import change_sets
from outreach.ledger.gateways import ADDRESS_KINDS, Fleet
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)
BINDING_SECONDS = 600
_CHANNEL = "wechat"
_RANDOM, _SIGNATURE = 32, 32


async def begin_binding(rt: Runtime, fleet: Fleet, token_hash: bytes, *, back: str) -> str | None:
    """The provider's page for the person of a verified visit, which sends her on to `back`; None if there is
    nobody to bind. Raises Unavailable without an account that offers it."""
    gateway = await rt.db.fetch_one(SQL["pick_gateway"], {"channel": _CHANNEL})
    person = await rt.db.fetch_one(SQL["person_of_visit"], {"token_hash": token_hash})
    if gateway is None:
        raise Unavailable("没有可用的微信公众号，请先在设置中添加网关")
    if person is None or person["person_id"] is None:
        return None
    try:
        adapter = await fleet.adapter(gateway["id"])
    except GatewayError as error:
        raise Unavailable(f"微信公众号暂时无法使用：{error.message}") from error
    vault = open_vault(rt.settings)
    state = _make_state(vault)
    row = {"state": _hash(vault, state), "token_hash": token_hash, "person_id": person["person_id"]}
    row |= {"gateway_id": gateway["id"], "seconds": BINDING_SECONDS}
    async with rt.db.begin() as conn:
        await conn.execute(SQL["forget"])
        await conn.execute(SQL["begin"], row)
    return adapter.login_page(back, state)


async def take_binding(rt: Runtime, fleet: Fleet, state: str, code: str) -> bool:
    """She is back: exchange the code and keep who she is there. False for a state that is not ours, was used
    or has run out, and for a code that the provider refuses."""
    vault = open_vault(rt.settings)
    if not _is_signed(vault, state) or not code:
        return False
    keys = {"state": _hash(vault, state)}
    row = await rt.db.fetch_one(SQL["take"], keys)
    if row is None:
        return False
    try:
        address = await (await fleet.adapter(row["gateway_id"])).read_login(code)
    except GatewayError as error:
        get_log().warning("binding.refused", gateway=row["gateway_id"], code=error.code)
        return False
    sealed = vault.encrypt("address_binding", "value_enc", row["gateway_id"], address)
    await rt.db.execute(SQL["keep"], {**keys, "value": sealed})
    return True


async def confirm_binding(rt: Runtime, state: str, token_hash: bytes) -> bool:
    """Bind, in one transaction, for the visit that began it and for no other."""
    vault = open_vault(rt.settings)
    if not _is_signed(vault, state):
        return False
    async with rt.db.begin() as conn:
        keys = {"state": _hash(vault, state), "token_hash": token_hash}
        row = await (await conn.execute(SQL["confirm"], keys)).fetchone()
        if row is None:
            return False
        address = vault.decrypt("address_binding", "value_enc", row["gateway_id"], row["value_enc"])
        await _bind(conn, vault, row["person_id"], address)
    get_log().info("binding.confirmed", gateway=row["gateway_id"])
    return True


async def _bind(conn: Connection, vault: Vault, person_id: int, address: str) -> None:
    person = {"person_id": person_id, "kind": ADDRESS_KINDS[_CHANNEL]}
    place = await (await conn.execute(SQL["address_id"], person)).fetchone()
    assert place is not None
    bidx = vault.blind_index(f"address.{person['kind']}", address)
    sealed = vault.encrypt("address", "value_enc", place["id"], address)
    own = {"id": place["id"], "value": sealed, "bidx": bidx, "dest": vault.dest(bidx)}
    await conn.execute(SQL["bind"], person | own)
    rows = await (await conn.execute(SQL["households_of"], {"person_id": person_id})).fetchall()
    households = BitMap([row["taxpayer_id"] for row in rows])
    await change_sets(conn, {reach_key(_CHANNEL): (households, BitMap())}, source="binding")


def _make_state(vault: Vault) -> str:
    drawn = secrets.token_hex(_RANDOM // 2)
    return drawn + _sign(vault, drawn)


def _is_signed(vault: Vault, state: str) -> bool:
    drawn, signature = state[:_RANDOM], state[_RANDOM:]
    return (
        len(state) == _RANDOM + _SIGNATURE
        and state.isascii()
        and hmac.compare_digest(_sign(vault, drawn), signature)
    )


def _sign(vault: Vault, drawn: str) -> str:
    return vault.keyed_hash("binding.signature").digest(drawn.encode()).hex()[:_SIGNATURE]


def _hash(vault: Vault, state: str) -> bytes:
    return vault.keyed_hash("binding.state").digest(state.encode())
