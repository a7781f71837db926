"""5G messages that a provider files: what is handed in, what it is filled with, what cannot be filed."""

from typing import Any

import pytest

from channels.base import Outbound
from outreach.errors import InvalidInput
from outreach.ledger.content import compile_content, compose, file_card, file_text
from outreach.web.reads.templates import _text_to_file

CARD: dict[str, Any] = {
    "text": "{{ tax_year }}年度汇算尚未办理。",
    "title": "{{ tax_year }}汇算提醒",
    "body": "{{ taxpayers|list(3) }}：{{ taxpayers|list(1) }}。",
    "actions": [{"kind": "dial", "label": "咨询12366", "value": "12366"}],
    "chips": [{"kind": "reply", "label": "不再接收", "postback": "退订"}],
    "more": [
        {
            "title": "怎么办",
            "actions": [{"kind": "url", "label": "去办理", "value": "https://a.example.gov.cn"}],
        }
    ],
}
VALUES = {"tax_year": "2025", "taxpayers": ["甲公司", "乙公司"]}


def sent(content: dict[str, Any], filing: str, **values: Any) -> Outbound:
    return compose(
        compile_content("rcs", content),
        {**VALUES, **values},
        key="1",
        address="13900000001",
        signature="税务",
        filing=filing,
        unsubscribe="",
    )


def test_a_card_is_handed_in_part_by_part() -> None:
    assert file_card(CARD).body.splitlines() == [
        "〔回落短信正文〕${tax_year}年度汇算尚未办理。",
        "〔标题〕${tax_year}汇算提醒",
        "〔正文〕${taxpayers}：${taxpayers2}。",
        "〔按钮〕咨询12366｜拨号｜12366｜回执标识=咨询12366",
        "〔悬浮菜单〕不再接收｜回复｜回执标识=退订",
        "〔第 2 张卡片〕",
        "〔标题〕怎么办",
        "〔按钮〕去办理｜链接｜https://a.example.gov.cn｜回执标识=去办理",
    ]


def test_a_filed_card_travels_as_code_and_values_beside_the_card() -> None:
    message = sent(CARD, "RCS_SMS_7")
    assert (message.template, message.text) == ("RCS_SMS_7", "2025年度汇算尚未办理。")
    assert message.params == {
        "tax_year": "2025",
        "taxpayers": "甲公司、乙公司",
        "taxpayers2": "甲公司等2户",
    }
    assert message.card is not None and message.card.title == "2025汇算提醒"


def test_without_a_code_nothing_is_filled_in() -> None:
    message = sent(CARD, "")
    assert (message.template, message.params) == ("", {})
    assert message.card is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"body": "{% if amount %}应补{% else %}应退{% endif %}"}, "条件语句"),
        ({"more": [{"title": "{% if amount %}应补{% endif %}"}]}, "条件语句"),
        ({"actions": [{"kind": "url", "label": "去办理", "value": "{{ link }}"}]}, "按钮"),
        ({"chips": [{"kind": "reply", "label": "{{ name }}"}]}, "按钮"),
        ({"image_url": "https://a.example.gov.cn/{{ name }}.png"}, "图片"),
        (
            {"more": [{"actions": [{"kind": "reply", "label": "{{ name }}"}]}]},
            "按钮",
        ),
    ],
)
def test_what_no_provider_files_goes_under_no_code(changes: dict[str, Any], words: str) -> None:
    content = {**CARD, **changes}
    with pytest.raises(InvalidInput, match=words):
        file_card(content)
    told = _text_to_file("aliyun_rcs", {"channel": "rcs", "content": content})
    assert told.startswith("不能报备：") and words in told
    filled = {"amount": 1, "link": "https://a.example.gov.cn/x", "name": "张三"}
    message = sent(content, "RCS_SMS_7", **filled)
    assert (message.template, message.params) == ("", {})
    assert message.card is not None, "an account that files nothing still takes it"


@pytest.mark.parametrize("file", [file_text, lambda text: file_card({"text": text})])
def test_no_two_values_share_a_name(file: Any) -> None:
    filed = file("{{ name2 }}{{ name }}{{ name|upto(3) }}{{ name|upto(4) }}")
    names = [name for name, _ in filed.slots]
    assert len(set(names)) == 4
    values = {"name": "一二三四五", "name2": "乙"}
    assert [slot.render(values) for _, slot in filed.slots] == ["乙", "一二三四五", "一二…", "一二三…"]
