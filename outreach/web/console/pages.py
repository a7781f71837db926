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
    service_evidence,
    service_places,
    settings,
    surveys,
    taxpayers,
    templates,
    test_sends,
    tickets,
    unknown,
    uplinks,
    visits,
    work,
    work_calendar,
    work_sheets,
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
    test_sends,
    rounds,
    messages,
    unknown,
    segments,
    templates,
    reports,
    search,
    imports,
    gateways,
    work_calendar,
    settings,
    uplinks,
    tickets,
    service_places,
    service_evidence,
    surveys,
    visits,
    work_sheets,
    work,
    later,
)


def console_routers() -> list[APIRouter]:
    """The routers in the order in which paths are matched."""
    return [module.routes.router for module in _MODULES]
