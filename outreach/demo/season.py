"""The season that the demo plays: four rounds of the individual income tax reconciliation of 2025."""

from datetime import datetime, timedelta

from campaigns.campaigns import CampaignDraft, RoundDraft, StepDraft
from outreach.clock import BEIJING

TAX_YEAR = 2025
LADDER = ("rcs", "sms", "wechat", "email")


def _at(month: int, day: int, hour: int = 9) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=BEIJING)


WAVES = (
    ("第一轮·预热", "A1", _at(2, 20), _at(2, 28, 20), "everyone"),
    ("第二轮·错峰", "A3", _at(3, 15), _at(3, 28, 20), "everyone"),
    ("第三轮·催办", "B2", _at(5, 20), _at(5, 31, 20), "iit.must_file"),
    ("第四轮·临期", "C1", _at(6, 20), _at(6, 30, 20), "iit.must_file"),
)
"""Name, stage of the wording, start, end, whom of the campaign's segment it is for."""

WAIT = timedelta(days=2)


def draft_season(org_id: int, variables: dict[str, int | str]) -> CampaignDraft:
    """The campaign as a planner would enter it."""
    rounds = tuple(
        RoundDraft(
            name, start, end, tuple(StepDraft(channel, f"iit_{stage}", WAIT) for channel in LADDER), segment
        )
        for name, stage, start, end, segment in WAVES
    )
    return CampaignDraft(
        code="iit-2025",
        name="2025年度个人所得税综合所得汇算清缴提醒",
        purpose="提醒需要办理汇算的自然人在法定期限内办理，减少逾期",
        kind="do_it_reminder",
        legal_basis="《个人所得税综合所得汇算清缴管理办法》（国家税务总局令第57号）",
        org_id=org_id,
        segment="kind = natural_person and (iit.must_file or iit.refund_expected or iit.topup_expected)",
        rounds=rounds,
        done_segment="iit.filed",
        exempt_segment="iit.exempt",
        dispute_segment="iit.disputed",
        holdout_permille=20,
        holdout_seed=2025,
        quota_messages=1,
        quota_days=7,
        variables=dict(variables),
    )
