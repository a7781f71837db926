"""Submitted by one, signed by another: the approval of a campaign and what it binds.

draft → in review → approved → running; an emergency is reviewed afterwards (`campaigns.emergency`). The
signature is over a hash (`campaigns.approval_text`) that is computed again when a round starts: if it no
longer fits, nothing is sent and the campaign is in review again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from campaigns.approval_text import Covered, cover, differences
from campaigns.filings import refuse_unfiled
from campaigns.fitting import check_windows
from campaigns.wording_guard import Finding, check_campaign
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotAllowed, NotFound, OutreachError
from outreach.governance.audit import append_audit
from outreach.labels.cache import SetCache
from outreach.ledger.letters import BUILT_IN
from outreach.logs import get_log
from outreach.runtime import Runtime

SQL = load_queries(__file__)

SCHEDULER = "system:scheduler"
"""Who asks for a new signature when an old one no longer fits."""


async def submit_campaign(rt: Runtime, campaign_id: int, by: str, *, note: str = "") -> None:
    """Bind the newest template versions and ask for a signature. Raises Conflict, and InvalidInput with
    `faults` where the wording is refused or a template is not filed, or at `stagger` where a window cannot
    hold everybody."""
    async with rt.db.begin() as conn:
        campaign = await lock_campaign(conn, campaign_id)
        if campaign["state"] != "draft":
            raise Conflict("只有草稿可以提交审批，请刷新页面看它现在的状态")
        await bind_content(conn, campaign_id)
        await check_windows(conn, SetCache(), campaign_id)
        covered = await cover(conn, campaign_id)
        await conn.execute(SQL["enter_review"], {"campaign_id": campaign_id, "by": by})
        await ask_signature(conn, campaign_id, "campaign", by, note, covered)
        detail = {"hash": covered.digest.hex()}
        await append_audit(conn, by, "campaign.submit", f"campaign:{campaign_id}", detail)


async def approve_campaign(rt: Runtime, campaign_id: int, by: str, *, seen: str = "", note: str = "") -> None:
    """Sign exactly what was submitted; its rounds then start by themselves.

    `seen`: the hash that the approver's page showed, in hex. Raises NotAllowed for a maker, Conflict if
    something has changed since it was submitted or shown.
    """
    async with rt.db.begin() as conn:
        campaign = await lock_campaign(conn, campaign_id)
        if campaign["state"] != "in_review":
            raise Conflict("活动不在待审批状态，不能审批")
        refuse_maker(campaign, by)
        review = await open_review(conn, campaign_id, "campaign")
        covered = await cover(conn, campaign_id)
        if covered.digest != bytes(review["hash"]):
            changed = _named(differences(review["covered"], covered.parts))
            raise Conflict(f"提交以后内容有变化：{changed}。请退回，由经办人核对后重新提交")
        if seen and seen != covered.digest.hex():
            raise Conflict("您看到的已不是现在的内容，请刷新页面重新核对后再审批")
        refuse_wording(await look_over(conn, campaign_id))
        keys = {"campaign_id": campaign_id, "by": by, "hash": covered.digest}
        await conn.execute(SQL["approve"], {**keys, "has_started": campaign["has_started"]})
        await decide(conn, campaign_id, "campaign", "approved", by, note)
        detail = {"hash": covered.digest.hex()}
        await append_audit(conn, by, "campaign.approve", f"campaign:{campaign_id}", detail)


async def send_back(rt: Runtime, campaign_id: int, by: str, reason: str) -> None:
    """Refuse to sign, with a reason that stays; the makers may change it. Raises InvalidInput, Conflict."""
    if not reason.strip():
        raise InvalidInput("请写明退回的原因，经办人会看到", field="reason")
    async with rt.db.begin() as conn:
        campaign = await lock_campaign(conn, campaign_id)
        if campaign["state"] != "in_review":
            raise Conflict("活动不在待审批状态，不能退回")
        refuse_maker(campaign, by)
        await decide(conn, campaign_id, "campaign", "sent_back", by, reason.strip())
        await conn.execute(SQL["back_to_draft"], {"campaign_id": campaign_id})
        await append_audit(
            conn, by, "campaign.send_back", f"campaign:{campaign_id}", {"reason": reason.strip()}
        )


async def reopen_draft(conn: Connection, campaign: dict[str, Any], by: str) -> None:
    """Void what was asked for or signed, because a maker changes it. Raises Conflict."""
    if campaign["state"] not in ("draft", "in_review", "approved") or campaign["has_started"]:
        raise Conflict("已经开始的活动不能修改，只能暂停、取消，或者申请延长轮次")
    await decide(conn, campaign["id"], "campaign", "withdrawn", by, "")
    await conn.execute(SQL["withdraw_emergency"], {"campaign_id": campaign["id"], "by": by})
    await conn.execute(SQL["back_to_draft"], {"campaign_id": campaign["id"]})


async def still_binds(conn: Connection, campaign_id: int) -> bool:
    """Whether the signature fits what the campaign says now. If not, it is in review again, with the reason;
    called by whoever is about to start a round, in the same transaction."""
    campaign = await lock_campaign(conn, campaign_id)
    signed = await (await conn.execute(SQL["last_signed"], {"campaign_id": campaign_id})).fetchone()
    before = signed["covered"] if signed else {}
    try:
        covered = await cover(conn, campaign_id)
        if campaign["approved_hash"] is not None and covered.digest == bytes(campaign["approved_hash"]):
            return True
        changed = _named(differences(before, covered.parts))
        note = f"审批后内容有变化：{changed}。轮次没有开始，请重新审批或退回。"
    except OutreachError as error:
        covered = Covered("", before)
        note = f"审批过的条件现在读不出来：{error.message} 轮次没有开始，请退回修改。"
    await conn.execute(SQL["enter_review"], {"campaign_id": campaign_id, "by": campaign["created_by"]})
    if not campaign["has_started"]:
        await conn.execute(SQL["withdraw_emergency"], {"campaign_id": campaign_id, "by": SCHEDULER})
    await ask_signature(conn, campaign_id, "campaign", SCHEDULER, note, covered)
    await append_audit(conn, SCHEDULER, "campaign.void", f"campaign:{campaign_id}", {"reason": note})
    get_log().warning("campaign.void", campaign=campaign_id)
    return False


async def bind_content(conn: Connection, campaign_id: int) -> None:
    """Fix the newest template versions and look them over. Raises Conflict for a template without content,
    InvalidInput with `faults` where the wording is refused or no account has the template filed."""
    await conn.execute(SQL["bind_versions"], {"campaign_id": campaign_id})
    missing = await (await conn.execute(SQL["unbound_steps"], {"campaign_id": campaign_id})).fetchone()
    if missing is not None:
        raise Conflict(f"轮次「{missing['name']}」第 {missing['step'] + 1} 级的模板还没有内容")
    await refuse_unfiled(conn, campaign_id)
    refuse_wording(await look_over(conn, campaign_id))


async def look_over(conn: Connection, campaign_id: int) -> list[Finding]:
    """What the wording guard says about a campaign as it is bound."""
    keys = {"campaign_id": campaign_id}
    head = await (await conn.execute(SQL["head"], keys)).fetchone()
    if head is None:
        raise NotFound("没有这个活动")
    steps = await (await conn.execute(SQL["contents"], keys)).fetchall()
    return [*check_campaign(head, steps), *_without_value(head, steps)]


def _without_value(head: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> list[Finding]:
    known = BUILT_IN.union(head["given"])
    return [
        Finding(
            "variable",
            True,
            f"第 {step['ordinal']} 轮第 {step['step'] + 1} 级「{step['name']}」",
            name,
            "模板要用这个变量，活动没有给它值，消息写不出来",
            f"在「模板变量」里加一行 {name}=……",
        )
        for step in steps
        for name in step["variables"]
        if name not in known
    ]


def refuse_wording(findings: list[Finding]) -> None:
    """Raises InvalidInput, with every fault at its place, if a finding is an error."""
    faults = [finding for finding in findings if finding.is_error]
    if faults:
        listed = [{"field": one.place, "reason": one.sentence} for one in faults]
        said = "".join(f"{one.place}{one.sentence}" for one in faults[:3])
        raise InvalidInput(f"用语检查没有通过：{said}", field="wording", faults=listed)


async def lock_campaign(conn: Connection, campaign_id: int) -> dict[str, Any]:
    """The campaign's state and makers, held until the transaction ends. Raises NotFound."""
    row = await (await conn.execute(SQL["lock_campaign"], {"campaign_id": campaign_id})).fetchone()
    if row is None:
        raise NotFound("没有这个活动")
    return row


async def ask_signature(
    conn: Connection, campaign_id: int, what: str, by: str, note: str, covered: Covered, **extra: Any
) -> None:
    """Write down that somebody asks for a signature over exactly this."""
    keys = {"campaign_id": campaign_id, "what": what, "by": by, "note": note, "hash": covered.digest}
    more = {"covered": Jsonb(covered.parts), "round_id": None, "ends_at": None, **extra}
    await conn.execute(SQL["ask"], {**keys, **more})


async def decide(conn: Connection, campaign_id: int, what: str, decision: str, by: str, reason: str) -> None:
    """Close what waits for a decision, if anything does."""
    keys = {"campaign_id": campaign_id, "what": what, "decision": decision, "by": by, "reason": reason}
    await conn.execute(SQL["decide"], keys)


async def open_review(conn: Connection, campaign_id: int, what: str) -> dict[str, Any]:
    """What waits for a decision. Raises Conflict if nothing does."""
    keys = {"campaign_id": campaign_id, "what": what}
    row = await (await conn.execute(SQL["open_review"], keys)).fetchone()
    if row is None:
        raise Conflict("没有等待审批的内容，请刷新页面")
    return row


def refuse_maker(campaign: dict[str, Any], by: str) -> None:
    """Raises NotAllowed for whoever made, changed or submitted the campaign."""
    if by == campaign["created_by"] or by in campaign["editors"]:
        raise NotAllowed("不能审批自己创建、修改或提交的活动，请由另一位审批人处理")


def _named(changes: list[Any]) -> str:
    return "、".join(change.name for change in changes[:5]) or "内容指纹不一致"
