"""The rules of the house that no other tool holds (design: the staircase, sizes, docs beside code)."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from channels.registry import ADAPTERS
from outreach.config import Settings
from outreach.worker import JOBS

ROOT = Path(__file__).parents[2]
HOUSES = ("outreach", "channels", "campaigns")
LINES = 400


def sources(*suffixes: str, houses: tuple[str, ...] = (*HOUSES, "templates", "tests")) -> Iterator[Path]:
    for house in houses:
        for path in sorted((ROOT / house).rglob("*")):
            if path.suffix in suffixes and "vendor" not in path.parts:
                yield path


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_go_down_only(capsys: pytest.CaptureFixture[str]) -> None:
    broken = lint_imports(str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert broken == 0, capsys.readouterr().out


def test_every_module_stands_on_a_step() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    staircase = next(contract for contract in contracts if contract["type"] == "layers")
    steps = {module.strip() for layer in staircase["layers"] for module in layer.split("|")}
    modules = {
        f"outreach.{path.stem}"
        for path in (ROOT / "outreach").iterdir()
        if path.stem != "__init__" and (path.suffix == ".py" or any(path.glob("*.py")))
    }
    assert modules | {"campaigns"} == steps


def test_no_file_is_too_long() -> None:
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources(".py", ".sql", ".html", ".css", ".js")
    }
    assert {name: length for name, length in lengths.items() if length > LINES} == {}


def test_nothing_is_left_lying_about() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|/(work|root)/|breakpoint\(")
    found = {
        f"{name_of(path)}:{number}"
        for path in sources(".py", ".sql", ".html", ".css", ".js", ".toml", ".json")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line) and path != Path(__file__)
    }
    assert found == set()


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_every_adapter_is_documented_and_has_samples(name: str) -> None:
    assert ADAPTERS[name].name == name
    assert (ROOT / "docs" / "adapters" / f"{name}.md").is_file()
    assert any((ROOT / "tests" / "wire" / "samples" / name).iterdir())


def test_every_setting_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `OUTREACH_(\w+)`", text, re.MULTILINE))
    assert documented == {name.upper() for name in Settings.model_fields}


def test_the_defaults_in_the_settings_page_are_true() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `OUTREACH_(\w+)` \| `([^`]*)` \|", text, re.MULTILINE))
    for name, default in told.items():
        value = Settings.model_fields[name.lower()].default
        assert str(value).lower() == default.lower(), name


def test_every_setting_is_read_by_somebody() -> None:
    code = "".join(
        path.read_text(encoding="utf-8") for path in sources(".py", houses=("outreach", "campaigns"))
    )
    unread = {name for name in Settings.model_fields if not re.search(rf"(settings|self)\.{name}\b", code)}
    assert unread == set()


def calls_of(function: str) -> Iterator[tuple[str, ast.Call]]:
    for path in sources(".py", houses=HOUSES):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function:
                yield f"{name_of(path)}:{node.lineno}", node


def test_every_job_that_is_rung_for_is_registered() -> None:
    registered = {name for jobs in JOBS.values() for name in jobs}
    rung = {place: call.args[2] for place, call in calls_of("ring")}
    assert rung
    for place, name in rung.items():
        assert isinstance(name, ast.Constant), f"{place}: a job's name is a literal"
        assert name.value in registered, f"{place}: no worker knows {name.value!r}"


def test_every_job_has_an_id_so_that_it_is_rung_for_once() -> None:
    for place, call in calls_of("ring"):
        assert any(keyword.arg == "job_id" for keyword in call.keywords), place


def test_no_two_pieces_of_code_take_the_same_advisory_lock() -> None:
    """Two that share a number silently keep each other from working."""
    places: dict[str, list[str]] = {}
    for house in ("outreach", "campaigns"):
        for path in sorted((ROOT / house).rglob("*")):
            if path.suffix in (".py", ".sql"):
                for found in re.findall(r"\b7_?640_?(\d{3})\b", path.read_text(encoding="utf-8")):
                    places.setdefault(found, []).append(str(path.relative_to(ROOT)))
    assert len(places) > 5
    assert {number: where for number, where in places.items() if len(set(where)) > 1} == {}
