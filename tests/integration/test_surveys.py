"""Surveys: the way follows the answers, versions are frozen, answers become labels; publicity is refused."""

import io
import json
import re
from collections.abc import AsyncIterator

import pytest
from pyroaring import BitMap
from python_calamine import CalamineWorkbook

from outreach.errors import Conflict, InvalidInput, NotFound
from outreach.governance.vault import open_vault
from outreach.labels.cache import SetCache
from outreach.labels.catalogue import load_builtin
from outreach.labels.evaluate import evaluate_text
from outreach.labels.keys import label_key
from outreach.labels.sets import change_set
from outreach.runtime import Runtime
from outreach.service.survey_content import read_questions, way_of, write_questions
from outreach.service.survey_starters import SurveyStarter, survey_starters
from outreach.service.surveys import map_answers, open_surveys, publish_survey, read_texts, save_survey
from outreach.web.console.surveys import EXAMPLE, _csv, _sheet, _xlsx
from outreach.web.public_pages import FOLDER, LANGUAGES
from outreach.web.reads.surveys import survey_counts, survey_groups
from tests.integration.answer_stage import CITY, NEIGHBOUR, Visitor, ask_to_confirm, visiting
from tests.integration.statement_samples import COMPANY, SHOP

TEXT = """[单选*] 退税款您主要用在哪里？
周转经营
购买设备 → 3
还没想好 → 结束

[多选] 周转用在什么上？
工资
原料

[数字] 大约多少万元？

[打分10] 您对退税速度打几分？

[填写文字] 还有什么困难？"""


@pytest.fixture
async def visitor(rt: Runtime) -> AsyncIterator[Visitor]:
    async with visiting(rt) as made:
        yield made


async def published(rt: Runtime, text: str = TEXT) -> int:
    async with rt.db.begin() as conn:
        survey = await save_survey(
            conn, CITY, None, title="退税去向", intro="", questions=text, campaign_id=None
        )
        assert await publish_survey(conn, CITY, survey) == 1
    return survey


def carried(page: str) -> dict[str, list[str]]:
    """What the form of a page sends along."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page):
        found.setdefault(name, []).append(value)
    return found


async def fill(visitor: Visitor, survey: int, *answers: tuple[str, list[str]]) -> str:
    """Answer question by question as a browser without script; returns where it ends, or the last page."""
    page = (await visitor.http.get(f"/answers/survey/{survey}")).text
    for code, values in answers:
        sent = {**carried(page), f"q{code}": values}
        answer = await visitor.http.post(f"/answers/survey/{survey}", data=sent)
        if answer.status_code == 303:
            return answer.headers["location"]
        page = answer.text
    return page


def test_questions_are_read_and_written() -> None:
    questions = read_questions(TEXT)
    assert [one["kind"] for one in questions] == ["single", "multiple", "number", "scale", "text"]
    assert read_questions(write_questions(questions)) == questions and read_questions(EXAMPLE)
    content = {"questions": questions}
    assert [one["code"] for one in way_of(content, {"1": ["2"], "3": "8"})[0]] == ["1", "3"]
    assert way_of(content, {"1": ["3"]})[1] is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "没有题型",
        "[单选] 只有一个选项\n甲",
        "[单选] 往回\n甲 → 1\n乙",
        "[填写文字] 有选项\n甲",
        "[单选] 去哪\n甲 → 9\n乙",
        "[打分99] 太多",
    ],
)
def test_what_leads_nowhere_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_questions(text)


async def test_the_way_follows_the_answers(visitor: Visitor) -> None:
    rt = visitor.rt
    survey = await published(rt)
    await visitor.enter()
    assert "退税去向" in (await visitor.http.get("/answers")).text
    refused = await fill(visitor, survey, ("1", []))
    assert "这一题需要回答" in refused
    end = await fill(visitor, survey, ("1", ["2"]), ("3", ["8.5"]), ("4", ["9"]), ("5", ["=1+1 缺人手"]))
    assert end == "/answers?done=survey"
    # What lies beside the way is left out, also if somebody sends it.
    sent = {"asked": ["1", "2"], "q1": ["3"], "q2": ["1"]}
    assert (await visitor.http.post(f"/answers/survey/{survey}", data=sent)).status_code == 303
    rows = await rt.db.fetch("select choices, supersedes, id from survey_answer order by id")
    assert rows[0]["choices"] == {"1": ["2"], "3": "8.5", "4": "9"} and rows[1]["choices"] == {"1": ["3"]}
    assert rows[1]["supersedes"] == rows[0]["id"]
    async with rt.db.begin() as conn:
        assert await survey_counts(conn, CITY, survey) == (1, {("1", "3"): 1})
        assert await survey_counts(conn, NEIGHBOUR, survey) == (0, {})


async def test_the_export_is_safe_and_whole(visitor: Visitor) -> None:
    rt = visitor.rt
    survey = await published(rt)
    await visitor.enter()
    await fill(visitor, survey, ("1", ["2"]), ("3", ["8.5"]), ("4", ["9"]), ("5", ["=1+1 缺人手"]))
    async with rt.db.begin() as conn:
        answers = await read_texts(conn, open_vault(rt.settings), survey, "1.")
    rows = _sheet(read_questions(TEXT), answers)
    assert rows[1][4:] == ["购买设备", "", "8.5", "9", "=1+1 缺人手"]
    assert ",'=1+1 缺人手" in _csv(rows).decode()
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(_xlsx(rows))).get_sheet_by_index(0).to_python()
    assert sheet[1][-1] == "=1+1 缺人手"


async def test_versions_are_frozen(visitor: Visitor) -> None:
    rt = visitor.rt
    survey = await published(rt)
    async with rt.db.begin() as conn:
        with pytest.raises(Conflict):
            await publish_survey(conn, CITY, survey)
        await save_survey(
            conn, CITY, survey, title="退税去向", intro="", questions="[填写文字] 改了", campaign_id=None
        )
        (shown,) = await open_surveys(conn, COMPANY.id, 3, None)
        assert len(shown.content["questions"]) == 5
        assert await publish_survey(conn, CITY, survey) == 2
        (shown,) = await open_surveys(conn, COMPANY.id, 3, None)
        assert len(shown.content["questions"]) == 1
        with pytest.raises(NotFound):
            await publish_survey(conn, NEIGHBOUR, survey)


async def test_answers_become_labels(visitor: Visitor) -> None:
    rt = visitor.rt
    survey = await published(rt)
    await visitor.enter()
    await fill(visitor, survey, ("1", ["2"]), ("3", []), ("4", []), ("5", []))
    rule = {"question": "1", "option": "2", "label": "iit.waived"}
    async with rt.db.begin() as conn:
        for wrong in ({**rule, "option": "9"}, {**rule, "label": "no.such"}):
            with pytest.raises(InvalidInput):
                await map_answers(conn, CITY, survey, [wrong])
        await map_answers(conn, CITY, survey, [rule])
    assert list((await evaluate_text(rt, SetCache(), "iit.waived", 1)).members) == [COMPANY.id]
    await fill(visitor, survey, ("1", ["3"]))
    assert list((await evaluate_text(rt, SetCache(), "iit.waived", 1)).members) == []


async def test_publicity_is_refused_and_allowed_again(visitor: Visitor) -> None:
    rt, http = visitor.rt, visitor.http
    assert (await http.get("/answers/choices")).status_code == 401
    await visitor.enter()
    page = (await http.get("/answers/choices")).text
    assert "法定期限提醒" in page and "checked" not in page
    assert "调查与评价" in page and "评价邀请" in page
    for refused, rows in (
        (["sms", "email", "topic:survey"], ["email", "rcs", "sms", "topic:survey"]),
        (["email", "no such"], ["email"]),
        (["topic:bill"], ["topic:bill"]),
        ([], []),
    ):
        assert (await http.post("/answers/choices", data={"refused": refused})).status_code == 303
        kept = await rt.db.fetch("select channel from opt_out order by channel")
        assert [row["channel"] for row in kept] == rows


def test_words_are_complete_in_both_languages() -> None:
    chinese, english = (
        json.loads((FOLDER / "words" / f"{name}_answers.json").read_text()) for name in ("zh", "en")
    )
    assert chinese.keys() == english.keys()
    for key, text in chinese.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", english[key])), key


@pytest.mark.parametrize("path", ["/answers", "/answers/rate", "/answers/choices", "/ticket", "/thanks"])
async def test_every_language_and_print(visitor: Visitor, path: str) -> None:
    await visitor.enter()
    for language in LANGUAGES:
        answer = await visitor.http.get(path, params={"lang": language, "size": "large", "number": "A2"})
        assert answer.status_code in (200, 401) and 'class="large"' in answer.text
        assert ('class="mongol"' in answer.text) == (language == "mn")
        assert "noindex" in answer.headers["x-robots-tag"]


@pytest.mark.parametrize("starter", survey_starters().values(), ids=survey_starters())
def test_a_starter_is_a_survey(starter: SurveyStarter) -> None:
    questions = read_questions(starter.questions)
    assert 4 <= len(questions) <= 8 and read_questions(write_questions(questions)) == questions


async def test_answers_by_group(visitor: Visitor) -> None:
    survey = await published(visitor.rt)
    async with visitor.rt.db.begin() as conn:
        await load_builtin(conn)
        await change_set(conn, label_key("in_hardship", None), add=BitMap([COMPANY.id]), source="测试")
    await visitor.enter()
    assert await survey_groups(visitor.rt, CITY, survey) == [], "nobody has answered"
    await fill(visitor, survey, ("1", ["2"]), ("3", ["8.5"]), ("4", ["9"]), ("5", [""]))
    (group,) = await survey_groups(visitor.rt, CITY, survey)
    assert (group.name, group.answered) == ("生产经营困难", 1)
    assert group.counts["1", "2"] == 1 and group.counts["4", "9"] == 1
    assert await survey_groups(visitor.rt, NEIGHBOUR, survey) == [], "another county sees none of them"


async def test_who_has_several_households_says_which_one_she_means(visitor: Visitor) -> None:
    rt, http = visitor.rt, visitor.http
    survey = await published(rt)
    await visitor.enter(taxpayer_ids=[COMPANY.id, SHOP.id])
    page = (await http.get(f"/answers/survey/{survey}")).text
    assert '<option value="0" selected>' in page and SHOP.name in page
    await http.post(f"/answers/survey/{survey}", data={"n": "1", "asked": "1", "q1": "3"})
    kept = await rt.db.fetch("select taxpayer_id from survey_answer")
    assert [row["taxpayer_id"] for row in kept] == [SHOP.id]
    # Answered for one of two: the list still asks.
    assert "已填写" not in (await http.get("/answers")).text
    # The way through several questions keeps the household.
    second = await http.post(f"/answers/survey/{survey}", data={"n": "1", "asked": "1", "q1": "1"})
    assert carried(second.text)["n"] == ["1"] and f"为 {SHOP.name} 填写" in second.text
    for n in ("2", "-1", "x", "9" * 30):
        answer = await http.post(f"/answers/survey/{survey}", data={"n": n, "asked": "1", "q1": "3"})
        assert answer.status_code in (303, 404)
    kept = await rt.db.fetch("select taxpayer_id from survey_answer where taxpayer_id <> 2")
    assert {row["taxpayer_id"] for row in kept} <= {COMPANY.id}


async def test_questions_and_ratings_belong_to_the_household_that_is_chosen(visitor: Visitor) -> None:
    rt, http = visitor.rt, visitor.http
    _, round_id = await ask_to_confirm(rt)
    await visitor.enter(taxpayer_ids=[COMPANY.id, SHOP.id], round_id=round_id)
    for path in ("/answers", "/answers/rate"):
        assert SHOP.name in (await http.get(path)).text
    await http.post("/answers/ask", data={"text": "何时到账？", "n": "1"})
    await http.post("/answers/rate", data={"stars": 5, "n": "1"})
    for table in ("ticket", "rating"):
        rows = await rt.db.fetch(f"select taxpayer_id from {table}")
        assert [row["taxpayer_id"] for row in rows] == [SHOP.id], table
    await visitor.enter(taxpayer_ids=[COMPANY.id], round_id=round_id)
    assert '<select class="line"' not in (await http.get("/answers")).text
