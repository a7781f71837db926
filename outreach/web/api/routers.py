"""All routers of the API."""

from fastapi import APIRouter

from outreach.web.api import (
    campaigns,
    events,
    gateways,
    imports,
    keys,
    labels,
    reports,
    rounds,
    second_sends,
    segments,
    taxpayers,
    templates,
    unknowns,
)

_RESOURCES = (
    events,
    taxpayers,
    labels,
    segments,
    templates,
    campaigns,
    second_sends,
    rounds,
    unknowns,
    reports,
    imports,
    gateways,
    keys,
)


def api_routers() -> list[APIRouter]:
    """The routers of `/api/v1`."""
    return [resource.routes.router for resource in _RESOURCES]
