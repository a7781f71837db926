"""Adapters against servers that speak their provider's protocol."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.conformance")
