"""Recipes (方案): a campaign without a year and without a bureau, as data.

The product brings some (`templates/recipes/*.toml`); a bureau publishes a campaign of its own as one, and the
units below it run it in their scope. Days are written relative to the recipe's year: `+1-03-01` is the first
of March of the year after it, `+0` the year itself, and a condition asks for documents of `{year}`.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from campaigns.campaigns import CampaignDraft
from outreach.clock import BEIJING, in_beijing
from outreach.errors import InvalidInput
from outreach.rendering.starters import Season, build_season

FOLDER = Path(__file__).parents[1] / "templates" / "recipes"
EARLIEST, LATEST = 2000, 2100

LADDER = ("rcs", "sms", "wechat", "email")
"""The channels of a built-in recipe's rounds, each where its wording has one."""

_COMMON = "common.toml"
_RELATIVE = re.compile(r"\+([0-9])(?:-([0-9]{2}-[0-9]{2})(.*))?", re.DOTALL)
_ABSOLUTE = re.compile(r"([0-9]{4})-([0-9]{2}-[0-9]{2})(.*)", re.DOTALL)
_YEAR = "{year}"
_OF_DOCUMENTS = re.compile(r"((?:document\.[a-z_]+|已出具的\w+)\s*!?=\s*)([0-9]{4}|\{year\})")
"""In a condition: who holds a document of a year."""
_DRAFT = TypeAdapter(CampaignDraft)
_OWN = frozenset({"code", "org_id"})
"""What a campaign has of its own, and no recipe tells."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """`body` holds the fields of a draft in JSON's types with relative days; `wording` the templates that
    come with it, None where they stand elsewhere; `year_label` tells staff which year is asked for."""

    code: str
    name: str
    summary: str
    year_label: str
    body: Mapping[str, Any]
    wording: Season | None = None


@cache
def load_recipes() -> Mapping[str, Recipe]:
    """The recipes that the product brings, by code; read and compiled once a process. Raises
    TemplateInvalid, KeyError for a file that is wrong."""
    common = tomllib.loads((FOLDER / _COMMON).read_text(encoding="utf-8"))
    paths = sorted(path for path in FOLDER.glob("*.toml") if path.name != _COMMON)
    recipes = [_recipe(tomllib.loads(path.read_text(encoding="utf-8")), common) for path in paths]
    return MappingProxyType({recipe.code: recipe for recipe in recipes})


def _recipe(told: Mapping[str, Any], common: Mapping[str, Any]) -> Recipe:
    rounds = [_round(part) for part in told["round"]]
    wording = None
    if "stage" in told:
        shared = {**common, **told, "mail": {**common["mail"], **told["mail"]}}
        wording = build_season(shared, told["stage"])
    body = {**told["campaign"], "rounds": rounds}
    return Recipe(told["code"], told["name"], told["summary"], told["year_label"], body, wording)


def _round(part: Mapping[str, Any]) -> dict[str, Any]:
    steps = [{"channel": channel, "template": part["template"]} for channel in LADDER]
    return {**{key: value for key, value in part.items() if key != "template"}, "steps": steps}


def draft_of(recipe: Recipe, *, year: int, org_id: int, code: str) -> CampaignDraft:
    """The campaign of a recipe in one year at one unit. Raises InvalidInput."""
    if not EARLIEST <= year <= LATEST:
        raise InvalidInput(f"年份应在 {EARLIEST} 到 {LATEST} 之间。", field="year")
    body = _mapped(recipe.body, lambda text: _absolute(text, year))
    body["name"] = str(body["name"]).replace(_YEAR, str(year))
    body.setdefault("holdout_seed", year)
    try:
        return _DRAFT.validate_python({**body, "code": code, "org_id": org_id})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"方案的 {place} 有误：{first['msg']}", field=place) from error


def body_of(draft: CampaignDraft, year: int) -> dict[str, Any]:
    """What of a campaign a recipe keeps, its days relative to a year. Raises InvalidInput for a day that lies
    before the year or too far behind it."""
    plain = _DRAFT.dump_python(draft, mode="json", exclude=set(_OWN))
    for part, round in zip(plain["rounds"], draft.rounds, strict=True):
        for name in ("starts_at", "ends_at"):
            part[name] = in_beijing(getattr(round, name)).strftime("%Y-%m-%d %H:%M")
    body: dict[str, Any] = _mapped(plain, lambda text: _relative(text, year))
    body["name"] = str(body["name"]).replace(str(year), _YEAR)
    body["variables"] = {
        name: "+0" if value == year else value for name, value in body.get("variables", {}).items()
    }
    return {name: value for name, value in body.items() if name in _FIELDS}


_FIELDS = frozenset(field.name for field in fields(CampaignDraft)) - _OWN


def _mapped(value: Any, change: Callable[[str], Any]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, change) for item in value]
    return value


def _absolute(text: str, year: int) -> Any:
    found = _RELATIVE.fullmatch(text)
    if found is None:
        return _of_documents(text, _YEAR, str(year))
    then = year + int(found[1])
    if found[2] is None:
        return then
    day = f"{then}-{_in_year(found[2], then)}"
    if not found[3]:
        return day
    try:
        return datetime.strptime(day + found[3], "%Y-%m-%d %H:%M").replace(tzinfo=BEIJING)
    except ValueError:
        return text


def _of_documents(text: str, year: str, other: str) -> str:
    return _OF_DOCUMENTS.sub(lambda said: said[1] + (other if said[2] == year else said[2]), text)


def _in_year(day: str, year: int) -> str:
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return "02-28" if day == "02-29" and not is_leap else day


def _relative(text: str, year: int) -> str:
    found = _ABSOLUTE.fullmatch(text)
    if found is None:
        return _of_documents(text, str(year), _YEAR)
    later = int(found[1]) - year
    if not 0 <= later <= 9:
        raise InvalidInput(f"日期 {text[:10]} 不在方案年份 {year} 之后的十年内，请换一个年份。", field="year")
    return f"+{later}-{found[2]}{found[3]}"
