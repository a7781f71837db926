"""A campaign drafted without code: whom, what and through which channels, when; then looked over."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from campaigns.campaigns import CARE_PATHS, CampaignDraft, RoundDraft, StepDraft
from campaigns.quota import MOST_DAYS
from campaigns.trigger_rules import EVENTS, ONCE
from campaigns.wording_guard import ALLOWABLE
from outreach.clock import BEIJING, in_beijing
from outreach.errors import InvalidInput, NotAllowed
from outreach.labels.evaluate import check_text
from outreach.ledger.kinds import KINDS
from outreach.web import actions
from outreach.web.console.access import console_routes, runtime_of
from outreach.web.console.document_campaign import draft_for_documents
from outreach.web.console.plan_form import (
    EMPTY_PLAN,
    anchor_of,
    canary_of,
    is_planned,
    plan_faults,
    plan_fields,
    segments_of,
    stagger_of,
    typed_plan,
)
from outreach.web.console.render import page
from outreach.web.console.role_form import role_faults, role_places, roles_of, shown_roles, typed_roles
from outreach.web.console.trigger_form import is_triggered, trigger_of
from outreach.web.permissions import actor_of
from outreach.web.reads.campaigns import find_campaign, rounds_of, steps_of
from outreach.web.reads.templates import list_templates

routes = console_routes()
LADDER = 4
"""Rungs that the form offers for each round."""
_LONGEST = 10
_SEGMENTS = ("segment", "done_segment", "exempt_segment", "dispute_segment")
_PLAIN = ("code", "name", "purpose", "kind", "legal_basis", "care_path", *_SEGMENTS)
_NUMBERS = ("quota_messages", "quota_days")
_MOMENT = "%Y-%m-%dT%H:%M"
EMPTY: dict[str, Any] = {
    **dict.fromkeys((*_PLAIN, *_NUMBERS), ""),
    "care_path": "call_first",
    "kind": "do_it_reminder",
    "done_segment": "nobody",
    "exempt_segment": "nobody",
    "dispute_segment": "nobody",
    "holdout": "0",
    "variables": "",
    "allowances": (),
    "contact_roles": shown_roles(()),
    "rounds": [
        {
            "name": "第一轮",
            "starts_at": "",
            "ends_at": "",
            "segment": "everyone",
            "steps": [],
            "plan": EMPTY_PLAN,
        }
    ],
}


@routes.get("/campaigns/new", permission="campaign.write")
async def show_new(request: Request, document: str = "", year: int = 0) -> HTMLResponse:
    """An empty form, or a draft that tells of documents."""
    return await _form(request, draft_for_documents(EMPTY, document, year), {})


@routes.get("/campaigns/{campaign_id}/edit", permission="campaign.write")
async def show_edit(request: Request, campaign_id: int) -> HTMLResponse:
    """The form of a campaign that has not begun."""
    async with runtime_of(request).db.begin() as conn:
        campaign = await find_campaign(conn, actor_of(request), campaign_id)
        rounds = await rounds_of(conn, [campaign_id])
        steps = await steps_of(conn, [row["id"] for row in rounds])
    if not campaign["is_own"]:
        raise NotAllowed("这个活动由上级机构管理，在这里只能查看。")
    return await _form(request, form_of(campaign, rounds, steps), {}, campaign)


@routes.post("/campaigns", permission="campaign.write")
async def create(request: Request) -> Response:
    """Store a draft of the unit acted in."""
    return await _save(request, None)


@routes.post("/campaigns/{campaign_id}/edit", permission="campaign.write")
async def change(request: Request, campaign_id: int) -> Response:
    """Replace a draft; a signature over it is void."""
    async with runtime_of(request).db.begin() as conn:
        return await _save(request, await find_campaign(conn, actor_of(request), campaign_id))


async def _save(request: Request, campaign: dict[str, Any] | None) -> Response:
    typed = typed_of(await request.form())
    if campaign:
        typed["code"] = campaign["code"]
    if typed.pop("wants") == "add_round":
        typed["rounds"].append({**EMPTY["rounds"][0], "name": f"第 {len(typed['rounds']) + 1} 轮"})
        return await _form(request, typed, {}, campaign)
    rt, actor = runtime_of(request), actor_of(request)
    org_id = campaign["org_id"] if campaign else actor.org_id
    errors = faults_of(typed)
    for name in _SEGMENTS:
        errors |= await _segment_fault(request, name, typed[name], org_id)
    for number, part in enumerate(typed["rounds"], start=1):
        errors |= await _segment_fault(request, f"rounds.{number}.segment", part["segment"], org_id)
        for axis, texts in segments_of(part["plan"]).items():
            for text in texts:
                errors |= await _segment_fault(request, f"rounds.{number}.{axis}", text, org_id)
    if not errors:
        try:
            draft = draft_of(typed, org_id)
            if campaign:
                await actions.change_campaign(rt, actor, campaign, draft)
                return RedirectResponse(f"/console/campaigns/{campaign['id']}", 303)
            return RedirectResponse(
                f"/console/campaigns/{await actions.draft_campaign(rt, actor, draft)}", 303
            )
        except InvalidInput as error:
            errors = {str(error.details.get("field", "form")): error.message}
    return await _form(request, typed, errors, campaign)


async def _segment_fault(request: Request, name: str, text: str, org_id: int) -> dict[str, str]:
    try:
        await check_text(runtime_of(request), text, org_id)
    except InvalidInput as error:
        return {name: error.message}
    return {}


async def _form(
    request: Request,
    typed: Mapping[str, Any],
    errors: Mapping[str, str],
    campaign: Mapping[str, Any] | None = None,
) -> HTMLResponse:
    async with runtime_of(request).db.begin() as conn:
        found = await list_templates(conn, actor_of(request), limit=500)
    choices = [row for row in found.rows if row["version"] and row["language"] == "zh"]
    return page(
        request,
        "campaign_form.html",
        place="campaigns",
        title=f"修改 {campaign['name']}" if campaign else "新建活动",
        status=422 if errors else 200,
        typed=typed,
        errors=dict(errors),
        campaign=campaign,
        choices=choices,
        ladder=LADDER,
        allowable=ALLOWABLE,
        care_paths=list(CARE_PATHS.items()),
        role_places=role_places(typed["contact_roles"]),
        is_planned=is_planned,
        is_triggered=is_triggered,
        trigger_events=EVENTS,
        trigger_once=ONCE,
        named_kinds=[(code, kind.name) for code, kind in KINDS.items()],
    )


def typed_of(form: FormData) -> dict[str, Any]:
    """The fields as they were typed, round by round."""
    typed: dict[str, Any] = {
        name: str(form.get(name, "")).strip() for name in (*_PLAIN, *_NUMBERS, "holdout")
    }
    typed["segment"] = str(form.get("expression", "")).strip()
    typed["variables"] = str(form.get("variables", "")).replace("\r\n", "\n")
    typed["allowances"] = tuple(rule for rule in ALLOWABLE if form.get(f"allow-{rule}"))
    typed["contact_roles"] = typed_roles(form)
    typed["wants"] = str(form.get("wants", ""))
    count = min(sum(1 for name in form if name.startswith("round-") and name.endswith("-name")), _LONGEST)
    typed["rounds"] = [_typed_round(form, number) for number in range(1, count + 1)]
    for name in _SEGMENTS[1:]:
        typed[name] = typed[name] or "nobody"
    return typed


def _typed_round(form: FormData, number: int) -> dict[str, Any]:
    head = f"round-{number}-"
    steps = []
    for step in range(LADDER):
        chosen = str(form.get(f"{head}template-{step}", ""))
        if chosen:
            steps.append({"chosen": chosen, "wait": str(form.get(f"{head}wait-{step}", "48")).strip()})
    plain = {name: str(form.get(f"{head}{name}", "")).strip() for name in ("name", "starts_at", "ends_at")}
    return {**plain, "segment": str(form.get(f"{head}segment", "")).strip() or "everyone", "steps": steps} | {
        "plan": typed_plan(form, head)
    }


def faults_of(typed: Mapping[str, Any]) -> dict[str, str]:
    """Everything that is wrong with the fields themselves, at its place."""
    words = {
        "code": "编码",
        "name": "名称",
        "purpose": "目的",
        "legal_basis": "法律依据",
        "segment": "人群条件",
    }
    found = {name: f"请填写{word}" for name, word in words.items() if not typed[name]}
    if typed["code"] and not all(c.isalnum() or c in "._-" for c in typed["code"]):
        found["code"] = "编码只能用字母、数字、点、横线和下划线"
    for name in _NUMBERS:
        if typed[name] and not (typed[name].isdecimal() and 1 <= int(typed[name]) <= 1_000):
            found[name] = "请填写 1 到 1000 的整数，或留空"
    if "quota_days" not in found and typed["quota_days"] and int(typed["quota_days"]) > MOST_DAYS:
        found["quota_days"] = f"最多 {MOST_DAYS} 天：更早的提醒可能已经归档"
    if bool(typed["quota_messages"]) != bool(typed["quota_days"]):
        found["quota_days"] = "次数和天数要一起填写，或都留空"
    if not (typed["holdout"].isdecimal() and int(typed["holdout"]) <= 50):
        found["holdout"] = "请填写 0 到 50 的整数（百分比）"
    if any("=" not in line for line in typed["variables"].splitlines() if line.strip()):
        found["variables"] = "每行一个，写成 名称=值"
    found |= role_faults(typed["contact_roles"])
    for number, part in enumerate(typed["rounds"], start=1):
        found |= _round_faults(f"rounds.{number}", part)
    return found


def _round_faults(place: str, part: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    if not part["name"]:
        found[f"{place}.name"] = "请填写轮次名称"
    for name in ("starts_at", "ends_at"):
        if moment_of(part[name]) is None:
            found[f"{place}.{name}"] = "请选择日期和时间"
    starts_at, ends_at = moment_of(part["starts_at"]), moment_of(part["ends_at"])
    if starts_at and ends_at and ends_at <= starts_at:
        found[f"{place}.ends_at"] = "结束时间必须晚于开始时间"
    if not part["steps"]:
        found[f"{place}.steps"] = "请至少选择一个模板"
    if any(not (step["wait"].isdecimal() and int(step["wait"]) <= 2_160) for step in part["steps"]):
        found[f"{place}.steps"] = "等待时间请填写 0 到 2160 的整数（小时）"
    return found | plan_faults(place, part["plan"])


def draft_of(typed: Mapping[str, Any], org_id: int) -> CampaignDraft:
    """The draft that faultless fields say."""
    pairs = [line.partition("=") for line in typed["variables"].splitlines() if line.strip()]
    rounds = tuple(
        RoundDraft(
            part["name"],
            datetime.strptime(part["starts_at"], _MOMENT).replace(tzinfo=BEIJING),
            datetime.strptime(part["ends_at"], _MOMENT).replace(tzinfo=BEIJING),
            tuple(_step(step) for step in part["steps"]),
            part["segment"],
            stagger_of(part["plan"]),
            canary_of(part["plan"]),
            anchor_of(part["plan"]),
            trigger_of(part["plan"]),
        )
        for part in typed["rounds"]
    )
    return CampaignDraft(
        **{name: typed[name] for name in _PLAIN},
        org_id=org_id,
        rounds=rounds,
        holdout_permille=int(typed["holdout"]) * 10,
        quota_messages=int(typed["quota_messages"]) if typed["quota_messages"] else None,
        quota_days=int(typed["quota_days"]) if typed["quota_days"] else None,
        variables={name.strip(): value.strip() for name, _, value in pairs},
        allowances=typed["allowances"],
        contact_roles=roles_of(typed["contact_roles"]),
    )


def _step(step: Mapping[str, str]) -> StepDraft:
    channel, _, code = step["chosen"].partition(":")
    return StepDraft(channel, code, timedelta(hours=int(step["wait"])))


def moment_of(text: str) -> datetime | None:
    """What a field for date and time holds, by the clock in Beijing; None if nothing that can be read."""
    try:
        return datetime.strptime(text, _MOMENT).replace(tzinfo=BEIJING)
    except ValueError:
        return None


def form_of(
    campaign: Mapping[str, Any], rounds: list[dict[str, Any]], steps: list[dict[str, Any]]
) -> dict[str, Any]:
    """A stored campaign as the form's fields."""
    shown = [
        {
            "name": row["name"],
            "starts_at": f"{in_beijing(row['starts_at']):{_MOMENT}}",
            "ends_at": f"{in_beijing(row['ends_at']):{_MOMENT}}",
            "segment": row["segment"],
            "plan": plan_fields(row),
            "steps": [
                {
                    "chosen": f"{step['channel']}:{step['template_code']}",
                    "wait": str(int(step["wait"].total_seconds()) // 3600),
                }
                for step in steps
                if step["round_id"] == row["id"]
            ],
        }
        for row in rounds
        if row["parent_id"] is None
    ]
    return {
        **{name: campaign[name] for name in _PLAIN},
        **{name: str(campaign[name] or "") for name in _NUMBERS},
        "holdout": str(campaign["holdout_permille"] // 10),
        "variables": "\n".join(f"{name}={value}" for name, value in campaign["variables"].items()),
        "allowances": tuple(campaign["allowances"]),
        "contact_roles": shown_roles(campaign["contact_roles"]),
        "rounds": shown,
    }
