"""From a campaign to a read document: told over each channel, the link opens her own document only."""

import re
from datetime import timedelta

import pytest
from fastapi import FastAPI

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft, create_campaign
from campaigns.rounds import tick
from campaigns.templates import save_template
from outreach.ledger.gateways import Fleet
from outreach.ledger.states import State
from outreach.rendering.guard import find_forbidden
from outreach.rendering.starters import STATEMENTS, load_season
from outreach.runtime import Runtime
from outreach.setup import ensure_templates
from outreach.statements.issue import issue_documents
from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.web.public import make_public_router
from outreach.web.taxpayers import taxpayer_deps
from tests import town
from tests.integration.public_site import visitor
from tests.integration.test_ledger import until, working

SEASON = load_season(STATEMENTS)
WAYS = {
    1: ("rcs", "fiveg_bot"),
    2: ("wechat", "wechat_official"),
    3: ("email", "email_smtp"),
    4: ("sms", "aliyun_sms"),
}
LABELS = {1: "filing_due", 2: "filing_done", 3: "filing_overdue", 4: "tax_arrears"}
"""Which of the households a campaign is for."""
LINK = re.compile(r"/t/([0-9A-Za-z]{11})")


def people() -> list[town.Household]:
    """Four households, each with a phone of record, reached first on four channels."""
    return [
        town.Household(1, 1, town.mobile(1), rcs=True),
        town.Household(2, 2, town.mobile(2), f"o{2:027d}"),
        town.Household(3, 3, town.mobile(3), email="clerk3@example.com"),
        town.Household(4, 4, town.mobile(4)),
    ]


async def deliver(rt: Runtime, channel: str, taxpayer: int) -> None:
    """One round of kind `bill` on one channel to one household."""
    start = await rt.now()
    draft = CampaignDraft(
        f"bill-{channel}",
        "2025年度账单送达",
        "让纳税人看到自己的账单",
        "bill",
        "《中华人民共和国税收征收管理法》第八条",
        town.CITY,
        LABELS[taxpayer],
        (
            RoundDraft(
                "送达", start, start + timedelta(days=9),
                (StepDraft(channel, "statement_yearly_bill", timedelta(days=2)),),
            ),
        ),
        variables={"tax_year": "2025"},
    )  # fmt: skip
    campaign = await create_campaign(rt, "maker", draft)
    await submit_campaign(rt, campaign, "maker")
    await approve_campaign(rt, campaign, "checker")


@pytest.mark.slow
async def test_she_opens_the_link_that_a_campaign_brought_and_sees_her_document(rt: Runtime) -> None:
    await town.settle_town(rt, people())
    await town.set_clock(rt, town.START)
    await ensure_templates(rt, town.PROVINCE)
    for stage in SEASON.stages:
        for channel, content in stage.contents.items():
            await save_template(
                rt, "system", code=f"{SEASON.code}_{stage.code}", name=stage.name, channel=channel,
                content=content, org_id=town.PROVINCE,
                own_variables=frozenset(variable.name for variable in SEASON.variables),
            )  # fmt: skip
    for number in WAYS:
        await town.add_label(rt, LABELS[number], [number])
        await rt.db.execute(
            "insert into tax_record (taxpayer_id, month, tax_type, declared, paid)"
            " values (%(id)s, 202503, '增值税', %(paid)s, %(paid)s)",
            {"id": number, "paid": f"{number}111.11"},
        )
    assert (await issue_documents(rt, "yearly_bill", 2025, scope_org_id=town.PROVINCE)).documents == 4
    async with town.wired(rt) as wire:
        for number, (channel, _) in WAYS.items():
            await deliver(wire.rt, channel, number)
        # 5G messages open nothing but https.
        site = wire.rt.settings.model_copy(update={"public_url": "https://t.example.gov.cn"})
        async with working(Runtime(site, rt.db, rt.redis, rt.http)):
            assert await tick(town.ticker(wire.rt)) == 4

            async def told() -> bool:
                found = await town.states(rt)
                return sum(found.values()) == 4 and not found.keys() & {State.PLANNED, State.UNKNOWN}

            await until(told)
        app = FastAPI()
        app.include_router(make_public_router(taxpayer_deps(wire.rt, Fleet(wire.rt))))
        texts = wire.simulators["aliyun_sms"].books
        assert not LINK.search(texts.entries[0].text), "an SMS carries no link"
        assert len(wire.simulators["wechat_official"].books.entries) == 1
        # The books of WeChat's simulator hold the words of a message and not its address.
        for number, adapter in ((1, "fiveg_bot"), (3, "email_smtp")):
            (entry,) = wire.simulators[adapter].books.entries
            found = LINK.search(entry.text)
            assert found, entry.text
            async with visitor(app, f"198.51.100.{number}") as http:
                before = len(texts.entries)
                await http.post(f"/t/{found[1]}/code")

                async def code_came(before: int = before) -> bool:
                    return len(texts.entries) > before

                await until(code_came)
                code = re.search(r"\d{6}", texts.entries[-1].text)
                assert code and texts.entries[-1].address.endswith(town.mobile(number)[-11:])
                answer = await http.post(f"/t/{found[1]}/verify", data={"code": code[0]})
                assert answer.status_code == 303 and "set-cookie" in answer.headers
                page = (await http.get("/statement")).text
                others = [f"{other},111.11" for other in WAYS if other != number]
                assert f"{number},111.11" in page and not any(amount in page for amount in others)
    rows = await rt.db.fetch(
        "select person_id, round_id, message_id, opened_at, read_at from link order by 1"
    )
    assert [row["person_id"] for row in rows] == [1, 2, 3] and all(row["message_id"] for row in rows)
    assert [row["read_at"] is not None for row in rows] == [True, False, True], "who read, by message"


@pytest.mark.parametrize("kind", DOCUMENT_KINDS)
def test_every_kind_of_document_has_its_messages(kind: str) -> None:
    (stage,) = (one for one in SEASON.stages if one.code == kind)
    contents = stage.contents
    assert stage.kind == "bill"
    assert find_forbidden(contents["sms"]["text"], kind) == [] and "link" not in contents["sms"]["text"]
    assert contents["wechat"]["url"] == "{{ link }}" and "{{ link }}" in contents["email"]["html"]
    assert contents["rcs"]["actions"][0]["value"] == "{{ link }}"
    assert "{{ link }}" not in contents["rcs"]["text"], "what falls back to SMS has no link either"
