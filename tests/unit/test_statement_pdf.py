"""The PDF: the font is embedded, the text can be read back, long lines wrap inside the page."""

import re
import shutil
import subprocess
import zlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pylopdf_fonts_zh_cn
import pytest

from outreach.statements.canonical import canonical
from outreach.statements.cff import CffFont, read_dict, read_index
from outreach.statements.content import content_hash
from outreach.statements.household import BenefitFact, Household, TaxFact
from outreach.statements.pdf import check_address, render_pdf, set_paper
from outreach.statements.pdf_pages import write_papers
from outreach.statements.pdf_sheet import ACCENT, BOTTOM, GOOD, INK, TOP, Sheet, Text, text_width, wrap
from tests.unit.bill_households import read_bill

NAME = "示例市" + "春风里新能源装备制造与供应链管理服务" * 2 + "有限责任公司"


def sample(benefits: int = 3) -> tuple[dict[str, object], str]:
    home = Household(1, "enterprise", NAME, "9115******MPL1", "国家税务总局示例市税务局", "")
    zero = Decimal("0.00")
    home.taxes = [TaxFact("增值税", Decimal("1234567.89"), Decimal("1234567.89"), zero, zero, zero)]
    home.benefits = [
        BenefitFact(202501 + n % 12, "SIX_TAX_HALF", True, {"due": f"{1000 + n}.00"}) for n in range(benefits)
    ]
    issue = {"number": "ZD2025-000000001", "version": 1, "supersedes": None, "reason": "", "serial": "0" * 32}
    bill = {**read_bill(home, 2025, date(2026, 1, 20)), "issue": {**issue, "at": "2026-01-20T09:30+08:00"}}
    return bill, content_hash(canonical(bill)).hex()


def streams(pdf: bytes) -> list[bytes]:
    found = re.findall(rb"/FlateDecode [^\n]*>>\nstream\n(.*?)\nendstream", pdf, re.DOTALL)
    return [zlib.decompress(body) for body in found]


def objects(pdf: bytes) -> bytes:
    """The file with the bodies of its object streams laid open."""
    return pdf + b"\n".join(part for part in streams(pdf) if b"<<" in part)


def marks_of(content: dict[str, object], digest: str, *, large: bool) -> list[list[Text]]:
    pages = set_paper(content, digest, "https://t.example.gov.cn", large=large).sheet.pages
    return [[mark for mark in marks if isinstance(mark, Text)] for marks in pages]


def said(pages: list[list[Text]]) -> str:
    return re.sub(r"\s", "", "".join(mark.text for page in pages for mark in page))


@pytest.mark.parametrize("mongolian", [False, True])
def test_large_print_is_large_everywhere_and_stays_on_the_page(mongolian: bool) -> None:
    content, digest = sample(40)
    content["unclaimed"] = {"lines": [{**_line(content), "how_to": "说明。" * 40}], "total": "12.00"}
    paper = set_paper(content, digest, "https://t.example.gov.cn", mongolian=mongolian, large=True)
    sheet = paper.sheet
    texts = [mark for page in sheet.pages for mark in page if isinstance(mark, Text)]
    assert min(mark.size for mark in texts) >= 14 and max(mark.size for mark in texts) > 35
    assert {mark.color for mark in texts} == {INK, ACCENT, GOOD}, "muted text is for good eyes"
    for mark in texts:
        wide = text_width(mark.text, mark.size)
        first = mark.x - wide if mark.right else mark.x
        assert first >= sheet.left - 1 and first + wide <= sheet.right + 0.06 * wide, mark.text
        assert TOP <= mark.y <= sheet.bottom + 2, mark.text
    assert b"Tf" in b"".join(streams(write_papers([paper])))


def _line(content: dict[str, object]) -> dict[str, object]:
    (line,) = content["enjoyed"]["reduction"]["lines"]  # type: ignore[index]
    return dict(line)


def test_large_print_says_what_normal_print_says() -> None:
    content, digest = sample(3)
    large, normal = (said(marks_of(content, digest, large=large)) for large in (True, False))
    for expected in (NAME, "1,234,567.89", "六税两费减半征收", "应缴1,000.00×50%=减征500.00元"):
        assert expected in large and expected in normal
    assert all(digest[start : start + 8] in large for start in range(0, 64, 8))


def test_one_closing_mark_may_hang_and_a_second_one_takes_its_word_along() -> None:
    before = "申报时核对申报表中的一项减免已经选「"
    width = text_width(f"{before}是", 10)
    assert wrap(f"{before}是」系统", 10, width) == [f"{before}是」", "系统"]
    assert wrap(f"{before}是」，系统", 10, width) == [before, "是」，系统"]
    before = "减免如申报表中所填的那样（减征 "
    width = text_width(f"{before}12.50 元", 10)
    assert wrap(f"{before}12.50 元）。", 10, width) == [before, "12.50 元）。"]


def test_font_is_embedded_and_text_is_mapped() -> None:
    pdf = render_pdf(*sample(), "https://t.example.gov.cn")
    assert pdf.startswith(b"%PDF") and b"/CIDFontType0C" in pdf and b"/ToUnicode" in objects(pdf)
    assert b"Helvetica" not in pdf and len(pdf) < 120_000
    maps = b"".join(part for part in streams(pdf) if b"beginbfchar" in part)
    for character in "账单减免春装备":
        assert character.encode("utf-16-be").hex().encode() in maps


def test_structure_can_be_read_aloud() -> None:
    """Tags (ISO 32000-1 section 14.7): language, headings, every element found from its page and back."""
    pdf = objects(render_pdf(*sample(40), "https://t.example.gov.cn"))
    for expected in (b"/Lang (zh-CN)", b"/Marked true", b"/S /Document", b"/S /H1", b"/S /H2", b"/S /Figure"):
        assert expected in pdf
    marked = [int(found) for found in re.findall(rb"/MCID (\d+)>> BDC", pdf)]
    elements = [
        int(found) for found in re.findall(rb"/Type /StructElem /S /\w+ /P \d+ 0 R /Pg \d+ 0 R /K (\d+)", pdf)
    ]
    assert sorted(marked) == sorted(elements) and len(marked) > 60
    assert pdf.count(b"BDC\n") + pdf.count(b"BMC\n") == len(re.findall(rb"\nEMC", pdf))


def test_a_table_is_one_in_the_tag_tree_too() -> None:
    """Rows of cells with the headings of columns and rows (section 14.8.4.3.4), found from their pages."""
    content, digest = sample()
    paper = set_paper(content, digest, "https://t.example.gov.cn")
    pdf = objects(write_papers([paper] * 3))
    assert len(re.findall(rb"/S /Table /P \d+ 0 R /K \[(?:\d+ 0 R ?){3}\]", pdf)) == 3
    assert len(re.findall(rb"/S /TR /P \d+ 0 R /K \[(?:\d+ 0 R ?){6}\]", pdf)) == 9
    assert pdf.count(b"/Scope /Column") == 3 * 6 and pdf.count(b"/Scope /Row") == 3 * 2
    assert pdf.count(b"/S /TD") == 3 * 2 * 5
    parents = re.search(rb"/Nums \[(.*?)\] >> /ParentTreeNextKey 3", pdf, re.DOTALL)
    assert parents is not None
    found = re.findall(rb"(\d+) 0 R", parents[1])
    assert len(set(found)) == len(found) == len(re.findall(rb"/MCID ", pdf))


def test_a_name_is_read_before_its_amounts() -> None:
    (page,) = marks_of(*sample(1), large=False)
    texts = [mark.text for mark in page]
    at = texts.index("增值税")
    assert texts[at + 1 : at + 3] == ["1,234,567.89", "1,234,567.89"]
    assert {mark.y for mark in page[at : at + 6]} == {page[at].y}
    name = next(place for place, text in enumerate(texts) if text.startswith("六税两费"))
    assert texts[name + 1] == "500.00 元" and page[name].y == page[name + 1].y


def test_a_merged_job_holds_the_font_once() -> None:
    content, digest = sample()
    paper = set_paper(content, digest, "https://t.example.gov.cn")
    merged = write_papers([paper] * 20)
    assert objects(merged).count(b"/FontFile3") == 1 and b"/Count 20 " in objects(merged)
    assert len(merged) < 5 * len(write_papers([paper]))


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler is not installed")
def test_text_can_be_read_back(tmp_path: Path) -> None:
    content, digest = sample(40)
    path = tmp_path / "bill.pdf"
    path.write_bytes(render_pdf(content, digest, "https://t.example.gov.cn"))
    done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True)
    text = re.sub(r"\s", "", done.stdout.decode())
    for expected in (
        "2025年度纳税缴费账单",
        NAME,
        "1,234,567.89",
        "六税两费减半征收",
        digest[:8],
        "第1页，共2页",
    ):
        assert expected in text
    assert not done.stderr


def test_subset_is_a_font_of_its_own() -> None:
    data = pylopdf_fonts_zh_cn.sans_path().read_bytes()
    at, size = _table(data, b"CFF ")
    font = CffFont(data[at : at + size])
    glyphs = [0, 5, 900, 20_000]
    subset = font.subset(glyphs, "ABCDEF+Test")
    names, end = read_index(subset, 4)
    tops, end = read_index(subset, end)
    top = read_dict(tops[0])
    strings, _ = read_index(subset, int.from_bytes(top[17][1:], "big"))
    assert names == [b"ABCDEF+Test"] and len(strings) == len(glyphs)
    assert all(string.endswith(b"\x0e") for string in strings), (
        "every glyph ends by itself, without subroutines"
    )
    charset = int.from_bytes(top[15][1:], "big")
    cids = [int.from_bytes(subset[charset + 1 + 2 * n : charset + 3 + 2 * n], "big") for n in range(3)]
    assert cids == glyphs[1:]


def _table(data: bytes, tag: bytes) -> tuple[int, int]:
    entry = 12
    while data[entry : entry + 4] != tag:
        entry += 16
    return int.from_bytes(data[entry + 8 : entry + 12], "big"), int.from_bytes(
        data[entry + 12 : entry + 16], "big"
    )


@pytest.mark.parametrize(
    "text", ["减免税额合计" * 40, "9" * 300, "a，" * 200, "", "短", "公告2023年第12号（含本数）" * 20]
)
def test_lines_fit_and_nothing_is_lost(text: str) -> None:
    lines = wrap(text, 10, 200)
    assert "".join(lines) == text
    # A closing mark may hang over the edge by its own width.
    assert all(text_width(line, 10) <= 222 for line in lines)
    assert not any(line[0] in "，。；）" for line in lines[1:])


def test_an_amount_keeps_its_unit() -> None:
    text = "实际抵减 2,005.00 元，缴纳 18,095.00 元"
    for width in range(90, 260, 7):
        lines = wrap(text, 10, width)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert not any(line.lstrip().startswith("元") for line in lines)


def test_a_short_paragraph_is_not_torn_between_pages() -> None:
    sheet = Sheet()
    sheet.space(BOTTOM - TOP - 20)
    sheet.paragraph("减免税额合计" * 20, size=10)
    assert not sheet.pages[0] and len(sheet.pages[1]) == 3
    sheet.space(BOTTOM - sheet.y - 20)
    sheet.paragraph("减免税额合计" * 80, size=10)
    assert len(sheet.pages[1]) == 4, "a long one is"


def test_address_of_the_check_holds_only_the_digest() -> None:
    digest = sample()[1]
    assert check_address("https://t.example.gov.cn", digest) == f"https://t.example.gov.cn/check?d={digest}"
