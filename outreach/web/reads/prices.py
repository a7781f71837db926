"""What the accounts charge for a part (SMS) or a message (all other channels), in yuan."""

from decimal import Decimal
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit

_SQL = load_queries(__file__)


async def list_prices(conn: Connection) -> list[dict[str, Any]]:
    """Every open account with its price; None where nobody has told it."""
    return await (await conn.execute(_SQL["prices"])).fetchall()


async def set_price(conn: Connection, actor: Actor, gateway_id: int, yuan: Decimal) -> None:
    """Note what an account charges from now on; forecasts use it at once. Raises NotFound."""
    keys = {"gateway_id": gateway_id, "yuan": yuan, "by": actor.name}
    if await (await conn.execute(_SQL["set_price"], keys)).fetchone() is None:
        raise NotFound("没有这个网关。")
    await append_audit(conn, actor, "gateway.price", f"gateway:{gateway_id}", {"yuan": str(yuan)})
