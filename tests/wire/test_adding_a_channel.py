"""The worked example of docs/ADDING_A_CHANNEL.md does what the page says: its listings are taken from there,
registered for the time of a test, and held to the conformance suite."""

import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from channels.registry import ADAPTERS

from .conformance import AdapterConformance, Bench, PushConformance

PAGE = Path(__file__).parents[2] / "docs" / "ADDING_A_CHANNEL.md"
LISTING = re.compile(r"```python\n# (\S+\.py)\n(.*?)```", re.DOTALL)


def listings() -> dict[str, str]:
    """Module names and their source, in the order of the page."""
    found = LISTING.findall(PAGE.read_text("utf-8"))
    return {
        path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): code for path, code in found
    }


@pytest.fixture(scope="module")
def example() -> Iterator[dict[str, ModuleType]]:
    """The listings as modules, for as long as this file is tested."""
    modules: dict[str, ModuleType] = {}
    try:
        for name, code in listings().items():
            module = modules[name] = sys.modules[name] = ModuleType(name)
            exec(compile(code, f"{PAGE.name}:{name}", "exec"), module.__dict__)
        adapter = modules["channels.example_gate"].ExampleGate
        ADAPTERS[adapter.name] = adapter
        yield modules
    finally:
        ADAPTERS.pop("example_gate", None)
        for name in modules:
            sys.modules.pop(name, None)


@pytest.fixture
async def bench(example: dict[str, ModuleType]) -> AsyncIterator[Bench]:
    async with example["tests.wire.example_gate"].run_bench() as bench:
        yield bench


class TestExampleGate(AdapterConformance):
    """Sending, classification, query, configuration."""


class TestExampleGatePushes(PushConformance):
    """Receipts, inbound, verification, hostile pushes."""


def test_the_page_names_what_there_is() -> None:
    page = PAGE.read_text("utf-8")
    assert list(listings()) == [
        "channels.example_gate",
        "channels.gateways.example_gate",
        "tests.wire.example_gate",
    ]
    root = PAGE.parents[1]
    for path in set(re.findall(r"`((?:channels|outreach|tests|docs)/[a-z_/]+(?:\.py|\.md|/))`", page)):
        assert (root / path).exists() or "NAME" in path or "example_gate" in path, path
