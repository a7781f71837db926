"""The starter templates: a season's messages as data files, in the shapes that template versions store.

A folder holds `season.toml` (what all messages share), `layout.html` (the page of a letter) and any number of
`SEASON_*.toml` with the stages. Adding a stage or a season is writing such a file.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from outreach.rendering.expressions import check_variables, compile_template

FOLDER = Path(__file__).parents[2] / "templates" / "messages"
STATEMENTS = FOLDER.with_name("statements")
"""How households are told of their documents: a season of its own, the page of its letters is the first's."""

CODE = "核验码：{{ code }}"
CODE_FIELD = "character_string4"
"""The field of a WeChat template for the code; its title there is 核验码."""

BUILT_IN = frozenset({"org", "code", "link", "unsubscribe_url"})
"""Variables that every letter has beside the season's own."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the season: its Chinese label and a value for previews."""

    name: str
    label: str
    sample: int | str


@dataclass(frozen=True, slots=True)
class Starter:
    """One stage. `contents` maps a channel to its content: sms {text}; rcs {text, title, body, actions,
    chips}; wechat {fields, url}; email {subject, html, text}; wecom and dingtalk {text}; every string in them
    is a template. Each carries the code by which anybody can see that the message is genuine; the text of an
    SMS, of which every character is billed, says itself where."""

    code: str
    name: str
    audience: str
    kind: str
    contents: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Season:
    """All stages of a purpose with their variables."""

    code: str
    name: str
    variables: tuple[Variable, ...]
    stages: tuple[Starter, ...]

    @property
    def samples(self) -> dict[str, int | str]:
        """A value for each variable."""
        return {variable.name: variable.sample for variable in self.variables}


def load_season(folder: Path = FOLDER) -> Season:
    """Read and check a season. Raises TemplateInvalid for a template that is wrong, KeyError for a stage that
    lacks a field."""
    shared = tomllib.loads((folder / "season.toml").read_text(encoding="utf-8"))
    layout = folder if (folder / "layout.html").exists() else FOLDER
    stages = [
        stage
        for path in sorted(folder.glob(f"{shared['code']}_*.toml"))
        for stage in tomllib.loads(path.read_text(encoding="utf-8"))["stage"]
    ]
    return build_season(shared, stages, layout)


def build_season(
    shared: Mapping[str, Any], stages: Sequence[Mapping[str, Any]], folder: Path = FOLDER
) -> Season:
    """Check and build a season of what its messages share and its stages; the page of its letters stands in
    the folder. Raises as `load_season` does."""
    layout = (folder / "layout.html").read_text(encoding="utf-8")
    variables = tuple(Variable(name, **facts) for name, facts in shared["variables"].items())
    starters = [_starter(stage, shared, layout) for stage in stages]
    known = {*shared["variables"], *BUILT_IN}
    for starter in starters:
        _check(starter, known)
    return Season(shared["code"], shared["name"], variables, tuple(starters))


def _starter(stage: Mapping[str, Any], shared: Mapping[str, Any], layout: str) -> Starter:
    body = "\n".join([*stage["body"], CODE])
    contents: dict[str, dict[str, Any]] = {
        "sms": {"text": stage["sms"]},
        "rcs": {
            "text": stage["sms"],
            "title": stage["title"],
            "body": body,
            "actions": shared["actions"],
            "chips": shared["chips"],
        },
        "wechat": {
            "fields": {**stage["wechat"], CODE_FIELD: "{{ code }}"},
            "url": shared.get("url", ""),
        },
        "email": _letter(stage, shared["mail"], layout),
        "wecom": {"text": body},
        "dingtalk": {"text": body},
    }
    return Starter(stage["code"], stage["name"], stage["audience"], stage["kind"], contents)


def _letter(stage: Mapping[str, Any], mail: Mapping[str, str], layout: str) -> dict[str, str]:
    paragraphs = [mail["greeting"], *stage["body"], mail["closing"]]
    # quote=False: the quotes of a filter's argument belong to the template, not to the page.
    html = "\n".join(
        f'<p style="margin:0 0 16px;">{escape(paragraph, quote=False)}</p>' for paragraph in paragraphs
    )
    for mark, text in (("title", stage["title"]), ("paragraphs", html), ("why", mail["why"])):
        layout = layout.replace(f"[[{mark}]]", text)
    foot = f"{mail['why']}{CODE}。不再接收此类邮件：{{{{ unsubscribe_url }}}}"
    return {"subject": stage["title"], "html": layout, "text": "\n\n".join([*paragraphs, foot])}


def _check(stage: Starter, known: set[str]) -> None:
    for channel, content in stage.contents.items():
        for text, is_html in _texts(content):
            flavour = "email_html" if is_html else channel
            check_variables(compile_template(text, channel=flavour, autoescape=is_html), known)


def _texts(value: Any, is_html: bool = False) -> list[tuple[str, bool]]:
    if isinstance(value, str):
        return [(value, is_html)]
    if isinstance(value, Mapping):
        return [found for key, item in value.items() for found in _texts(item, key == "html")]
    return [found for item in value for found in _texts(item)]
