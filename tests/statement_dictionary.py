"""Trains a dictionary for documents:  python -m tests.statement_dictionary NUMBER

Whenever many words of the documents have changed, a new number packs them better; the numbers before stay
where they are (outreach/statements/packing.py).
"""

import sys
from collections.abc import Iterator
from random import Random

from zstandard import train_dictionary

from outreach.statements.canonical import canonical_bytes
from outreach.statements.freezing import document_number
from outreach.statements.kinds import DOCUMENT_KINDS
from outreach.statements.packing import FIRST_ID, dictionary_path
from outreach.statements.rules import RuleNotInForce
from tests.unit.bill_households import varied_households

_SAMPLES = 3_000
_BYTES = 1 << 16
_LEVEL = 3


def texts(count: int, seed: int) -> Iterator[bytes]:
    """Canonical texts of all kinds of documents, of so many made-up households."""
    chance = Random(seed)
    for home, year, today in varied_households(count, seed):
        issue = {
            "at": f"{today}T09:30:00+08:00",
            "number": document_number(year, chance.randrange(10**9)),
            "reason": "",
            "serial": f"{chance.getrandbits(128):032x}",
            "supersedes": None,
            "version": 1,
        }
        for kind in DOCUMENT_KINDS.values():
            try:
                (document,) = kind.build([home], year, today, {})
            except RuleNotInForce:
                continue
            if document is not None:
                yield canonical_bytes({**document, "issue": issue})


def main() -> int:
    """Write it, unless the number is taken."""
    number = int(sys.argv[1])
    samples = list(texts(_SAMPLES, seed=number))
    trained = train_dictionary(_BYTES, samples, dict_id=FIRST_ID + number, level=_LEVEL)
    with dictionary_path(number).open("xb") as file:
        file.write(trained.as_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
