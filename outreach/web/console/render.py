"""Pages from templates: one Jinja environment (autoescape on), one frame, one way to show an error."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from outreach.errors import OutreachError
from outreach.governance.actor import Actor
from outreach.governance.permissions import PERMISSIONS, ROLES
from outreach.ledger.kinds import KINDS
from outreach.web.console import wording

TEMPLATES = Path(__file__).parents[3] / "templates"
STATIC = Path(__file__).parents[1] / "static"

SELF = "self"
PLACES = (
    ("home", "工作台", "/console/", SELF),
    ("campaigns", "活动", "/console/campaigns", "campaign.read"),
    ("segments", "人群", "/console/segments", "segment.read"),
    ("taxpayers", "纳税人", "/console/taxpayers", "taxpayer.read"),
    ("templates", "模板", "/console/templates", "template.read"),
    ("statements", "账单", "/console/statements", "statement.read"),
    ("service", "互动", "/console/service", "service.read"),
    ("reports", "分析", "/console/reports", "report.read"),
    ("settings", "设置", "/console/settings", SELF),
)
"""The nine places of the frame: key, name, address, permission."""


def page(
    request: Request, template: str, *, place: str, title: str, status: int = 200, **context: Any
) -> HTMLResponse:
    """A whole page inside the frame."""
    session = request.state.session
    frame = {
        "session": session,
        "actor": session.actor,
        "places": [(*entry, _may(session.actor, entry[3])) for entry in places_of(session.actor)],
        "place": place,
        "title": title,
        "path": request.url.path,
        "may": session.actor.may,
    }
    return HTMLResponse(_environment().get_template(f"console/{template}").render(frame | context), status)


def fragment(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A piece of a page, for htmx."""
    session = request.state.session
    context |= {"session": session, "actor": session.actor, "may": session.actor.may}
    return HTMLResponse(_environment().get_template(f"console/{template}").render(context), status)


def bare(template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page without the frame: nobody is logged in."""
    return HTMLResponse(_environment().get_template(f"console/{template}").render(context), status)


def render_error(request: Request, error: OutreachError) -> HTMLResponse:
    """An error as staff see it: a note inside the page for htmx, otherwise a page."""
    if request.headers.get("hx-request"):
        text = _environment().get_template("console/pieces/note.html").render(error=error)
        return HTMLResponse(text, error.status, {"HX-Retarget": "#notes", "HX-Reswap": "innerHTML"})
    context: dict[str, Any] = {"error": error, "title": "没有完成"}
    if getattr(request.state, "session", None) is None:
        return bare("error_bare.html", status=error.status, **context)
    return page(request, "error.html", place="", status=error.status, **context)


def asset(path: str) -> str:
    """The address of a static file with its content's hash, so that it may be cached for ever."""
    return f"/static/{path}?v={_digest(path)}"


@lru_cache(maxsize=64)
def _digest(path: str) -> str:
    return hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:12]


def places_of(actor: Actor) -> tuple[tuple[str, str, str, str], ...]:
    """The nine places; whoever may open only a part of one finds that part there: calls and visits under
    互动, findings under 账单."""
    own = {}
    if not actor.may("service.read") and actor.may("work.read"):
        own["service"] = ("service", "互动", "/console/service/tasks", "work.read")
    if not actor.may("statement.read") and actor.may("finding.read"):
        own["statements"] = ("statements", "账单", "/console/findings", "finding.read")
    return tuple(own.get(place[0], place) for place in PLACES)


def _may(actor: Any, permission: str) -> bool:
    return permission == SELF or actor.may(permission)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(("html", "svg")),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ["number", "wan", "percent", "points", "money", "moment", "day", "clock", "long_day", "span"]
    names += ["ago", "word"]
    environment.filters |= {name: getattr(wording, name) for name in names}
    environment.globals |= {
        "asset": asset,
        "words": wording,
        "roles": ROLES,
        "permissions": PERMISSIONS,
        "kinds": KINDS,
    }
    return environment
