"""The timeline of a household: labels that came and went, messages, replies, events, in one list."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pyroaring import BitMap

from outreach.clock import in_beijing
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.keys import CHANNEL_NAMES, TOPICS
from outreach.ledger.reasons import WITHHELD
from outreach.ledger.states import NAMES, State

_SQL = load_queries(__file__)
KINDS = {"label": "标签", "message": "消息", "inbound": "回复", "event": "办理"}
_MOST = 400
_MOST_CHANGES = 4_000
_TONES = {
    State.DELIVERED: "good",
    State.READ: "good",
    State.FAILED: "bad",
    State.UNKNOWN: "unknown",
    State.WITHHELD: "warn",
}
_INBOUND = {
    "text": "回复了消息",
    "suggestion": "点了按钮",
    "follow": "关注了公众号",
    "unfollow": "取消了关注",
    "unsubscribe": "退订",
    "complaint": "投诉",
}
EVENTS = {
    "filed": "完成申报",
    "paid": "完成缴款",
    "refund_submitted": "提交退税申请",
    "refund_failed": "退税未成功",
    "review_rejected": "审核不通过",
    "refund_done": "退税办结",
    "disputed": "提出异议",
    "dispute_closed": "异议处理完毕",
    "page_stay": "停留在办理页面",
    "first_invoice": "首次开票",
    "credit_changed": "信用等级变化",
    "deferral_maturing": "缓缴即将到期",
    "yearly_bill_ready": "年度账单有新版",
    "benefit_bill_ready": "红利账单有新版",
    "gift_pack_ready": "政策大礼包有新版",
    "checkup_ready": "体检报告有新版",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One line: when, which kind, an icon with its tone, what happened, where it leads."""

    at: datetime
    kind: str
    icon: str
    tone: str
    text: str
    more: str = ""
    href: str = ""

    @property
    def word(self) -> str:
        """The kind as a word."""
        return KINDS[self.kind]


async def timeline_of(conn: Connection, taxpayer_id: int, *, kind: str = "") -> list[Moment]:
    """What happened to a household, newest first, at most a few hundred lines."""
    moments: list[Moment] = []
    if kind in ("", "message"):
        moments += _messages(await _rows(conn, _SQL["messages"], taxpayer_id))
    if kind in ("", "inbound"):
        moments += _inbound(await _rows(conn, _SQL["inbound"], taxpayer_id))
        moments += _refusals(await _rows(conn, _SQL["refusals"], taxpayer_id), taxpayer_id)
    if kind in ("", "event"):
        moments += _events(await _rows(conn, _SQL["events"], taxpayer_id))
    if kind in ("", "label"):
        moments += await _labels(conn, taxpayer_id)
    return sorted(moments, key=lambda moment: moment.at, reverse=True)[:_MOST]


def by_day(moments: Iterable[Moment]) -> list[tuple[datetime, list[Moment]]]:
    """Moments under the first moment of their day, in the given order."""
    days: dict[date, list[Moment]] = {}
    for moment in moments:
        days.setdefault(in_beijing(moment.at).date(), []).append(moment)
    return [(found[0].at, found) for found in days.values()]


async def _rows(conn: Connection, query: str, taxpayer_id: int) -> list[dict[str, Any]]:
    params = {"id": taxpayer_id, "limit": _MOST}
    return await (await conn.execute(query, params)).fetchall()


def _messages(rows: Iterable[dict[str, Any]]) -> Iterator[Moment]:
    for row in rows:
        state = State(row["state"])
        others = len(row["taxpayer_ids"]) - 1
        more = f"同一条消息还提到另外 {others} 户" if others else ""
        text = f"{CHANNEL_NAMES[row['channel']]}「{row['campaign']}」第 {row['ordinal']} 轮：{NAMES[state]}"
        if state is State.WITHHELD and row["code"] in WITHHELD:
            text += f"（{WITHHELD[row['code']]}）"
        href = f"/console/rounds/{row['round_id']}"
        yield Moment(row["at"], "message", row["channel"], _TONES.get(state, "accent"), text, more, href)


def _inbound(rows: Iterable[dict[str, Any]]) -> Iterator[Moment]:
    for row in rows:
        tone = "warn" if row["kind"] in ("unsubscribe", "complaint", "unfollow") else "accent"
        yield Moment(row["at"], "inbound", "inbound", tone, _INBOUND.get(row["kind"], row["kind"]))


def _refusals(rows: Iterable[dict[str, Any]], taxpayer_id: int) -> Iterator[Moment]:
    for row in rows:
        what = (CHANNEL_NAMES | TOPICS)[row["refused"]]
        about = f"「{what}」的宣传" if row["refused"] in TOPICS else f"{what}的宣传"
        source = f"来自 {row['source']}"
        if _holds(row["added"], taxpayer_id):
            yield Moment(row["at"], "inbound", "inbound", "warn", f"不再接收{about}", source)
        elif _holds(row["removed"], taxpayer_id):
            yield Moment(row["at"], "inbound", "inbound", "accent", f"恢复接收{about}", source)


def _events(rows: Iterable[dict[str, Any]]) -> Iterator[Moment]:
    for row in rows:
        more = f"来自 {row['source']}"
        yield Moment(row["at"], "event", "event", "good", EVENTS.get(row["type"], row["type"]), more)


async def _labels(conn: Connection, taxpayer_id: int) -> list[Moment]:
    params = {"id": taxpayer_id, "limit": _MOST_CHANGES}
    rows = await (await conn.execute(_SQL["label_changes"], params)).fetchall()
    found = [(row, _holds(row["added"], taxpayer_id), _holds(row["removed"], taxpayer_id)) for row in rows]
    return [
        Moment(
            row["at"],
            "label",
            "label",
            "accent" if came else "quiet",
            f"{'有了' if came else '不再有'}标签「{_label_word(row)}」",
            f"来自 {row['source']}" + (f"，数据日期 {row['as_of']}" if row["as_of"] else ""),
        )
        for row, came, went in found
        if came or went
    ]


def _holds(blob: bytes | None, taxpayer_id: int) -> bool:
    return blob is not None and taxpayer_id in BitMap.deserialize(bytes(blob))


def _label_word(row: dict[str, Any]) -> str:
    name = row["name"] or row["code"]
    value = row["value"]
    return f"{name}：{(row['options'] or {}).get(value, value)}" if value else str(name)
