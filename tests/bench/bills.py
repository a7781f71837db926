"""Households with records, and the yearly bills that are issued to them: what a run of issuing takes.

Every household has two years of quarterly taxes and six benefits a year; records come in by COPY with their
amounts, as `load_records` stores them. CPU counts where other work shares the machine: that of PostgreSQL
with all its processes, and that of the processes that make bills. What starting these takes, importing above
all, is measured by itself and taken off, because it is the same for a million bills.
"""

import asyncio
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from multiprocessing import active_children
from typing import Any

from psycopg.types.json import Jsonb

from outreach.db.copy import copy_rows
from outreach.governance.vault import open_vault
from outreach.registry.people import TAX_NO_PURPOSE
from outreach.runtime import Runtime
from outreach.statements.benefits import compute_line
from outreach.statements.bill import issue_yearly_bills
from tests.bench.meters import between, read, server_pids
from tests.bench.rows import Row, cost, rate

_BILLS_A_SECOND = round(1_000_000 / 60)
_CPU_MICROS = 120
"""The budget of CPU: that of two cores for 60 seconds and a million bills."""
_TAXPAYER = (
    ("id", "int4"),
    ("kind", "text"),
    ("name", "text"),
    ("tax_no_enc", "bytea"),
    ("tax_no_bidx", "bytea"),
    ("org_id", "int4"),
    ("digest", "bytea"),
)
_TAX = (
    ("taxpayer_id", "int4"),
    ("month", "int4"),
    ("tax_type", "text"),
    ("declared", "numeric"),
    ("paid", "numeric"),
)
_BENEFIT = (
    ("taxpayer_id", "int4"),
    ("month", "int4"),
    ("benefit_code", "text"),
    ("inputs", "jsonb"),
    ("amount", "numeric"),
)


@dataclass(frozen=True, slots=True)
class Made:
    """Documents, and the seconds that they took: by the clock, and of CPU; `starting`: the CPU that starting
    the processes took, which stands in no other figure."""

    documents: int
    seconds: float
    python: float
    postgres: float
    starting: float = 0.0


async def issue_bills(rt: Runtime, processes: int) -> Made:
    """Issue the bills of 2025 to everybody."""
    if processes <= 1:
        return await _issue(rt, 2025, 1)
    starting = (await _issue(rt, 2024, processes, [1])).python * processes
    made = await _issue(rt, 2025, processes)
    return replace(made, python=made.python - starting, starting=starting)


def bill_rows(made: Made, ceiling: float | None = None) -> Sequence[Row]:
    """What a bill took; `ceiling`: bare rows a second in the same run."""
    python, postgres = (seconds / made.documents * 1_000_000 for seconds in (made.python, made.postgres))
    per_second = made.documents / made.seconds
    return (
        rate("yearly bills issued", per_second, unit="bills/s", budget=_BILLS_A_SECOND, ceiling=ceiling),
        cost("CPU per yearly bill", python + postgres, unit="µs", budget=_CPU_MICROS),
        cost("of it PostgreSQL", postgres, unit="µs"),
        cost("CPU to start the processes", made.starting, unit="s"),
    )


async def _issue(rt: Runtime, year: int, processes: int, chosen: Sequence[int] | None = None) -> Made:
    server = {"postgres": (await server_pids(rt))["postgres"]}
    before, used = read(server), _cpu_seconds()
    issued = await issue_yearly_bills(rt, year, scope_org_id=1, taxpayer_ids=chosen, processes=processes)
    split = between(before, read(server))
    # The system tells what a process has used when it has ended and been waited for.
    while active_children():
        await asyncio.sleep(0.02)
    return Made(issued.documents, split.seconds, _cpu_seconds() - used, split.cpu["postgres"])


def _cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


async def settle_households(rt: Runtime, households: int) -> None:
    """So many households with their records, in an empty database."""
    vault = open_vault(rt.settings)
    ids = range(1, households + 1)
    numbers = [f"91150100{number:010d}" for number in ids]
    async with rt.db.begin() as conn:
        await conn.execute("insert into org_unit values (1, null, 1, '150000', '示例省税务局', '1.')")
        sealed = vault.encrypt_many("taxpayer", "tax_no_enc", ids, numbers)
        indexes = vault.blind_indexes(TAX_NO_PURPOSE, numbers)
        rows = zip(ids, sealed, indexes, strict=True)
        await copy_rows(
            conn,
            "taxpayer",
            _TAXPAYER,
            ((n, "enterprise", f"示例{n}公司", enc, idx, 1, b"") for n, enc, idx in rows),
        )
        await copy_rows(conn, "tax_record", _TAX, _taxes(ids))
        await copy_rows(conn, "benefit_record", _BENEFIT, _benefits(ids))
    # The vacuum of what has just been loaded is no part of issuing.
    for table in ("taxpayer", "tax_record", "benefit_record"):
        await rt.db.execute(f"vacuum (analyze) {table}")


def _taxes(ids: range) -> Iterator[tuple[Any, ...]]:
    for number in ids:
        for month in _quarters():
            amount = Decimal(number % 900_000 + month) / 100
            yield number, month, "增值税", amount, amount
            yield number, month, "城市维护建设税", amount / 10, amount / 10


def _benefits(ids: range) -> Iterator[tuple[Any, ...]]:
    for number in ids:
        for month in _quarters():
            yield _benefit(
                number, month, "VAT_SS_EXEMPT_2023", {"sales": str(number % 290_000), "period": "季"}
            )
        for year in (2024, 2025):
            yield _benefit(number, year * 100 + 12, "SIX_TAX_HALF", {"due": str(number % 9_000 + year)})
            yield _benefit(number, year * 100 + 12, "CIT_SLP_2023", {"income": str(number * 7 % 2_900_000)})


def _benefit(number: int, month: int, code: str, inputs: dict[str, str]) -> tuple[Any, ...]:
    return number, month, code, Jsonb(inputs), compute_line(code, month, inputs).amount


def _quarters() -> list[int]:
    return [year * 100 + month for year in (2024, 2025) for month in (3, 6, 9, 12)]
