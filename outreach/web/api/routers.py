"""All routers of the API."""

from fastapi import APIRouter

from outreach.web.api import events

_RESOURCES = (events,)


def api_routers() -> list[APIRouter]:
    """The routers of `/api/v1`."""
    return [resource.routes.router for resource in _RESOURCES]
