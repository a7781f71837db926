"""Why a message was sent: for everybody the reason of its kind, for its receiver the rule of the round."""

from collections.abc import Mapping
from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import OutreachError
from outreach.labels.rule_words import tell_rule
from outreach.runtime import Runtime
from outreach.web.public_types import Explanation

_SQL = load_queries(__file__)

REASONS: Mapping[str, str] = {
    "policy_push": "按税务机关掌握的信息，您或您负责的户可能适用这项政策。",
    "do_it_reminder": "按税务机关掌握的信息，您或您负责的户可能有事项需要办理。",
    "statutory_deadline": "按税务机关掌握的信息，您或您负责的户可能有事项须在法定期限内办理。",
    "overdue": "按税务机关掌握的信息，您或您负责的户可能有事项已过法定期限、尚未办理。",
    "correct_it": "按税务机关掌握的信息，您或您负责的户可能有数据需要核对或者更正。",
    "arrived": "您或您负责的户有事项已经办结或到账，特此告知。",
    "bill": "税务机关为您或您负责的户出具了账单、政策大礼包等文书，特此告知。",
    "survey": "税务机关想听取纳税人的意见，您或您负责的户在邀请之列。",
    "rating": "您或您负责的户接受过税务机关的服务，请您评价。",
    "ticket_progress": "您提交的事项有了进展。",
    "invitation": "税务机关邀请您或您负责的户预约办理或参加培训。",
    "confirmation": "有事项需要您或您负责的户确认。",
    "warning_case": "税务机关向纳税人公布典型案例，提示风险。",
    "emergency": "有影响办税的紧急情况需要尽快告知。",
    "document_served": "有税务文书已向您或您负责的户送达，这条消息只作提醒。",
    "staff_notice": "这是发给税务工作人员的内部通知。",
    "report_due": "您或您负责的户有事项即将到报送期限。",
}
"""Why a message of a kind is sent: true of every round of the kind, and tells nothing of its receiver."""


async def explain_code(rt: Runtime, code: str) -> Explanation | None:
    """What anybody may know by the code of a message; None where there is none such."""
    row = await rt.db.fetch_one(_SQL["by_code"], {"code": code})
    return _explanation(row, REASONS[row["kind"]]) if row else None


async def explain_link(rt: Runtime, link: bytes) -> Explanation | None:
    """Why the message of a verified visit's link was sent; None for a link that no message brought."""
    async with rt.db.begin() as conn:
        row = await (await conn.execute(_SQL["by_link"], {"hash": link})).fetchone()
        return _explanation(row, await _reason(conn, row)) if row else None


async def _reason(conn: Connection, row: Mapping[str, Any]) -> str:
    try:
        rule = await tell_rule(conn, row["expression"] or "everyone", row["org_id"])
    except OutreachError:
        # A label or a unit that the rule names is gone.
        rule = ""
    told = [REASONS[row["kind"]]]
    if rule:
        told.append(f"这一轮发给符合以下条件的户：{rule}。发送时，您或您负责的户在其中。")
    if row["spares_done"]:
        told.append("发出前已经办结的户不会收到。")
    return "".join(told)


def _explanation(row: Mapping[str, Any], reason: str) -> Explanation:
    return Explanation(row["bureau"], row["purpose"], row["legal_basis"], reason, row["started_at"])
