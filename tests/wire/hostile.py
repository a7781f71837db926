"""Hostile pushes: whatever comes in, only WebhookRejected may come out."""

import json
import re
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.base import Adapter, WebhookRequest
from channels.errors import WebhookRejected

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def fuzz_pushes(adapter: Adapter, genuine: WebhookRequest) -> None:
    """Nothing but WebhookRejected may come out of `verify` and `parse`, whatever comes in."""
    body = genuine.body

    def mutated(cut: tuple[int, int, bytes]) -> bytes:
        start, length, new = cut
        return body[: start % (len(body) + 1)] + new + body[start % (len(body) + 1) + length :]

    bodies = (
        st.binary(max_size=200)
        | st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=8)).map(mutated)
        | similar_json(body)
    )

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(bodies, st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=2))
    def attempt(hostile: bytes, extra: dict[str, str]) -> None:
        request = replace(genuine, body=hostile, query={**genuine.query, **extra})
        for read in (adapter.verify, adapter.parse):
            try:
                read(request)
            except WebhookRejected:
                continue

    attempt()


def similar_json(body: bytes) -> st.SearchStrategy[bytes]:
    """JSON documents that use the field names found in a genuine push, with values of any type."""
    names = sorted(set(re.findall(r'"(\w+)"\s*:', body.decode("utf-8", "replace")))) or ["id"]
    entries = st.dictionaries(st.sampled_from(names), JSON, max_size=len(names))
    return (entries | st.lists(entries, max_size=3) | JSON).map(_dump)


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()
