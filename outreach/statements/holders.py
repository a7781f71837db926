"""Who holds a document, as the audience language asks for it: `document.yearly_bill = 2025`.

A campaign that tells people of their document picks them by it, so that nobody is told of one that she does
not have. The words are those of the view `document_term`; only issuing makes members.
"""

from collections.abc import Mapping, Sequence

from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.labels.keys import document_key
from outreach.labels.sets import change_set
from outreach.statements.freezing import Fresh, Latest

SOURCE = "出具文书"
"""What the change log of the sets names."""


async def note_holders(
    conn: Connection,
    kind: str,
    year: int,
    homes: Sequence[int],
    fresh: Sequence[Fresh],
    latest: Mapping[int, Latest],
) -> None:
    """Bring the set up to date for the households of a block, in the transaction that has written their
    documents: `fresh` are those, `latest` what counted before.

    It tells of each of them, not of changes alone: documents of before there was the set come into it too.
    """
    held = BitMap([taxpayer_id for taxpayer_id, old in latest.items() if not old.withdrawn])
    held |= BitMap([one.taxpayer_id for one in fresh])
    held -= BitMap([one.taxpayer_id for one in fresh if one.drawn.withdrawn])
    await change_set(conn, document_key(kind, year), add=held, remove=BitMap(homes) - held, source=SOURCE)
