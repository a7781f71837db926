"""问卷: drafts in plain text, publication, answers on paper, results with export, what becomes a label."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import xlsxwriter
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outreach.errors import InvalidInput, NotFound, OutreachError
from outreach.governance.audit import append_audit
from outreach.governance.vault import open_vault
from outreach.service.survey_content import KINDS, write_questions
from outreach.service.survey_starters import survey_starters
from outreach.service.surveys import (
    STATES,
    close_survey,
    keep_answers,
    map_answers,
    open_surveys,
    own_survey,
    publish_survey,
    read_texts,
    save_survey,
)
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.render import page
from outreach.web.console.wording import moment
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign
from outreach.web.reads.surveys import list_surveys, survey_counts, survey_groups
from outreach.web.reads.taxpayers import taxpayers_by_id

routes = console_routes()
_BASE = "/console/service/surveys"
EXAMPLE = """[单选*] 退税款您主要用在哪里？
周转经营
购买设备
还没想好 → 结束

[填写文字] 经营上还有什么困难？
"""
_EMPTY = {"title": "", "intro": "", "questions": "", "campaign_id": ""}


@routes.get("/service/surveys", permission="service.read")
async def show_list(request: Request) -> HTMLResponse:
    """All surveys of the scope."""
    async with runtime_of(request).db.begin() as conn:
        rows = await list_surveys(conn, actor_of(request))
    return page(request, "surveys.html", place="service", title="问卷", rows=rows, states=STATES)


@routes.get("/service/surveys/new", permission="service.write")
async def show_form(request: Request) -> HTMLResponse:
    """An empty draft, or one of the starters."""
    starter = survey_starters().get(request.query_params.get("from", ""))
    if starter is None:
        return _form(request, None, _EMPTY)
    given = {"title": starter.title, "intro": starter.intro, "questions": starter.questions.strip()}
    return _form(request, None, {**_EMPTY, **given})


@routes.get("/service/surveys/{survey_id}/edit", permission="service.write")
async def show_edit(request: Request, survey_id: int) -> HTMLResponse:
    """The draft as text."""
    async with runtime_of(request).db.begin() as conn:
        row = await own_survey(conn, actor_of(request), survey_id)
    content = row["content"]
    given = {
        "title": content["title"],
        "intro": content["intro"],
        "questions": write_questions(content["questions"]),
        "campaign_id": str(row["campaign_id"] or ""),
    }
    return _form(request, survey_id, given)


@routes.post("/service/surveys/{which}/save", permission="service.write")
async def save(request: Request, which: str) -> Response:
    """Keep the draft; `new` makes one."""
    rt, actor = runtime_of(request), actor_of(request)
    form = await request.form()
    given = {key: str(form.get(key, "")) for key in _EMPTY}
    survey_id = int(which) if which.isdecimal() else None
    campaign = given["campaign_id"].strip()
    try:
        if campaign and not campaign.isdecimal():
            raise InvalidInput("活动编号是数字，见活动页面的地址。", field="campaign_id")
        async with rt.db.begin() as conn:
            if campaign:
                await find_campaign(conn, actor, int(campaign))
            made = await save_survey(
                conn,
                actor,
                survey_id,
                title=given["title"],
                intro=given["intro"],
                questions=given["questions"],
                campaign_id=int(campaign) if campaign else None,
            )
    except InvalidInput as error:
        return _form(request, survey_id, given, error)
    return RedirectResponse(f"{_BASE}/{made}", 303)


@routes.get("/service/surveys/{survey_id}", permission="service.read")
async def show_one(request: Request, survey_id: int) -> HTMLResponse:
    """Questions with their counts."""
    return await _page(request, survey_id)


@routes.post("/service/surveys/{survey_id}/{verb}", permission="service.write")
async def act(request: Request, survey_id: int, verb: str) -> Response:
    """发布, 结束, 设置标签, 录入纸质问卷."""
    rt, actor = runtime_of(request), actor_of(request)
    form = await request.form()
    try:
        async with rt.db.begin() as conn:
            if verb == "publish":
                await publish_survey(conn, actor, survey_id)
            elif verb == "close":
                await close_survey(conn, actor, survey_id)
            elif verb == "map":
                chosen = [
                    dict(
                        zip(("question", "option"), key.split(".")[1:], strict=True), label=str(value).strip()
                    )
                    for key, value in form.items()
                    if key.startswith("label.") and key.count(".") == 2 and str(value).strip()
                ]
                await map_answers(conn, actor, survey_id, chosen)
            elif verb == "paper":
                taxpayer = str(form.get("taxpayer", "")).strip()
                vault = open_vault(rt.settings)
                found = (
                    await taxpayers_by_id(conn, vault, actor, [int(taxpayer)])
                    if taxpayer.isdecimal() and len(taxpayer) < 10
                    else []
                )
                if not found:
                    raise InvalidInput("没有这一户，或者它不在您的数据范围内。", field="taxpayer")
                row = await own_survey(conn, actor, survey_id)
                usable = await open_surveys(conn, found[0]["id"], found[0]["org_id"], row["campaign_id"])
                survey = next((one for one in usable if one.id == survey_id), None)
                if survey is None:
                    raise InvalidInput("这份问卷没有发布，或者不问这一户。", field="taxpayer")
                given = {key[1:]: [str(v) for v in form.getlist(key)] for key in form if key.startswith("q")}
                await keep_answers(
                    conn, vault, survey, found[0]["id"], given, channel="paper", entered_by=actor.name
                )
            else:
                raise NotFound("没有这个操作。")
    except NotFound:
        raise
    except OutreachError as error:
        return await _page(request, survey_id, error=error, verb=verb)
    return RedirectResponse(f"{_BASE}/{survey_id}?done={verb}", 303)


@routes.get("/service/surveys/{survey_id}/export.{kind}", permission="report.export")
async def export(request: Request, survey_id: int, kind: str) -> Response:
    """One row for each household: the answer that counts."""
    if kind not in ("csv", "xlsx"):
        raise NotFound("没有这种格式。")
    rt, actor = runtime_of(request), actor_of(request)
    async with rt.db.begin() as conn:
        survey = await own_survey(conn, actor, survey_id)
        answers = await read_texts(conn, open_vault(rt.settings), survey_id, actor.org_path)
        await append_audit(conn, actor, "survey.export", f"survey:{survey_id}", {"rows": len(answers)})
    rows = _sheet(survey["content"]["questions"], answers)
    body = _csv(rows) if kind == "csv" else _xlsx(rows)
    media = (
        "text/csv; charset=utf-8"
        if kind == "csv"
        else "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    )
    headers = {"Content-Disposition": f'attachment; filename="survey-{survey_id}.{kind}"'}
    return Response(body, media_type=media, headers=headers)


def _sheet(questions: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    head = ["户编号", "版本", "方式", "时间", *(f"{one['code']}. {one['text']}" for one in questions)]
    return [head, *([*_who(answer), *(_said(one, answer) for one in questions)] for answer in answers)]


def _who(answer: Mapping[str, Any]) -> list[str]:
    way = "纸质" if answer["channel"] == "paper" else "网页"
    return [str(answer["taxpayer_id"]), str(answer["version"]), way, moment(answer["at"])]


def _said(question: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    code = question["code"]
    value = answer["texts"].get(code, answer["choices"].get(code, ""))
    if isinstance(value, list):
        names = {option["code"]: option["text"] for option in question["options"]}
        return "；".join(str(names.get(one, one)) for one in value)
    return str(value)


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    # A leading apostrophe keeps spreadsheet programs from reading a text as a formula (ASVS 5.0, 1.2.10).
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows(
        [f"'{cell}" if cell[:1] in "=+-@\t\r" and cell else cell for cell in row] for row in rows
    )
    return "\ufeff".encode() + buffer.getvalue().encode()


def _xlsx(rows: Sequence[Sequence[str]]) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False})
    sheet = book.add_worksheet("答卷")
    for place, row in enumerate(rows):
        for column, cell in enumerate(row):
            sheet.write_string(place, column, cell)
    book.close()
    return buffer.getvalue()


def _form(
    request: Request, survey_id: int | None, given: Mapping[str, str], error: InvalidInput | None = None
) -> HTMLResponse:
    return page(
        request,
        "survey_form.html",
        place="service",
        title="修改问卷" if survey_id else "新建问卷",
        status=error.status if error else 200,
        survey_id=survey_id,
        given=given,
        example=EXAMPLE,
        question_kinds=KINDS,
        starters=survey_starters(),
        errors={error.details.get("field", "questions"): error.message} if error else {},
    )


async def _page(
    request: Request, survey_id: int, *, error: OutreachError | None = None, verb: str = ""
) -> HTMLResponse:
    actor = actor_of(request)
    async with runtime_of(request).db.begin() as conn:
        row = await own_survey(conn, actor, survey_id)
        answered, counts = await survey_counts(conn, actor, survey_id)
    groups = await survey_groups(runtime_of(request), actor, survey_id)
    mapped = {(one["question"], one["option"]): one["label"] for one in row["mapping"]}
    return page(
        request,
        "survey.html",
        place="service",
        title=row["content"]["title"],
        status=error.status if error else 200,
        survey=row,
        answered=answered,
        counts=counts,
        groups=groups,
        mapped=mapped,
        states=STATES,
        question_kinds=KINDS,
        error=error,
        verb=verb,
        done=request.query_params.get("done", ""),
    )
