"""A town whose SMS go out over CMPP or SMPP to a simulated gateway, and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from campaigns.templates import save_template
from channels.gateways.base import Faults
from channels.gateways.cmpp import CmppSimulator
from channels.gateways.smpp import SmppSimulator
from outreach.ledger.gateways import GatewayDraft, save_gateway
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town

SHORT = "{{ taxpayers|list(3) }}：{{ tax_year }}年度汇算尚未办理，请登录个人所得税APP办理。"
LONG = (
    SHORT
    + "如已办理请忽略。汇算期截至六月三十日，逾期可能产生滞纳金，请合理安排时间，错峰办理，避免集中拥堵。" * 3
)


CREDENTIALS: dict[str, dict[str, Any]] = {
    "cmpp": {"sp_id": "900001", "secret": "888888", "source": "10690012366", "service_id": "TAX"},
    "smpp": {"system_id": "taxbureau", "password": "secret08", "source": "10690012366"},
}


@dataclass
class LineStage:
    """The gateway and the id of the account there."""

    simulator: CmppSimulator | SmppSimulator
    gateway_id: int

    def booked(self) -> list[str]:
        """The number of every text that the gateway holds, in order."""
        return [entry.address for entry in self.simulator.books.entries]


@asynccontextmanager
async def line_town(
    rt: Runtime,
    count: int,
    *,
    adapter: str = "cmpp",
    text: str = SHORT,
    faults: Faults | None = None,
    rate: float = 100_000,
    config: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[LineStage]:
    """`count` households, a template, one account."""
    await town.settle_town(rt, town.households(count))
    await save_template(
        rt, "editor", code="remind", name="提醒", channel="sms", content={"text": text}, org_id=town.PROVINCE
    )
    await town.set_clock(rt, town.START)
    kinds = {"cmpp": CmppSimulator, "smpp": SmppSimulator}
    simulator = kinds[adapter](faults, **options)
    where = await simulator.start()
    settings = {
        "host": "127.0.0.1",
        "port": int(where.rpartition(":")[2]),
        "connections": 2,
        "timeout": 20.0,
        **CREDENTIALS[adapter],
        **(config or {}),
    }
    draft = GatewayDraft("长连接·短信", adapter, settings, rate, 1000, quiet_seconds=1.0)
    async with rt.db.begin() as conn:
        gateway_id = await save_gateway(conn, rt.settings, draft)
    try:
        yield LineStage(simulator, gateway_id)
    finally:
        await simulator.stop()


async def counts(rt: Runtime) -> dict[State, int]:
    """Messages by state."""
    return {State(state): n for state, n in (await town.states(rt)).items()}
