"""The word guard: what it finds, and what it must leave alone."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.rendering.guard import OPT_OUT, find_forbidden


def rules(text: str, stage: str = "", channel: str = "sms", publicity: bool = False) -> set[str]:
    found = find_forbidden(text, stage, channel=channel, publicity=publicity)
    return {finding.rule for finding in found}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("请点击 https://example.com/a 办理", "link"),
        ("请登录etax.example.cn办理", "link"),
        ("请登录ｅｔａｘ．ｅｘａｍｐｌｅ．ｃｎ办理", "link"),
        ("请登录etax。example。com办理", "link"),
        ("打开t\u200b.c\u200bn/AbC办理", "link"),
        ("WWW.EXAMPLE.TOP", "link"),
        ("请点击下方链接办理", "link"),
        ("请打开{{ link }}办理", "link"),
        ("应补150元", "amount"),
        ("应补1,234.50 元", "amount"),
        ("应补３００元", "amount"),
        ("退税2万元", "amount"),
        ("退税五百元", "amount"),
        ("退税￥150", "amount"),
        ("应补{{ due|money }}", "amount"),
        ("应补{{ due }}元", "amount"),
        ("证件110101199003070134的持有人", "identity"),
        ("卡号6222 0212 3456 7890 128", "card"),
        ("卡号4111111111111111", "card"),
        ("请致电13800138000", "phone"),
        ("请致电010-12345678", "phone"),
        ("请致电4001234567", "phone"),
        ("{{ name }}您好", "name"),
        ("请回复验证码", "secret"),
        ("请提供您的银行卡号", "secret"),
        ("逾期将处罚", "threat"),
        ("将列入失信名单", "threat"),
        ("ᠮᠣᠩᠭᠣᠯ", "script"),
    ],
)
def test_what_is_found(text: str, rule: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        "请于6月30日前登录个人所得税APP核对办理。咨询12366。",
        "2026年元旦放假，2026元旦起施行",
        "请勿向他人提供卡号和验证码。",
        "工作人员不会索要或要求您回复验证码。",
        "{{ name|mask_name }}您好",
        "统一社会信用代码9111010800000000XX",
        "单号20260315140500001",
        "以免产生滞纳金",
        "办税服务厅在1.5公里处，版本3.2",
        "回复1满意2基本满意3不满意",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert rules(text) == set()


def test_threats_depend_on_the_stage() -> None:
    assert rules("逾期将处罚", "B2") == {"threat"}
    assert rules("逾期将处罚", "D2") == set()
    assert rules("将立案检查", "D2") == {"threat"}


def test_links_and_amounts_are_for_other_channels() -> None:
    assert rules("请打开 https://example.com 查看应补150元", channel="email") == set()
    assert rules("卡号4111111111111111，请回复验证码", channel="rcs") == {"card", "secret"}


def test_some_stages_must_say_certain_things() -> None:
    assert rules("您可能有退税。", "B1") == {"missing"}
    assert rules("您可自愿办理，不收取任何费用。", "B1") == set()
    assert rules("政策更新。", publicity=True) == {"missing"}
    assert rules(f"政策更新。{OPT_OUT}", publicity=True) == set()


def test_a_finding_says_where_and_what_to_do() -> None:
    finding = find_forbidden("应补150元，请办理")[0]
    assert (finding.rule, finding.excerpt) == ("amount", "150元")
    assert "APP" in finding.message


@given(st.text(max_size=500))
def test_any_text_is_judged(text: str) -> None:
    for finding in find_forbidden(text):
        assert finding.message


@pytest.mark.parametrize(
    "piece", ["1", "1.", "a-", "a.", "一", "1,", "{{ link", "{{ a|money", "{{ ", "勿，提供卡号"]
)
def test_a_hostile_text_takes_no_time(piece: str) -> None:
    """Of this thread's own time, which does not go on while the machine does something else."""
    began = time.thread_time()
    find_forbidden(piece * (20_000 // len(piece)))
    assert time.thread_time() - began < 1
