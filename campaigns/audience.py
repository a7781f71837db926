"""How many households a campaign may reach at most, before anything is left out."""

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.cache import SetCache
from outreach.labels.evaluate import evaluate_texts

SQL = load_queries(__file__)


async def largest_audience(conn: Connection, cache: SetCache, campaign_id: int) -> int:
    """Households of the largest round that has still to begin. Raises ExpressionInvalid."""
    rows = await (await conn.execute(SQL["audiences_of"], {"campaign_id": campaign_id})).fetchall()
    if not rows:
        return 0
    texts = {
        str(number): f"({row['campaign_segment']}) and ({row['segment']})" for number, row in enumerate(rows)
    }
    found = await evaluate_texts(conn, cache, texts, rows[0]["org_id"])
    return max(len(frozen.members) for frozen in found.values())
