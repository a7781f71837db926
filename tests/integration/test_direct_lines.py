"""One-time codes over CMPP and SMPP, which do not echo our key: their reports, and the books."""

import asyncio
from functools import partial
from typing import Any

import pytest

from campaigns.rounds import tick
from channels.gateways.base import Faults
from outreach.books import compare_books
from outreach.ledger.direct import send_direct, send_test
from outreach.ledger.gateways import Fleet
from outreach.ledger.receipts import ReceiptDesk
from outreach.ledger.states import State
from outreach.ledger.uplink_feed import feed_opened
from outreach.runtime import Runtime
from tests import town
from tests.integration.line_stage import LONG, SHORT, line_town
from tests.integration.test_ledger import all_final, until, working

VALUES: dict[str, Any] = {"taxpayers": ["示例企业1"], "tax_year": "2025"}


async def reported(rt: Runtime, count: int) -> bool:
    rows = await rt.db.fetch("select state from direct_message where state in (3, 4)")
    return len(rows) == count


async def try_out(rt: Runtime, fleet: Fleet) -> None:
    """A test to a number that nobody in the registry has."""
    version = await rt.db.fetch_one("select max(id) as id from template_version")
    assert version is not None
    number = town.mobile(999)
    assert await send_test(rt, fleet, version_id=version["id"], channel="sms", address=number, values=VALUES)


@pytest.mark.parametrize("text", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("adapter", ["cmpp", "smpp"])
async def test_reports_of_messages_outside_any_round_find_them(rt: Runtime, adapter: str, text: str) -> None:
    # Reports come late and twice; those of one person come while two messages of hers are open.
    faults = Faults(shuffle=True, twice=0.3, seed=2, receipt_delay=0.2)
    async with line_town(rt, 4, adapter=adapter, text=text, faults=faults) as stage, working(rt):
        fleet = Fleet(rt)
        desk = ReceiptDesk(rt, fleet)
        # The gateway reports on any connection of the account, also on that of whoever sends a code.
        listening = asyncio.create_task(feed_opened(fleet, desk))
        send = partial(
            send_direct, rt, fleet, channel="sms", template="remind", values=VALUES, purpose="test"
        )
        assert [await send(person_id=person) for person in (1, 2, 2, 3)] == [True] * 4
        await try_out(rt, fleet)
        await until(lambda: reported(rt, 5))
        await town.launch(rt, ["sms"])
        await tick(town.ticker(rt))
        await until(lambda: all_final(rt))
        (books,) = await compare_books(rt, {adapter: stage.simulator.control_url})
        listening.cancel()
        await fleet.close()
        await desk.close()
    assert (books.equal, books.booked, books.held) == (True, 4, 4)
    rows = await rt.db.fetch("select person_id, state, code, ref from direct_message order by id")
    assert [(row["person_id"], row["state"], row["code"]) for row in rows] == [
        (person, State.DELIVERED, None) for person in (1, 2, 2, 3, None)
    ]
    assert all(("+" in row["ref"]) == (text is LONG) for row in rows)


@pytest.mark.parametrize("adapter", ["cmpp", "smpp"])
async def test_the_books_tell_what_was_lost_doubled_or_never_ours(rt: Runtime, adapter: str) -> None:
    async with line_town(rt, 12, adapter=adapter, text=LONG) as stage:
        await town.launch(rt, ["sms"])
        async with working(rt):
            await tick(town.ticker(rt))
            await until(lambda: all_final(rt))
        books, control = stage.simulator.books, {adapter: stage.simulator.control_url}
        (found,) = await compare_books(rt, control)
        assert (found.equal, found.booked, found.held) == (True, 12, 12)
        # What we never heard the answer of is told by its destination.
        await rt.db.execute("update message set state = 1, ref = null where person_id = 5")
        (found,) = await compare_books(rt, control)
        assert (found.equal, found.booked, found.held, found.unknown_booked) == (True, 12, 11, 1)
        twice = books.entries[0]
        books.record(key="", address=twice.address, ref=twice.ref, text="x")
        books.record(key="", address=town.mobile(3), ref="999", text="x")
        await rt.db.execute("update message set ref = 'never+booked' where person_id = 7")
        (found,) = await compare_books(rt, control)
        # Person 7's own entry is then nobody's, as is the one that was slipped in.
        assert (found.lost, found.duplicated, found.unexpected) == (1, 1, 2)
