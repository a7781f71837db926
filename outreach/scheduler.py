"""The scheduler: APScheduler only ticks; what is due is decided by rows in PostgreSQL.

Any number of schedulers may run. An advisory lock lets one of them act at a time, so a second one costs a
query a second and takes over when the first is gone.
"""

import asyncio
import signal
from dataclasses import dataclass
from functools import partial

import uvloop
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError

from campaigns.announcing import announce_documents
from campaigns.emergency import note_overdue_reviews
from campaigns.rounds import Ticker, tick
from campaigns.trigger_rounds import answer_events
from outreach.analytics.fallen_back import count_fallen_back
from outreach.config import Settings
from outreach.labels.cache import SetCache
from outreach.ledger.capability import forget_incapable
from outreach.ledger.duties import keep_on
from outreach.ledger.gateways import Fleet
from outreach.logs import configure_logs, get_log
from outreach.runtime import Runtime, close_runtime, open_runtime
from outreach.service.intake import take_replies
from outreach.statements.access import read_miss_share
from outreach.statements.links import forget_codes
from outreach.statements.policy_counts import fold_policy_counts
from outreach.statements.standing import order_stale
from outreach.storage.retention import retain_daily

_LOCK = 7_640_003
_INTAKE_SECONDS = 5
_COUNT_SECONDS = 5.0
_OVERDUE_SECONDS = 60
_FOLLOW_SECONDS = 20
_ANSWER_SECONDS = 0.2
_WATCH_SECONDS = 60
_WATCHED_MINUTES = 10


@dataclass(slots=True)
class LinkWatch:
    """What the last look at the links of statements found."""

    is_alarmed: bool = False


async def tick_once(ticker: Ticker, ticking: asyncio.Lock) -> None:
    """One tick, if no other process is at it. Trouble is logged, and the next tick comes."""
    try:
        async with ticking, ticker.rt.db.begin() as conn:
            row = await (
                await conn.execute("select pg_try_advisory_xact_lock(%s) as mine", (_LOCK,))
            ).fetchone()
            if row and row["mine"]:
                await tick(ticker)
    except (DatabaseError, PoolTimeout, RedisError, OSError) as error:
        get_log().warning("tick.troubled", error=type(error).__name__)


async def count_once(rt: Runtime) -> None:
    """Keep the figures of pages that cost too much to count when asked. Trouble is logged."""
    try:
        await count_fallen_back(rt)
        await fold_policy_counts(rt)
    except (DatabaseError, PoolTimeout, OSError) as error:
        get_log().warning("count.troubled", error=type(error).__name__)


async def follow_once(rt: Runtime) -> None:
    """Order what standing orders have to do, and announce what they have done; trouble is logged."""
    try:
        await order_stale(rt)
        while await announce_documents(rt):
            pass
    except (DatabaseError, PoolTimeout, OSError) as error:
        get_log().warning("follow.troubled", error=type(error).__name__)


async def intake_once(rt: Runtime) -> None:
    """Take in all replies that wait; trouble is logged, and the next time comes."""
    try:
        while (await take_replies(rt)).replies:
            pass
    except (DatabaseError, PoolTimeout, OSError) as error:
        get_log().warning("intake.troubled", error=type(error).__name__)


async def watch_links(rt: Runtime, watch: LinkWatch) -> None:
    """Say once, when it begins, that somebody guesses links (docs/statements.md). Trouble is logged."""
    try:
        async with rt.db.begin() as conn:
            share = await read_miss_share(conn, _WATCHED_MINUTES)
    except (DatabaseError, PoolTimeout, OSError) as error:
        get_log().warning("watch.troubled", error=type(error).__name__)
        return
    if share.is_alarming and not watch.is_alarmed:
        get_log().warning(
            "links.guessed", attempts=share.attempts, misses=share.misses, minutes=_WATCHED_MINUTES
        )
    watch.is_alarmed = share.is_alarming


async def run_scheduler(rt: Runtime, stop: asyncio.Event) -> None:
    """Tick until `stop` is set."""
    ticker, ticking = Ticker(rt, Fleet(rt), SetCache()), asyncio.Lock()
    scheduler = AsyncIOScheduler(timezone="Asia/Shanghai")
    scheduler.add_job(
        tick_once,
        "interval",
        [ticker, ticking],
        seconds=rt.settings.tick_seconds,
        max_instances=1,
        coalesce=True,
    )
    scheduler.add_job(count_once, "interval", [rt], seconds=_COUNT_SECONDS, max_instances=1, coalesce=True)
    scheduler.add_job(follow_once, "interval", [rt], seconds=_FOLLOW_SECONDS, max_instances=1, coalesce=True)
    scheduler.add_job(intake_once, "interval", [rt], seconds=_INTAKE_SECONDS, max_instances=1, coalesce=True)
    scheduler.add_job(
        note_overdue_reviews, "interval", [rt], seconds=_OVERDUE_SECONDS, max_instances=1, coalesce=True
    )
    watch = [rt, LinkWatch()]
    scheduler.add_job(watch_links, "interval", watch, seconds=_WATCH_SECONDS, max_instances=1, coalesce=True)
    scheduler.add_job(forget_codes, "cron", [rt], hour=3, minute=30, max_instances=1, coalesce=True)
    scheduler.add_job(forget_incapable, "cron", [rt], hour=3, minute=50, max_instances=1, coalesce=True)
    scheduler.add_job(retain_daily, "cron", [rt], hour=4, minute=10, max_instances=1, coalesce=True)
    scheduler.start()
    # Not behind the tick, which may be planning a round of millions; rows are locked one by one, so every
    # scheduler may answer.
    answer = partial(answer_events, rt, ticker.cache, ticker.fleet)
    answering = asyncio.create_task(keep_on("answer", answer, idle=_ANSWER_SECONDS), name="answer")
    await stop.wait()
    scheduler.pause()
    while not answering.done():
        answering.cancel()
        await asyncio.wait([answering], timeout=1.0)
    async with ticking:
        scheduler.shutdown(wait=False)


async def _main(settings: Settings) -> None:
    rt = await open_runtime(settings, name="scheduler")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await run_scheduler(rt, stop)
    finally:
        await close_runtime(rt)


def main(settings: Settings) -> None:
    """Run a scheduler process until SIGTERM or SIGINT."""
    configure_logs(settings.log_level, settings.log_json)
    uvloop.run(_main(settings))
