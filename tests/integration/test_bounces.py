"""Mails that come back, read by the adapter from the relay's reports: the address is closed, and only it."""

from outreach.ledger.states import State
from outreach.runtime import Runtime
from tests import town
from tests.integration.ledger_stage import staged
from tests.integration.test_ledger import assert_sums, until


async def closed(rt: Runtime) -> list[tuple[int, str]]:
    rows = await rt.db.fetch(
        "select person_id, unusable_reason from address"
        " where kind = 'email' and not usable order by person_id"
    )
    return [(row["person_id"], row["unusable_reason"]) for row in rows]


async def test_a_mailbox_that_there_is_not_gets_no_more_mail(rt: Runtime) -> None:
    people = [town.Household(n, n, email=f"p{n}@example.com") for n in (1, 2)]
    people.append(town.Household(3, 3, email="x.13800000006@example.com"))
    async with staged(rt, people, "email") as stage:
        await stage.drain()

        async def failed() -> bool:
            await stage.merge()
            return (await town.states(rt)).get(State.FAILED) == 1

        await until(failed)
        assert await closed(rt) == [(3, "退信 5.1.1")]
        # A code that speaks of us, and one of another channel, close nothing.
        gateway = await stage.gateway()
        await rt.db.execute("select ensure_period('receipt_inbox', 203001)")
        for code, channel in (("5.7.1", "email"), ("5.1.1", "sms")):
            await rt.db.execute("update gateway set channel = %s where id = %s", (channel, gateway.id))
            await rt.db.execute(
                "insert into receipt_inbox (period, gateway_id, message_id, whole_request, dest,"
                " state, code, fallback)"
                " select 203001, %s, id, false, dest, 4, %s, false from message where person_id = 1",
                (gateway.id, code),
            )
            await stage.merge()
        assert len(await closed(rt)) == 1
    await assert_sums(rt)
