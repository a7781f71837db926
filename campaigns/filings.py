"""Steps that no account could send, because the provider has not filed what they say."""

from collections.abc import Sequence
from dataclasses import dataclass

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput
from outreach.labels.keys import CHANNEL_NAMES
from outreach.ledger.gateways import FILED_ONLY

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Unfiled:
    """A step and the accounts of its channel, all of which want its template filed first."""

    round: str
    step: int
    channel: str
    template: str
    accounts: Sequence[str]

    @property
    def place(self) -> str:
        """Where the step stands, for staff."""
        channel = CHANNEL_NAMES.get(self.channel, self.channel)
        return f"轮次「{self.round}」第 {self.step + 1} 级（{channel}）"

    @property
    def reason(self) -> str:
        """What is missing and what to do, for staff."""
        accounts = "、".join(f"「{name}」" for name in self.accounts)
        return (
            f"的模板「{self.template}」还没有在网关账号{accounts}报备，发不出去。"
            "请在模板页的「运营商报备」填写编号，或者换一个已报备的模板"
        )


async def find_unfiled(
    conn: Connection, *, campaign_id: int | None = None, round_id: int | None = None
) -> list[Unfiled]:
    """The unfiled steps of a campaign or of one round; a channel without an account in service has none."""
    keys = {"campaign_id": campaign_id, "round_id": round_id, "filed_only": FILED_ONLY}
    cursor = await conn.execute(SQL["unfiled"], keys)
    return [Unfiled(**row) for row in await cursor.fetchall()]


async def refuse_unfiled(conn: Connection, campaign_id: int) -> None:
    """Raises InvalidInput, with every such step at its place, if a campaign has one."""
    found = await find_unfiled(conn, campaign_id=campaign_id)
    if found:
        listed = [{"field": one.place, "reason": one.reason} for one in found]
        said = "；".join(f"{one.place}{one.reason}" for one in found[:3])
        raise InvalidInput(f"{said}。", field="filing", faults=listed)
