"""What a trigger round waits for, as the API writes it."""

from typing import Annotated, Literal

from pydantic import Field

from campaigns.trigger_rules import STAY_SECONDS, Trigger
from outreach.web.api.fields import Model, Text, examples


class TriggerIn(Model):
    """The round waits for events in its window and answers each with one message. `once`: for what only one
    is sent; `days`: within how many days a household counts as the same, 0 for ever."""

    model_config = examples({"event": "page_stay", "once": "session", "seconds": 180})
    event: Literal[
        "page_stay",
        "first_invoice",
        "refund_failed",
        "refund_done",
        "credit_changed",
        "deferral_maturing",
        "yearly_bill_ready",
        "benefit_bill_ready",
        "gift_pack_ready",
        "checkup_ready",
    ]
    once: Literal["session", "taxpayer", "event"] = "event"
    days: Annotated[int, Field(ge=0, le=3_660)] = 0
    seconds: Annotated[int, Field(ge=1, le=86_400, description="页面停留严格超过多少秒")] = STAY_SECONDS
    page: Annotated[Text, Field(max_length=100, description="只算这个页面，留空为任一页面")] = ""


def trigger_meant(given: TriggerIn | None) -> Trigger | None:
    """The trigger as the campaign holds it."""
    return Trigger(given.event, given.once, given.days, given.seconds, given.page) if given else None
