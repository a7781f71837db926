"""Traditional Mongolian in PDFs: the translator's texts, shaped once per process, set from top to bottom.

A letter's form depends on its place in the word. HarfBuzz chooses the forms by the rules of Noto Sans
Mongolian (OFL, the font of the phone pages, unpacked), and a file embeds them as a font of their own (ISO
32000-1 section 9.7). Different letters share a form (o and u, t and d): so each pair of a form and letters
that it may mean has a number (CID) of its own, and the ToUnicode map gives back what was written, also to
readers that ignore /ActualText.
"""

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import uharfbuzz as hb

from outreach.logs import get_log
from outreach.statements.pdf_file import PdfFile
from outreach.statements.pdf_font import to_unicode

FONT = b"MONGOL+NotoSansMongolian"
LANGUAGE = b"mn-Mong"
_FOLDER = Path(__file__).parents[2] / "templates" / "public"
_SHAPING = ("GSUB", "GPOS", "GDEF", "OS/2", "name", "post", "cmap", "vhea", "vmtx", "gasp")
"""Tables that a text needs before it is shaped."""


class Column(NamedTuple):
    """Words under each other: their CIDs in hexadecimal, the length in thousandths of the size."""

    code: str
    length: int


class _Form(NamedTuple):
    """A glyph and the letters that it stands for, "" for a further glyph of the same letters."""

    glyph: int
    letters: str


class Script:
    """Texts by their keys, ready to be set; `is_draft`: their translation has not been reviewed.

    What the font cannot set whole is left out and logged: the Chinese alone serves a reader better than a box
    in the middle of a word.
    """

    def __init__(self, font: bytes, texts: Mapping[str, str], *, is_draft: bool) -> None:
        self.is_draft = is_draft
        self._face = hb.Face(hb.Blob(font))
        self._font = hb.Font(self._face)
        self._cids: dict[_Form, int] = {}
        self._space = self._shape(" ") or Column("", 0)
        self._words = {key: self._set(key, text) for key, text in texts.items()}
        self._texts = texts
        self._forms = list(self._cids)
        self._outlines, self._places = self._subset()
        self.columns = lru_cache(maxsize=1_000)(self._columns)

    def text(self, key: str) -> str:
        """A text as it was written; "" where there is none that can be set."""
        return self._texts[key] if self._words.get(key) else ""

    def _columns(self, key: str, most: float) -> Sequence[Column]:
        """A text in as few columns from left to right as `most` sizes allow, and these as short as their
        number allows; nothing where there is no text."""
        words = self._words.get(key, ())
        columns = self._break(words, most * 1000)
        while columns:
            shorter = self._break(words, max(column.length for column in columns) - 1)
            if len(shorter) > len(columns) or shorter == columns:
                break
            columns = shorter
        return columns

    def _break(self, words: Sequence[Column], most: float) -> Sequence[Column]:
        columns: list[Column] = []
        for word in words:
            if columns and columns[-1].length + self._space.length + word.length <= most:
                above = columns.pop()
                length = above.length + self._space.length + word.length
                columns.append(Column(above.code + self._space.code + word.code, length))
            else:
                columns.append(word)
        return columns

    def embed(self, file: PdfFile) -> int:
        """Add the font with the forms of all texts; its number."""
        size, packed = self._outlines
        outlines = file.add_stream(packed, b"/Filter /FlateDecode /Length1 %d" % size, level=0)
        box = struct.unpack_from(">hhhh", self._face.reference_table("head").data, 36)
        ascent, descent = struct.unpack_from(">hh", self._face.reference_table("hhea").data, 4)
        descriptor = file.add(
            b"<< /Type /FontDescriptor /FontName /%b /Flags 4 /FontBBox [%d %d %d %d] /ItalicAngle 0"
            b" /Ascent %d /Descent %d /CapHeight 800 /StemV 78 /FontFile2 %d 0 R >>"
            % (FONT, *box, ascent, descent, outlines)
        )
        widths = b" ".join([b"%d" % self._width(form.glyph) for form in self._forms])
        descendant = file.add(
            b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /%b /FontDescriptor %d 0 R /CIDToGIDMap %d 0 R"
            b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /W [1 [%b]] >>"
            % (FONT, descriptor, file.add_stream(self._places), widths)
        )
        written = to_unicode((cid, form.letters) for form, cid in self._cids.items() if form.letters)
        characters = file.add_stream(written.encode("ascii"))
        return file.add(
            b"<< /Type /Font /Subtype /Type0 /BaseFont /%b /Encoding /Identity-H"
            b" /DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>" % (FONT, descendant, characters)
        )

    def _set(self, key: str, text: str) -> Sequence[Column]:
        # Not at every white space: the narrow one (U+202F) belongs to the suffix behind it.
        words = [self._shape(word) for word in text.split(" ") if word]
        if None in words:
            get_log().warning("mongolian.left_out", key=key, why="the font cannot set every character")
            return ()
        return [word for word in words if word]

    def _shape(self, word: str) -> Column | None:
        """A word as forms; None when the font lacks one of them or wants one moved from its place."""
        buffer = hb.Buffer()
        buffer.add_str(word)
        buffer.direction, buffer.script, buffer.language = "ltr", "Mong", "mn-Mong"
        hb.shape(self._font, buffer)
        glyphs = [info.codepoint for info in buffer.glyph_infos]
        for glyph, place in zip(glyphs, buffer.glyph_positions, strict=True):
            if not glyph or place.x_offset or place.y_offset or place.x_advance != self._width(glyph):
                return None
        letters = _letters(word, [info.cluster for info in buffer.glyph_infos])
        forms = [_Form(glyph, part) for glyph, part in zip(glyphs, letters, strict=True)]
        cids = [self._cids.setdefault(form, len(self._cids) + 1) for form in forms]
        code = struct.pack(f">{len(cids)}H", *cids).hex()
        return Column(code, sum([self._width(glyph) for glyph in glyphs]))

    def _width(self, glyph: int) -> int:
        return int(self._font.get_glyph_h_advance(glyph))

    def _subset(self) -> tuple[tuple[int, bytes], bytes]:
        """Size and compressed bytes of a font of the used glyphs, and the map from CID to its glyphs."""
        wanted = hb.SubsetInput()
        wanted.glyph_set.update([form.glyph for form in self._forms])
        wanted.drop_table_tag_set.update([int.from_bytes(table.encode(), "big") for table in _SHAPING])
        wanted.flags = hb.SubsetFlags.NO_LAYOUT_CLOSURE | hb.SubsetFlags.NO_HINTING
        plan = hb.SubsetPlan(self._face, wanted)
        outlines = bytes(plan.execute().blob.data)
        place = plan.old_to_new_glyph_mapping
        glyphs = [0, *(place[form.glyph] for form in self._forms)]
        return (len(outlines), zlib.compress(outlines)), struct.pack(f">{len(glyphs)}H", *glyphs)


def _letters(word: str, clusters: Sequence[int]) -> Sequence[str]:
    """The letters of each glyph, by the place in the word where its cluster begins."""
    begins = sorted({*clusters, len(word)})
    ends = dict(pairwise(begins))
    return [
        "" if number and clusters[number - 1] == begin else word[begin : ends[begin]]
        for number, begin in enumerate(clusters)
    ]


@cache
def open_script() -> Script:
    """The texts of `words/mn.json`, shaped once per process."""
    texts = json.loads((_FOLDER / "words" / "mn.json").read_text(encoding="utf-8"))
    about = texts.pop("_about", "")
    font = (_FOLDER / "static" / "noto-sans-mongolian.ttf").read_bytes()
    return Script(font, texts, is_draft="草稿" in about)
