"""What pages show of rounds: balance bars, ladders, sentences of state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outreach.ledger.reasons import REASONS
from outreach.ledger.states import SENT, State
from outreach.web.console.pieces import Balance, Part, Rung, message_balance
from outreach.web.console.wording import ROUND_STATES, moment, number, span
from outreach.web.reads.figures import RoundFigures

EXCLUSION_WHY: dict[str, str] = {
    "already_done": "编排时已经符合「已办结」条件，再提醒就是打扰。",
    "disputed": "有异议申诉在处理，处理完以前停止一切提醒。",
    "exempt": "按规定不需要办理，例如补税不超过 400 元或年收入不超过 12 万元。",
    "opted_out": "已拒收本渠道、全部渠道或这一类内容的宣传消息；法定提醒不受影响。",
    "held_out": "随机留出的对照组，不发送，用来衡量提醒到底有没有用。",
    "contacted_recently": "近期各活动合计的提醒次数已到上限。",
    "other_way": "只有普通短信一级，而本人使用蒙古文：请在阶梯里加富媒体、电话或上门。",
    "no_role": "没有人登记为活动所选的身份，或者其联系方式这一轮都用不上；其他身份的人不会收到。"
    "可补录人员，或在活动的「发给谁」里再选一个身份。",
    "no_address": "没有任何一级渠道的可用联系方式，已列入联系盲区，可转电话或上门。",
}
_STYLES = 7
_SPOKEN = ("call", "visit")
_NOTHING_HANDED: Mapping[tuple[int, int], Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True)
class RoundShow:
    """A round as a page shows it. `households` are planned; `remaining` is about how many messages are still
    to leave (messages go to persons, so it is exact only where each looks after one household); `sent` have
    left, or may have."""

    row: dict[str, Any]
    state_word: str
    people: Balance | None
    messages: Balance
    rungs: tuple[Rung, ...]
    sentence: str
    households: int
    remaining: int
    sent: int


def audience_balance(figures: RoundFigures, round_id: int | None, title: str = "受众") -> Balance:
    """Audience = planned + exclusions, in households; each part of a frozen round opens its list."""
    href = f"/console/rounds/{round_id}/households?set=" if round_id is not None else ""
    parts = [Part("列入发送", figures.planned, "planned", href and f"{href}planned")]
    for index, (reason, size) in enumerate(figures.exclusions):
        style = f"out-{index % _STYLES + 1}"
        name = REASONS.get(reason, reason)
        parts.append(Part(name, size, style, href and f"{href}{reason}", EXCLUSION_WHY.get(reason, "")))
    return Balance(title, figures.audience, "户", tuple(parts))


def combined_balance(all_figures: Sequence[RoundFigures]) -> Balance:
    """The audiences of several rounds in household-times, summed reason by reason."""
    sums: dict[str, int] = {}
    for figures in all_figures:
        for reason, size in figures.exclusions:
            sums[reason] = sums.get(reason, 0) + size
    parts = [Part("列入发送", sum(f.planned for f in all_figures), "planned")]
    for index, (reason, size) in enumerate(sums.items()):
        style = f"out-{index % _STYLES + 1}"
        parts.append(Part(REASONS.get(reason, reason), size, style, "", EXCLUSION_WHY.get(reason, "")))
    return Balance("各轮受众合计", sum(f.audience for f in all_figures), "户次", tuple(parts))


def show_round(
    row: dict[str, Any],
    steps: Sequence[dict[str, Any]],
    figures: RoundFigures | None,
    counts: Mapping[tuple[int, int], Mapping[int, int]],
    handed: Mapping[tuple[int, int], Mapping[str, int]] = _NOTHING_HANDED,
) -> RoundShow:
    """Everything that a page says about one round. `handed`: households at rungs of calls and visits."""
    href = f"/console/messages?round={row['id']}"
    totals: dict[int, int] = {}
    for step in steps:
        for state, n in counts.get((row["id"], step["step"]), {}).items():
            totals[state] = totals.get(state, 0) + n
    rungs = tuple(
        _spoken(step, handed.get((row["id"], step["step"]), {}))
        if step["channel"] in _SPOKEN
        else _rung(row["id"], step, counts.get((row["id"], step["step"]), {}))
        for step in steps
    )
    people = audience_balance(figures, row["id"]) if figures else None
    messages = message_balance(totals, href=href)
    households = figures.planned if figures else 0
    remaining = max(households - messages.whole, 0) + totals.get(State.PLANNED, 0)
    sentence = sentence_of(row, figures, totals)
    is_listening = row["state"] == "scheduled" and row.get("trigger")
    word = "等候事件" if is_listening else ROUND_STATES[row["state"]]
    sent = sum(totals.get(int(state), 0) for state in SENT)
    return RoundShow(row, word, people, messages, rungs, sentence, households, remaining, sent)


def sentence_of(row: dict[str, Any], figures: RoundFigures | None, totals: Mapping[int, int]) -> str:
    """One sentence: where a round stands."""
    if row["state"] == "scheduled" or figures is None:
        kind = "起等候事件，事件一到就发" if row.get("trigger") else "开始"
        return f"{moment(row['starts_at'])} {kind}，{moment(row['ends_at'])} 前有效。"
    sent = sum(totals.get(int(s), 0) for s in (State.ACCEPTED, State.DELIVERED, State.FAILED, State.READ))
    arrived = totals.get(State.DELIVERED, 0) + totals.get(State.READ, 0)
    words = f"列入 {number(figures.planned)} 户，已发 {number(sent)} 条，送达 {number(arrived)} 条"
    if totals.get(State.UNKNOWN):
        words += f"，结果未知 {number(totals[State.UNKNOWN])} 条"
    if row["state"] in ("running", "paused"):
        return f"{words}；窗口到 {moment(row['ends_at'])} 为止。"
    return f"{words}；{moment(row['finished_at'])} 结束。"


def _spoken(step: dict[str, Any], counts: Mapping[str, int]) -> Rung:
    href = f"/console/service/tasks?kind={step['channel']}&state="
    parts = (
        Part("已告知或办结", counts.get("done", 0), "state-delivered", f"{href}closed"),
        Part("办理中", counts.get("open", 0), "state-accepted", f"{href}open"),
        Part("已终止", counts.get("given_up", 0), "state-failed", f"{href}closed"),
    )
    shown = tuple(part for part in parts if part.count)
    whole = counts.get("counted", 0)
    return Rung(
        step["step"],
        step["channel"],
        step["template_id"],
        step["template_name"],
        span(step["wait"]) if step["wait"] else "",
        step["state"],
        Balance(f"第 {step['step'] + 1} 级", whole, "户", shown),
        counts.get("done", 0),
        counts.get("given_up", 0),
        counts.get("open", 0),
    )


def _rung(round_id: int, step: dict[str, Any], counts: Mapping[int, int]) -> Rung:
    href = f"/console/messages?round={round_id}&step={step['step']}"
    balance = message_balance(counts, title=f"第 {step['step'] + 1} 级", href=href)
    return Rung(
        step["step"],
        step["channel"],
        step["template_id"],
        step["template_name"],
        span(step["wait"]) if step["wait"] else "",
        step["state"],
        balance,
        counts.get(State.DELIVERED, 0) + counts.get(State.READ, 0),
        counts.get(State.FAILED, 0),
        counts.get(State.PLANNED, 0) + counts.get(State.ACCEPTED, 0),
    )
