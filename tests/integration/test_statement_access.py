"""Who may see a statement: one-time codes, their limits, sessions, audit, on a real PostgreSQL."""

import asyncio
import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from outreach.runtime import Runtime
from outreach.scheduler import LinkWatch, watch_links
from outreach.statements.access import (
    MissShare,
    ask_code,
    count_tries,
    end_session,
    enter_code,
    find_session,
    network_of,
    note_miss,
    read_miss_share,
)
from outreach.statements.links import forget_codes
from tests.integration.statement_samples import (
    COMPANY,
    HOME,
    PERSON,
    SHOP,
    ask,
    events,
    make_city,
    one_link,
    other_than,
)

OTHER = "198.51.100.9"


@pytest.fixture
async def city(rt: Runtime, tmp_path: Path) -> Runtime:
    """Households with two years of records."""
    await make_city(rt, tmp_path)
    return rt


class TestCodes:
    async def test_code_opens_the_households_of_the_link(self, city: Runtime) -> None:
        token = await one_link(city, taxpayer_ids=[COMPANY.id, SHOP.id])
        sent = await ask(city, token)
        assert re.fullmatch(r"\d{6}", sent.code) and sent.person_id == COMPANY.id
        assert timedelta(minutes=4) < sent.expires_at - datetime.now(UTC) <= timedelta(minutes=5)
        secret = await enter_code(city, token, f" {sent.code} ", HOME)
        assert secret is not None and len(secret) >= 22
        session = await find_session(city, secret)
        assert session is not None and session.taxpayer_ids == (COMPANY.id, SHOP.id)
        assert await events(city) == ["code_sent", "verified"]
        row = await city.db.fetch_one("select opened_at, read_at from link")
        assert row is not None and row["opened_at"] and row["read_at"]

    async def test_asking_is_opening_and_not_reading(self, city: Runtime) -> None:
        await ask(city, await one_link(city))
        row = await city.db.fetch_one("select opened_at is not null as opened, read_at from link")
        assert row == {"opened": True, "read_at": None}

    async def test_a_named_person_gets_the_code(self, city: Runtime) -> None:
        assert (await ask(city, await one_link(city, person_id=PERSON.id))).person_id == PERSON.id

    async def test_a_code_opens_once(self, city: Runtime) -> None:
        token = await one_link(city)
        sent = await ask(city, token)
        assert await enter_code(city, token, sent.code, HOME) is not None
        assert await enter_code(city, token, sent.code, HOME) is None

    async def test_two_entries_at_once_open_one_session(self, city: Runtime) -> None:
        token = await one_link(city)
        sent = await ask(city, token)
        opened = await asyncio.gather(*(enter_code(city, token, sent.code, HOME) for _ in range(5)))
        assert sum(secret is not None for secret in opened) == 1

    async def test_only_the_newest_code_counts(self, city: Runtime) -> None:
        token = await one_link(city)
        old, new = await ask(city, token), await ask(city, token)
        if old.code != new.code:
            assert await enter_code(city, token, old.code, HOME) is None
        assert await enter_code(city, token, new.code, HOME) is not None

    async def test_a_code_of_another_link_is_worth_nothing(self, city: Runtime) -> None:
        mine, yours = await one_link(city), await one_link(city)
        sent = await ask(city, mine)
        assert await enter_code(city, yours, sent.code, HOME) is None

    async def test_expired_code(self, city: Runtime) -> None:
        token = await one_link(city)
        sent = await ask(city, token)
        await city.db.execute("update one_time_code set expires_at = now() - interval '1 second'")
        assert await enter_code(city, token, sent.code, HOME) is None

    async def test_fifth_wrong_entry_locks_for_a_day(self, city: Runtime) -> None:
        token = await one_link(city)
        sent = await ask(city, token)
        for _ in range(5):
            assert await enter_code(city, token, other_than(sent.code), HOME) is None
        assert await enter_code(city, token, sent.code, HOME) is None, "locked, even with the right code"
        assert await ask_code(city, token, HOME) is None
        expected = ["code_sent", *["code_wrong"] * 4, "locked", "code_refused", "code_refused"]
        assert await events(city) == expected
        await city.db.execute(
            "update link set locked_until = now() - interval '1 second',"
            " tries_since = now() - interval '25 hours'"
        )
        await city.db.execute("update one_time_code set created_at = now() - interval '25 hours'")
        fresh = await ask(city, token)
        assert await enter_code(city, token, fresh.code, HOME) is not None

    async def test_tries_cannot_be_raced(self, city: Runtime) -> None:
        token = await one_link(city)
        sent = await ask(city, token)
        wrong = other_than(sent.code)
        await asyncio.gather(*(enter_code(city, token, wrong, HOME) for _ in range(20)))
        row = await city.db.fetch_one("select tries, locked_until > now() as locked from link")
        assert row == {"tries": 5, "locked": True}

    async def test_a_new_code_does_not_bring_new_tries(self, city: Runtime) -> None:
        token = await one_link(city)
        for _ in range(2):
            sent = await ask(city, token)
            for _ in range(2):
                await enter_code(city, token, other_than(sent.code), HOME)
        sent = await ask(city, token)
        await enter_code(city, token, other_than(sent.code), HOME)
        assert await enter_code(city, token, sent.code, HOME) is None

    async def test_three_codes_a_day(self, city: Runtime) -> None:
        token = await one_link(city)
        for _ in range(3):
            await ask(city, token)
        assert await ask_code(city, token, HOME) is None
        await city.db.execute("update one_time_code set created_at = created_at - interval '24 hours'")
        assert await ask_code(city, token, HOME) is not None

    async def test_expired_link(self, city: Runtime) -> None:
        token = await one_link(city, days=-1)
        assert await ask_code(city, token, HOME) is None and await events(city) == ["code_refused"]

    async def test_nobody_to_send_to(self, city: Runtime) -> None:
        await city.db.execute("delete from contact")
        assert await ask_code(city, await one_link(city), HOME) is None

    @pytest.mark.parametrize(
        "token", ["aaaaaaaaaaa", "", "short", "x" * 300, "'; drop table link", "账账账账账账账账账账账"]
    )
    async def test_unknown_links_are_misses(self, city: Runtime, token: str) -> None:
        assert await ask_code(city, token, HOME) is None
        assert await enter_code(city, token, "000000", HOME) is None
        assert await events(city) == ["miss", "miss"] and await count_tries(city, HOME) == 2

    async def test_codes_and_sessions_are_not_stored_in_clear(self, city: Runtime) -> None:
        token = await one_link(city)
        sent = await ask(city, token)
        secret = await enter_code(city, token, sent.code, HOME)
        assert secret is not None
        rows = await city.db.fetch("select code_hash from one_time_code")
        assert bytes(rows[0]["code_hash"]) != hashlib.sha256(sent.code.encode()).digest(), (
            "six digits need a key"
        )
        stored = await city.db.fetch("select s.*, l.token_hash from statement_session s, link l")
        assert secret not in str(stored) and token not in str(stored)


class TestSessions:
    async def open(self, rt: Runtime) -> str:
        token = await one_link(rt)
        secret = await enter_code(rt, token, (await ask(rt, token)).code, HOME)
        assert secret is not None
        return secret

    async def test_leaving_ends_it(self, city: Runtime) -> None:
        secret = await self.open(city)
        await end_session(city, secret, HOME)
        assert await find_session(city, secret) is None and (await events(city))[-1] == "ended"

    async def test_it_ends_by_itself(self, city: Runtime) -> None:
        secret = await self.open(city)
        await city.db.execute("update statement_session set expires_at = now()")
        assert await find_session(city, secret) is None

    @pytest.mark.parametrize("secret", ["", "guess", "x" * 500, "账单"])
    async def test_guesses(self, city: Runtime, secret: str) -> None:
        assert await find_session(city, secret) is None

    async def test_old_codes_and_sessions_are_forgotten(self, city: Runtime) -> None:
        await self.open(city)
        assert await forget_codes(city) == 0
        await city.db.execute("update one_time_code set created_at = now() - interval '3 days'")
        await city.db.execute("update statement_session set expires_at = now() - interval '3 days'")
        assert await forget_codes(city) == 2


class TestNetworks:
    @pytest.mark.parametrize(
        ("remote", "network"),
        [
            ("203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2::9", "2001:db8:1::/48"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("testclient", "0.0.0.0/32"),
            ("", "0.0.0.0/32"),
        ],
    )
    def test_only_the_network_is_kept(self, remote: str, network: str) -> None:
        assert network_of(remote) == network

    async def test_misses_count_per_network_and_minute(self, city: Runtime) -> None:
        for _ in range(3):
            await note_miss(city, HOME)
        assert (await count_tries(city, "203.0.113.250"), await count_tries(city, OTHER)) == (3, 0)
        await city.db.execute("update statement_access set at = now() - interval '61 seconds'")
        assert await count_tries(city, HOME) == 0

    async def test_share_of_misses(self, city: Runtime) -> None:
        await ask(city, await one_link(city))
        await ask_code(city, "aaaaaaaaaaa", OTHER)
        await note_miss(city, OTHER)
        async with city.db.begin() as conn:
            assert await read_miss_share(conn) == MissShare(2, 1), "a wrong code of a message is no link"

    @pytest.mark.parametrize(
        ("attempts", "misses", "alarming"),
        [(19, 19, False), (20, 20, True), (2_000, 20, False), (1_999, 20, True), (0, 0, False)],
    )
    def test_one_in_a_hundred_is_an_alarm_where_it_means_something(
        self, attempts: int, misses: int, alarming: bool
    ) -> None:
        assert MissShare(attempts, misses).is_alarming is alarming

    async def test_the_scheduler_says_once_that_somebody_guesses(self, city: Runtime) -> None:
        watch = LinkWatch()
        with capture_logs() as logs:
            for _ in range(2):
                await watch_links(city, watch)
            for _ in range(20):
                await ask_code(city, "aaaaaaaaaaa", OTHER)
            for _ in range(3):
                await watch_links(city, watch)
            await city.db.execute("update statement_access set at = at - interval '11 minutes'")
            await watch_links(city, watch)
        told = [line for line in logs if line["log_level"] == "warning"]
        assert told == [
            {"event": "links.guessed", "attempts": 20, "misses": 20, "minutes": 10, "log_level": "warning"}
        ]
        assert not watch.is_alarmed
