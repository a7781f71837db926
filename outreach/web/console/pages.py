"""All pages of the console."""

from fastapi import APIRouter

from outreach.web.console import (
    campaign_form,
    campaign_reviews,
    campaigns,
    entrance,
    gateways,
    home,
    imports,
    later,
    messages,
    recipes,
    reports,
    rounds,
    search,
    second_sends,
    segments,
    settings,
    taxpayers,
    templates,
    unknown,
    uplinks,
)

_MODULES = (
    entrance,
    home,
    recipes,
    campaign_form,
    campaign_reviews,
    campaigns,
    taxpayers,
    second_sends,
    rounds,
    messages,
    unknown,
    segments,
    templates,
    reports,
    search,
    imports,
    gateways,
    settings,
    uplinks,
    later,
)


def console_routers() -> list[APIRouter]:
    """The routers in the order in which paths are matched."""
    return [module.routes.router for module in _MODULES]
