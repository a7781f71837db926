"""The wording guard of campaigns: what each kind may not say, where, and what stays allowed."""

from typing import Any

import pytest

from campaigns.wording_guard import check_campaign, check_content, load_rules
from outreach.ledger.kinds import KINDS
from outreach.rendering.starters import load_season

GOOD = "您2025年度个税汇算尚未办理。请于6月30日前登录个人所得税APP核对办理。咨询12366。"


def errors(text: str, kind: str | None = "do_it_reminder", channel: str = "sms", **extra: Any) -> set[str]:
    found = check_content(channel, {"text": text}, kind=kind, **extra)
    return {one.rule for one in found if one.is_error}


@pytest.mark.parametrize(
    ("text", "kind", "rule"),
    [
        ("请提前缴纳下一年度税款", "do_it_reminder", "overtax"),
        ("为完成任务请尽快入库", "statutory_deadline", "overtax"),
        ("请配合本局收入任务", "overdue", "overtax"),
        ("集中清缴以前年度社保欠费", "do_it_reminder", "old_dues"),
        ("社会保险历史欠费专项清缴", "overdue", "old_dues"),
        ("您必须于6月30日前办理", "do_it_reminder", "command"),
        ("责令您办理", "statutory_deadline", "command"),
        ("逾期将罚款", "do_it_reminder", "threat"),
        ("将列入失信名单", "policy_push", "threat"),
        ("将移送公安", "overdue", "threat"),
        ("应补150元", "do_it_reminder", "amount"),
        ("点击 https://t.example.cn/a 办理", "do_it_reminder", "link"),
        ("您有退税，点 {{ link }} 领取", "bill", "refund_link"),
        ("新政策请查看", "policy_push", "missing"),
    ],
)
def test_what_stops_a_submission(text: str, kind: str, rule: str) -> None:
    assert rule in errors(text, kind)


@pytest.mark.parametrize("kind", ["do_it_reminder", "statutory_deadline", "overdue"])
def test_a_plain_reminder_passes(kind: str) -> None:
    assert check_content("sms", {"text": GOOD}, kind=kind) == []


def test_publicity_carries_the_way_out() -> None:
    assert errors("新政策请查看。拒收请回复R", "policy_push") == set()


def test_a_follow_up_may_name_what_follows_but_a_reminder_may_not() -> None:
    text = "逾期未办理的，依法加收滞纳金，可处罚款。咨询12366。"
    assert errors(text, "overdue") == set()
    assert errors(text, "do_it_reminder") == {"threat"}


def test_commands_are_only_advice_in_a_follow_up() -> None:
    found = check_content("sms", {"text": "请务必办理"}, kind="overdue")
    assert [(one.rule, one.is_error) for one in found] == [("command", False)]


def test_an_allowance_lifts_one_rule_and_no_other() -> None:
    text = "应补150元，{{ name }}"
    assert errors(text) == {"amount", "name"}
    assert errors(text, allowances=("amount",)) == {"name"}
    assert errors("逾期将罚款", allowances=("threat",)) == {"threat"}
    assert "refund_link" in errors("退税请点 {{ link }}", allowances=("link",))


def test_the_fall_back_text_of_a_card_is_an_sms() -> None:
    card = {"text": "应补150元", "title": "提醒", "body": "应补150元，请核对"}
    found = check_content("rcs", card, kind="do_it_reminder", place="第 1 轮")
    assert [(one.rule, one.place) for one in found] == [("amount", "第 1 轮正文")]


def test_a_button_to_the_authority_may_stand_beside_a_refund() -> None:
    card: dict[str, Any] = {"text": GOOD, "title": "汇算", "body": "可能有退税，自愿办理。", "actions": []}
    own = {"kind": "url", "label": "打开", "value": "https://etax.chinatax.gov.cn/"}
    foreign = {"kind": "url", "label": "打开", "value": "https://etax.chinatax.gov.cn.example.com/"}
    assert check_content("rcs", {**card, "actions": [own]}, kind="do_it_reminder") == []
    found = check_content("rcs", {**card, "actions": [foreign]}, kind="do_it_reminder")
    assert "refund_link" in {one.rule for one in found}


def test_a_finding_says_what_why_and_what_instead() -> None:
    (found,) = check_content("sms", {"text": "您必须办理"}, kind="do_it_reminder", place="第 1 轮第 1 级")
    assert found.sentence == (
        "「必须」：提示提醒是非强制性的，不能下命令。建议：写成“请于……前登录个人所得税APP办理”。"
    )
    assert found.place == "第 1 轮第 1 级正文"


def test_a_forbidden_topic_is_found_in_the_purpose() -> None:
    head = {
        "name": "提醒",
        "purpose": "开展社保欠费集中清缴",
        "legal_basis": "无",
        "kind": "do_it_reminder",
        "allowances": [],
    }
    assert [(one.rule, one.place) for one in check_campaign(head, [])] == [("old_dues", "活动目的")]


def test_the_texts_that_come_with_the_product_pass() -> None:
    season = load_season()
    for stage in season.stages:
        kind = stage.kind if stage.kind in KINDS else "do_it_reminder"
        for channel, content in stage.contents.items():
            found = [one for one in check_content(channel, content, kind=kind) if one.is_error]
            if kind == "rating":
                found = [one for one in found if one.rule != "missing"]
            assert found == [], (stage.code, channel)


def test_the_data_file_is_whole() -> None:
    for rule in load_rules():
        assert rule.level in ("error", "warning"), rule.code
        assert rule.kinds in ("all", "non_coercive", "coercive"), rule.code
        assert rule.where in ("all", "link"), rule.code
        assert rule.why, rule.code
        assert rule.instead, rule.code
