"""How long the link of a message opens its document, whenever in its round the message left."""

from datetime import datetime, timedelta

import pytest

from outreach.config import Settings
from outreach.ledger.content import compile_content
from outreach.ledger.gate import OpenRound
from outreach.ledger.letters import Letter, StepContent
from outreach.ledger.send import make_links
from outreach.runtime import Runtime
from outreach.worker import build_sender

LETTER = Letter(5, 1, [1], 0, 0, None, "", "", True, 0, None, ["甲公司"], {})
STEP = StepContent(
    compile_content("email", {"subject": "账单", "html": "", "text": "验证身份后查看：{{ link }}"}), {}, ""
)


async def expiry(rt: Runtime, left: timedelta, **settings: int) -> tuple[datetime, datetime]:
    """When the link of a message ends that leaves so long before its round does; and the moment it left."""
    changed = Runtime(rt.settings.model_copy(update=settings), rt.db, rt.redis, rt.http)
    now = await rt.now()
    opened = OpenRound(1, 202601, now + left, "bill", 1, "nobody", "nobody", "")
    async with rt.db.begin() as conn:
        assert list(await make_links(build_sender(changed), conn, STEP, opened, [LETTER])) == [5]
    row = await rt.db.fetch_one("select expires_at from link")
    assert row is not None
    await rt.db.execute("delete from link")
    return row["expires_at"], now


async def test_a_message_of_the_last_hour_opens_its_document_for_weeks(rt: Runtime) -> None:
    expires, now = await expiry(rt, timedelta(hours=1))
    assert timedelta(0) <= expires - now - timedelta(days=60) < timedelta(minutes=1)
    expires, now = await expiry(rt, timedelta(hours=1), link_days=30)
    assert timedelta(0) <= expires - now - timedelta(days=30) < timedelta(minutes=1)


async def test_a_round_that_lasts_longer_keeps_its_links_to_its_end(rt: Runtime) -> None:
    expires, now = await expiry(rt, timedelta(days=100))
    assert timedelta(0) <= expires - now - timedelta(days=100) < timedelta(minutes=1)


@pytest.mark.parametrize("days", [29, 91])
def test_other_lives_than_a_month_to_three_are_refused(days: int) -> None:
    with pytest.raises(ValueError, match="link_days"):
        Settings(link_days=days)
