"""What the bureau does with personal data, with its own figures (个人信息保护法 art. 17, 21, 23, 24, 30).

Every sentence is true of this system: whoever changes what is collected, kept or handed on changes it here.
"""

from collections.abc import Mapping, Sequence

from outreach.config import Settings

PARTS = (
    "handler",
    "data",
    "sensitive",
    "why",
    "labels",
    "carriers",
    "keeping",
    "protection",
    "device",
    "rights",
    "complaint",
    "changes",
)
"""The parts of the notice, in the order in which they are read."""


def notice_parts(settings: Settings, w: Mapping[str, str]) -> Sequence[tuple[str, Sequence[str]]]:
    """The sentences of each part in one language, with the bureau's name, contact and times of keeping."""
    facts = {
        "bureau": settings.signature,
        "contact": settings.privacy_contact or w["privacy_contact_default"],
        "traces": settings.keep_traces_days,
        "links": settings.keep_links_days,
        "receipts": settings.keep_receipts_days,
    }
    return [(name, w[f"privacy_{name}"].format(**facts).split("\n")) for name in PARTS]
