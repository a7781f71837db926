"""All pages of the console."""

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope

from outreach.web.console import (
    campaign_controls,
    campaign_form,
    campaign_links,
    campaign_reviews,
    campaigns,
    entrance,
    findings,
    gateways,
    home,
    imports,
    messages,
    quotas,
    recipes,
    registers,
    reports,
    rounds,
    search,
    second_sends,
    segments,
    service_evidence,
    service_places,
    service_wall,
    settings,
    statement_form,
    statement_samples,
    statement_standing,
    statements,
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
    campaign_controls,
    campaign_links,
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
    quotas,
    settings,
    uplinks,
    tickets,
    service_places,
    service_evidence,
    service_wall,
    surveys,
    visits,
    work_sheets,
    work,
    findings,
    registers,
    statement_form,
    statement_samples,
    statement_standing,
    statements,
)


class _Part(APIRouter):
    """Asks its routes for paths of the console only: taxpayers' pages do not wait for all their patterns."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether one of its routes takes this request."""
        return super().matches(scope) if scope["path"].startswith("/console") else (Match.NONE, {})


def console_routers() -> list[APIRouter]:
    """The routers in the order in which paths are matched."""
    return [_part(module.routes.router) for module in _MODULES]


def _part(router: APIRouter) -> APIRouter:
    part = _Part()
    part.include_router(router)
    return part
