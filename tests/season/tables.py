"""What the console shows: a line a week, and the effect at the end."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from tests.season.books import CHANNELS

_COLUMNS = (*CHANNELS, "arrived", "failed", "filed", "refused", "attempts", "open", "done", "given up", "s")
_COLUMN = 9


def weeks_head() -> str:
    """The line above the weeks."""
    return "week until".ljust(11) + "".join(name.rjust(_COLUMN) for name in _COLUMNS)


def week_line(days: Sequence[dict[str, Any]], seconds: float) -> str:
    """The week's sums; worklists as they stand at its end. Rounds that were planned in it follow below."""
    sent = {channel: [day["sent"].get(channel, {}) for day in days] for channel in CHANNELS}
    states = [one for found in sent.values() for one in found]
    worklists = days[-1]["worklists"]
    figures = [
        *(sum(sum(one.values()) for one in found) for found in sent.values()),
        sum(one.get("delivered", 0) + one.get("read", 0) for one in states),
        sum(one.get("failed", 0) for one in states),
        sum(day["filed_in_the_morning"] + day["filed_in_the_evening"] for day in days),
        sum(day["refused"] for day in days),
        *(worklists[name] for name in ("attempts", "open", "done", "given_up")),
        round(seconds, 1),
    ]
    lines = [days[-1]["day"].ljust(11) + "".join(f"{figure:,}".rjust(_COLUMN) for figure in figures)]
    for planned in (one for day in days for one in day["rounds"]):
        parts = ", ".join(f"{name} {size:,}" for name, size in planned.items() if name != "round" and size)
        lines.append(f"    {planned['round']}: {parts}")
    return "\n".join(lines)


def effect_table(record: dict[str, Any]) -> Table:
    """Built in and found, in points."""
    table = Table(title="The effect by 30 June, in points", title_justify="left")
    for name in (
        "stratum",
        "built in",
        "found",
        "95 % interval",
        "told",
        "filed",
        "control",
        "filed",
        "holds",
    ):
        table.add_column(name, justify="left" if name == "stratum" else "right")
    for one in record["effect"]:
        table.add_row(
            one["name"],
            f"{one['built_in'] * 100:.2f}",
            f"{one['found'] * 100:.2f}",
            f"{one['low'] * 100:.2f} to {one['high'] * 100:.2f}",
            f"{one['told']:,}",
            f"{one['told_filed'] / max(1, one['told']) * 100:.1f} %",
            f"{one['control']:,}",
            f"{one['control_filed'] / max(1, one['control']) * 100:.1f} %",
            "yes" if one["holds"] else "no",
        )
    return table
