"""The command that the environment brings, and the commands that it knows."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from outreach import commands
from outreach.cli import COMMANDS, load_command

SCRIPT = Path(sys.executable).with_name("outreach")


@pytest.mark.skipif(not SCRIPT.exists(), reason="no environment of .ci/venv")
def test_a_process_pool_may_read_the_command_again() -> None:
    names = runpy.run_path(str(SCRIPT), run_name="__mp_main__")
    assert callable(names["app"])


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says(name: str) -> None:
    assert load_command(name).help == COMMANDS[name]


def test_every_module_is_a_command() -> None:
    modules = {path.stem for path in Path(commands.__path__[0]).glob("*.py")}
    named = {name.replace("-", "_").replace("import", "import_") for name in COMMANDS}
    assert modules - {"__init__", "running"} == named


def test_the_list_of_commands_imports_none_of_them() -> None:
    asked = "import sys; from outreach.cli import app; app(['--help'], standalone_mode=False)"
    seen = "print([name for name in sys.modules if name.startswith('outreach.')])"
    told = subprocess.run([sys.executable, "-c", f"{asked}; {seen}"], capture_output=True, text=True)
    assert told.stdout.splitlines()[-1] == "['outreach.cli']", told.stdout + told.stderr
