"""One campaign over every channel and every account at once: nobody lost, nobody told twice."""

import pytest

from campaigns.rounds import Ticker, tick
from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.every_channel import compare, every_channel
from tests.integration.test_ledger import assert_sums, until, working

LADDER = ("rcs", "sms", "wechat", "email", "wecom", "dingtalk")
ADAPTERS = {
    "aliyun_sms", "tencent_sms", "cmpp", "smpp", "fiveg_bot", "wechat_official", "email_smtp",
    "wecom", "dingtalk",
}  # fmt: skip
FAULTS = {
    "aliyun_sms": {"fail": 0.03, "twice": 0.1, "shuffle": True, "seed": 1},
    "tencent_sms": {"fail": 0.03, "twice": 0.1, "shuffle": True, "seed": 2},
    "cmpp": {"fail": 0.03, "seed": 3},
    "smpp": {"fail": 0.03, "seed": 4},
    "fiveg_bot": {"fail": 0.05, "seed": 5},
    "wechat_official": {"reject": 0.05, "drop_after": 0.03, "seed": 6},
    "email_smtp": {"reject": 0.05, "seed": 7},
    "wecom": {"reject": 0.05, "seed": 8},
    "dingtalk": {"reject": 0.05, "seed": 9},
}
"""All but answers lost by accounts that can be asked for nothing: see test_work_channels."""


def person(n: int) -> town.Household:
    """Persons of six kinds by what reaches them first, nearly all with another way behind it."""
    ways = {
        "mobile": town.mobile(n),
        "openid": f"o{n:027d}",
        "email": f"clerk{n}@example.com",
        "wecom": f"clerk{n}",
        "dingtalk": f"staff{n}",
    }
    group = n % 20
    if group < 14:
        return town.Household(n, n, ways["mobile"], ways["openid"], rcs=group == 0, wecom=ways["wecom"])
    names = ("openid", "email", "wecom", "dingtalk")[group % 4 :][:2]
    return town.Household(n, n, **{name: ways[name] for name in names})


async def at_rest(rt: Runtime, ticker: Ticker) -> bool:
    """Nothing planned, nothing to find out, no rung that still has somebody to take over; the scheduler ticks
    meanwhile."""
    await tick(ticker)
    found = await town.states(rt)
    row = await rt.db.fetch_one(
        "select count(*)::int as n from message m where state = 4 and (reach >> (step + 1)) > 0"
        " and not exists (select from message n where n.person_id = m.person_id and n.step > m.step)"
    )
    waiting = await rt.db.fetch_one(
        "select count(*)::int as n from message m join batch b on b.id = m.id / 1000 and b.shard = m.shard"
        " join gateway g on g.id = b.gateway_id where m.state = 2 and g.channel not in ('wecom', 'dingtalk')"
    )
    assert row is not None and waiting is not None
    unsettled = found.keys() & {State.PLANNED, State.UNKNOWN}
    return bool(found) and not unsettled and row["n"] == 0 and waiting["n"] == 0


@pytest.mark.slow
async def test_a_campaign_over_all_channels_loses_nobody_and_tells_nobody_twice(rt: Runtime) -> None:
    people = [person(n) for n in range(1, 7001)]
    async with every_channel(rt, people, FAULTS) as stage:
        await town.launch(stage.rt, LADDER)
        ticker = town.ticker(stage.rt)
        async with working(stage.rt):
            assert await tick(ticker) == 7000
            await until(lambda: at_rest(stage.rt, ticker), 180)
        sums = await compare(stage)
    assert sums.keys() == ADAPTERS
    assert all((one.lost, one.twice, one.unexpected) == (0, 0, 0) for one in sums.values()), sums
    assert all(one.booked > 100 for one in sums.values()), sums
    assert (await town.states(rt))[State.FAILED] > 100
    reached = await rt.db.fetch_one(
        "select count(distinct person_id)::int as n from message where state in (2, 3, 5)"
    )
    assert reached is not None and reached["n"] > 6850
    doubled = await rt.db.fetch(
        "select 1 as one from message where state in (2, 3, 5) group by person_id having count(*) > 1 limit 1"
    )
    assert doubled == []
    await assert_sums(rt)
