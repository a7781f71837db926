"""Whether every round's window holds everybody under its caps, asked before anybody signs."""

from campaigns.persons import find_persons
from campaigns.selection import reach_parameters, select_households
from campaigns.slicing import cut_slices, refuse_overflow
from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.labels.cache import SetCache

SQL = load_queries(__file__)


async def check_windows(conn: Connection, cache: SetCache, campaign_id: int) -> None:
    """Raises InvalidInput, with the number that does not fit and the first day on which it would, for the
    first round that cannot hold its audience as it is now."""
    keys = {"campaign_id": campaign_id}
    for row in await (await conn.execute(SQL["rounds_to_fit"], keys)).fetchall():
        steps = await (await conn.execute(SQL["rungs_to_fit"], {"round_id": row["id"]})).fetchall()
        channels = [step["channel"] for step in steps]
        moment = max(row["now"], row["starts_at"])
        chosen = await select_households(conn, cache, row, channels, moment=moment)
        persons = await find_persons(conn, reach_parameters(row, steps, chosen))
        slices = await cut_slices(conn, cache, row, chosen, persons, moment=moment)
        if slices is not None:
            refuse_overflow(slices, row["name"])
