"""Links of a campaign revoked, as the console and the API do it: the check of scope, the deed beside the
requests, and its lines in the audit chain."""

import asyncio
from collections.abc import Mapping
from typing import Any

from outreach.errors import InvalidInput, NotAllowed
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.logs import get_log
from outreach.runtime import Runtime
from outreach.statements.links import revoke_campaign

LONGEST_REASON = 200
_ABOVE = "这个活动由上级机构管理，在这里只能查看。"


def check_own(campaign: Mapping[str, Any]) -> None:
    """Raises NotAllowed for a campaign of a unit above."""
    if not campaign["is_own"]:
        raise NotAllowed(_ABOVE)


class Revocations:
    """What this process revokes. Links that a process left alive are revoked by asking again."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, actor: Actor, campaign: Mapping[str, Any], reason: str) -> None:
        """Begin to revoke all links of a campaign as `find_campaign` returns it. Raises NotAllowed for one of
        a unit above, InvalidInput without a reason."""
        check_own(campaign)
        why = reason.strip()
        if not 1 <= len(why) <= LONGEST_REASON:
            raise InvalidInput(f"请写明为什么作废，最多 {LONGEST_REASON} 字。", field="reason")
        async with self._rt.db.begin() as conn:
            await append_audit(conn, actor, "links.revoke", f"campaign:{campaign['id']}", {"reason": why})
        task = asyncio.create_task(self._run(actor, campaign["id"]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for what runs."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, actor: Actor, campaign_id: int) -> None:
        try:
            revoked = await revoke_campaign(self._rt, campaign_id)
            async with self._rt.db.begin() as conn:
                detail = {"links": revoked}
                await append_audit(conn, actor, "links.revoked", f"campaign:{campaign_id}", detail)
        except Exception as error:
            get_log().error("links.troubled", campaign=campaign_id, exc_info=error)
