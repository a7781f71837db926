"""All routers of the API."""

from fastapi import APIRouter

from outreach.web.api import (
    calendar,
    campaigns,
    decisions,
    effects,
    events,
    findings,
    gateways,
    imports,
    inbound,
    keys,
    labels,
    links,
    prices,
    recipes,
    reports,
    rounds,
    second_sends,
    segments,
    statements,
    taxpayers,
    templates,
    test_sends,
    tickets,
    unknowns,
    work_items,
)

_RESOURCES = (
    events,
    taxpayers,
    labels,
    segments,
    templates,
    recipes,
    campaigns,
    links,
    decisions,
    second_sends,
    test_sends,
    rounds,
    unknowns,
    inbound,
    tickets,
    work_items,
    findings,
    statements,
    reports,
    effects,
    imports,
    gateways,
    prices,
    calendar,
    keys,
)


def api_routers() -> list[APIRouter]:
    """The routers of `/api/v1`."""
    return [resource.routes.router for resource in _RESOURCES]
