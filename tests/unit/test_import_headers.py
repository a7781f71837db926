"""Headers as offices make them, and which column is which field."""

import pytest

from outreach.errors import InvalidInput
from outreach.imports.headers import find_header
from outreach.imports.mapping import Mapper
from outreach.registry.fields import PERSON_FIELDS, TAXPAYER_FIELDS

TAXPAYERS = Mapper(TAXPAYER_FIELDS)


def columns(rows: list[list[object]], mapper: Mapper = TAXPAYERS) -> dict[str, int]:
    header = find_header(rows, mapper.count_known)
    assert header is not None
    return mapper.columns(header.texts)


def test_titles_above_and_merged_rows() -> None:
    head: list[list[object]] = [
        ["示例市税务局纳税人登记表", "", "", "", "", ""],
        ["", "", "", "", "", ""],
        ["填报单位：示例县税务局", "", "", "", "日期", "2026-03-01"],
        ["基本信息", "", "", "有关人员", "", ""],
        ["纳税人识别号*", "纳税人名称（必填）", "主管税务机关代码", "法定代表人", "", "办税员"],
        ["", "", "", "姓名", "手机号码", "姓名"],
        ["91350100M000100Y43", "示例公司", "115990101", "王芳", "13800138000", "李强"],
    ]
    header = find_header(head, TAXPAYERS.count_known)
    assert header is not None
    assert header.skip == 6
    assert header.texts[1] == "纳税人名称（必填）"
    assert header.texts[4] == "法定代表人/手机号码"


def test_three_merged_rows() -> None:
    head: list[list[object]] = [
        ["登记信息", "", "", "", ""],
        ["基本情况", "", "", "人员信息", ""],
        ["纳税人识别号", "纳税人名称", "主管税务机关代码", "办税员姓名", "办税员手机号码"],
    ]
    header = find_header(head, TAXPAYERS.count_known)
    assert header is not None
    assert TAXPAYERS.columns(header.texts) == {
        "tax_no": 0, "name": 1, "org_code": 2, "tax_filer_name": 3, "tax_filer_mobile": 4,
    }  # fmt: skip


def test_merged_groups_name_the_role() -> None:
    head: list[list[object]] = [
        ["税号", "企业名称", "税务机关代码", "法定代表人信息", "", "财务负责人", ""],
        ["", "", "", "姓名", "身份证号", "姓名", "移动电话"],
    ]
    assert columns(head) == {
        "tax_no": 0, "name": 1, "org_code": 2, "legal_representative_name": 3,
        "legal_representative_id_no": 4, "finance_head_name": 5, "finance_head_mobile": 6,
    }  # fmt: skip


def test_data_below_the_header_are_not_taken_for_a_second_row() -> None:
    head: list[list[object]] = [
        ["纳税人识别号", "纳税人名称", "主管税务机关代码"],
        ["91350100M000100Y43", "示例公司", "115990101"],
    ]
    header = find_header(head, TAXPAYERS.count_known)
    assert header is not None and header.skip == 1


def test_another_persons_mobile_is_not_the_taxpayers() -> None:
    head: list[list[object]] = [
        ["纳税人识别号", "名称", "机构代码", "经办人", ""],
        ["", "", "", "姓名", "手机号码"],
    ]
    assert set(columns(head)) == {"tax_no", "name", "org_code"}


def test_the_more_certain_name_of_two_columns_is_taken() -> None:
    head: list[list[object]] = [["社会信用代码", "纳税人识别号", "纳税人名称", "主管税务机关代码"]]
    assert columns(head)["tax_no"] == 1


def test_two_equal_columns_are_refused() -> None:
    with pytest.raises(InvalidInput, match="两列都像"):
        columns([["纳税人识别号", "纳税人识别号", "纳税人名称", "主管税务机关代码"]])


def test_a_missing_column_names_what_is_there_and_what_comes_near() -> None:
    with pytest.raises(InvalidInput) as caught:
        columns([["纳税人识别号", "纳税人名称", "主管机关编码", "备注"]])
    assert "缺少列：“主管税务机关代码”" in caught.value.message
    assert "“备注”" in caught.value.message
    assert "是否就是“主管机关编码”" in caught.value.message
    assert caught.value.details["headers"] == ["纳税人识别号", "纳税人名称", "主管机关编码", "备注"]


def test_an_explicit_mapping_goes_before_synonyms() -> None:
    mapper = Mapper(TAXPAYER_FIELDS, {"org_code": "所在片区", "name": "户主"})
    found = columns([["纳税人识别号", "纳税人名称", "户主", "主管税务机关代码", "所在片区"]], mapper)
    assert (found["name"], found["org_code"]) == (2, 4)


def test_an_explicit_mapping_to_no_column_is_an_error() -> None:
    mapper = Mapper(TAXPAYER_FIELDS, {"mobile": "联系方式一"})
    with pytest.raises(InvalidInput, match="手机号码"):
        columns([["纳税人识别号", "纳税人名称", "主管税务机关代码"]], mapper)


def test_an_unknown_field_in_a_mapping_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="未知的字段：shoe_size"):
        Mapper(TAXPAYER_FIELDS, {"shoe_size": "鞋码"})


@pytest.mark.parametrize("header", ["身份证号", "身份证件号码", "证件号码 ", "＊证件号码", "证件\n号码"])
def test_synonyms(header: str) -> None:
    assert columns([["姓名", header]], Mapper(PERSON_FIELDS))["id_no"] == 1
