"""A worker process that tests can kill; it may be a mutant that lacks one safeguard of the protocol.

    python -m tests.chaos.process [MUTANT]

A suite that does not catch the mutants proves nothing.
"""

import sys

from outreach.config import load_settings
from outreach.ledger import protocol
from outreach.worker import main


def without_watermark() -> None:
    """Whoever takes a batch over sends the window again that its last holder had open."""
    protocol.SQL["recover"] = "select 0 as n"
    protocol.SQL["claim"] = protocol.SQL["claim"].replace("b.n, b.watermark,", "b.n, b.settled as watermark,")


MUTANTS = {"without_watermark": without_watermark}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        MUTANTS[name]()
    main(load_settings())
