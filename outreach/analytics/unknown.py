"""Messages of which nobody can tell whether the gateway took them: never hidden, each with a reason."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from outreach.db.sql import parse_queries
from outreach.runtime import Runtime

_SQL = parse_queries(Path(__file__).with_name("report.sql"))


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """One of them. `code` is the last word of the gateway or of the connection, None after a crash of ours;
    `not_before` is when it will be looked into again, None if only a receipt or a person can decide."""

    id: int
    round_id: int
    step: int
    gateway: str
    code: str | None
    at: datetime
    tries: int
    not_before: datetime | None

    @property
    def reason(self) -> str:
        """Why it is unknown and what happens next, for staff."""
        why = f"网关没有给出明确答复（{self.code}）" if self.code else "发送进程在提交途中中断"
        then = "系统会再核实，核实前不会重发" if self.not_before else "只能等回执或由人工决定，系统不会重发"
        return f"{why}；{then}。"


async def list_unknown(
    rt: Runtime, campaign_id: int, scope_org_id: int, *, after: int = 0, limit: int
) -> list[UnknownMessage]:
    """Unknown messages of a campaign within the scope in the order of their ids, from the one after `after`.

    The caller has found the campaign visible.
    """
    params = {"campaign_id": campaign_id, "scope": scope_org_id, "after": after, "limit": limit}
    return [UnknownMessage(**row) for row in await rt.db.fetch(_SQL["unknown_messages"], params)]
