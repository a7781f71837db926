"""From sheets to a tagged PDF: content streams, structure tree, language, titles (ISO 32000-1 section 14.8).

Several documents may share one file: a merged print job holds the font once.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby, islice
from typing import NamedTuple

from outreach.statements.pdf_file import PdfFile, text_string
from outreach.statements.pdf_font import Font, open_font
from outreach.statements.pdf_mongolian import LANGUAGE
from outreach.statements.pdf_sheet import (
    HEIGHT,
    INK,
    LINE,
    MUTED,
    NO_ROW,
    WIDTH,
    Box,
    Mark,
    Row,
    Sheet,
    Squares,
    Text,
    Upright,
    text_width,
    wrap,
)

_FOOT = 7.5


class Paper(NamedTuple):
    """A document as it goes to print; the footer stands on each of its pages beside the number."""

    sheet: Sheet
    title: str
    author: str
    footer: str


class _Element(NamedTuple):
    """`said`: of a figure what it shows, of a paragraph what stands there in Mongolian; `row` of a cell."""

    tag: str
    said: str
    row: Row = NO_ROW


class _Ink(NamedTuple):
    stream: str
    elements: Sequence[_Element]
    used: Mapping[int, int]


def write_papers(papers: Sequence[Paper]) -> bytes:
    """One file of one or more documents; title and author of the file are those of the first."""
    file, font = PdfFile(), open_font()
    root, pages, tree, whole = file.add(), file.add(), file.add(), file.add()
    inked = [ink for paper in papers for ink in _inked(paper, font)]
    used: dict[int, int] = {}
    for ink in inked:
        used.update(ink.used)
    fonts = b"/F %d 0 R" % font.embed(file, used)
    # All documents of a process have the same script, if they have one.
    script = next((paper.sheet.script for paper in papers if paper.sheet.script), None)
    if script:
        fonts += b" /M %d 0 R" % script.embed(file)
    kids = [_page(file, pages, fonts, number, ink) for number, ink in enumerate(inked)]
    kids_of_tree, parents = _add_elements(file, whole, kids, inked)
    file.fill(pages, b"<< /Type /Pages /Kids [%b] /Count %d >>" % (_references(kids), len(kids)))
    _fill_tree(file, tree, whole, kids_of_tree, parents)
    file.fill(
        root,
        b"<< /Type /Catalog /Pages %d 0 R /Lang (zh-CN) /MarkInfo << /Marked true >> /StructTreeRoot %d 0 R"
        b" /ViewerPreferences << /DisplayDocTitle true >> >>" % (pages, tree),
    )
    title, author = text_string(papers[0].title), text_string(papers[0].author)
    return file.write(root, file.add(b"<< /Title %b /Author %b >>" % (title, author)))


def _page(file: PdfFile, pages: int, fonts: bytes, number: int, ink: _Ink) -> int:
    stream = file.add_stream(ink.stream.encode("ascii"), level=1)
    return file.add(
        b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %.2f %.2f] /Contents %d 0 R /StructParents %d /Tabs /S"
        b" /Resources << /Font << %b >> >> >>" % (pages, WIDTH, HEIGHT, stream, number, fonts)
    )


class _Leaf(NamedTuple):
    """An element with its page and its place on it (MCID)."""

    page: int
    place: int
    element: _Element


def _add_elements(
    file: PdfFile, whole: int, pages: Sequence[int], inked: Sequence[_Ink]
) -> tuple[list[int], list[list[int]]]:
    """The kids of the whole document in reading order, and of each page its elements by MCID. Cells stand in
    rows, and rows in a table, which may go on on the next page."""
    leaves = [
        _Leaf(page, place, element)
        for page, ink in zip(pages, inked, strict=True)
        for place, element in enumerate(ink.elements)
    ]
    kids: list[int] = []
    numbers: list[int] = []
    for table, own in groupby(leaves, key=lambda leaf: leaf.element.row[0]):
        if not table:
            added = [_element(file, whole, leaf) for leaf in own]
            kids += added
            numbers += added
            continue
        kids.append(outer := file.add())
        rows = []
        for _, cells in groupby(own, key=lambda leaf: leaf.element.row):
            rows.append(inner := file.add())
            added = [_element(file, inner, leaf) for leaf in cells]
            file.fill(inner, _branch(b"TR", outer, added))
            numbers += added
        file.fill(outer, _branch(b"Table", whole, rows))
    left = iter(numbers)
    return kids, [list(islice(left, len(ink.elements))) for ink in inked]


def _element(file: PdfFile, parent: int, leaf: _Leaf) -> int:
    tag, spoken, row = leaf.element
    more = b""
    if spoken:
        more = b" /Alt " if tag == "Figure" else b" /Lang (%b) /ActualText " % LANGUAGE
        more += text_string(spoken)
    elif tag == "TH":
        more = b" /A << /O /Table /Scope /%b >>" % (b"Column" if row[1] == 1 else b"Row")
    return file.add(
        b"<< /Type /StructElem /S /%b /P %d 0 R /Pg %d 0 R /K %d%b >>"
        % (tag.encode(), parent, leaf.page, leaf.place, more)
    )


def _branch(tag: bytes, parent: int, kids: Sequence[int]) -> bytes:
    return b"<< /Type /StructElem /S /%b /P %d 0 R /K [%b] >>" % (tag, parent, _references(kids))


def _fill_tree(
    file: PdfFile, tree: int, whole: int, kids: Sequence[int], parents: Sequence[Sequence[int]]
) -> None:
    file.fill(whole, _branch(b"Document", tree, kids))
    by_page = b" ".join(b"%d [%b]" % (number, _references(page)) for number, page in enumerate(parents))
    file.fill(
        tree,
        b"<< /Type /StructTreeRoot /K [%d 0 R] /ParentTree << /Nums [%b] >> /ParentTreeNextKey %d >>"
        % (whole, by_page, len(parents)),
    )


def _references(numbers: Sequence[int]) -> bytes:
    return b" ".join([b"%d 0 R" % number for number in numbers])


def _inked(paper: Paper, font: Font) -> Iterator[_Ink]:
    sheet, y = paper.sheet, HEIGHT - 34
    size, color = sheet.sized(_FOOT), INK if sheet.large else MUTED
    for number, marks in enumerate(sheet.pages, start=1):
        foot = f"第 {number} 页，共 {len(sheet.pages)} 页"
        room = sheet.right - sheet.left - text_width(foot, size) - 12
        lines = wrap(paper.footer, size, room)
        top = y - (len(lines) - 1) * size * 1.3
        yield _ink(
            [
                *marks,
                Box(sheet.left, top - size - 6.5, sheet.right - sheet.left, 0.6, LINE),
                *(
                    Text(sheet.left, top + place * size * 1.3, size, color, False, False, line, "", 0)
                    for place, line in enumerate(lines)
                ),
                Text(sheet.right, y, size, color, False, True, foot, "", 0),
            ],
            font,
        )


def _ink(marks: Sequence[Mark], font: Font) -> _Ink:
    parts: list[str] = []
    elements: list[_Element] = []
    used: dict[int, int] = {}
    for (tag, _, said, row), group in groupby(marks, key=_place_in_tree):
        drawn = [_draw(mark, font, used) for mark in group]
        # Extractors look for it here, readers aloud in the tree.
        more = f" /ActualText {text_string(said).decode()}" if said and tag == "P" else ""
        parts += [f"/{tag} <</MCID {len(elements)}{more}>> BDC" if tag else "/Artifact BMC", *drawn, "EMC"]
        if tag:
            elements.append(_Element(tag, said, row))
    return _Ink("\n".join(parts), elements, used)


def _place_in_tree(mark: Mark) -> tuple[str, int, str, Row]:
    if isinstance(mark, Text):
        return mark.tag, mark.group, "", mark.row
    if isinstance(mark, Upright):
        return "P", mark.group, mark.said, NO_ROW
    return ("Figure", 0, mark.said, NO_ROW) if isinstance(mark, Squares) else ("", 0, "", NO_ROW)


def _draw(mark: Mark, font: Font, used: dict[int, int]) -> str:
    if isinstance(mark, Box):
        y = HEIGHT - mark.y - mark.height
        return f"{_color(mark.color)} rg {mark.x:.2f} {y:.2f} {mark.width:.2f} {mark.height:.2f} re f"
    if isinstance(mark, Squares):
        return _squares(mark)
    if isinstance(mark, Upright):
        # A quarter turn to the right: the line runs downwards, the next one stands to the right of it.
        place = f"0 -1 1 0 {mark.x:.2f} {HEIGHT - mark.y:.2f} Tm"
        return f"BT {_color(mark.color)} rg 0 Tr /M {mark.size:g} Tf {place} <{mark.code}> Tj ET"
    shaped = font.shape(mark.text)
    used.update(shaped.used)
    color, size = _color(mark.color), mark.size
    x = mark.x - shaped.width * size / 1000 if mark.right else mark.x
    # The wheel brings one weight: a thin outline of the same colour makes headings stronger.
    mode = f"2 Tr {color} RG {size * 0.028:.3f} w" if mark.bold else "0 Tr"
    return f"BT {color} rg {mode} /F {size:g} Tf {x:.2f} {HEIGHT - mark.y:.2f} Td <{shaped.code}> Tj ET"


@cache
def _color(code: str) -> str:
    return " ".join(f"{int(code[at : at + 2], 16) / 255:.3f}" for at in (1, 3, 5))


def _squares(mark: Squares) -> str:
    """Operators that fill the dark modules as one path, in units of a module."""
    step = mark.side / len(mark.rows)
    drawn = "".join(
        f"{start} {number} {length} 1 re\n"
        for number, row in enumerate(mark.rows)
        for start, length in _runs(row)
    )
    return f"q 0 0 0 rg {step:.4f} 0 0 {-step:.4f} {mark.x:.2f} {HEIGHT - mark.y:.2f} cm\n{drawn}f Q"


def _runs(row: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring dark modules as (start, length): no hairlines between them."""
    start = -1
    for place, dark in enumerate([*row, 0]):
        if dark and start < 0:
            start = place
        elif not dark and start >= 0:
            yield start, place - start
            start = -1
