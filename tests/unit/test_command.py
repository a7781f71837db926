"""The command that the environment brings."""

import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).with_name("outreach")


@pytest.mark.skipif(not SCRIPT.exists(), reason="no environment of .ci/venv")
def test_a_process_pool_may_read_the_command_again() -> None:
    names = runpy.run_path(str(SCRIPT), run_name="__mp_main__")
    assert callable(names["app"])
