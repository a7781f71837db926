"""Ratings (好差评, 国办发〔2019〕51号): online one matter is one rating, on the spot one visit is one.

Five levels; below 3 asks why and opens a ticket that is called back within five working days.
"""

from collections.abc import Sequence

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import InvalidInput, NotFound
from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.service.places import Place
from outreach.service.tickets import NewTicket, Opened, open_tickets
from outreach.service.visitors import Visit

_SQL = load_queries(__file__)
LEVELS = {5: "非常满意", 4: "满意", 3: "基本满意", 2: "不满意", 1: "非常不满意"}
BAD = 3
"""Below it a rating is bad."""
REASONS = {
    "attitude": "服务态度不好",
    "slow": "等候或办理时间太长",
    "unclear": "没有一次讲清楚",
    "wrong": "内容或数据不对",
    "trouble": "流程麻烦、反复跑",
    "disturbing": "打扰太多",
    "other": "其他",
}


async def keep_rating(rt: Runtime, taxpayer_id: int, statement_id: int, stars: int) -> None:
    """Keep a household's rating of a statement; the last one counts, and a bad one opens a ticket."""
    keys = {"taxpayer_id": taxpayer_id, "statement_id": statement_id, "stars": stars}
    async with rt.db.begin() as conn:
        row = await (await conn.execute(_SQL["keep_rating"], keys)).fetchone()
        assert row is not None
        if stars < BAD:
            ticket = NewTicket(
                "bad_rating",
                "page",
                row["org_id"],
                _said(stars, [], "", "账单"),
                taxpayer_id=taxpayer_id,
                person_id=row["person_id"],
                rating_id=row["id"],
            )
            await open_tickets(conn, open_vault(rt.settings), [ticket], "taxpayer")


async def rate_round(
    rt: Runtime, visit: Visit, n: int, stars: int, reasons: Sequence[str], note: str
) -> Opened | None:
    """Rate the message that brought the visitor; the last word counts. The ticket of a bad rating, else None.

    Raises InvalidInput, NotFound for a visit that no round brought.
    """
    _check(stars, reasons)
    if visit.round_id is None:
        raise NotFound("没有可以评价的事项。")
    household = visit.household(n)
    async with rt.db.begin() as conn:
        keys = {"taxpayer_id": household.id, "round_id": visit.round_id, "stars": stars}
        row = await (await conn.execute(_SQL["keep_of_round"], {**keys, "reasons": list(reasons)})).fetchone()
        assert row is not None
        ticket = NewTicket(
            "bad_rating",
            "page",
            household.org_id,
            _said(stars, reasons, note, "消息和办理"),
            taxpayer_id=household.id,
            person_id=visit.person_id,
            rating_id=row["id"],
        )
        return await _follow_up(rt, conn, ticket, stars)


async def rate_place(
    rt: Runtime, place: Place, stars: int, reasons: Sequence[str], note: str, contact: str
) -> Opened | None:
    """Rate a hall, window or person after a visit there; the ticket of a bad rating, else None. Raises
    InvalidInput."""
    _check(stars, reasons)
    async with rt.db.begin() as conn:
        params = {"place_id": place.id, "stars": stars, "reasons": list(reasons)}
        row = await (await conn.execute(_SQL["keep_of_place"], params)).fetchone()
        assert row is not None
        ticket = NewTicket(
            "bad_rating",
            "scan",
            place.org_id,
            _said(stars, reasons, note, place.name),
            contact,
            place_id=place.id,
            rating_id=row["id"],
        )
        return await _follow_up(rt, conn, ticket, stars)


async def _follow_up(rt: Runtime, conn: Connection, ticket: NewTicket, stars: int) -> Opened | None:
    if stars >= BAD:
        return None
    opened = await open_tickets(conn, open_vault(rt.settings), [ticket], "taxpayer")
    return opened[0] if opened else None


def _check(stars: int, reasons: Sequence[str]) -> None:
    if stars not in LEVELS:
        raise InvalidInput("请选择一个评价。", field="stars")
    if not set(reasons) <= REASONS.keys():
        raise InvalidInput("没有这样的原因。", field="reasons")


def _said(stars: int, reasons: Sequence[str], note: str, what: str) -> str:
    why = "、".join(REASONS[code] for code in reasons)
    head = f"对{what}的评价：{LEVELS[stars]}"
    return "\n".join(part for part in (f"{head}（{why}）" if why else head, note.strip()) if part)
