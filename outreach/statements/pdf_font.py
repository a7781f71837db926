"""Noto Sans SC (OFL, from its wheel): widths, glyph numbers, and the subset that a file embeds.

The font has PostScript outlines: it is embedded as Type0 with CIDFontType0C data (ISO 32000-1 section 9.7)
and a ToUnicode map, so that the text can be searched, copied and read aloud.
"""

import struct
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

import pylopdf_fonts_zh_cn

from outreach.statements.cff import CffFont
from outreach.statements.pdf_file import PdfFile

FONT = "NotoSansSC"
_UNITS = 1000


class Shaped(NamedTuple):
    """A text as glyphs: their numbers in hexadecimal, the width in thousandths, glyph to character."""

    code: str
    width: int
    used: Mapping[int, int]


class _Sfnt:
    """Tables of an OpenType file that are needed here."""

    def __init__(self, data: bytes) -> None:
        count = struct.unpack_from(">H", data, 4)[0]
        entries = (struct.unpack_from(">4sLLL", data, 12 + 16 * number) for number in range(count))
        self.tables = {tag.decode(): data[at : at + size] for tag, _, at, size in entries}

    def glyph_of(self) -> dict[int, int]:
        """Unicode to glyph (cmap format 12, platform Windows)."""
        table = self.tables["cmap"]
        for number in range(struct.unpack_from(">H", table, 2)[0]):
            platform, encoding, at = struct.unpack_from(">HHL", table, 4 + 8 * number)
            if (platform, encoding) == (3, 10):
                return _format_12(table, at)
        raise ValueError("the font has no full Unicode map")

    def widths(self) -> list[int]:
        """Advance of every glyph."""
        long = struct.unpack_from(">H", self.tables["hhea"], 34)[0]
        glyphs = struct.unpack_from(">H", self.tables["maxp"], 4)[0]
        found = [struct.unpack_from(">H", self.tables["hmtx"], 4 * number)[0] for number in range(long)]
        return found + [found[-1]] * (glyphs - long)


def _format_12(table: bytes, at: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for number in range(struct.unpack_from(">L", table, at + 12)[0]):
        first, last, glyph = struct.unpack_from(">LLL", table, at + 16 + 12 * number)
        found.update((code, glyph + code - first) for code in range(first, last + 1))
    return found


class Font:
    """The parsed font; one per process (`open_font`), because parsing takes a quarter of a second."""

    def __init__(self, data: bytes) -> None:
        sfnt = _Sfnt(data)
        self._cff = CffFont(sfnt.tables["CFF "])
        self._glyph_of: Mapping[int, int] = sfnt.glyph_of()
        self._widths = sfnt.widths()
        self._box = struct.unpack_from(">hhhh", sfnt.tables["head"], 36)
        self._ascent, self._descent = struct.unpack_from(">hh", sfnt.tables["hhea"], 4)
        # Most lines of a season's documents are the same words.
        self.shape = lru_cache(maxsize=50_000)(self._shape)

    def _shape(self, text: str) -> Shaped:
        glyphs = [self._glyph_of.get(ord(character), 0) for character in text]
        used = {glyph: ord(character) for glyph, character in zip(glyphs, text, strict=True)}
        code = struct.pack(f">{len(glyphs)}H", *glyphs).hex()
        return Shaped(code, sum([self._widths[glyph] for glyph in glyphs]), used)

    def embed(self, file: PdfFile, used: Mapping[int, int]) -> int:
        """Add font, descendant, descriptor, outlines and ToUnicode map of the used glyphs; its number."""
        glyphs = sorted({0, *used})
        name = f"{_tag(glyphs)}+{FONT}"
        # Outlines hardly get smaller by more effort.
        outlines = file.add_stream(self._cff.subset(glyphs, name), b"/Subtype /CIDFontType0C", level=1)
        words = name.encode("ascii")
        descriptor = file.add(
            b"<< /Type /FontDescriptor /FontName /%b /Flags 4 /FontBBox [%d %d %d %d] /ItalicAngle 0"
            b" /Ascent %d /Descent %d /CapHeight 733 /StemV 78 /FontFile3 %d 0 R >>"
            % (words, *self._box, self._ascent, self._descent, outlines)
        )
        descendant = file.add(
            b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /%b /FontDescriptor %d 0 R /DW %d"
            b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /W [%b] >>"
            % (words, descriptor, _UNITS, self._width_array(glyphs))
        )
        written = to_unicode((glyph, chr(code)) for glyph, code in used.items() if glyph)
        characters = file.add_stream(written.encode("ascii"))
        return file.add(
            b"<< /Type /Font /Subtype /Type0 /BaseFont /%b /Encoding /Identity-H"
            b" /DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>" % (words, descendant, characters)
        )

    def _width_array(self, glyphs: Iterable[int]) -> bytes:
        widths = self._widths
        return b" ".join([b"%d [%d]" % (g, widths[g]) for g in glyphs if widths[g] != _UNITS])


def _tag(glyphs: Iterable[int]) -> str:
    """Six letters that name the subset (ISO 32000-1 section 9.6.4)."""
    number = hash(tuple(glyphs)) & 0xFFFFFFFF
    return "".join(chr(65 + number // 26**place % 26) for place in range(6))


def to_unicode(written: Iterable[tuple[int, str]]) -> str:
    """The map from the numbers in a text to what was written (ISO 32000-1 section 9.10.3)."""
    lines = [f"<{number:04x}> <{text.encode('utf-16-be').hex()}>" for number, text in written]
    blocks = [lines[start : start + 100] for start in range(0, len(lines), 100)]
    body = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{body}\n"
        "endcmap CMapName currentdict /CMap defineresource pop end end"
    )


@cache
def open_font() -> Font:
    """The font of all documents, parsed once per process."""
    return Font(pylopdf_fonts_zh_cn.sans_path().read_bytes())
