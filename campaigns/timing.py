"""When a round will have sent what it has to, at the rates of its accounts and outside quiet hours. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from outreach.clock import in_beijing

Quiet = tuple[time, time] | None


@dataclass(frozen=True, slots=True)
class Load:
    """What a channel has to send: messages of the round, at so many a second; `before` wait there already."""

    messages: int
    per_second: float
    before: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """`finish_at`: when the last first message has left, None if the window is too short or a channel has no
    account; `days`: messages a day by channel; `late`: messages that do not fit into the window."""

    finish_at: datetime | None
    days: tuple[tuple[date, dict[str, int]], ...]
    late: int


def schedule(starts_at: datetime, ends_at: datetime, quiet: Quiet, loads: Mapping[str, Load]) -> Timing:
    """Spread the messages of every channel over the hours in which they may leave."""
    days: dict[date, dict[str, int]] = defaultdict(dict)
    finishes: list[datetime] = []
    late = 0
    for channel, load in loads.items():
        left, finish = load.messages, starts_at
        before = float(load.before)
        for first, last in open_spans(starts_at, ends_at, quiet) if load.per_second > 0 else ():
            seconds = (last - first).total_seconds()
            waited = min(before / load.per_second, seconds)
            before -= waited * load.per_second
            taken = min(left, int((seconds - waited) * load.per_second))
            if taken:
                days[in_beijing(first).date()][channel] = taken
                finish = first + timedelta(seconds=waited + taken / load.per_second)
            left -= taken
            if not left:
                break
        late += left
        finishes.append(finish)
    finish_at = max(finishes, default=starts_at) if not late else None
    return Timing(finish_at, tuple(sorted(days.items())), late)


def schedule_days(
    ends_at: datetime, quiet: Quiet, loads: Mapping[str, Load], days: Mapping[datetime, int], total: int
) -> Timing:
    """The same where slices open one after another: `days` maps the moment at which they open to their
    messages, of `total` with those who have no day. Each takes its share of every channel, and what a day
    leaves over waits before the next."""
    sent: dict[date, dict[str, int]] = defaultdict(dict)
    finish: datetime | None = None
    done, left = 0, dict.fromkeys(loads, 0)
    moments = sorted(days)
    for moment, until in zip(moments, [*moments[1:], ends_at], strict=True):
        done += days[moment]
        due = {
            channel: Load(
                load.messages * done // total
                - load.messages * (done - days[moment]) // total
                + left[channel],
                load.per_second,
                load.before if moment == moments[0] else 0,
            )
            for channel, load in loads.items()
        }
        timing = schedule(moment, until, quiet, due)
        finish = timing.finish_at
        for day, channels in timing.days:
            for channel, messages in channels.items():
                sent[day][channel] = sent[day].get(channel, 0) + messages
        for channel, load in due.items():
            left[channel] = load.messages - sum(taken.get(channel, 0) for _, taken in timing.days)
    homeless = sum(load.messages - load.messages * done // total for load in loads.values()) if total else 0
    late = sum(left.values()) + homeless
    return Timing(finish if not late else None, tuple(sorted(sent.items())), late)


def open_spans(starts_at: datetime, ends_at: datetime, quiet: Quiet) -> Iterator[tuple[datetime, datetime]]:
    """The spans of a window in which messages may leave, cut at midnight in Beijing."""
    day = in_beijing(starts_at).replace(hour=0, minute=0, second=0, microsecond=0)
    while day < ends_at:
        for first, last in _open_hours(day, quiet):
            begin, end = max(first, starts_at), min(last, ends_at)
            if begin < end:
                yield begin, end
        day += timedelta(days=1)


def _open_hours(day: datetime, quiet: Quiet) -> Iterator[tuple[datetime, datetime]]:
    midnight = day + timedelta(days=1)
    if quiet is None:
        yield day, midnight
        return
    start, end = (day.replace(hour=clock.hour, minute=clock.minute) for clock in quiet)
    if start > end:
        yield end, start
    else:
        yield day, start
        yield end, midnight
