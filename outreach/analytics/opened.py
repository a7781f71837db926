"""What taxpayers did with the links of a round or a campaign, for its report."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyroaring import AbstractBitMap

from outreach.labels.bitmaps import EMPTY, union
from outreach.ledger.opened import OPENED, Opened


@dataclass(frozen=True, slots=True)
class LinksOpened:
    """In distinct households: opened = read + only opened. `documents`: households that read a document, by
    its kind; a household that read its bill and its gift pack has read two documents."""

    opened: int = 0
    read: int = 0
    documents: dict[str, int] = field(default_factory=dict)

    @property
    def only_opened(self) -> int:
        """Asked for a code, and saw no document."""
        return self.opened - self.read

    @property
    def read_documents(self) -> int:
        """All documents that were read, each once however often it was looked at."""
        return sum(self.documents.values())


def links_opened(rounds: Sequence[Opened], scope: AbstractBitMap) -> LinksOpened:
    """Within a scope; a household counts once, in however many of the rounds it opened or read."""
    sets = {
        what: union(part[what] for part in rounds if what in part) & scope
        for what in sorted({what for part in rounds for what in part})
    }
    documents = {what: members for what, members in sets.items() if what != OPENED and members}
    return LinksOpened(
        len(sets.get(OPENED, EMPTY)),
        len(union(documents.values())),
        {what: len(members) for what, members in documents.items()},
    )
