"""Test sends: staff look at a round's real texts on their own phones before taxpayers do.

The values are those of a real person of the round with the names masked; nothing of it is counted anywhere
in the round.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from campaigns.forecast import forecast
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotFound, Unavailable
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.vault import open_vault
from outreach.imports.contacts import normal_mobile
from outreach.imports.numbers import FINE
from outreach.labels.cache import SetCache
from outreach.ledger.direct import send_test
from outreach.ledger.gateways import ADDRESS_KINDS, Fleet
from outreach.registry.people import ADDRESS_CHECKS, ADDRESS_TITLES, CASELESS_KINDS
from outreach.registry.search import mask_address, mask_name
from outreach.runtime import Runtime

SQL = load_queries(__file__)

MOST = 20
"""Addresses that a unit may list: a test is a look, not a send."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one test message; `reason` where it was not taken."""

    step: int
    channel: str
    name: str
    taken: bool
    reason: str = ""


async def add_address(rt: Runtime, actor: Actor, *, name: str, kind: str, value: str) -> int:
    """List an address of staff of the unit acted in; its id. Raises InvalidInput, Conflict."""
    if kind not in ADDRESS_TITLES:
        raise InvalidInput("请选择一种联系方式", field="kind")
    plain = normal_mobile(value.strip()) if kind == "mobile" else value.strip()
    plain = plain.lower() if kind in CASELESS_KINDS else plain
    if not plain or ADDRESS_CHECKS[kind]([plain])[0] != FINE:
        raise InvalidInput(f"{ADDRESS_TITLES[kind]}不对，请核对后重新填写", field="value")
    if not 1 <= len(name.strip()) <= 40:
        raise InvalidInput("请写明是谁，1 到 40 个字", field="name")
    vault = open_vault(rt.settings)
    async with rt.db.begin() as conn:
        keys = {"org_id": actor.org_id, "kind": kind, "bidx": vault.blind_index(f"address.{kind}", plain)}
        listed = await (await conn.execute(SQL["count_addresses"], {"org_id": actor.org_id})).fetchone()
        assert listed is not None
        if listed["n"] >= MOST:
            raise Conflict(f"试发名单最多 {MOST} 个，请先删去不用的")
        row = await (await conn.execute(SQL["next_address"])).fetchone()
        assert row is not None
        sealed = vault.encrypt("test_address", "value_enc", row["id"], plain)
        more = {"id": row["id"], "name": name.strip(), "value_enc": sealed, "by": actor.name}
        if await (await conn.execute(SQL["add_address"], {**keys, **more})).fetchone() is None:
            raise Conflict("这个联系方式已经在试发名单里")
        await append_audit(conn, actor, "test_address.add", f"test_address:{row['id']}", {"kind": kind})
        return int(row["id"])


async def drop_address(rt: Runtime, actor: Actor, address_id: int) -> None:
    """Take an address off the unit's list. Raises NotFound."""
    async with rt.db.begin() as conn:
        keys = {"org_id": actor.org_id, "id": address_id}
        if await (await conn.execute(SQL["drop_address"], keys)).fetchone() is None:
            raise NotFound("试发名单里没有这一个。")
        await append_audit(conn, actor, "test_address.drop", f"test_address:{address_id}")


async def list_addresses(rt: Runtime, conn: Connection, actor: Actor) -> list[dict[str, Any]]:
    """The unit's list, masked: `id`, `name`, `kind`, `value`."""
    vault = open_vault(rt.settings)
    rows = await (await conn.execute(SQL["addresses"], {"org_id": actor.org_id})).fetchall()
    return [
        {
            "id": row["id"],
            "name": row["name"],
            "kind": row["kind"],
            "value": mask_address(row["kind"], _opened(vault, row)),
        }
        for row in rows
    ]


async def send_tests(
    rt: Runtime, cache: SetCache, fleet: Fleet, actor: Actor, round_id: int, chosen: Sequence[int]
) -> list[Tried]:
    """Send every rung's text to the chosen addresses of the unit that its channel reaches. Raises NotFound
    without such an address, Conflict where nobody could get the texts."""
    async with rt.db.begin() as conn:
        told = await forecast(rt, conn, cache, round_id)
        rungs = await (await conn.execute(SQL["rungs"], {"round_id": round_id})).fetchall()
        keys = {"org_id": actor.org_id, "ids": list(chosen)}
        rows = await (await conn.execute(SQL["addresses_chosen"], keys)).fetchall()
        detail = {"addresses": [row["id"] for row in rows]}
        await append_audit(conn, actor, "round.test_send", f"round:{round_id}", detail)
    samples = {rung.step: rung.samples[0] for rung in told.rungs if rung.samples}
    pairs = [
        (rung, row) for rung in rungs for row in rows if ADDRESS_KINDS.get(rung["channel"]) == row["kind"]
    ]
    if not pairs:
        raise NotFound("请至少选一个本轮渠道能用的联系方式。")
    if not samples:
        raise Conflict("现在没有人符合条件，没有可以用来试发的真实数据")
    return [
        await _try(rt, fleet, rung, row, samples[rung["step"]].values)
        for rung, row in pairs
        if rung["step"] in samples
    ]


async def _try(
    rt: Runtime, fleet: Fleet, rung: Mapping[str, Any], row: Mapping[str, Any], values: Mapping[str, Any]
) -> Tried:
    step, channel, address = rung["step"], rung["channel"], _opened(open_vault(rt.settings), row)
    try:
        taken = await send_test(
            rt, fleet, version_id=rung["version"], channel=channel, address=address, values=masked(values)
        )
    except (Unavailable, InvalidInput) as error:
        return Tried(step, channel, row["name"], False, error.message)
    return Tried(step, channel, row["name"], taken, "" if taken else "网关没有接收")


def masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """A sample's values without its names."""
    names = {key: mask_name(values[key]) for key in ("name", "taxpayer") if values.get(key)}
    return {**values, **names, "taxpayers": [mask_name(name) for name in values["taxpayers"]]}


def _opened(vault: Any, row: Mapping[str, Any]) -> str:
    return str(vault.decrypt("test_address", "value_enc", row["id"], row["value_enc"]))
