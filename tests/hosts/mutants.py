"""What the suite must catch by cutting cables alone: a protocol that lacks a safeguard, and a client whose
requests outlive it in a cut line.
"""

from channels import http
from tests.chaos import mutants
from tests.chaos.mutants import Mutant
from tests.chaos.plan import Strike

_CUT_AT = (0.15, 0.4, 0.65)


def remember() -> None:
    """What hangs in a cut line is sent by the kernel long after the client has given up."""
    if not hasattr(http, "_forget_after"):
        raise LookupError("the client of the gateways no longer has _forget_after")
    http._forget_after = lambda transport, seconds: None


MUTANTS = {
    **{name: mutants.MUTANTS[name] for name in ("mark_after_send", "no_watermark")},
    "late_requests": Mutant("late_requests", "B", (), remember, faults={"silent": 1.0}),
}


def mutant_cuts(longest: float) -> list[Strike]:
    """One worker after the other is cut off, for so many seconds."""
    return [Strike("worker", share, None, longest, number % 2) for number, share in enumerate(_CUT_AT)]
