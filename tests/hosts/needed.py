"""What a test says that needs hosts of its own."""

import pytest

from tests.hosts.net import why_not

_REASON = why_not()
hosts_needed = pytest.mark.skipif(bool(_REASON), reason=_REASON or "hosts can be made")
