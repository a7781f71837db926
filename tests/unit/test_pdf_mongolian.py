"""Mongolian in the PDF: forms that join, columns from left to right, text that can be read back, and what
happens without a glyph. Chinese documents hold nothing of it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from outreach.statements.leaflets import leaflet, render_leaflet
from outreach.statements.pdf import render_pdf, set_paper
from outreach.statements.pdf_blocks import put_heading
from outreach.statements.pdf_file import PdfFile
from outreach.statements.pdf_mongolian import Script, open_script
from outreach.statements.pdf_pages import Paper, write_papers
from outreach.statements.pdf_sheet import BOTTOM, TOP, Sheet, Upright
from outreach.web.public_pages import FOLDER
from tests.unit.test_statement_pdf import objects, sample, streams

SITE = "https://t.example.gov.cn"
FONT = (FOLDER / "static" / "noto-sans-mongolian.ttf").read_bytes()
TEXTS: Mapping[str, str] = json.loads((FOLDER / "words" / "mn.json").read_text(encoding="utf-8"))
TITLE = TEXTS["title_yearly_bill"]
SUFFIX, VOWEL = "\u202f", "\u180e"


def script(draft: bool = False, **texts: str) -> Script:
    return Script(FONT, texts, is_draft=draft)


def read_back(pdf: bytes) -> list[str]:
    """The Mongolian of a file by its ToUnicode map alone, column by column."""
    (table,) = [part for part in streams(pdf) if b"beginbfchar" in part and b"<1820>" in part]
    letters = {
        int(cid, 16): bytes.fromhex(code.decode()).decode("utf-16-be")
        for cid, code in re.findall(rb"<(\w{4})> <(\w+)>", table)
    }
    shown = [code for part in streams(pdf) for code in re.findall(rb"/M [^<]+ <(\w+)> Tj", part)]
    return ["".join(letters.get(cid, "") for cid in cids(code.decode())) for code in shown]


def cids(code: str) -> list[int]:
    return [int(code[at : at + 4], 16) for at in range(0, len(code), 4)]


def uprights(sheet: Sheet) -> Iterator[list[Upright]]:
    for page in sheet.pages:
        yield [mark for mark in page if isinstance(mark, Upright)]


def test_every_draft_can_be_set() -> None:
    opened = open_script()
    assert [key for key, text in TEXTS.items() if key != "_about" and opened.text(key) != text] == []


def test_a_letter_has_the_form_of_its_place() -> None:
    (column,) = script(a="ᠨᠠᠨᠠᠨ").columns("a", 30)
    forms = cids(column.code)
    assert len(forms) == 5 and len({forms[0], forms[2], forms[4]}) == 3, "initial, medial and final n differ"
    assert forms[1] == forms[3]
    (word,) = script(a="ᠲᠣᠭ" + VOWEL + "ᠠ").columns("a", 30)
    (apart,) = script(a="ᠲᠣᠭᠠ").columns("a", 30)
    assert word.length > apart.length, "the separated vowel stands by itself"


def test_a_suffix_stays_with_its_word() -> None:
    one = script(a=f"ᠲᠠᠲᠠᠪᠤᠷᠢ{SUFFIX}ᠶᠢᠨ ᠳᠠᠩᠰᠠ")
    assert len(one.columns("a", 0.1)) == 2
    alone, joined = script(a="ᠶᠢᠨ").columns("a", 30), script(a=f"ᠠ{SUFFIX}ᠶᠢᠨ").columns("a", 30)
    assert len(cids(joined[0].code)) == len(cids(alone[0].code)) + 2


def test_columns_are_few_and_then_short() -> None:
    text = "ᠠᠨᠠ ᠠᠨᠠ ᠠᠨᠠ ᠠᠨᠠ"
    one = script(a=text)
    whole = one.columns("a", 100)[0].length
    halves = one.columns("a", (whole - 1) / 1000)
    assert len(halves) == 2 and halves[0] == halves[1], "not three words and one"
    assert one.columns("b", 9) == [] and one.text("b") == ""


def test_what_the_font_lacks_is_left_out_whole_and_logged() -> None:
    with capture_logs() as logs:
        one = script(year="ᠲᠠ 2025", chinese="ᠲᠠ账", plain="ᠲᠠ", empty="")
    assert [one.text(key) for key in ("year", "chinese", "plain", "empty")] == ["", "", "ᠲᠠ", ""]
    assert one.columns("year", 30) == []
    assert {entry["key"] for entry in logs} == {"year", "chinese"}
    assert all(entry["event"] == "mongolian.left_out" for entry in logs)


def test_a_title_that_cannot_be_set_gives_way_to_the_service() -> None:
    with capture_logs():
        one = script(title="ᠲᠠ {year}", service="ᠲᠠᠲᠠᠪᠤᠷᠢ")
    sheet = Sheet(one)
    sheet.put_title_beside("title")
    assert [[mark.said for mark in marks] for marks in uprights(sheet)] == [["ᠲᠠᠲᠠᠪᠤᠷᠢ"]]
    assert read_back(write_papers([Paper(sheet, "账单", "税务局", "")])) == ["ᠲᠠᠲᠠᠪᠤᠷᠢ"]


@pytest.mark.parametrize("benefits", [0, 3, 40])
def test_what_is_shown_is_what_was_written(benefits: int) -> None:
    pdf = render_pdf(*sample(benefits), SITE, mongolian=True)
    told = read_back(pdf)
    for key in ("title_yearly_bill", "amounts_note", "paid_title", "due_title"):
        assert TEXTS[key] in told, key
    assert TEXTS["check_doc_title"] == " ".join(told[-2:]), "in two columns"


def test_one_form_of_two_letters_is_read_as_each() -> None:
    one = script(o="ᠣᠷᠳᠣ", u="ᠤᠷᠳᠤ", a="ᠠᠠ")
    sheet = Sheet(one)
    for key in ("o", "u"):
        sheet.put_heading_beside(key, "#000000")
    file = write_papers([Paper(sheet, "账单", "税务局", "")])
    assert read_back(file) == ["ᠣᠷᠳᠣ", "ᠤᠷᠳᠤ"]
    lengths = [mark.code for marks in uprights(sheet) for mark in marks]
    assert lengths[0] != lengths[1], "numbers differ where the glyph does not"


@pytest.mark.parametrize("benefits", [0, 3, 40])
def test_it_stands_in_the_margin_and_nothing_overlaps(benefits: int) -> None:
    assert_apart(set_paper(*sample(benefits), SITE, mongolian=True).sheet)


def test_short_sections_wait_for_the_heading_before() -> None:
    sheet = Sheet(open_script())
    for key in ("credit_title", "check_doc_title", "", "benefits_sums", "due_title") * 4:
        put_heading(sheet, "标题", key=key)
    assert len(sheet.pages) > 1
    assert_apart(sheet)


@pytest.mark.parametrize("words", [1, 5, 20, 200])
def test_whatever_the_translator_writes_stays_in_the_margin(words: int) -> None:
    text = " ".join(["ᠲᠠᠲᠠᠪᠤᠷᠢ"] * words)
    sheet = Sheet(script(title=text, amounts_note=text, heading=text))
    sheet.put_title_beside("title")
    for _ in range(5):
        put_heading(sheet, "标题", key="heading")
    assert_apart(sheet)
    shown = [mark.said for marks in uprights(sheet) for mark in marks]
    assert set(shown) == {text} and (words > 20 or len(shown) >= 7)


def assert_apart(sheet: Sheet) -> None:
    for marks in uprights(sheet):
        boxes = [
            (mark.x - 0.26 * mark.size, mark.y, mark.x + 0.95 * mark.size, mark.y + length_of(sheet, mark))
            for mark in marks
        ]
        for left, top, right, bottom in boxes:
            assert left > 14 and right < sheet.left - 9 and top >= TOP and bottom <= BOTTOM + 0.01
        for number, one in enumerate(boxes):
            assert not any(overlap(one, other) for other in boxes[number + 1 :])
        for before, after in pairwise(marks):
            assert before.group != after.group or before.x < after.x, "columns run from left to right"


def length_of(sheet: Sheet, mark: Upright) -> float:
    assert sheet.script is not None
    key = next(key for key in (*TEXTS, "title", "heading") if sheet.script.text(key) == mark.said)
    columns = [column for most in (9, 14, 22, 40, 1000) for column in sheet.script.columns(key, float(most))]
    return next(column.length for column in columns if column.code == mark.code) * mark.size / 1000


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_it_is_tagged_with_its_language_and_its_text() -> None:
    pdf = objects(render_pdf(*sample(40), SITE, mongolian=True))
    written = TITLE.encode("utf-16-be").hex().encode()
    assert b"/MCID 3 /ActualText <feff" + written + b">>> BDC" in pdf
    assert b"/Lang (mn-Mong) /ActualText <feff" + written in pdf and b"/Lang (zh-CN)" in pdf
    marked = [int(found) for found in re.findall(rb"/MCID (\d+)[^B]*>> BDC", pdf)]
    elements = [
        int(found) for found in re.findall(rb"/Type /StructElem /S /\w+ /P \d+ 0 R /Pg \d+ 0 R /K (\d+)", pdf)
    ]
    assert sorted(marked) == sorted(elements)
    assert pdf.count(b"BDC\n") + pdf.count(b"BMC\n") == len(re.findall(rb"\nEMC", pdf))


def test_chinese_documents_hold_nothing_of_it() -> None:
    content, digest = sample()
    chinese = render_pdf(content, digest, SITE)
    open_script()
    assert render_pdf(content, digest, SITE) == chinese
    for trace in (b"/FontFile2", b"mn-Mong", b"/ActualText", b"/M "):
        assert trace not in objects(chinese)


def test_the_same_document_gives_the_same_file() -> None:
    content, digest = sample()
    assert render_pdf(content, digest, SITE, mongolian=True) == render_pdf(
        content, digest, SITE, mongolian=True
    )
    first, second = PdfFile(), PdfFile()
    texts = {key: text for key, text in TEXTS.items() if key != "_about"}
    for file in (first, second):
        Script(FONT, texts, is_draft=True).embed(file)
    assert first.write(1, 1) == second.write(1, 1)


def test_a_merged_job_may_hold_both() -> None:
    papers = [set_paper(*sample(), SITE, mongolian=mongolian) for mongolian in (False, True, True)]
    pdf = objects(write_papers(papers))
    assert pdf.count(b"/FontFile2") == 1 and pdf.count(b"/FontFile3") == 1


@pytest.mark.parametrize("draft", [True, False])
def test_a_draft_is_said_to_be_one(draft: bool) -> None:
    sheet = Sheet(script(draft, title="ᠲᠠ"))
    sheet.put_draft_note()
    assert bool(sheet.pages[0][1:]) == draft
    assert open_script().is_draft


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler is not installed")
def test_an_extractor_finds_titles_in_both_scripts(tmp_path: Path) -> None:
    path = tmp_path / "bill.pdf"
    for pdf, chinese, title in (
        (render_pdf(*sample(), SITE, mongolian=True), "2025年度纳税缴费账单", TITLE),
        (
            render_leaflet(leaflet("car", 202603), "示例市税务局", mongolian=True),
            "新能源汽车",
            TEXTS["leaflets_title"],
        ),
    ):
        path.write_bytes(pdf)
        done = subprocess.run(["pdftotext", "-raw", path, "-"], capture_output=True, check=True)
        text = re.sub(r"\s", "", done.stdout.decode())
        assert chinese in text and re.sub(r"\s", "", title) in text
        assert not done.stderr
