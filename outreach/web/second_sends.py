"""To send unknown messages once more, as the console and the API do it: the check of scope, the deed, and its
line in the audit chain."""

from collections.abc import Mapping
from typing import Any

from outreach.errors import NotAllowed
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.ledger.second_sends import ask_second_send, decide_second_send
from outreach.runtime import Runtime

_ABOVE = "这个轮次由上级机构管理，在这里只能查看。"


async def ask_again(
    rt: Runtime, actor: Actor, round: Mapping[str, Any], gateway_id: int | None, note: str
) -> tuple[int, int]:
    """Ask for it; the id of the question and how many messages are meant. Raises NotAllowed, Conflict,
    InvalidInput."""
    if not round["is_own"]:
        raise NotAllowed(_ABOVE)
    async with rt.db.begin() as conn:
        keys = {"round_id": round["id"], "path": actor.org_path, "gateway_id": gateway_id}
        asked, n = await ask_second_send(conn, note=note, by=actor.name, **keys)
        detail = {"question": asked, "messages": n, "gateway": gateway_id}
        await append_audit(conn, actor, "second_send.ask", f"round:{round['id']}", detail)
    return asked, n


async def decide_again(
    rt: Runtime, actor: Actor, round: Mapping[str, Any], asked: int, *, approve: bool
) -> None:
    """Decide as the second person. Raises NotAllowed for the one who asked, NotFound, Conflict."""
    if not round["is_own"]:
        raise NotAllowed(_ABOVE)
    async with rt.db.begin() as conn:
        row = await decide_second_send(conn, asked, round_id=round["id"], approve=approve, by=actor.name)
        verb = "approve" if approve else "decline"
        detail = {"question": asked, "messages": row["n"]}
        await append_audit(conn, actor, f"second_send.{verb}", f"round:{round['id']}", detail)
