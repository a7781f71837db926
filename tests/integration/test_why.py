"""Why did I get this: true for the kind before the check, the rule of the round in an open visit."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outreach.errors import NotFound
from outreach.labels.catalogue import load_builtin
from outreach.labels.rule_words import tell_rule
from outreach.ledger.kinds import KINDS
from outreach.runtime import Runtime
from outreach.web.explanations import REASONS, explain_code, explain_link
from tests.integration.answer_stage import ask_to_confirm
from tests.integration.public_site import Site, open_site
from tests.integration.statement_samples import COMPANY

RULE = "kind in (enterprise, individual_business) and sme_low_profit and not risk_unverified"
SAID = "是企业或个体工商户，有标签“小型微利企业”"


@pytest.fixture
async def site(rt: Runtime, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(rt, tmp_path) as made:
        async with rt.db.begin() as conn:
            await load_builtin(conn)
        yield made


async def sent(site: Site, *, kind: str = "bill", rule: str = RULE, done: str = "nobody") -> tuple[int, str]:
    """A round that has begun, and the code of its messages."""
    rt = site.rt
    campaign, round_id = await ask_to_confirm(rt, kind=kind)
    keys = {"campaign": campaign, "round": round_id, "rule": rule, "done": done}
    await rt.db.execute("update campaign set done_segment = %(done)s where id = %(campaign)s", keys)
    await rt.db.execute("update round set started_at = business_now() where id = %(round)s", keys)
    await rt.db.execute(
        "insert into round_set (round_id, ordinal, kind, size, data, expression)"
        " values (%(round)s, 0, 'audience', 1, '', %(rule)s)",
        keys,
    )
    await rt.db.execute("insert into template (code, name, channel, org_id) values ('t', 't', 'sms', 1)")
    (step,) = await rt.db.fetch(
        "insert into round_step (round_id, step, channel, template_id)"
        " select %(round)s, 1, 'sms', id from template returning code",
        keys,
    )
    return round_id, step["code"]


def test_every_kind_has_its_reason() -> None:
    assert REASONS.keys() == KINDS.keys()
    assert not any("尚未办结" in reason for reason in REASONS.values())
    assert len(set(REASONS.values())) == len(KINDS)


@pytest.mark.parametrize("kind", ["bill", "do_it_reminder"])
async def test_the_code_tells_the_kind_and_not_the_rule(site: Site, kind: str) -> None:
    _, code = await sent(site, kind=kind)
    found = await explain_code(site.rt, code.lower())
    assert found is not None and found.reason == REASONS[kind]
    assert await explain_code(site.rt, "ZZZZZZ") is None


async def test_an_open_visit_answers_without_a_code(site: Site) -> None:
    round_id, _ = await sent(site)
    closed = (await site.http.get("/why")).text
    assert "小型微利企业" not in closed and REASONS["bill"] not in closed
    await site.open(round_id=round_id)
    text = (await site.http.get("/why")).text
    assert REASONS["bill"] in text and SAID in text
    assert "疑点" not in text, "whom a round leaves out explains nothing"
    assert "尚未办结" not in text and "发出前已经办结" not in text
    await site.http.post("/statement/end")
    assert "小型微利企业" not in (await site.http.get("/why")).text


async def test_who_has_left_is_not_told(site: Site) -> None:
    round_id, _ = await sent(site)
    await site.open(round_id=round_id)
    await site.rt.db.execute("delete from role where taxpayer_id = %(id)s", {"id": COMPANY.id})
    assert "小型微利企业" not in (await site.http.get("/why")).text


async def test_done_is_said_where_the_round_spares_them(site: Site) -> None:
    round_id, _ = await sent(site, kind="do_it_reminder", done="iit.filed")
    await site.open(round_id=round_id)
    assert "发出前已经办结的户不会收到" in (await site.http.get("/why")).text


async def test_a_rule_that_cannot_be_read_any_more_leaves_the_kind(site: Site) -> None:
    round_id, _ = await sent(site, rule="a_label_that_is_gone and kind = enterprise")
    await site.open(round_id=round_id)
    text = (await site.http.get("/why")).text
    assert REASONS["bill"] in text and "符合以下条件" not in text


async def test_a_link_that_no_message_brought(site: Site) -> None:
    await site.open()
    assert "核验码" in (await site.http.get("/why")).text
    assert await explain_link(site.rt, b"nothing") is None


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("everyone", ""),
        ("not sme_low_profit", ""),
        (RULE, SAID),
        ("(sme_low_profit) and (everyone)", "有标签“小型微利企业”"),
        ("sme_low_profit or filing_due", "（有标签“小型微利企业”；或者有标签“"),
        ("sme_low_profit or everyone", ""),
        ("amount_due > 400", "应补税额大于 400"),
        ("sample 0 to 500 seed 7", "被随机抽中"),
    ],
)
async def test_a_rule_in_words(site: Site, rule: str, said: str) -> None:
    async with site.rt.db.begin() as conn:
        try:
            told = await tell_rule(conn, rule, 1)
        except NotFound as error:
            raise AssertionError(error.message) from error
    assert told == said if said in ("", SAID) else said in told
