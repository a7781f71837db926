"""Yearly bills: the documents that every household gets (issue.py issues all kinds)."""

from collections.abc import Mapping, Sequence
from datetime import date

from outreach.runtime import Runtime
from outreach.statements.freezing import document_number
from outreach.statements.issue import Issued, Progress, issue_documents

__all__ = ["Issued", "document_number", "issue_yearly_bills"]


async def issue_yearly_bills(
    rt: Runtime,
    year: int,
    *,
    scope_org_id: int,
    taxpayer_ids: Sequence[int] | None = None,
    by: str = "system",
    reason: str = "",
    deadlines: Mapping[int, date] | None = None,
    progress: Progress | None = None,
    processes: int = 1,
) -> Issued:
    """`issue_documents` of the kind `yearly_bill`."""
    return await issue_documents(
        rt,
        "yearly_bill",
        year,
        scope_org_id=scope_org_id,
        taxpayer_ids=taxpayer_ids,
        by=by,
        reason=reason,
        deadlines=deadlines,
        progress=progress,
        processes=processes,
    )
