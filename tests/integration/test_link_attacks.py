"""Attacks on the way to a statement: guessing, replay, brute force, telling links apart, previewers."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import structlog
from psycopg.pq import Trace

from outreach.db.copy import copy_rows
from outreach.db.pool import Database
from outreach.governance.vault import open_vault
from outreach.logs import configure_logs
from outreach.runtime import Runtime
from outreach.statements.access import (
    CODES_OF_PERSON,
    MOST_TRIES,
    TRIES_OF_PERSON,
    ask_code,
    count_tries,
    end_session,
    enter_code,
    find_session,
    note_miss,
)
from outreach.statements.links import (
    LinkRequest,
    issue_links,
    new_tokens,
    revoke_campaign,
    revoke_links,
    token_hash,
)
from outreach.web import public_entry
from tests.integration.public_site import Site, open_site, shape, visitor
from tests.integration.statement_samples import COMPANY, HOME, SHOP, ask, events, one_link, other_than

UNKNOWN = "aaaaaaaaaaa"
PREVIEWERS = (
    {"User-Agent": "Mozilla/5.0 (iPhone) MicroMessenger/8.0.49 LinkPreview"},
    {"User-Agent": "facebookexternalhit/1.1"},
    {"User-Agent": "Microsoft Office SafeLinks"},
    {"Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
)


@pytest.fixture
async def site(rt: Runtime, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(rt, tmp_path) as made:
        yield made


async def all_links(rt: Runtime) -> dict[str, str]:
    """One token of every sort that a visitor may hold."""
    links = {"live": await one_link(rt), "expired": await one_link(rt, days=-1), "unknown": UNKNOWN}
    links["revoked"], links["locked"] = await one_link(rt, round_id=77), await one_link(rt)
    links["not hers"] = await one_link(rt, person_id=SHOP.id)
    async with rt.db.begin() as conn:
        await conn.execute("delete from role where person_id = %s and taxpayer_id <> %s", (SHOP.id, SHOP.id))
        await revoke_links(conn, 77)
        await conn.execute(
            "update link set locked_until = now() + interval '1 hour' where token_hash = %s",
            (token_hash(open_vault(rt.settings), links["locked"]),),
        )
    return links


class TestGuessing:
    @pytest.mark.slow
    async def test_a_million_guesses_against_a_hundred_thousand_live_links(self, site: Site) -> None:
        rt, vault = site.rt, open_vault(site.rt.settings)
        digest, expires = vault.keyed_hash("link.token").digest, await rt.now() + timedelta(days=60)
        async with rt.db.begin() as conn:
            live = await issue_links(
                conn, vault, [LinkRequest([1], None, None, expires) for _ in range(100_000)]
            )
            await conn.execute("create temp table guess (token_hash bytea) on commit drop")
            for _ in range(10):
                guesses = ((digest(token.encode()),) for token in new_tokens(100_000))
                await copy_rows(conn, "guess", (("token_hash", "bytea"),), guesses)
            # That the search could find something: two of the real ones among the guesses.
            real = ((token_hash(vault, token),) for token in live[:2])
            await copy_rows(conn, "guess", (("token_hash", "bytea"),), real)
            found = await conn.execute("select count(*) as n from guess join link using (token_hash)")
            assert await found.fetchone() == {"n": 2}

    @pytest.mark.slow
    async def test_guesses_over_http_open_nothing_and_are_stopped(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(public_entry, "_SLOW_SECONDS", 0.0)
        statuses: list[int] = []
        for number in range(8):
            async with visitor(site.app, f"198.51.{number}.9") as http:
                for _ in range(6):
                    wave = (
                        http.post(f"/t/{token}/verify", data={"code": "123456"}) for token in new_tokens(45)
                    )
                    answers = await asyncio.gather(*wave)
                    statuses += [answer.status_code for answer in answers]
                    # All of a network come within a minute, however long they take here.
                    await site.rt.db.execute("update statement_access set at = now()")
                    assert not any("set-cookie" in answer.headers for answer in answers)
        assert set(statuses) == {303, 429} and len(statuses) == 2_160
        rows = await site.rt.db.fetch("select event, token_hash is null as bare from statement_access")
        seen = [(row["event"], row["bare"]) for row in rows]
        assert seen.count(("miss", False)) == statuses.count(303), "every guess is counted"
        stopped = seen.count(("stopped", True))
        assert 8 <= stopped < statuses.count(429) / 2, "a line a network and minute, without the token"
        assert len(seen) == statuses.count(303) + stopped
        row = await site.rt.db.fetch_one("select count(*) as n from statement_session")
        assert row == {"n": 0}

    async def test_being_slowed_does_not_tell_live_links_from_unknown_ones(self, site: Site) -> None:
        counted = []
        for number, token in enumerate((await all_links(site.rt)).values()):
            remote = f"198.51.{number}.9"
            await ask_code(site.rt, token, remote)
            await enter_code(site.rt, token, "000000", remote)
            counted.append(await count_tries(site.rt, remote))
        assert counted == [2] * 6

    async def test_people_who_verify_are_not_counted(self, site: Site) -> None:
        await site.open()
        assert await count_tries(site.rt, "203.0.113.7") == 0
        assert (await events(site.rt))[:2] == ["code_sent", "verified"]

    async def test_refusal_is_written_once_a_minute(self, site: Site) -> None:
        for _ in range(public_entry.TRIES_TO_STOP + 1):
            await note_miss(site.rt, "203.0.113.99")
        answers = [await site.http.post(f"/t/{UNKNOWN}/verify", data={"code": "1"}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [429] * 3
        rows = await site.rt.db.fetch("select token_hash from statement_access where event = 'stopped'")
        assert rows == [{"token_hash": None}]


class TestBruteForce:
    async def test_per_link(self, site: Site) -> None:
        token = await one_link(site.rt)
        sent = await ask(site.rt, token)
        for number in range(MOST_TRIES):
            assert await enter_code(site.rt, token, other_than(sent.code), f"198.51.{number}.1") is None
        assert await enter_code(site.rt, token, sent.code, HOME) is None, "other networks do not help"

    async def test_per_person_over_all_her_links(self, site: Site) -> None:
        tokens = [await one_link(site.rt, person_id=COMPANY.id) for _ in range(4)]
        tries = 0
        for token in tokens:
            sent = await ask_code(site.rt, token, HOME)
            for _ in range(MOST_TRIES - 1):
                tries += sent is not None and tries < TRIES_OF_PERSON
                assert sent is None or await enter_code(site.rt, token, other_than(sent.code), HOME) is None
        row = await site.rt.db.fetch_one("select sum(tries) as n from one_time_code")
        assert row == {"n": TRIES_OF_PERSON} and tries == TRIES_OF_PERSON
        assert await ask_code(site.rt, tokens[3], HOME) is None
        other = await one_link(site.rt, taxpayer_ids=[SHOP.id])
        assert await ask_code(site.rt, other, HOME) is not None, "other people are not touched"

    async def test_a_phone_is_not_flooded_with_codes(self, site: Site) -> None:
        tokens = [await one_link(site.rt, person_id=COMPANY.id) for _ in range(9)]
        sent = await asyncio.gather(*(ask_code(site.rt, token, HOME) for token in tokens))
        assert sum(one is not None for one in sent) == CODES_OF_PERSON

    async def test_per_network(self, site: Site) -> None:
        """Wrong entries on live links count like unknown links."""
        for number in range(8):
            token = await one_link(site.rt, person_id=100 + number)
            sent = await ask(site.rt, token)
            for _ in range(4):
                await enter_code(site.rt, token, other_than(sent.code), HOME)
        assert await count_tries(site.rt, HOME) == 40


class TestReplayAndTampering:
    async def test_used_and_expired_codes(self, site: Site) -> None:
        token = await one_link(site.rt)
        used = (await ask(site.rt, token)).code
        assert await enter_code(site.rt, token, used, HOME) is not None
        replayed = await site.http.post(f"/t/{token}/verify", data={"code": used})
        assert (
            replayed.headers["location"] == f"/t/{token}?step=again" and "set-cookie" not in replayed.headers
        )
        expired = (await ask(site.rt, token)).code
        await site.rt.db.execute("update one_time_code set expires_at = now()")
        late = await site.http.post(f"/t/{token}/verify", data={"code": expired})
        assert shape(late, token) == shape(replayed, token)

    async def test_tampered_sessions(self, site: Site) -> None:
        await site.open()
        secret = site.http.cookies["statement"]
        site.http.cookies.clear()
        swapped = "B" if secret[0] == "A" else "A"
        for forged in (
            secret[:-1],
            secret + "A",
            swapped + secret[1:],
            secret.swapcase(),
            "",
            "%00",
            secret * 2,
        ):
            answer = await site.http.get("/statement", headers={"Cookie": f"statement={forged}"})
            assert answer.status_code == 401 and COMPANY.name not in answer.text
        answer = await site.http.get("/statement", headers={"Cookie": f"statement={secret}"})
        assert answer.status_code == 200, "the right one still opens"
        await end_session(site.rt, secret, HOME)
        answer = await site.http.get("/statement", headers={"Cookie": f"statement={secret}"})
        assert answer.status_code == 401, "and not once she has left"

    async def test_revoked_by_campaign(self, site: Site) -> None:
        tokens = {round_id: await one_link(site.rt, round_id=round_id) for round_id in (1, 2, 3)}
        secrets = {
            round_id: await enter_code(site.rt, token, (await ask(site.rt, token)).code, HOME)
            for round_id, token in tokens.items()
        }
        async with site.rt.db.begin() as conn:
            for code in ("a", "b"):
                await conn.execute(
                    "insert into campaign"
                    " (code, name, purpose, kind, legal_basis, org_id, segment, created_by)"
                    " values (%s, '账单送达', '送达', 'statement', '征管法', 1, 'all', 'x')",
                    (code,),
                )
            await conn.execute(
                "insert into round (campaign_id, ordinal, name, starts_at, ends_at, segment)"
                " select least(n, 3) / 3 + 1, n, '一轮', now(), now() + interval '1 day', 'all'"
                " from generate_series(1, 3) n order by n"
            )
        assert await revoke_campaign(site.rt, 1) == 2
        lives = [await find_session(site.rt, secret or "") is not None for secret in secrets.values()]
        assert lives == [False, False, True], "sessions that the links opened end with them"
        assert [await ask_code(site.rt, token, HOME) is not None for token in tokens.values()] == lives


class TestTellingLinksApart:
    async def test_pages_are_equal_byte_for_byte(self, site: Site) -> None:
        links = await all_links(site.rt)
        for step in ("", "?step=code", "?step=again"):
            shapes = [shape(await site.http.get(f"/t/{t}{step}"), t) for t in links.values()]
            assert shapes.count(shapes[0]) == len(links)
        for path, data in (("code", None), ("verify", {"code": "123456"}), ("verify", {"code": "不是数字"})):
            shapes = [shape(await site.http.post(f"/t/{t}/{path}", data=data), t) for t in links.values()]
            assert shapes.count(shapes[0]) == len(links)

    async def test_the_database_has_the_same_to_do(self, site: Site) -> None:
        """What makes the time equal: the same statements in the same order, whatever the link is."""
        links = await all_links(site.rt)
        db = Database(site.rt.settings.database_url, size=1)
        await db.open()
        rt = Runtime(site.rt.settings, db, site.rt.redis, site.rt.http)

        async def wrong(rt: Runtime, token: str, remote: str) -> object:
            return await enter_code(rt, token, "no code", remote)

        for step in (ask_code, wrong):
            said = {sort: await statements_of(rt, step, token) for sort, token in links.items()}
            assert len(said["live"]) >= 5, said["live"]
            for sort, statements in said.items():
                assert statements == said["live"], sort
        await db.close()


async def statements_of(
    rt: Runtime, step: Callable[[Runtime, str, str], Awaitable[object]], token: str
) -> list[str]:
    """What goes to the database, from the protocol's own trace."""
    with tempfile.TemporaryFile("w+") as trace:
        async with rt.db.begin() as conn:
            conn.prepare_threshold = None
            pgconn = conn.pgconn
        pgconn.trace(trace.fileno())
        pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS | Trace.REGRESS_MODE)
        await step(rt, token, HOME)
        pgconn.untrace()
        trace.seek(0)
        return [line.split("\t", 3)[3] for line in trace if line.startswith("F") and "\tParse\t" in line]


class TestPreviewers:
    async def test_they_are_not_readers(self, site: Site) -> None:
        token = await one_link(site.rt)
        for headers in PREVIEWERS:
            for path in (f"/t/{token}", f"/t/{token}?step=code", "/statement"):
                await site.http.get(path, headers=headers)
                await site.http.head(path, headers=headers)
        row = await site.rt.db.fetch_one("select opened_at, read_at, tries from link")
        assert row == {"opened_at": None, "read_at": None, "tries": 0}
        assert await events(site.rt) == [] and site.codes == []
        assert (await site.http.post(f"/t/{token}/code")).status_code == 303 and site.codes, (
            "the link still works"
        )


class TestNothingPersonalLeaks:
    async def test_addresses_and_referrers(self, site: Site) -> None:
        answers: list[httpx.Response] = []
        token = await one_link(site.rt)
        answers += [await site.http.get(f"/t/{token}"), await site.http.post(f"/t/{token}/code")]
        code = site.codes[-1]
        answers.append(await site.http.post(f"/t/{token}/verify", data={"code": code}))
        answers += [await site.http.get(path) for path in ("/statement", "/statement?n=0", "/statement.pdf")]
        answers.append(await site.http.post("/statement/end"))
        for answer in answers:
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            to = answer.headers.get("location", "")
            assert code not in to and "9115" not in to and not any(c in to for c in COMPANY.name)
        assert site.http.cookies.get("statement", "") == ""

    async def test_logs(self, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
        before = structlog.get_config()
        configure_logs("DEBUG", as_json=True)
        try:
            token = await one_link(site.rt)
            site.gateway_down = True
            await site.http.post(f"/t/{token}/code")
            site.gateway_down = False
            await site.http.post(f"/t/{token}/code")
            code = site.codes[-1]
            await site.http.post(f"/t/{token}/verify", data={"code": other_than(code)})
            await site.http.post(f"/t/{token}/verify", data={"code": code})
            secret = site.http.cookies["statement"]
            await site.rt.db.execute("update statement set content_hash = sha256('x')")
            assert (await site.http.get("/statement")).status_code == 500
        finally:
            # Not configured anew: this test's standard error is closed when it ends.
            structlog.configure(**before)
        said = capsys.readouterr()
        text = said.out + said.err
        assert "code.unsent" in text and "page.failed" in text, "something was logged"
        for personal in (token, code, secret, COMPANY.name, COMPANY.tax_no, "203.0.113.7"):
            assert personal not in text
