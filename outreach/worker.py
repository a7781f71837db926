"""A worker process: senders for urgent and bulk lanes, the ledger's duties, and runs of issuing that staff
ordered.

arq workers are run in a loop, because one ends when Valkey restarts; the duties go on without it.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any

import uvloop
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError

from outreach.collector import calm_collector
from outreach.config import Settings
from outreach.db.pool import Connection
from outreach.governance.vault import open_vault
from outreach.jobs import Job, build_worker
from outreach.labels.cache import SetCache
from outreach.ledger.duties import duties, keep_on
from outreach.ledger.gate import Gate
from outreach.ledger.gateways import Fleet
from outreach.ledger.letters import IssueLinks, LinkWish
from outreach.ledger.limits import Limiter
from outreach.ledger.post import Sender
from outreach.ledger.send import drain_batch
from outreach.ledger.uplink_feed import feed_uplinks
from outreach.logs import configure_logs, get_log
from outreach.runtime import Runtime, close_runtime, open_runtime
from outreach.statements.links import LinkRequest, issue_links
from outreach.statements.orders import work_runs

_HEARTBEAT_SECONDS = 2.0
_RESTART_PAUSE = 0.5
_LONGEST_WINDOW_SECONDS = 20.0
_ORDER_SECONDS = 1.0
_URGENT_SENDERS = 6
# Urgent batches hold few messages and each waits for three commits: two senders do not carry fifty a second.

_BEAT = """
insert into worker (name, kind, host, pid) values (%(name)s, 'worker', %(host)s, %(pid)s)
on conflict (name) do update set seen_at = now()
"""


async def send_batch(context: dict[str, Any], shard: int, batch_id: int) -> None:
    """The one job of the sending queues."""
    await drain_batch(context["sender"], shard, batch_id)


JOBS: dict[str, dict[str, Job]] = {"urgent": {"send_batch": send_batch}, "bulk": {"send_batch": send_batch}}
"""Queue to job names; every name that is rung for stands here."""


def make_link_issuer(rt: Runtime) -> IssueLinks:
    """Locator links for the messages of a window, durable with it."""

    async def issue(conn: Connection, wishes: Sequence[LinkWish]) -> list[str]:
        requests = [
            LinkRequest(wish.taxpayer_ids, wish.round_id, wish.message_id, wish.expires_at, wish.person_id)
            for wish in wishes
        ]
        tokens = await issue_links(conn, open_vault(rt.settings), requests)
        return [f"{rt.settings.base_url}/t/{token}" for token in tokens]

    return issue


def build_sender(rt: Runtime) -> Sender:
    """What the send loop of this process holds."""
    owner = f"{socket.gethostname()}:{os.getpid()}"
    gate = Gate(rt, SetCache())
    return Sender(rt, Fleet(rt), gate, Limiter(rt.redis), make_link_issuer(rt), owner)


async def run_worker(rt: Runtime, stop: asyncio.Event) -> None:
    """Work until `stop` is set; windows that are open then are settled, and their batches given back."""
    sender = build_sender(rt)
    context: dict[str, Any] = {"sender": sender}
    slots = {"urgent": _URGENT_SENDERS, "bulk": rt.settings.senders}
    tasks = [
        asyncio.create_task(keep_on(name, duty, idle=idle), name=name)
        for name, (duty, idle) in duties(sender).items()
    ]
    tasks += [asyncio.create_task(_serve(rt, queue, slots[queue], context), name=queue) for queue in JOBS]
    tasks.append(asyncio.create_task(feed_uplinks(sender), name="uplinks"))
    tasks.append(asyncio.create_task(_beat(rt, sender.owner), name="beat"))
    issuing = keep_on("statements", partial(work_runs, rt, sender.owner), idle=_ORDER_SECONDS)
    tasks.append(asyncio.create_task(issuing, name="statements"))
    get_log().info("worker.started", owner=sender.owner)
    await stop.wait()
    sender.gate.close()
    await _settled(sender)
    pending = set(tasks)
    while pending:
        # A library below may swallow a cancellation, so it is repeated until every task has ended.
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1.0)
    await sender.fleet.close()
    get_log().info("worker.stopped", owner=sender.owner)


async def _settled(sender: Sender) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_WINDOW_SECONDS):
            while sender.busy:
                await asyncio.sleep(0.05)


async def _serve(rt: Runtime, queue: str, slots: int, context: dict[str, Any]) -> None:
    while True:
        worker = build_worker(rt, queue, JOBS[queue], slots=slots, context=dict(context))
        try:
            await worker.async_run()
        except (RedisError, OSError) as error:
            get_log().warning("bell.silent", queue=queue, error=type(error).__name__)
        # What it began goes on without it, and must not stand beside the next one's.
        await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
        await asyncio.sleep(_RESTART_PAUSE)


async def _beat(rt: Runtime, owner: str) -> None:
    host, _, pid = owner.partition(":")
    keys = {"name": owner, "host": host, "pid": int(pid)}
    while True:
        with contextlib.suppress(DatabaseError, PoolTimeout):
            await rt.db.execute(_BEAT, keys)
        await asyncio.sleep(_HEARTBEAT_SECONDS)


async def _main(settings: Settings) -> None:
    rt = await open_runtime(settings, name="worker")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await run_worker(rt, stop)
    finally:
        await close_runtime(rt)


def main(settings: Settings) -> None:
    """Run a worker process until SIGTERM or SIGINT."""
    configure_logs(settings.log_level, settings.log_json)
    calm_collector()
    uvloop.run(_main(settings))
