"""Replies over the wire: the same words do the same on every channel, and staff see them in one list."""

from typing import Any

from campaigns.rounds import tick
from channels.base import Inbound, InboundKind
from channels.gateways.email_smtp.simulator import EmailSmtpSimulator
from outreach.labels.cache import SetCache
from outreach.labels.keys import optout_key
from outreach.ledger.gateways import load_gateways
from outreach.ledger.inbound import opt_out_by_token, record_inbound
from outreach.rehearsal import add_gateways, free_ports
from outreach.runtime import Runtime
from tests import town as village
from tests.integration.api_town import SISTER, Town
from tests.integration.every_channel import EveryChannel, every_channel
from tests.integration.test_ledger import until, working
from tests.town import GRID, PROVINCE, Household, mobile

REFUSALS = ("R", "TD", "退订", "Ｒ", " t。")
WAYS = ("aliyun_sms", "cmpp", "fiveg_bot", "wechat_official", "wecom")
CHANNEL_OF = {
    "aliyun_sms": "sms",
    "cmpp": "sms",
    "fiveg_bot": "rcs",
    "wechat_official": "wechat",
    "wecom": "wecom",
}


def sender(place: int, way: int) -> Household:
    """The person who says the n-th word on a way."""
    number = 1 + place * len(WAYS) + way
    return Household(
        number,
        number,
        mobile(number),
        f"o{number:027d}",
        f"clerk{number}@example.com",
        True,
        f"clerk{number}",
    )


def say(stage: EveryChannel, way: str, one: Household, text: str) -> None:
    # The platform keeps the case in which a member was entered, and tells none from another by it.
    address = {"wechat_official": one.openid, "wecom": str(one.wecom).title()}.get(way, one.mobile)
    stage.simulators[way].uplink({"address": address, "text": text})


async def kept(rt: Runtime, count: int) -> bool:
    row = await rt.db.fetch_one("select count(*)::int as n from inbound")
    return row is not None and row["n"] >= count


async def actions(rt: Runtime) -> dict[int, str]:
    return {r["person_id"]: r["action"] for r in await rt.db.fetch("select person_id, action from inbound")}


async def test_a_refusal_stops_its_channel_whatever_the_word_and_the_way(rt: Runtime) -> None:
    people = [sender(place, way) for place in range(len(REFUSALS)) for way in range(len(WAYS))]
    async with every_channel(rt, people) as stage, working(stage.rt):
        for place, word in enumerate(REFUSALS):
            for way, name in enumerate(WAYS):
                say(stage, name, sender(place, way), word)
        await until(lambda: kept(rt, len(people)))
    assert await actions(rt) == dict.fromkeys((one.person for one in people), "opt_out")
    rows = await rt.db.fetch(
        "select person_id, array_agg(channel order by channel) as c from opt_out group by 1"
    )
    for row in rows:
        channel = CHANNEL_OF[WAYS[(row["person_id"] - 1) % len(WAYS)]]
        assert row["c"] == (["rcs", "sms"] if channel in ("sms", "rcs") else [channel])
    assert len(rows) == len(people)
    stopped = (await SetCache().load(rt, [optout_key("wecom")]))[optout_key("wecom")]
    assert set(stopped) == {one.taxpayer for one in people if one.person % len(WAYS) == 0}


async def test_confirmations_ratings_and_questions_read_alike_on_every_way(rt: Runtime) -> None:
    said = (
        ("确认", "confirm"),
        ("ｏｋ！", "confirm"),
        ("２", "rating"),
        ("如何办理？", ""),
        ("请问确认什么", ""),
    )
    people = [sender(place, way) for place in range(len(said)) for way in range(len(WAYS))]
    async with every_channel(rt, people) as stage, working(stage.rt):
        for place, (text, _) in enumerate(said):
            for way, name in enumerate(WAYS):
                say(stage, name, sender(place, way), text)
        await until(lambda: kept(rt, len(people)))
    found = await actions(rt)
    wanted = {sender(p, w).person: action for p, (_, action) in enumerate(said) for w in range(len(WAYS))}
    assert found == wanted
    assert await rt.db.fetch("select 1 as one from opt_out") == []


async def test_a_letter_is_refused_by_its_link_and_a_card_by_its_button(rt: Runtime) -> None:
    people = [
        Household(1, 1, email="clerk1@example.com"),
        Household(2, 2, mobile(2), rcs=True),
        Household(3, 3, email="clerk3@example.com"),
    ]
    async with every_channel(rt, people) as stage:
        await village.launch(stage.rt, ["rcs", "email"])
        async with working(stage.rt):
            assert await tick(village.ticker(stage.rt)) == 3
            await until(lambda: booked(stage, 3))
            letters = stage.simulators["email_smtp"]
            assert isinstance(letters, EmailSmtpSimulator)
            token = letters.sent["clerk1@example.com"].unsubscribe.rpartition("/")[2]
            assert await opt_out_by_token(rt, token)
            assert await opt_out_by_token(rt, token)
            letters.uplink({"address": "clerk3@example.com", "kind": "complaint"})
            stage.simulators["fiveg_bot"].uplink({"address": mobile(2), "press": "退订"})
            await until(lambda: kept(rt, 3))
    rows = await rt.db.fetch("select person_id, channel from opt_out order by 1, 2")
    found = [(row["person_id"], row["channel"]) for row in rows]
    assert found == [(1, "email"), (2, "rcs"), (2, "sms"), (3, "email")]
    assert await actions(rt) == dict.fromkeys((1, 2, 3), "opt_out")


async def booked(stage: EveryChannel, count: int) -> bool:
    return sum(len(one.books.entries) for one in stage.simulators.values()) >= count


async def test_who_leaves_the_account_is_not_written_to_and_who_returns_is(rt: Runtime) -> None:
    openid = "o" + "7" * 27
    async with every_channel(rt, [Household(1, 1, openid=openid)]) as stage, working(stage.rt):
        for count, (kind, usable) in enumerate((("unsubscribe", False), ("subscribe", True)), start=1):
            stage.simulators["wechat_official"].uplink({"address": openid, "kind": kind})
            await until(lambda count=count: kept(rt, count))
            row = await rt.db.fetch_one("select usable from address")
            assert row == {"usable": usable}
            members = (await SetCache().load(rt, ["reach:wechat"]))["reach:wechat"]
            assert list(members) == ([1] if usable else [])


async def replies(town: Town) -> None:
    """A refusal from the county, a question from the sister county, one from nobody whom we know."""
    await add_gateways(town.rt, free_ports(), rate=100, quiet_seconds=60)
    gateways = {one.channel: one for one in (await load_gateways(town.rt)).values()}
    for number, (address, text) in enumerate(
        ((mobile(town.in_county[0]), "退订"), (mobile(town.in_sister[0]), "怎么办理？"), (mobile(999), "TD"))
    ):
        message = Inbound(InboundKind.TEXT, address, text, provider_id=f"up{number}")
        await record_inbound(town.rt, gateways["sms"], message)


async def listed(town: Town, unit: int = PROVINCE, **params: Any) -> list[tuple[str, bool, bool]]:
    answer = await town.get("/inbound", unit=unit, params=params)
    assert answer.status_code == 200, answer.text
    return [(row["topic"], row["is_known"], row["acted"]) for row in answer.json()["rows"]]


async def test_the_list_keeps_to_the_scope_and_masks_addresses(town: Town) -> None:
    await replies(town)
    refusal, question, stranger = (
        ("opt_out", True, True),
        ("question", True, False),
        ("opt_out", False, False),
    )
    assert await listed(town) == [stranger, question, refusal]
    assert await listed(town, GRID) == [refusal]
    assert await listed(town, SISTER) == [question]
    assert await listed(town, topic="opt_out") == [stranger, refusal]
    assert await listed(town, known=False) == [stranger]
    assert await listed(town, channel="wechat") == []
    assert await listed(town, since="2030-01-01T00:00:00+08:00") == []
    row = (await town.get("/inbound", unit=GRID)).json()["rows"][0]
    assert row["text"] == "退订"
    assert row["taxpayer_ids"] == [town.in_county[0]]
    assert row["address"] == "139****0001"


async def test_pages_follow_each_other_and_a_key_without_the_permission_sees_nothing(town: Town) -> None:
    await replies(town)
    first = (await town.get("/inbound", params={"limit": 2})).json()
    rest = (await town.get("/inbound", params={"limit": 2, "cursor": first["next"]})).json()
    ids = [row["id"] for row in first["rows"] + rest["rows"]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 3
    assert rest["next"] is None
    key = await town.key_with("message.read")
    assert (await town.ask("GET", "/inbound", key=key)).status_code == 403
