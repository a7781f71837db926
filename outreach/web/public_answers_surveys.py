"""Surveys on the phone: one question a page, the way chosen by the answers, complete without script.

What has been answered travels in the form itself until the end: nothing is kept of a survey left halfway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from outreach.db.pool import Connection
from outreach.errors import InvalidInput, NotFound
from outreach.governance.vault import open_vault
from outreach.runtime import Runtime
from outreach.service.survey_content import Question, check_answer, way_of
from outreach.service.surveys import OpenSurvey, keep_answers, surveys_of
from outreach.service.visitors import Household, Visit
from outreach.web.public_answers import over, visit_of
from outreach.web.public_pages import Site, go, page, require_own_page

_PUBLIC = {"x-permission": "public"}
Given = Mapping[str, Sequence[str]]


def add_survey_pages(router: APIRouter, site: Site, rt: Runtime) -> None:
    """GET and POST /answers/survey/{id}."""
    vault = open_vault(rt.settings)

    @router.get("/answers/survey/{survey_id}", openapi_extra=_PUBLIC)
    async def begin(request: Request, survey_id: int) -> Response:
        async with rt.db.begin() as conn:
            visit = await visit_of(request, site, rt, conn)
            if visit is None:
                return over(request, site)
            asked = await _find(conn, visit, survey_id)
        return _ask(request, site, asked, {})

    @router.post("/answers/survey/{survey_id}", openapi_extra=_PUBLIC)
    async def go_on(request: Request, survey_id: int) -> Response:
        require_own_page(request)
        form = await request.form()
        codes = {str(code) for code in form.getlist("asked")}
        given = {code: [str(value) for value in form.getlist(f"q{code}")] for code in codes}
        async with rt.db.begin() as conn:
            visit = await visit_of(request, site, rt, conn)
            if visit is None:
                return over(request, site)
            asked = await _find(conn, visit, survey_id, str(form.get("n", "")))
            try:
                if _next(asked.survey, given) is not None:
                    return _ask(request, site, asked, given)
                household = visit.household(asked.place)
                await keep_answers(conn, vault, asked.survey, household.id, given, person_id=visit.person_id)
            except InvalidInput as error:
                return _ask(request, site, asked, given, wrong=str(error.details.get("field", "")))
        return go("/answers?done=survey")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A survey, the households that it asks by their place in the visit, and the place that is chosen."""

    survey: OpenSurvey
    households: Mapping[int, Household]
    place: int


async def _find(conn: Connection, visit: Visit, survey_id: int, chosen: str = "") -> _Asked:
    """The survey for the chosen household, the first that it asks where none is. Raises NotFound."""
    for offered in await surveys_of(conn, visit):
        if offered.survey.id == survey_id:
            place = int(chosen) if chosen.isdecimal() and len(chosen) < 5 else offered.places[0]
            if place in offered.places:
                households = {one: visit.households[one] for one in offered.places}
                return _Asked(offered.survey, households, place)
    raise NotFound("没有这份问卷，或者它已结束。")


def _next(survey: OpenSurvey, given: Given) -> Question | None:
    """The question to ask next. Raises InvalidInput for an answer that is wrong."""
    kept: dict[str, object] = {}
    while True:
        _, question = way_of(survey.content, kept)
        if question is None or question["code"] not in given:
            return question
        kept[question["code"]] = check_answer(question, given[question["code"]])


def _ask(request: Request, site: Site, asked: _Asked, given: Given, *, wrong: str = "") -> Response:
    survey = asked.survey
    before = {code: values for code, values in given.items() if code != wrong}
    question = _next(survey, before)
    questions = [one["code"] for one in survey.content["questions"]]
    place = questions.index(question["code"]) if question else 0
    return page(
        request,
        site,
        "survey.html",
        status=422 if wrong else 200,
        survey=survey,
        households=asked.households,
        chosen=asked.place,
        question=question,
        place=place + 1,
        total=len(questions),
        before={code: values for code, values in before.items() if questions.index(code) < place}
        if set(before) <= set(questions)
        else {},
        is_wrong=bool(wrong),
    )
