"""Surveys: a draft, versions that are frozen when published, one answer that counts per household.

What staff choose becomes a label at once, so that the next count sees who said what.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb
from pyroaring import BitMap

from outreach.db.pool import Connection
from outreach.db.sql import load_queries
from outreach.errors import Conflict, InvalidInput, NotFound
from outreach.governance.actor import Actor
from outreach.governance.audit import append_audit
from outreach.governance.vault import Vault
from outreach.labels.keys import label_key
from outreach.labels.sets import change_sets
from outreach.service.confirmations import check_flags
from outreach.service.survey_content import check_answer, read_questions, way_of
from outreach.service.visitors import Visit

_SQL = load_queries(__file__)
STATES = {"draft": "草稿", "open": "进行中", "closed": "已结束"}


@dataclass(frozen=True, slots=True)
class OpenSurvey:
    """The newest version of a survey that takes answers. `answered`: whether the household has answered."""

    id: int
    version_id: int
    content: Mapping[str, Any]
    mapping: Sequence[Mapping[str, str]]
    answered: bool


@dataclass(frozen=True, slots=True)
class OfferedSurvey:
    """A survey with the places of the visitor's households that it asks; `answered`: for all of them."""

    survey: OpenSurvey
    places: Sequence[int]
    answered: bool


async def save_survey(
    conn: Connection,
    actor: Actor,
    survey_id: int | None,
    *,
    title: str,
    intro: str,
    questions: str,
    campaign_id: int | None,
) -> int:
    """Keep a draft, new or changed; what is published stays as it is till the next one. Returns its id.

    Raises InvalidInput with the question that is wrong, NotFound outside the scope.
    """
    plain = title.replace("\x00", "").strip()
    if not 1 <= len(plain) <= 60:
        raise InvalidInput("标题需要 1 到 60 个字。", field="title")
    content = {
        "title": plain,
        "intro": intro.replace("\x00", "").strip()[:500],
        "questions": read_questions(questions),
    }
    params = {
        "id": survey_id,
        "org_id": actor.org_id,
        "path": actor.org_path,
        "campaign_id": campaign_id,
        "content": Jsonb(content),
        "by": actor.name,
    }
    row = await (await conn.execute(_SQL["save" if survey_id else "add"], params)).fetchone()
    if row is None:
        raise NotFound("没有这份问卷，或者它不在您的数据范围内。")
    await append_audit(conn, actor, "survey.save", f"survey:{row['id']}")
    return int(row["id"])


async def publish_survey(conn: Connection, actor: Actor, survey_id: int) -> int:
    """Freeze the draft as a version that takes answers; returns the version. Raises NotFound, Conflict."""
    row = await own_survey(conn, actor, survey_id)
    body = json.dumps(row["content"], sort_keys=True, ensure_ascii=False).encode()
    digest = hashlib.sha256(body).digest()
    params = {"id": survey_id, "content": Jsonb(row["content"]), "hash": digest, "by": actor.name}
    made = await (await conn.execute(_SQL["publish"], params)).fetchone()
    if made is None:
        raise Conflict("内容没有变化，不需要再次发布。")
    detail = {"version": made["version"], "hash": digest.hex()}
    await append_audit(conn, actor, "survey.publish", f"survey:{survey_id}", detail)
    return int(made["version"])


async def close_survey(conn: Connection, actor: Actor, survey_id: int) -> None:
    """Take no more answers. Raises NotFound."""
    await own_survey(conn, actor, survey_id)
    await conn.execute(_SQL["close"], {"id": survey_id})
    await append_audit(conn, actor, "survey.close", f"survey:{survey_id}")


async def own_survey(conn: Connection, actor: Actor, survey_id: int) -> dict[str, Any]:
    """A survey of the scope. Raises NotFound."""
    row = await (await conn.execute(_SQL["own"], {"id": survey_id, "path": actor.org_path})).fetchone()
    if row is None:
        raise NotFound("没有这份问卷，或者它不在您的数据范围内。")
    return row


async def map_answers(
    conn: Connection, actor: Actor, survey_id: int, chosen: Sequence[Mapping[str, str]]
) -> int:
    """Choose which options become which flag labels, for the answers that are there and those to come;
    returns how many labels. Raises InvalidInput, NotFound."""
    row = await own_survey(conn, actor, survey_id)
    questions = {question["code"]: question for question in row["content"]["questions"]}
    for one in chosen:
        question = questions.get(one["question"])
        if question is None or one["option"] not in {option["code"] for option in question["options"]}:
            raise InvalidInput("没有这个选项。", field="mapping")
    codes = [one["label"] for one in chosen]
    if len(set(codes)) < len(codes):
        raise InvalidInput("一个标签只能对应一个选项。", field="mapping")
    await check_flags(conn, codes, field="mapping")
    await conn.execute(_SQL["map"], {"id": survey_id, "mapping": Jsonb(list(chosen))})
    rows = await (await conn.execute(_SQL["choosers"], {"id": survey_id})).fetchall()
    everybody = BitMap([row["taxpayer_id"] for row in rows])
    changes = {}
    for one in chosen:
        said = BitMap(
            [row["taxpayer_id"] for row in rows if one["option"] in _options(row["choices"], one["question"])]
        )
        changes[label_key(one["label"])] = (said, everybody - said)
    if changes:
        await change_sets(conn, changes, source=f"问卷：{row['content']['title']}")
    await append_audit(conn, actor, "survey.map", f"survey:{survey_id}", {"labels": codes})
    return len(codes)


async def open_surveys(
    conn: Connection, taxpayer_id: int, org_id: int, campaign_id: int | None
) -> list[OpenSurvey]:
    """Surveys that a household may answer: those of its units, and those of the campaign that brought it."""
    params = {"taxpayer": taxpayer_id, "org_id": org_id, "campaign": campaign_id}
    rows = await (await conn.execute(_SQL["open"], params)).fetchall()
    return [OpenSurvey(**row) for row in rows]


async def surveys_of(conn: Connection, visit: Visit) -> list[OfferedSurvey]:
    """What a visitor may answer for any of her households, in the order of the first one's list."""
    found: dict[int, tuple[OpenSurvey, list[int], bool]] = {}
    for place, household in enumerate(visit.households):
        for one in await open_surveys(conn, household.id, household.org_id, visit.campaign_id):
            survey, places, answered = found.get(one.id, (one, [], True))
            found[one.id] = (survey, [*places, place], answered and one.answered)
    return [OfferedSurvey(survey, places, answered) for survey, places, answered in found.values()]


async def keep_answers(
    conn: Connection,
    vault: Vault,
    survey: OpenSurvey,
    taxpayer_id: int,
    answers: Mapping[str, Sequence[str]],
    *,
    person_id: int | None = None,
    channel: str = "page",
    entered_by: str = "",
) -> int:
    """Keep a household's answers along the way that they lead; what lies beside the way is left out.

    Raises InvalidInput with the question whose answer is missing or wrong.
    """
    kept: dict[str, Any] = {}
    while True:
        _, question = way_of(survey.content, kept)
        if question is None:
            break
        kept[question["code"]] = check_answer(question, answers.get(question["code"], ()))
    kinds = {question["code"]: question["kind"] for question in survey.content["questions"]}
    texts = {code: value for code, value in kept.items() if kinds[code] == "text"}
    choices = {code: value for code, value in kept.items() if kinds[code] != "text"}
    await conn.execute(_SQL["hold"], {"survey": survey.id, "taxpayer": taxpayer_id})
    row = await (await conn.execute(_SQL["draw"], {"survey": survey.id, "taxpayer": taxpayer_id})).fetchone()
    assert row is not None
    sealed = vault.encrypt("survey_answer", "texts_enc", row["id"], json.dumps(texts, ensure_ascii=False))
    params = {
        "id": row["id"], "survey": survey.id, "version": survey.version_id, "taxpayer": taxpayer_id,
        "person": person_id, "channel": channel, "entered_by": entered_by, "choices": Jsonb(choices),
        "texts": sealed, "supersedes": row["last"],
    }  # fmt: skip
    await conn.execute(_SQL["answer"], params)
    one, nobody = BitMap([taxpayer_id]), BitMap()
    changes = {
        label_key(rule["label"]): (one, nobody)
        if rule["option"] in _options(choices, rule["question"])
        else (nobody, one)
        for rule in survey.mapping
    }
    if changes:
        await change_sets(conn, changes, source=f"问卷：{survey.content['title']}")
    return int(row["id"])


async def read_texts(conn: Connection, vault: Vault, survey_id: int, path: str) -> list[dict[str, Any]]:
    """The answers that count within an org scope, oldest first, with their free texts opened."""
    rows = await (await conn.execute(_SQL["answers"], {"id": survey_id, "path": path})).fetchall()
    return [
        {**row, "texts": json.loads(vault.decrypt("survey_answer", "texts_enc", row["id"], row["texts_enc"]))}
        for row in rows
    ]


def _options(choices: Mapping[str, Any], question: str) -> Sequence[str]:
    value = choices.get(question, ())
    return value if isinstance(value, list) else (str(value),)
