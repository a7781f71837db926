"""What is known of phones that cannot read 5G messages, and for how long it is believed.

A number is learned from its receipts (merge.py): a message that the operator delivered as SMS, or that failed
because the phone is none for 5G messages. From then on rounds pass it by and go straight to the next step.
People buy new phones: after `LAPSE_DAYS` the number counts as not known, and the next round tries it again.
"""

from outreach.db.sql import load_queries
from outreach.runtime import Runtime

SQL = load_queries(__file__)

LAPSE_DAYS = 90
_AT_ONCE = 20_000


async def forget_incapable(rt: Runtime) -> int:
    """Forget what was learned too long ago, in sets that hold no lock for long; returns how many numbers. To
    be called daily."""
    forgotten = 0
    while True:
        row = await rt.db.fetch_one(SQL["forget_incapable"], {"days": LAPSE_DAYS, "limit": _AT_ONCE})
        done = int(row["n"]) if row else 0
        forgotten += done
        if done < _AT_ONCE:
            return forgotten
