"""The frame of the taxpayers' pages: language and size of print, headers, rendering, errors."""

import hashlib
import json
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from psycopg.errors import OperationalError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException

from outreach.clock import in_beijing
from outreach.errors import NotAllowed, NotFound, OutreachError, TooMany
from outreach.governance.vault import SealBroken
from outreach.logs import get_log
from outreach.statements.money import yuan

FOLDER = Path(__file__).parents[2] / "templates" / "public"
STATIC = {
    "public.css": "text/css",
    "public.js": "text/javascript",
    "mark.svg": "image/svg+xml",
    "noto-sans-mongolian.woff2": "font/woff2",
}
LANGUAGES = ("zh", "en", "mn")
SIZES = ("normal", "large")
MONGOLIAN_NAME = "ᠮᠣᠩᠭᠣᠯ"
READING = "reading"
"""The cookie that holds, for as long as a visit, how its visitor reads by what is on record."""
_YEAR_SECONDS = 31_536_000
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages share: the bureau's name, the address of the site, whether cookies are `Secure`."""

    signature: str
    base_url: str
    secure: bool


@dataclass(frozen=True, slots=True)
class Display:
    """How this visitor reads: language (zh, en, mn) and size of print (normal, large)."""

    language: str
    size: str


def display_of(request: Request) -> Display:
    """From the address (`?lang=`, `?size=`), else as chosen before, else as on record of the verified visitor
    (cookie `reading`), else Chinese in normal print."""
    record_language, _, record_size = request.cookies.get(READING, "").partition(".")
    language = request.query_params.get("lang") or request.cookies.get("lang") or record_language
    size = request.query_params.get("size") or request.cookies.get("size") or record_size
    return Display(language if language in LANGUAGES else LANGUAGES[0], size if size in SIZES else SIZES[0])


class Bilingual(str):
    """A Chinese text with its Mongolian twin, which stands upright beside it where there is room for both."""

    mongol: str

    def __new__(cls, chinese: str, mongol: str) -> "Bilingual":
        made = super().__new__(cls, chinese)
        made.mongol = mongol
        return made


@cache
def words(language: str) -> Mapping[str, str]:
    """All texts of a language. Mongolian pages show the Chinese texts, and beside them what the bureau's
    translator has put into the Mongolian files; what is missing there stays Chinese alone."""
    if language != "mn":
        return _texts(language)
    twins = _texts("mn")
    return {
        key: Bilingual(text, twins[key]) if twins.get(key) else text for key, text in _texts("zh").items()
    }


def _texts(language: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for file in (f"{language}.json", f"{language}_answers.json"):
        texts |= json.loads((FOLDER / "words" / file).read_text(encoding="utf-8"))
    return texts


def page(request: Request, site: Site, template: str, *, status: int = 200, **context: Any) -> Response:
    """A page in the visitor's language and print, with all headers of docs/statements.md."""
    display = display_of(request)
    frame = {
        "w": words(display.language),
        "display": display,
        "signature": site.signature,
        "switch": _switcher(request),
        "mongolian_name": MONGOLIAN_NAME,
        "asset": asset,
    }
    text = _environment().get_template(template).render(frame | context)
    response = HTMLResponse(text, status, HEADERS)
    for name in ("lang", "size"):
        value = request.query_params.get(name)
        if value in (*LANGUAGES, *SIZES):
            response.set_cookie(
                name, value, max_age=_YEAR_SECONDS, samesite="lax", httponly=True, secure=site.secure
            )
    return response


def drawing(site: Site, template: str, **context: Any) -> Response:
    """An SVG picture, with the headers of a page."""
    text = _environment().get_template(template).render(signature=site.signature, **context)
    return Response(text, headers=HEADERS, media_type="image/svg+xml")


def go(address: str, **options: Any) -> RedirectResponse:
    """See other, with the headers of a page."""
    return RedirectResponse(address, 303, HEADERS, **options)


def asset(name: str) -> str:
    """The address of a static file, changed whenever its content is."""
    return f"/public/{name}?v={_digest(name)}"


def _switcher(request: Request) -> Callable[..., str]:
    """Builds the address of this page in another language or print; what else it asks for stays."""
    kept = {key: value for key, value in request.query_params.items() if key not in ("lang", "size")}
    return lambda **changed: "?" + urlencode({**kept, **changed})


def _both(text: str) -> str:
    if not isinstance(text, Bilingual):
        return text
    twins = Markup('<span class="both"><span class="upright" lang="mn-Mong">{}</span><span>{}</span></span>')
    return twins.format(text.mongol, str(text))


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((FOLDER / "static" / name).read_bytes()).hexdigest()[:12]


class _KeysFirst(Environment):
    """Looks into a dictionary first: nearly everything that these templates ask for stands in one, and the
    usual order raises and catches an error each time."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute` in a template."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@cache
def _environment() -> Environment:
    environment = _KeysFirst(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["both"] = _both
    environment.filters["mongol"] = lambda text: text.mongol if isinstance(text, Bilingual) else text
    environment.filters["yuan"] = lambda text: yuan(Decimal(text))
    environment.filters["stamp"] = lambda moment: in_beijing(moment).strftime("%Y-%m-%d %H:%M")
    environment.filters["month"] = lambda month: f"{month // 100}-{month % 100:02d}"
    return environment


def public_route(site: Site) -> type[APIRoute]:
    """The class of these routes: their errors become pages in plain words, never a trace or JSON."""

    class PublicRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    return await handler(request)
                except (OutreachError, HTTPException, RequestValidationError) as error:
                    return _error_page(request, site, error)
                except (PoolTimeout, OperationalError) as error:
                    return _failed(request, site, "failed_text", 503, error)
                except Exception as error:
                    return _failed(request, site, "failed_text", 500, error)

            return handle

    return PublicRoute


def notice(
    request: Request,
    site: Site,
    title: str,
    text: str,
    *,
    status: int = 200,
    number: str = "",
    back: str = "",
) -> Response:
    """A page of one sentence; `title` and `text` are keys of the words."""
    shown = {"title_key": title, "text_key": text, "number": number, "back": back}
    return page(request, site, "notice.html", status=status, **shown)


def require_own_page(request: Request) -> None:
    """The cookie is SameSite=Strict already; this also stops a sister host of the same site.
    `Referrer-Policy: no-referrer` makes browsers say `Origin: null` for our own forms. Raises NotAllowed."""
    origin = request.headers.get("origin", "null")
    foreign = origin != "null" and urlsplit(origin).netloc != request.headers.get("host")
    if foreign or request.headers.get("sec-fetch-site") not in (None, "same-origin"):
        raise NotAllowed("请从税务机关的页面提交。")


def _error_page(request: Request, site: Site, error: Exception) -> Response:
    if isinstance(error, TooMany):
        response = notice(request, site, "busy_title", "busy_text", status=429)
        response.headers["Retry-After"] = "60"
        return response
    if isinstance(error, NotFound) or getattr(error, "status_code", 0) == 404:
        return notice(request, site, "missing_title", "missing_text", status=404)
    if isinstance(error, OutreachError) and error.status >= 500:
        text = "sealed_text" if isinstance(error, SealBroken) else "failed_text"
        return _failed(request, site, text, error.status, error)
    return notice(request, site, "wrong_title", "wrong_text", status=400)


def _failed(request: Request, site: Site, text: str, status: int, error: Exception) -> Response:
    # The number leads staff from the taxpayer's call to this line.
    number = secrets.token_hex(4)
    route = getattr(request.scope.get("route"), "path", "")
    get_log().error("page.failed", route=route, number=number, exc_info=error)
    return notice(request, site, "failed_title", text, status=status, number=number)
