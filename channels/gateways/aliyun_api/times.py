"""How the provider writes times: those of China, to the second."""

from datetime import datetime, timedelta, timezone
from functools import lru_cache

CHINA = timezone(timedelta(hours=8), "UTC+8")


@lru_cache(maxsize=1024)
def clock(at: datetime) -> str:
    """How the provider writes a time; those of a request and of a push are alike."""
    return at.isoformat(" ", "seconds")[:19]
