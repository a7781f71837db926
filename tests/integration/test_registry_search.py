"""Finding households and reading one, within a scope."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from outreach.errors import InvalidInput, NotFound
from outreach.registry.consent import record_opt_out
from outreach.registry.search import find_taxpayer, get_household
from outreach.runtime import Runtime
from tests.import_files import EAST_COUNTY_ID, WEST, company, load_taxpayers, load_units, native, numbers

PROVINCE = 1
PERSON = native("欧阳明月", 手机号码="13800138000")
HEAD = {"法定代表人姓名": "欧阳明月", "法定代表人证件号码": PERSON["纳税人识别号"]}
FIRM = company("示例市蒙泰恒基商贸有限公司", **HEAD)
FAR = company("示例市蒙泰恒基商贸有限公司西山分公司", WEST, **HEAD)
ODD = company("百分之百%纯净水_有限公司")
DIGITS = company("示例市2008000号院物业有限公司")


@pytest.fixture(autouse=True)
async def households(rt: Runtime, tmp_path: Path) -> None:
    await load_units(rt, tmp_path)
    await load_taxpayers(rt, tmp_path, [PERSON, FIRM, FAR, ODD, DIGITS])


async def names(rt: Runtime, text: str, scope: int = PROVINCE) -> list[str]:
    return [found.name for found in await find_taxpayer(rt, scope, text)]


async def test_by_number(rt: Runtime) -> None:
    assert await names(rt, f" {FIRM['纳税人识别号'].lower()} ") == [FIRM["纳税人名称"]]


async def test_by_identity_number_and_mobile_all_households_of_the_person(rt: Runtime) -> None:
    expected = ["欧***", FIRM["纳税人名称"], FAR["纳税人名称"]]
    assert await names(rt, PERSON["纳税人识别号"]) == expected
    assert await names(rt, "138 0013 8000") == expected


async def test_by_part_of_a_name_nearest_first(rt: Runtime) -> None:
    assert await names(rt, "蒙泰恒基商贸") == [FIRM["纳税人名称"], FAR["纳税人名称"]]


async def test_what_can_only_be_a_number_is_not_looked_for_in_names(rt: Runtime) -> None:
    assert await names(rt, "2008000") == []
    assert await names(rt, "2008000号") == [DIGITS["纳税人名称"]]
    assert await names(rt, "08000") == [DIGITS["纳税人名称"]]


async def test_wildcards_are_letters(rt: Runtime) -> None:
    assert await names(rt, "%纯净水_") == [ODD["纳税人名称"]]
    assert await names(rt, "%%") == []
    assert await names(rt, "__") == []


async def test_natural_persons_are_not_found_by_name(rt: Runtime) -> None:
    assert await names(rt, "欧阳明月") == []


async def test_the_scope_bounds_the_search(rt: Runtime) -> None:
    assert await names(rt, "蒙泰恒基", EAST_COUNTY_ID) == [FIRM["纳税人名称"]]
    assert await names(rt, FAR["纳税人识别号"], EAST_COUNTY_ID) == []
    assert await names(rt, "蒙泰恒基", 99) == []


async def test_one_character_is_too_little(rt: Runtime) -> None:
    with pytest.raises(InvalidInput, match="至少"):
        await find_taxpayer(rt, PROVINCE, " 蒙 ")


async def test_a_household_is_masked_unless_asked_for_in_full(rt: Runtime) -> None:
    (found,) = await find_taxpayer(rt, PROVINCE, FIRM["纳税人识别号"])
    async with rt.db.begin() as conn:
        await record_opt_out(conn, 1, "sms", "上行短信", datetime(2026, 3, 15, tzinfo=UTC))
    household = await get_household(rt, PROVINCE, found.id)
    (person,) = household.persons
    assert (household.name, household.tax_no) == (FIRM["纳税人名称"], FIRM["纳税人识别号"])
    assert (person.name, person.roles, person.is_contact) == ("欧***", ("legal_representative",), True)
    assert person.id_no == f"159***********{PERSON['纳税人识别号'][-4:]}"
    assert [(item.kind, item.value) for item in person.addresses] == [("mobile", "138****8000")]
    assert list(person.opt_outs) == ["sms"]
    full = await get_household(rt, PROVINCE, found.id, unmasked=True)
    assert full.persons[0].name == "欧阳明月"
    assert full.persons[0].id_no == PERSON["纳税人识别号"]
    assert full.persons[0].addresses[0].value == "13800138000"


async def test_a_natural_persons_number_is_masked(rt: Runtime) -> None:
    household = await get_household(rt, PROVINCE, 1)
    assert (household.name, household.kind) == ("欧***", "natural_person")
    assert PERSON["纳税人识别号"][3:-4] not in household.tax_no


async def test_a_household_out_of_scope_does_not_exist(rt: Runtime) -> None:
    (far,) = await find_taxpayer(rt, PROVINCE, FAR["纳税人识别号"])
    for scope, taxpayer_id in ((EAST_COUNTY_ID, far.id), (PROVINCE, 999_999)):
        with pytest.raises(NotFound):
            await get_household(rt, scope, taxpayer_id)


async def test_a_person_without_any_address_is_shown(rt: Runtime, tmp_path: Path) -> None:
    row = company("无联系方式公司", 办税员姓名="李强", 办税员证件号码=numbers.id_no())
    await load_taxpayers(rt, tmp_path, [row])
    (found,) = await find_taxpayer(rt, PROVINCE, row["纳税人识别号"])
    (person,) = (await get_household(rt, PROVINCE, found.id)).persons
    assert person.addresses == ()
