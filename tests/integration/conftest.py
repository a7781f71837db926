"""Fixtures of the tests against a real database."""

from collections.abc import AsyncIterator

import pytest

from outreach.runtime import Runtime
from tests.integration.api_town import Town, open_town


@pytest.fixture
async def town(rt: Runtime) -> AsyncIterator[Town]:
    """A small town with its application."""
    async with open_town(rt) as settled:
        yield settled
