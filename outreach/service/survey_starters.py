"""Surveys to begin with: `templates/surveys/*.toml`, each named for staff, with title, words, questions."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "templates" / "surveys"


@dataclass(frozen=True, slots=True)
class SurveyStarter:
    """A draft that staff may begin with; `questions` as `survey_content.read_questions` takes them."""

    name: str
    title: str
    intro: str
    questions: str


@cache
def survey_starters() -> Mapping[str, SurveyStarter]:
    """All of them by the name of their file."""
    return {
        path.stem: SurveyStarter(**tomllib.loads(path.read_text(encoding="utf-8")))
        for path in sorted(FOLDER.glob("*.toml"))
    }
