"""The privacy notice says what the law wants said (个人信息保护法), with this bureau's own figures."""

import re

import pytest

from outreach.config import Settings
from outreach.ledger.gateways import ADDRESS_KINDS
from outreach.web.public_pages import words
from outreach.web.public_privacy import PARTS, notice_parts

OBLIGATORY = {
    "handler": (r"处理者：某市税务局", r"privacy@example\.gov\.cn"),  # art. 17 (1)
    "why": (r"第十三条.*第三十四条.*第三十五条", "同意"),  # art. 17 (2), 13, 34, 35
    "data": (
        "纳税人识别号", "身份证件号码", "手机号", "电子邮箱", "openid", "企业微信", "钉钉", "申报", "标签",
        "疑点", "提问", "投诉", "评价", "问卷", "已读", "网段", "汇总",
    ),  # art. 17 (2): the kinds of information, named completely
    "sensitive": ("身份证件号码", "收入", "特别关照", "必需", "损害"),  # art. 30: necessity and influence
    "labels": ("标签", "不直接决定", "拒收"),  # art. 24
    "carriers": ("运营商", "openid", "邮箱地址", "企业微信", "钉钉", "网格员"),  # art. 21 and 23
    "keeping": ("201 天", "33 天", "44 天", "长期保存"),  # art. 17 (2)
    "protection": ("加密", "验证码", "审计"),  # art. 51
    "device": ("第三方", "30 分钟", "一年"),
    "rights": ("查阅和复制", "更正和补充", "删除", "撤回同意", "解释"),  # art. 17 (3), 44 to 48, 15
    "complaint": ("12345", "网信部门"),  # art. 65
    "changes": ("公布",),  # art. 17
}  # fmt: skip


def notice(language: str, **settings: object) -> dict[str, str]:
    own = Settings(signature="某市税务局", keep_traces_days=201, keep_links_days=33, keep_receipts_days=44)
    parts = notice_parts(own.model_copy(update=settings), words(language))
    return {name: "\n".join(sentences) for name, sentences in parts}


def test_every_obligatory_part_is_there() -> None:
    told = notice("zh", privacy_contact="privacy@example.gov.cn")
    assert told.keys() == OBLIGATORY.keys() == set(PARTS)
    missing = [
        (part, wanted)
        for part, patterns in OBLIGATORY.items()
        for wanted in patterns
        if not re.search(wanted, told[part])
    ]
    assert missing == []


@pytest.mark.parametrize("language", ["zh", "en", "mn"])
def test_no_language_says_less(language: str) -> None:
    chinese, told = notice("zh"), notice(language)
    assert {name: text.count("\n") for name, text in told.items()} == {
        name: text.count("\n") for name, text in chinese.items()
    }
    for name, text in told.items():
        assert re.findall(r"\b(?:201|33|44)\b", text) == re.findall(r"\b(?:201|33|44)\b", chinese[name])
        assert "{" not in text and words(language)[f"privacy_{name}_title"]


def test_without_a_contact_of_its_own_the_hotline_answers() -> None:
    assert "12366" in notice("zh")["handler"] and "12366" in notice("en")["handler"]


def test_every_channel_has_its_carrier() -> None:
    told = notice("en")["carriers"]
    names = {"sms": "SMS", "rcs": "5G", "wechat": "WeChat", "email": "E-mail", "wecom": "WeCom"}
    for channel in ADDRESS_KINDS:
        assert names.get(channel, "DingTalk") in told, channel
