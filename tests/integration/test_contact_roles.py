"""Which of a household's people a campaign tells, from the choice to the messages and the sums."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from pyroaring import BitMap

from campaigns.approval import approve_campaign, submit_campaign
from campaigns.approval_text import cover
from campaigns.campaigns import edit_campaign
from campaigns.forecast import forecast
from campaigns.persons import LOW
from campaigns.roles import find_contacts
from campaigns.rounds import tick
from channels.base import Inbound, InboundKind
from outreach.analytics.report import campaign_report
from outreach.labels.cache import SetCache
from outreach.ledger.audit import audit_everything
from outreach.ledger.gateways import ADDRESS_KINDS, load_gateways
from outreach.ledger.inbound import record_inbound
from outreach.registry.writing import set_roles
from outreach.runtime import Runtime
from outreach.service.intake import take_replies
from tests import town
from tests.integration.test_approval import DRAFT, save_segment
from tests.integration.test_forecast import drafted
from tests.integration.test_ledger import all_final, until, working
from tests.integration.trigger_stage import STAY, laps, report, ruled, stay, told

LEGAL, FINANCE, FILER, SELF = "legal_representative", "finance_head", "tax_filer", "self"
CHOSEN = (LEGAL, FINANCE)
COMPANIES = {
    1: {LEGAL: 101, FINANCE: 102},
    2: {LEGAL: 103, FINANCE: 102},
    3: {LEGAL: 103, FINANCE: 104, FILER: 105},
    4: {FILER: 105},
    5: {LEGAL: 106, FINANCE: 102},
    6: {LEGAL: 101, FILER: 105},
    7: {LEGAL: 107, FINANCE: 102},
    8: {SELF: 108},
    9: {LEGAL: 109, FINANCE: 102},
    10: {LEGAL: 101},
    11: {LEGAL: 103, FINANCE: 103},
}
"""Who holds what. 103 and 104 have no address, 106 has refused, 107 has only e-mail, 108 is a natural person,
109 is no longer the legal representative of 9, company 10 has filed."""
_REACHED = (101, 102, 105, 106, 108, 109)


async def people(rt: Runtime) -> None:
    """The companies, each registered with its tax filer or another who would be told by default."""
    carriers = [
        *(town.Household(n, n, town.mobile(n)) for n in COMPANIES),
        *(town.Household(n, n, town.mobile(n)) for n in _REACHED),
        town.Household(107, 107, email="a107@example.com"),
        *(town.Household(n, n) for n in (103, 104)),
    ]
    await town.settle_town(rt, carriers)
    await town.write_templates(rt)
    await town.set_clock(rt, town.START)
    roles = [(company, role, person) for company, held in COMPANIES.items() for role, person in held.items()]
    async with rt.db.begin() as conn:
        await conn.execute("delete from role")
        await conn.execute("delete from contact where taxpayer_id > 100")
        async with conn.cursor() as cursor:
            await cursor.executemany(
                "insert into role (taxpayer_id, role, person_id) values (%s, %s, %s)", roles
            )
        await conn.execute("update taxpayer set kind = 'natural_person', name = null where id = 8")
        await conn.execute(
            "insert into opt_out (person_id, channel, at, source)"
            " values (106, 'topic:reminder', now(), 'test')"
        )
        await set_roles(conn, {(9, LEGAL, 103)}, frozenset({LEGAL}))
    await town.add_label(rt, "iit.booked", list(COMPANIES))
    await town.add_label(rt, "iit.filed", [10])
    await save_segment(rt, "iit.booked")


async def foretell(rt: Runtime) -> Any:
    row = await rt.db.fetch_one("select min(id) as id from round")
    assert row is not None
    async with rt.db.begin() as conn:
        return await forecast(rt, conn, SetCache(), row["id"])


async def recipients(rt: Runtime) -> dict[int, list[int]]:
    rows = await rt.db.fetch("select person_id, taxpayer_ids from recipient order by person_id")
    return {row["person_id"]: row["taxpayer_ids"] for row in rows}


async def excluded(rt: Runtime) -> dict[str, list[int]]:
    rows = await rt.db.fetch("select reason, data from round_set where kind = 'exclusion' order by ordinal")
    found: dict[str, BitMap] = {}
    for row in rows:
        members = BitMap.deserialize(bytes(row["data"]))
        found[row["reason"]] = found.get(row["reason"], BitMap()) | members
    return {reason: list(members) for reason, members in found.items() if members}


async def sign(rt: Runtime, campaign: int) -> None:
    await submit_campaign(rt, campaign, "maker")
    await approve_campaign(rt, campaign, "checker")


async def test_each_household_is_told_through_the_first_chosen_who_can_be_reached(rt: Runtime) -> None:
    await people(rt)
    async with town.wired(rt) as wire:
        campaign = await drafted(wire.rt, contact_roles=CHOSEN, holdout_permille=0)
        ahead = await foretell(wire.rt)
        await sign(wire.rt, campaign)
        await tick(town.ticker(wire.rt))
        async with working(wire.rt):
            await until(lambda: all_final(rt))
    assert await recipients(rt) == {101: [1, 6], 102: [2, 9], 107: [7], 108: [8]}
    run = await excluded(rt)
    assert run == {"already_done": [10], "opted_out": [5], "no_role": [3, 4, 11]}
    assert {one.reason: list(one.members) for one in ahead.exclusions if one.members} == run
    assert ahead.by_role == {SELF: 1, LEGAL: 3, FINANCE: 2}
    assert ahead.planned == sum(ahead.by_role.values()) == 6
    assert ahead.audience == ahead.planned + sum(map(len, run.values())) == len(COMPANIES)
    audits = await audit_everything(rt)
    assert audits and all(audit.agrees for audit in audits)


async def test_what_a_chosen_contact_answers_is_filed_with_her_company(rt: Runtime) -> None:
    await people(rt)
    async with town.wired(rt) as wire:
        campaign = await drafted(wire.rt, contact_roles=CHOSEN, holdout_permille=0)
        gateway = next(g for g in (await load_gateways(wire.rt)).values() if g.channel == "sms")
        for number, text in enumerate(("办理这件事要带什么材料？", "退订")):
            said = Inbound(
                InboundKind.TEXT, town.mobile(102), text, at=datetime.now(UTC), provider_id=f"p{number}"
            )
            await record_inbound(wire.rt, gateway, said)
        assert (await take_replies(wire.rt)).tickets == 1
        ticket = await rt.db.fetch_one("select taxpayer_id, org_id from ticket")
        assert ticket == {"taxpayer_id": 1, "org_id": town.GRID}
        shown = await campaign_report(wire.rt, SetCache(), campaign, town.PROVINCE)
    assert shown.opted_out == 1


async def test_where_nobody_chose_the_contact_of_the_register_is_told(rt: Runtime) -> None:
    await people(rt)
    async with town.wired(rt) as wire:
        await sign(wire.rt, await drafted(wire.rt, holdout_permille=0))
        ahead = await foretell(wire.rt)
        await tick(town.ticker(wire.rt))
    assert await recipients(rt) == {n: [n] for n in COMPANIES if n != 10}
    assert await excluded(rt) == {"already_done": [10]}
    assert ahead.by_role == {}


async def test_what_is_about_a_person_goes_to_herself_alone(rt: Runtime) -> None:
    await people(rt)
    await rt.db.execute("insert into role (taxpayer_id, role, person_id) values (8, 'agent', 101)")
    await rt.db.execute("update address set usable = false where person_id = 108")
    async with town.wired(rt) as wire:
        await sign(wire.rt, await drafted(wire.rt, contact_roles=(SELF,), holdout_permille=0))
        await tick(town.ticker(wire.rt))
    assert await recipients(rt) == {}
    assert await excluded(rt) == {
        "already_done": [10],
        "no_role": [n for n in COMPANIES if n != 10],
    }


async def test_whoever_must_be_told_is_told_though_she_has_refused(rt: Runtime) -> None:
    await people(rt)
    async with town.wired(rt) as wire:
        await sign(
            wire.rt,
            await drafted(wire.rt, kind="statutory_deadline", contact_roles=(LEGAL,), holdout_permille=0),
        )
        await tick(town.ticker(wire.rt))
    assert (await recipients(rt))[106] == [5]
    assert "opted_out" not in await excluded(rt)


async def test_a_visit_goes_to_the_first_chosen_where_none_has_an_address(rt: Runtime) -> None:
    await people(rt)
    async with rt.db.begin() as conn:
        for channels, meant in (
            (["sms"], {(1, 101), (2, 102), (9, 102)}),
            (["sms", "visit"], {(1, 101), (2, 102), (3, 103), (9, 102)}),
        ):
            ladder = {
                "steps": range(len(channels)),
                "channels": channels,
                "kinds": ["mobile", ""][: len(channels)],
                "topic": "topic:reminder",
            }
            found = await find_contacts(conn, BitMap([1, 2, 3, 4, 9]), CHOSEN, ladder)
            assert {(int(pair & LOW), int(pair >> 32)) for pair in found.told} == meant


RULE = """
select distinct on (r.taxpayer_id) r.taxpayer_id, r.person_id,
       case when t.kind = 'natural_person' and r.role = 'self' then 'self' else r.role end as role,
       not exists (
           select from unnest(%(channels)s::text[], %(kinds)s::text[]) as s (channel, kind)
           join address a on a.person_id = r.person_id and a.kind = s.kind and a.usable
           where not exists (select from opt_out o where o.person_id = r.person_id
                             and o.channel in ('all', s.channel, %(topic)s))) as refused
from role r join taxpayer t on t.id = r.taxpayer_id
where r.taxpayer_id = any(%(ids)s)
  and (r.role = any(%(roles)s) or r.role = 'self' and t.kind = 'natural_person')
  and exists (select from address a where a.person_id = r.person_id and a.kind = any(%(kinds)s) and a.usable)
order by r.taxpayer_id,
         case when t.kind = 'natural_person' and r.role = 'self' then 0
              else array_position(%(roles)s::text[], r.role) end, r.person_id
"""
"""The rule of `campaigns/roles.py` for ladders without a visit, written independently of it."""


@pytest.mark.parametrize("seed", range(3))
async def test_the_contacts_are_those_of_the_rule_in_sql(rt: Runtime, seed: int) -> None:
    rng = Random(seed)
    await town.settle_town(
        rt,
        [
            town.Household(
                n if n % 40 < 20 else n * 50,
                n,
                town.mobile(n) if n % 3 else None,
                email=f"p{n}@example.com" if n % 4 else None,
            )
            for n in range(1, 200)
        ],
    )
    changes = [
        "insert into role select t.id, 1 + (t.id * 7 + x) % 199,"
        " (array['legal_representative', 'finance_head', 'invoice_clerk',"
        " 'agent', 'self', 'tax_filer'])[1 + (t.id + x) % 6]"
        " from taxpayer t, generate_series(1, 4) x on conflict do nothing",
        "update taxpayer set kind = 'natural_person', name = null where id % 5 = 0",
        "update address set usable = false where id % 7 = 0",
        "insert into opt_out (person_id, channel, at, source) select id, channel, now(), 'test'"
        " from person, unnest(array['sms', 'email', 'all', 'topic:policy']) with ordinality as c (channel, n)"
        " where id % 9 = n or id % 9 = n + 1",
    ]
    for change in changes:
        await rt.db.execute(change)
    ids = [row["id"] for row in await rt.db.fetch("select id from taxpayer") if rng.random() < 0.8]
    for _ in range(4):
        roles = rng.sample([LEGAL, FINANCE, FILER, SELF, "agent", "invoice_clerk"], rng.randint(1, 4))
        channels = rng.sample(["sms", "email"], rng.randint(1, 2))
        ladder = {
            "steps": range(len(channels)),
            "channels": channels,
            "kinds": [ADDRESS_KINDS[channel] for channel in channels],
            "topic": "topic:policy",
        }
        async with rt.db.begin() as conn:
            found = await find_contacts(conn, BitMap(ids), roles, ladder)
            rows = await (await conn.execute(RULE, {**ladder, "roles": roles, "ids": ids})).fetchall()
        assert [(int(pair & LOW), int(pair >> 32)) for pair in found.told] == [
            (row["taxpayer_id"], row["person_id"]) for row in rows
        ]
        assert found.households == BitMap([row["taxpayer_id"] for row in rows])
        assert found.refused == BitMap([row["taxpayer_id"] for row in rows if row["refused"]])
        for role, members in found.by_role.items():
            assert members == BitMap([row["taxpayer_id"] for row in rows if row["role"] == role]), role


async def test_the_signature_covers_the_choice_and_nothing_where_there_is_none(rt: Runtime) -> None:
    await people(rt)
    async with town.wired(rt) as wire:
        campaign = await drafted(wire.rt)
        plain = await covered(wire.rt, campaign)
        assert "contact_roles" not in plain.text
        seen = {plain.digest}
        for roles in (CHOSEN, CHOSEN[::-1], (LEGAL,)):
            await rt.db.execute("update campaign set contact_roles = %(roles)s", {"roles": list(roles)})
            seen.add((await covered(wire.rt, campaign)).digest)
        assert len(seen) == 4
        await rt.db.execute("update campaign set contact_roles = '{}'")
        assert await covered(wire.rt, campaign) == plain


async def covered(rt: Runtime, campaign: int) -> Any:
    async with rt.db.begin() as conn:
        return await cover(conn, campaign)


async def test_a_choice_after_the_signature_sends_nothing_until_it_is_signed_again(rt: Runtime) -> None:
    await people(rt)
    async with town.wired(rt) as wire:
        campaign = await drafted(wire.rt, contact_roles=CHOSEN)
        await sign(wire.rt, campaign)
        await rt.db.execute("update campaign set contact_roles = '{agent}'")
        await tick(town.ticker(wire.rt))
        row = await rt.db.fetch_one("select state from campaign")
        assert row == {"state": "in_review"}
        assert await recipients(rt) == {}


async def test_an_edited_draft_stores_the_new_choice(rt: Runtime) -> None:
    await people(rt)
    campaign = await drafted(rt, contact_roles=CHOSEN)
    await edit_campaign(rt, campaign, "maker", DRAFT)
    assert await rt.db.fetch_one("select contact_roles from campaign") == {"contact_roles": []}


async def test_events_of_two_companies_of_one_legal_representative_stand_in_two_laps(rt: Runtime) -> None:
    async with ruled(rt, STAY, town.households(4), contact_roles=(LEGAL,)) as wire:
        await rt.db.execute(
            "insert into role (taxpayer_id, role, person_id) values (1, 'legal_representative', 3),"
            " (2, 'legal_representative', 3), (3, 'legal_representative', 2)"
        )
        await report(wire.rt, stay("a"))
        await report(wire.rt, *(stay(f"k{n}", taxpayer=n, session=f"s{n}") for n in (2, 3, 4)))
        async with working(wire.rt):
            await until(lambda: all_final(rt))
    assert sorted(await told(rt)) == [2, 3, 3]
    assert await laps(rt) == [(3, 2), (1, 1)]
    assert await excluded(rt) == {"no_role": [4]}
    audits = await audit_everything(rt)
    assert audits and all(audit.agrees for audit in audits)


async def test_who_was_told_as_a_chosen_contact_counts_for_the_quota_of_an_event(rt: Runtime) -> None:
    rules: dict[str, Any] = {"contact_roles": (LEGAL,), "quota_messages": 1, "quota_days": 7}
    async with ruled(rt, STAY, town.households(3), **rules) as wire:
        await rt.db.execute(
            "insert into role (taxpayer_id, role, person_id) values (1, 'legal_representative', 3)"
        )
        await report(wire.rt, stay("a"))
        async with working(wire.rt):
            await until(lambda: all_final(rt))
        await rt.db.execute("update round set state = 'finished', finished_at = now() where lap is not null")
        await report(wire.rt, stay("b", session="s2"))
    assert await told(rt) == [3]
    assert await excluded(rt) == {"contacted_recently": [1]}
