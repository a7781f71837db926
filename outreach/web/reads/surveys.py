"""Surveys as staff see them: the list, and how often each option was chosen."""

from typing import Any

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.governance.actor import Actor

_SQL = load_queries(__file__)


async def list_surveys(conn: Connection, actor: Actor) -> list[dict[str, Any]]:
    """Surveys of the scope, newest first, with the households that have answered."""
    return await (await conn.execute(_SQL["list"], {"path": actor.org_path})).fetchall()


async def survey_counts(
    conn: Connection, actor: Actor, survey_id: int
) -> tuple[int, dict[tuple[str, str], int]]:
    """How many households of the scope have answered, and (question, option or number) to households."""
    params = {"path": actor.org_path, "id": survey_id}
    whole = await (await conn.execute(_SQL["answered"], params)).fetchone()
    rows = await (await conn.execute(_SQL["counts"], params)).fetchall()
    assert whole is not None
    return whole["n"], {(row["question"], row["option"]): row["n"] for row in rows}
