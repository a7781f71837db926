"""Every kind of event that the tax systems may report has a name on the timeline."""

from campaigns.trigger_rules import EVENTS as WAITED_FOR
from campaigns.triggers import DOCUMENT_TYPES, GIVES, OTHER_TYPES, TAKES
from outreach.web.reads.timeline import EVENTS


def test_every_event_has_a_name() -> None:
    assert EVENTS.keys() == {*GIVES, *TAKES, *OTHER_TYPES, *DOCUMENT_TYPES}


def test_every_event_that_a_round_may_wait_for_has_a_name() -> None:
    assert not WAITED_FOR.keys() - EVENTS.keys()
    assert all(name.strip() for name in EVENTS.values())
