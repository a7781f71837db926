"""Rate limits per gateway account, shared by all workers: a generic cell rate algorithm in Valkey.

One call takes n tokens in the gateway's own unit, by the server's clock. Bulk lanes also need tokens of a
bucket that holds 90 % of the rate, so that urgent lanes always find some. When Valkey does not answer,
each process falls back to a small local share: closed on rate, open on progress.
"""

import asyncio
import time
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError

from outreach.logs import get_log

_BULK_SHARE = 0.9
_LOCAL_SHARE = 0.1
_TELL_SECONDS = 10.0

_GCRA = """
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local n, wait, ends = tonumber(ARGV[1]), 0, {}
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local ends_at = math.max(tonumber(redis.call('GET', key) or 0), now)
  wait = math.max(wait, ends_at - now - (burst - n) * interval)
  ends[i] = ends_at + n * interval
end
if wait > 0 then return math.ceil(wait) end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', ends[i]), 'PX', math.ceil((ends[i] - now) / 1000) + 1000)
end
return 0
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """A gateway account's allowance: `per_second` units with a burst of `burst`."""

    gateway_id: int
    per_second: float
    burst: int


class Limiter:
    """Hands out tokens of gateway accounts to one process."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(_GCRA)
        self._local: dict[int, float] = {}
        self._told_at = float("-inf")

    async def take(self, rate: Rate, n: int, *, urgent: bool, until: float) -> bool:
        """Wait for n tokens; false if they would come after `until` (monotonic), or it has passed. Raises
        ValueError for more than the burst: so many never come together."""
        if n > rate.burst:
            raise ValueError(f"{n} tokens at once, but the burst is {rate.burst}")
        while time.monotonic() < until:
            wait = await self._try(rate, n, urgent)
            if wait <= 0:
                return True
            if time.monotonic() + wait > until:
                return False
            await asyncio.sleep(wait)
        return False

    async def _try(self, rate: Rate, n: int, urgent: bool) -> float:
        keys = [f"limit:{rate.gateway_id}"]
        arguments: list[float] = [n, 1e6 / rate.per_second, rate.burst]
        if not urgent:
            keys.append(f"limit:{rate.gateway_id}:bulk")
            arguments += [1e6 / (rate.per_second * _BULK_SHARE), rate.burst]
        try:
            return float(await self._script(keys=keys, args=arguments)) / 1e6
        except (RedisError, OSError) as error:
            if time.monotonic() - self._told_at > _TELL_SECONDS:
                self._told_at = time.monotonic()
                get_log().warning("limit.local", gateway=rate.gateway_id, error=type(error).__name__)
            return self._try_locally(rate, n)

    def _try_locally(self, rate: Rate, n: int) -> float:
        now = time.monotonic()
        interval = 1 / (rate.per_second * _LOCAL_SHARE)
        ends_at = max(self._local.get(rate.gateway_id, 0.0), now)
        # Compared without adding to the clock first: its digits would swallow what is to be compared.
        wait = ends_at - now - max(0.0, rate.burst * _LOCAL_SHARE - n) * interval
        if wait > 0:
            return wait
        self._local[rate.gateway_id] = ends_at + n * interval
        return 0.0
