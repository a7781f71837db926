"""Staff look at a round's real texts on their own phones; the round counts nothing of it."""

from dataclasses import replace

import pytest

from campaigns.test_sends import Tried, add_address, drop_address, list_addresses, masked, send_tests
from channels.base import Outbound
from outreach.errors import Conflict, InvalidInput, NotFound, Unavailable
from outreach.governance.actor import Actor
from outreach.labels.cache import SetCache
from outreach.ledger.direct import TEST_MARK, marked
from outreach.ledger.gateways import Fleet
from outreach.runtime import Runtime
from tests import town
from tests.integration.test_slices import created, drafted, settle

OFFICER = Actor(1, "officer", "值班", frozenset(), town.CITY, "1.2.", town.CITY, "1.2.")
PHONE = town.mobile(501)


async def test_the_real_text_reaches_the_list_and_no_round(rt: Runtime) -> None:
    await settle(rt, 3)
    async with town.wired(rt) as wire:
        await created(wire.rt, drafted(None))
        listed = await add_address(wire.rt, OFFICER, name="值班员", kind="mobile", value="139-1000-0501")
        mail = await add_address(wire.rt, OFFICER, name="值班员", kind="email", value="a@example.com")
        row = await rt.db.fetch_one("select id from round")
        assert row is not None
        fleet = Fleet(wire.rt)
        tried = await send_tests(wire.rt, SetCache(), fleet, OFFICER, row["id"], [listed, mail])
        await wire.quiesce()
        assert tried == [Tried(0, "sms", "值班员", True)]
        (entry,) = wire.simulators["aliyun_sms"].books.entries
    assert entry.address == PHONE and "（测试）" in entry.text
    assert await rt.db.fetch("select * from message") == []
    rows = await rt.db.fetch("select purpose, person_id from direct_message")
    assert rows == [{"purpose": "test", "person_id": None}]
    actions = [one["action"] for one in await rt.db.fetch("select action from audit_event order by id")]
    assert actions[-3:] == ["test_address.add", "test_address.add", "round.test_send"]


async def test_the_list_is_encrypted_masked_and_the_units_own(rt: Runtime) -> None:
    await settle(rt, 1)
    number = await add_address(rt, OFFICER, name="值班员", kind="mobile", value=PHONE)
    with pytest.raises(Conflict):
        await add_address(rt, OFFICER, name="又一次", kind="mobile", value=PHONE)
    with pytest.raises(InvalidInput):
        await add_address(rt, OFFICER, name="错", kind="mobile", value="123")
    row = await rt.db.fetch_one("select value_enc from test_address")
    assert row is not None and PHONE.encode() not in bytes(row["value_enc"])
    county = replace(OFFICER, org_id=town.COUNTY, org_path="1.2.3.")
    async with rt.db.begin() as conn:
        shown = await list_addresses(rt, conn, OFFICER)
        assert await list_addresses(rt, conn, county) == []
    assert shown[0]["value"] != PHONE and shown[0]["value"].endswith("01")
    with pytest.raises(NotFound):
        await drop_address(rt, county, number)
    await drop_address(rt, OFFICER, number)


def test_the_mark_stands_where_the_reader_looks_first() -> None:
    plain = Outbound("k", PHONE, "正文", subject="主题")
    assert (marked(plain, TEST_MARK).text, marked(plain, TEST_MARK).subject) == (
        "【测试】正文",
        "【测试】主题",
    )
    filed = Outbound("k", PHONE, "某企业：请办理", template="SMS_1", params={"v1": "某企业"})
    assert marked(filed, TEST_MARK).params == {"v1": "（测试）某企业"}
    with pytest.raises(Unavailable):
        marked(Outbound("k", PHONE, "请办理", template="SMS_1"), TEST_MARK)


def test_names_of_the_sample_are_masked() -> None:
    values = {"name": "张三丰", "taxpayer": "示例企业", "taxpayers": ["示例企业"], "amount_due": 5}
    shown = masked(values)
    assert "三" not in shown["name"] and shown["taxpayers"] != ["示例企业"] and shown["amount_due"] == 5
