"""Who is at the console: the session cookie, and the two proofs that a post comes from our own page."""

import hmac
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

from outreach.errors import NotAllowed, NotAuthenticated
from outreach.governance.actor import Actor
from outreach.governance.sessions import ABSOLUTE, Session, resume_session
from outreach.labels.cache import SetCache
from outreach.runtime import Runtime
from outreach.web.errors import SecondFactorMissing
from outreach.web.permissions import Routes

_ENROLMENT = ("/console/me/second-factor", "/console/logout")
_FOREIGN = "这个请求不是从本系统页面发出的，已拒绝。请刷新页面后重试。"


def console_routes() -> Routes:
    """A router of console pages."""
    return Routes(authenticate, prefix="/console", include_in_schema=False)


def runtime_of(request: Request) -> Runtime:
    """The process's runtime."""
    rt: Runtime = request.app.state.rt
    return rt


def cache_of(request: Request) -> SetCache:
    """The process's cache of sets."""
    cache: SetCache = request.app.state.cache
    return cache


def session_of(request: Request) -> Session:
    """The live session that the route's guard has found."""
    session: Session = request.state.session
    return session


async def authenticate(request: Request) -> Actor:
    """The guard of every console route. Raises NotAuthenticated, NotAllowed, SecondFactorMissing."""
    is_live = request.url.path.endswith("/live")
    token = request.cookies.get(cookie_name(request), "")
    session = await resume_session(runtime_of(request), token, touch=not is_live) if token else None
    if session is None:
        raise NotAuthenticated("请先登录。")
    request.state.session = session
    if request.method != "GET":
        check_same_origin(request)
        await _check_token(request, session)
    if session.must_enrol and not request.url.path.startswith(_ENROLMENT):
        raise SecondFactorMissing("按规定，您的角色需要先开通一次性验证码。")
    return session.actor


def check_same_origin(request: Request) -> None:
    """Raises NotAllowed unless the browser says that the request comes from a page of ours."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    # `Referrer-Policy: no-referrer` makes browsers say `Origin: null` for our own forms.
    named = origin if origin != "null" else None
    if site not in (None, "same-origin") or (site is None and named is None):
        raise NotAllowed(_FOREIGN)
    if named is not None and urlsplit(named).netloc != request.headers.get("host"):
        raise NotAllowed(_FOREIGN)


def cookie_name(request: Request) -> str:
    """`__Host-` binds the cookie to this host and to HTTPS."""
    return "__Host-session" if runtime_of(request).settings.secure_cookies else "session"


def set_session_cookie(request: Request, response: Response, token: str) -> None:
    """Hand the browser a session's token."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=int(ABSOLUTE.total_seconds()),
        path="/",
        secure=runtime_of(request).settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )


async def _check_token(request: Request, session: Session) -> None:
    given = request.headers.get("x-csrf-token") or str((await request.form()).get("csrf", ""))
    if not hmac.compare_digest(given.encode(), session.csrf_token.encode()):
        raise NotAllowed("页面已过期，没有提交。请刷新页面后重试。")
