"""The pieces that make the console ours, as data: the balance bar and the ladder.

A bar is drawn from parts that must sum to its whole. If they do not, the difference is a part of its own,
in red: it is never hidden and never scaled away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from outreach.ledger.states import NAMES, State

WIDTH = 1000.0
_LEAST = 4.0

STATE_STYLES: dict[State, str] = {state: f"state-{state.name.lower()}" for state in State}
STATE_ORDER = (
    State.READ,
    State.DELIVERED,
    State.ACCEPTED,
    State.UNKNOWN,
    State.FAILED,
    State.PLANNED,
    State.WITHHELD,
    State.EXPIRED,
    State.CANCELLED,
)
"""From the best outcome to what never left, the same on every bar."""

STATE_WHY: dict[State, str] = {
    State.PLANNED: "已编入批次，还没有发出。轮次暂停、静默时段或网关限速时会停在这里。",
    State.UNKNOWN: "发出后没有明确答复，不能判断网关是否收下。正在查询，核实前不会重发，避免重复。",
    State.ACCEPTED: "网关已收下，还没有收到回执。",
    State.DELIVERED: "收到了送达回执。",
    State.FAILED: "网关拒收或回执报告失败；如有下一级渠道会自动转入。",
    State.READ: "收到了已读回执，是送达的一部分。",
    State.WITHHELD: "临发送前再次核对时发现已办结、已退订、有异议或疑点不再成立，没有发出。",
    State.EXPIRED: "轮次窗口结束前没有轮到，按规定不再发出。",
    State.CANCELLED: "轮次取消时还没有发出。",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a bar: its word, its number, its style, the list behind it and the sentence behind it."""

    name: str
    count: int
    style: str
    href: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part with its place on a bar of 1,000 units."""

    part: Part
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Balance:
    """A whole and its parts. `unit` is 户 or 条 or 人, never mixed in one bar."""

    title: str
    whole: int
    unit: str
    parts: tuple[Part, ...]

    @property
    def gap(self) -> int:
        """What the parts lack of the whole; negative if they exceed it; 0 if the books are right."""
        return self.whole - sum(part.count for part in self.parts)

    @property
    def pieces(self) -> list[Piece]:
        """The parts and the gap laid out from left to right; nothing that exists is too thin to be seen."""
        shown = [part for part in self.parts if part.count > 0]
        if self.gap:
            word = "合计不足" if self.gap > 0 else "合计超出"
            shown.append(Part(word, abs(self.gap), "gap"))
        return _lay_out(shown)


def _lay_out(parts: Sequence[Part]) -> list[Piece]:
    total = sum(part.count for part in parts)
    if not total:
        return []
    least = min(_LEAST, WIDTH / len(parts))
    widths = [max(least, WIDTH * part.count / total) for part in parts]
    spare = sum(width - least for width in widths)
    excess = sum(widths) - WIDTH
    if spare > 0:
        widths = [width - (width - least) * excess / spare for width in widths]
    pieces, x = [], 0.0
    for part, width in zip(parts, widths, strict=True):
        pieces.append(Piece(part, round(x, 2), round(width, 2)))
        x += width
    return pieces


def message_balance(
    counts: Mapping[int, int], *, whole: int | None = None, title: str = "消息去向", href: str = ""
) -> Balance:
    """Messages by state; `href` gets `&state=n` or `?state=n` for the list behind each part."""
    joint = "&" if "?" in href else "?"
    parts = tuple(
        Part(
            NAMES[state],
            counts.get(int(state), 0),
            STATE_STYLES[state],
            f"{href}{joint}state={int(state)}" if href else "",
            STATE_WHY[state],
        )
        for state in STATE_ORDER
        if counts.get(int(state), 0)
    )
    total = sum(counts.values()) if whole is None else whole
    return Balance(title, total, "条", parts)


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder: what entered it and what became of it."""

    step: int
    channel: str
    template_id: int
    template_name: str
    wait: str
    state: str
    balance: Balance
    delivered: int
    failed: int
    waiting: int
