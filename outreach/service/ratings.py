"""Ratings of statements (好差评, 国办发〔2019〕51号: one matter, one rating)."""

from outreach.db.sql import load_queries
from outreach.runtime import Runtime

_SQL = load_queries(__file__)


async def keep_rating(rt: Runtime, taxpayer_id: int, statement_id: int, stars: int) -> None:
    """Keep a household's rating, 5 (very satisfied) to 1 (very dissatisfied); the last one counts."""
    keys = {"taxpayer_id": taxpayer_id, "statement_id": statement_id, "stars": stars}
    await rt.db.execute(_SQL["keep_rating"], keys)
