"""`make demo` as anybody starts it: the real command with servers of its own, to its last line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 280
"""It takes a quarter of that; a test may last for five minutes."""
TAXPAYERS = 300


@pytest.mark.slow
def test_the_demo_plays_a_season_and_its_sums_agree(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = ["demo", "--taxpayers", str(TAXPAYERS), "--exit", "--json", str(figures)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OUTREACH_")}
    ended = subprocess.run(
        [sys.executable, "-m", "outreach.cli", *command],
        env={**kept, "OUTREACH_VAR": str(tmp_path / "var"), "COLUMNS": "200"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said[-3000:]
    assert "项恒等式：全部一致" in ended.stdout, said[-3000:]
    assert "仿真网关的账与台账：逐条相等" in ended.stdout, said[-3000:]
    told = json.loads(figures.read_text(encoding="utf-8"))
    assert told["books_equal"] and len(told["rounds"]) == 4
    for part in told["rounds"]:
        assert part["audience"] == part["planned"] + sum(part["exclusions"].values()), part
        assert part["messages"] == sum(part["outcomes"].values()), part
    assert sum(part["messages"] for part in told["rounds"]) > 0
