"""Every route says who may use it, in one place.

A `Routes` is the only way in which our modules add routes: each takes `permission=`, which goes into the
OpenAPI document as `x-permission` and into a dependency that refuses everybody else. Two words are not
permissions: `public` (no log-in) and `self` (anybody who is logged in).
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.routing import BaseRoute, Mount, Route

from outreach.governance.actor import Actor, require
from outreach.governance.permissions import PERMISSIONS

PUBLIC = "public"
SELF = "self"
Authenticate = Callable[[Request], Awaitable[Actor]]
Endpoint = Callable[..., Any]


class Routes:
    """A router whose routes cannot be added without a permission. `authenticate` makes the actor of a
    request or raises NotAuthenticated; its answer is kept in `request.state.actor`."""

    def __init__(self, authenticate: Authenticate, **router_options: Any) -> None:
        self.router = APIRouter(**router_options)
        self._authenticate = authenticate

    def get(self, path: str, *, permission: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Declare a GET route."""
        return self._add("GET", path, permission, options)

    def post(self, path: str, *, permission: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Declare a POST route."""
        return self._add("POST", path, permission, options)

    def put(self, path: str, *, permission: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Declare a PUT route."""
        return self._add("PUT", path, permission, options)

    def delete(self, path: str, *, permission: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Declare a DELETE route."""
        return self._add("DELETE", path, permission, options)

    def _add(
        self, method: str, path: str, permission: str, options: dict[str, Any]
    ) -> Callable[[Endpoint], Endpoint]:
        return self.router.api_route(
            path,
            methods=[method],
            dependencies=_guards(self._authenticate, permission),
            openapi_extra={"x-permission": permission},
            **options,
        )


def permission_of(route: BaseRoute) -> str | None:
    """The permission a route declares; None if it declares none (static files count as public)."""
    if isinstance(route, Mount):
        return PUBLIC
    extra = getattr(route, "openapi_extra", None) or {}
    if "x-permission" in extra:
        return str(extra["x-permission"])
    # FastAPI's own pages (the API's description) are plain routes.
    is_own = isinstance(route, Route) and route.name in {"openapi", "swagger_ui_html", "redoc_html"}
    return PUBLIC if is_own else None


def actor_of(request: Request) -> Actor:
    """The actor whom the route's guard has let in."""
    actor: Actor = request.state.actor
    return actor


def _guards(authenticate: Authenticate, permission: str) -> list[Any]:
    if permission == PUBLIC:
        return []
    if permission != SELF and permission not in PERMISSIONS:
        raise ValueError(f"no such permission: {permission}")

    async def guard(request: Request) -> None:
        actor = await authenticate(request)
        if permission != SELF:
            require(actor, permission)
        request.state.actor = actor

    return [Depends(guard)]
