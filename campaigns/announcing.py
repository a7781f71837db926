"""New versions that standing orders have made, as events: a trigger round tells whoever has one."""

from pyroaring import BitMap

from campaigns.triggers import Happening, record_events
from outreach.db.sql import load_queries
from outreach.runtime import Runtime

_SQL = load_queries(__file__)
_AT_ONCE = 5_000


async def announce_documents(rt: Runtime) -> int:
    """Record the events of one run's new versions; how many were new. Broken off and repeated, or done by two
    at once, it records no event twice: its key is the document's number."""
    run = await rt.db.fetch_one(_SQL["finished"])
    if run is None:
        return 0
    members, new = list(BitMap.deserialize(bytes(run["standing_members"]))), 0
    for start in range(0, len(members), _AT_ONCE):
        wanted = {"ids": members[start : start + _AT_ONCE], "run": run["id"]}
        rows = await rt.db.fetch(_SQL["versions"], {**wanted, "kind": run["kind"], "year": run["year"]})
        events = [
            Happening(f"statement:{row['id']}", row["taxpayer_id"], f"{run['kind']}_ready", row["issued_at"])
            for row in rows
        ]
        if events:
            new += await record_events(rt, events, source="statements", scope_org_id=run["scope_org_id"])
    await rt.db.execute(_SQL["close"], {"run": run["id"]})
    return new
