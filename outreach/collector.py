"""The garbage collector in processes that make millions of short-lived objects and hardly a cycle.

By default every 700 new objects are looked through, and what has survived again and again with them: of the
simulated gateway's time, whose books only grow, a tenth went there.
"""

import gc

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 20


def calm_collector() -> None:
    """Look rarely, and never again at what stands after the start. Called once by each process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
