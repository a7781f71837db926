"""All routers of the API."""

from fastapi import APIRouter

from outreach.web.api import (
    campaigns,
    decisions,
    effects,
    events,
    gateways,
    imports,
    inbound,
    keys,
    labels,
    prices,
    recipes,
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
    recipes,
    campaigns,
    decisions,
    second_sends,
    rounds,
    unknowns,
    inbound,
    reports,
    effects,
    imports,
    gateways,
    prices,
    keys,
)


def api_routers() -> list[APIRouter]:
    """The routers of `/api/v1`."""
    return [resource.routes.router for resource in _RESOURCES]
