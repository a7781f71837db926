"""What may be saved as a work notice is what the platforms take whole."""

from typing import Any

import orjson
import pytest

from channels.base import Outbound
from channels.dingtalk import messages as dingtalk
from channels.wecom import messages as wecom
from outreach.ledger.content import compile_content, compose
from outreach.ledger.notices import NOTICES, check_notice
from outreach.rendering.starters import load_season

KEY = "z" * 16
URL = "https://tax.example.com/t/AbCdEf12345"
COMPOSERS = {"wecom": wecom.compose, "dingtalk": dingtalk.compose}


def written(channel: str, content: dict[str, Any], **values: Any) -> Outbound:
    check_notice(channel, content)
    compiled = compile_content(channel, content)
    return compose(
        compiled, values, key=KEY, address="zhang", signature="某某市税务局", filing="", unsubscribe=""
    )


@pytest.mark.parametrize("channel", NOTICES)
def test_the_longest_text_leaves_whole(channel: str) -> None:
    message = written(channel, {"text": "字" * (NOTICES[channel].text // 3)})
    body = orjson.loads(COMPOSERS[channel](message, 1))
    assert message.text in orjson.dumps(body).decode()


@pytest.mark.parametrize(("channel", "kind"), [("wecom", "textcard"), ("dingtalk", "action_card")])
def test_the_longest_card_stays_a_card(channel: str, kind: str) -> None:
    limits = NOTICES[channel]
    content = {"text": "字" * (limits.card // 3), "title": "题" * (limits.title // 3), "url": "{{ link }}"}
    message = written(channel, content, link=URL)
    body = orjson.loads(COMPOSERS[channel](message, 1))
    assert body.get("msg", body)["msgtype"] == kind
    assert URL in orjson.dumps(body).decode()


def test_a_title_without_a_link_is_a_markdown_notice_on_dingtalk() -> None:
    body = orjson.loads(dingtalk.compose(written("dingtalk", {"text": "请办理", "title": "提醒"}), 1))
    assert body["msg"]["msgtype"] == "markdown"


@pytest.mark.parametrize("channel", NOTICES)
def test_the_starters_leave_whole(channel: str) -> None:
    season = load_season()
    for stage in season.stages:
        message = written(channel, dict(stage.contents[channel]), **season.samples, code="7KQ2MX")
        assert COMPOSERS[channel](message, 1)
