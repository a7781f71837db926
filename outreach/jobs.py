"""The only client of arq: jobs ring, they do not remember.

A job carries ids, never content. Losing every job at any moment loses nothing: what is due stands in
PostgreSQL and is found again by a sweep. Jobs are JSON, not pickle, so that whoever can write to Valkey
cannot run code in the workers.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from arq import Worker
from arq.connections import ArqRedis
from arq.worker import func

from outreach.runtime import Runtime

QUEUES = {"urgent": "outreach:urgent", "bulk": "outreach:bulk", "chores": "outreach:chores"}
"""Lanes 1 and 2 have senders of their own; chores are imports, statements, exports."""

JOB_SECONDS = 3600

Job = Callable[..., Awaitable[Any]]


def open_queue(rt: Runtime) -> ArqRedis:
    """arq's client on the runtime's connections: one way to Valkey, also by sentinels, of which arq's own
    settings would drop the time-outs."""
    return ArqRedis(
        connection_pool=rt.redis.connection_pool, job_serializer=orjson.dumps, job_deserializer=orjson.loads
    )


async def ring(rt: Runtime, queue: str, name: str, *args: Any, job_id: str) -> bool:
    """Ask for a job; false if one of this id waits or runs already. Raises redis' errors."""
    job = await open_queue(rt).enqueue_job(name, *args, _job_id=job_id, _queue_name=QUEUES[queue])
    return job is not None


def build_worker(
    rt: Runtime, queue: str, jobs: dict[str, Job], *, slots: int, context: dict[str, Any]
) -> Worker:
    """An arq worker for one queue inside this process; it handles no signals of its own."""
    return Worker(
        functions=[
            func(job, name=name, keep_result=0, max_tries=1)  # type: ignore[arg-type]
            for name, job in jobs.items()
        ],
        queue_name=QUEUES[queue],
        redis_pool=open_queue(rt),
        handle_signals=False,
        poll_delay=0.05 if queue == "urgent" else 0.1,
        max_jobs=slots,
        job_timeout=JOB_SECONDS if queue == "chores" else 300,
        job_completion_wait=0,
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
        ctx=context,
    )
